//! Loads a released server and prints what it does, on both stores: `cargo xtask bench server`.
//!
//! Client, server and database share the processors, and each figure has its floor beside it from the same run.

#[path = "../../crates/landfall-server/tests/server/cluster.rs"]
#[expect(clippy::unwrap_used, reason = "it is the server's tests that it is from")]
mod cluster;
#[path = "../../crates/landfall-server/tests/server/database.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "it is the server's tests that it is from")]
mod database;
mod hand;
mod measure;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;

use site::Kind;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next().map(PathBuf::from) else {
        eprintln!("load PROGRAM [push|latency|pull|live] [sqlite|postgres]");
        return ExitCode::FAILURE;
    };
    let wanted: Vec<String> = arguments.collect();
    let wants = |all: &[&str], name: &str| {
        wanted.iter().any(|wanted| wanted == name)
            || !wanted.iter().any(|wanted| all.contains(&wanted.as_str()))
    };
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if !wants(&["sqlite", "postgres"], kind.name()) {
            continue;
        }
        for what in WHAT {
            if !wants(&WHAT, what) {
                continue;
            }
            match what {
                "push" => measure::pushes(&program, kind).await,
                "latency" => measure::latency(&program, kind).await,
                "pull" => measure::pulls(&program, kind).await,
                _ => measure::live(&program, kind).await,
            }
        }
    }
    ExitCode::SUCCESS
}

/// What is measured.
const WHAT: [&str; 4] = ["push", "latency", "pull", "live"];
