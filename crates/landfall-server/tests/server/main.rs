//! The server through its router and, where the process matters, as a process. One binary, so that
//! everything is linked once.

mod files;
mod harness;
mod limits;
mod process;
mod pull;
mod push;
mod tokens;
