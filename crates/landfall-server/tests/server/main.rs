//! The server through its router and, where the process matters, as a process. One binary, so that
//! everything is linked once.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod conflicts;
mod files;
mod harness;
mod limits;
mod live;
mod policies;
mod process;
mod protocol;
mod pull;
mod push;
mod settled;
mod sight;
mod status;
mod tokens;
mod wholes;
