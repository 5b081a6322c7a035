//! The `landfall` binary.

mod cli;
mod serve;
mod upkeep;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

pub(crate) fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
        Command::Token(options) => options.run(),
        Command::Check(options) => options.run(),
        Command::Backup(options) => options.run(),
        Command::BackedUp(options) => options.run(),
        Command::Restore(options) => options.run(),
        Command::Erase(options) => options.run(),
        Command::Restored(options) => options.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall: {error}");
            ExitCode::FAILURE
        }
    }
}
