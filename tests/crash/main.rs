//! Kills real servers under real devices, and looks whether anything is lost, doubled or stuck.
//!
//! ```text
//! crash --server PROGRAM --proxy PROGRAM [--kills N] [--store sqlite|postgres] [--seed N] [--planted]
//! ```
//!
//! What it does, and what came of long runs, is in README.md beside this file.

mod check;
#[path = "../../crates/landfall-server/tests/server/cluster.rs"]
#[expect(clippy::unwrap_used, reason = "it is the server's tests that it is from")]
mod cluster;
#[path = "../../crates/landfall-server/tests/server/database.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "it is the server's tests that it is from")]
mod database;
mod device;
mod figures;
mod history;
mod older;
mod options;
mod planted;
mod room;
mod trouble;
mod user;
mod world;

use std::process::ExitCode;

use figures::Figures;
use options::Options;
use room::Room;
use world::Kind;

/// Deaths of servers over one database; then there is another one.
const KILLS_IN_WORLD: usize = 100;
/// More findings of one world say no more.
const SHOWN: usize = 20;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("crash: {error}");
            return ExitCode::FAILURE;
        }
    };
    for lacking in Room::new().lacks() {
        eprintln!("crash: {lacking}");
    }
    if options.planted {
        return if planted::are_found(&options).await { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut sound = true;
    for (number, kind) in options.stores.iter().enumerate() {
        // Both come to the number together.
        let share = options.kills / options.stores.len();
        sound &=
            run(&options, *kind, share + if number == 0 { options.kills % options.stores.len() } else { 0 })
                .await;
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives through as many worlds as it takes. Whether nothing is wrong.
async fn run(options: &Options, kind: Kind, kills: usize) -> bool {
    let mut figures = Figures::new();
    let (mut sound, mut left, mut seed) = (true, kills, options.seed);
    if kind == Kind::Sqlite {
        let deaths = older::migrate(&options.settings, seed, &mut figures).await;
        left = left.saturating_sub(deaths);
    }
    while left > 0 {
        let here = left.min(KILLS_IN_WORLD);
        let findings = world::live(&options.settings, kind, seed, here, &mut figures).await;
        for finding in findings.iter().take(SHOWN) {
            eprintln!("seed {seed}: {finding}");
        }
        figures.found(&findings);
        sound &= findings.is_empty();
        (left, seed) = (left - here, seed + 1);
    }
    figures.print(match kind {
        Kind::Sqlite => "SQLite",
        Kind::Postgres => "PostgreSQL",
    });
    sound
}
