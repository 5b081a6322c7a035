//! Shared parts of the tests.

pub mod chance;
pub mod disk;
pub mod http;
pub mod process;
