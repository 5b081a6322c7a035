//! Whether the checker sees: servers that do wrong, one thing each, and what must be found of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::check::Wrong;
use crate::figures::Figures;
use crate::options::Options;
use crate::world::{self, Kind, Settings};

/// Each bug, and as what it shows.
const BUGS: [(&str, Wrong); 3] = [
    ("replies_before_commit", Wrong::Lost),
    ("forgets_receipts", Wrong::Doubled),
    ("stays_busy", Wrong::Stuck),
];
const KILLS: usize = 12;
/// So many worlds are lived through before a bug counts as not found.
const WORLDS: u64 = 5;
/// What a bug keeps from its end comes to none in any time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether every bug is found on every store.
pub(crate) async fn are_found(options: &Options) -> bool {
    let mut all = true;
    for kind in &options.stores {
        for (bug, wrong) in BUGS {
            let settings = Settings { planted: Some(bug), patience: PATIENCE, ..options.settings.clone() };
            let found = is_found(&settings, *kind, options.seed, wrong).await;
            let found = found.map_or("NOT FOUND".to_owned(), |worlds| format!("found in world {worlds}"));
            println!("{kind:?}, {bug}: {found}");
            all &= found != "NOT FOUND";
        }
    }
    all
}

async fn is_found(settings: &Settings, kind: Kind, seed: u64, wrong: Wrong) -> Option<u64> {
    for world in 1..=WORLDS {
        let findings = world::live(settings, kind, seed + world, KILLS, &mut Figures::new()).await;
        let found: BTreeSet<Wrong> = findings.iter().map(|finding| finding.wrong).collect();
        if found.contains(&wrong) {
            return Some(world);
        }
    }
    None
}
