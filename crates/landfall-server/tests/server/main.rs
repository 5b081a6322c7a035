//! The server through its router and, where the process matters, as a process. One binary, so that
//! everything is linked once.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod audit;
mod check;
mod cluster;
mod conflicts;
mod conformance;
mod database;
mod description;
mod epochs;
mod erasure;
mod files;
mod harness;
mod history;
mod issuer;
mod limits;
mod live;
mod logs;
mod metrics;
mod migration;
mod nodes;
mod policies;
mod postgres;
mod process;
mod protocol;
mod pull;
mod push;
mod retention;
mod settled;
mod sight;
mod sql;
mod status;
mod tokens;
mod upkeep;
mod wholes;
