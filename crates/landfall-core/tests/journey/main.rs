//! Writes on their way from devices to the server and to other devices, through whatever goes wrong.
//!
//! Real clients and the real decision, with stores, clocks and the network in memory: every case is a
//! list of steps and gives the same outcome every time.

mod crash;
mod disaster;
mod disk;
mod outbox;
mod pulling;
mod refusal;
mod server;
mod tab;
mod tabs;
mod world;
mod wrong_clock;
