//! Writes on their way from devices to the server and to other devices, through whatever goes wrong.
//!
//! Real clients and the real decision, with stores, clocks and the network in memory: every case is a
//! list of steps and gives the same outcome every time.

#![expect(clippy::unwrap_used, reason = "what a case made up itself can be read")]

mod adversary;
mod attention;
mod bounds;
mod changes;
mod compact;
mod crash;
mod disaster;
mod disk;
mod edits;
mod epochs;
mod eviction;
mod failing;
mod forgotten;
mod handover;
mod hints;
mod index;
mod migration;
mod outbox;
mod peace;
mod pulling;
mod refusal;
mod server;
mod settled;
mod slept;
mod staging;
mod tab;
mod tabs;
mod tail;
mod wholes;
mod world;
mod wrong_clock;
