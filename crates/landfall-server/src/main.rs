//! The `landfall` binary.

mod cli;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

pub(crate) fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
        Command::Token(options) => options.run(),
        Command::BackedUp(options) => options.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall: {error}");
            ExitCode::FAILURE
        }
    }
}
