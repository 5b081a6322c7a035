//! The server through its router and, where the process matters, as a process. One binary, so that
//! everything is linked once.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod abuse;
mod audit;
mod check;
mod cluster;
mod conflicts;
mod conformance;
mod database;
mod description;
mod devices;
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
mod overload;
mod policies;
mod postgres;
mod process;
mod protocol;
mod pull;
mod push;
mod retention;
mod settled;
mod shutdown;
mod sight;
mod socket;
mod sql;
mod status;
mod tokens;
mod upkeep;
mod validation;
mod wholes;
mod wire;
