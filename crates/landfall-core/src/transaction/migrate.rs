//! Brings writes to the form that a newer version of the app has given them.

use super::{Opened, Outcome, Write, park};
use crate::id::MutationId;
use crate::map::Map;
use crate::planted::{self, Bug};
use crate::stored::{self, End, Entry, Key, MIGRATIONS, Parked, SettledMutation, SettledRecord, Store};

/// Nothing is done to what may have been sent or has ended, nor to what somebody else has brought as far.
pub(super) fn migrate(migrated: &[Parked], opened: Opened) -> (Vec<Write>, Outcome) {
    let closed = opened.closed();
    let newer: Map<MutationId, Parked> = migrated.iter().cloned().map(|one| (one.entry.id, one)).collect();
    let (mut writes, mut ended) = (Vec::new(), Vec::new());
    for mut parked in opened.parked {
        if renew(&mut parked.entry, &newer) {
            writes.push(park(&parked));
        }
    }
    for (key, mut record) in opened.journal {
        let open = |entry: &&Entry| !closed.contains(&entry.id);
        for entry in record.entries.iter().filter(open) {
            let Some(new) = newer.get(&entry.id).filter(|new| !new.is_pending()) else { continue };
            // Of a transaction all or nothing: another tab may have been able to do more.
            let as_asked =
                |other: &Entry| newer.get(&other.id).is_some_and(|new| new.entry.schema == other.schema);
            let unit = |other: &&Entry| other.id == entry.id || other.is_with(entry);
            if record.entries.iter().filter(open).filter(unit).all(as_asked) {
                writes.push(park(new));
                ended.push(SettledMutation { id: entry.id, end: End::Parked });
            }
        }
        let mut changed = false;
        for entry in &mut record.entries {
            changed |= !closed.contains(&entry.id) && renew(entry, &newer);
        }
        if changed {
            writes.push(Write::Put(Store::Journal, Key::Counted(key), stored::write(&record)));
        }
    }
    if !ended.is_empty() {
        let record = SettledRecord { epoch: None, resets: 0, settled: ended };
        writes.push(Write::Add(Store::Settled, stored::write(&record)));
    }
    if !writes.is_empty() {
        let count = (opened.migrations + 1).to_string();
        writes.push(Write::Put(Store::Meta, Key::Text(MIGRATIONS.into()), count));
    }
    (writes, Outcome::Migrated)
}

fn renew(entry: &mut Entry, newer: &Map<MutationId, Parked>) -> bool {
    let Some(new) = newer.get(&entry.id) else { return false };
    let is_newer = new.is_pending() && new.entry.schema > entry.schema;
    if is_newer {
        entry.fields.clone_from(&new.entry.fields);
        if !planted::is(Bug::MigratesTwice) {
            entry.schema = new.entry.schema;
        }
    }
    is_newer
}
