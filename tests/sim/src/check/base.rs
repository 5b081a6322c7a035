//! I9 and I10: what a device has confirmed is what the server had, all of it, and never less than before.

use landfall_core::client::Done;
use landfall_core::id::{DocumentKey, Position};
use landfall_core::json::Json;
use landfall_core::stored::{BaseRow, CHECKPOINT, Checkpoint, End, Key, Store, base_document, read};
use landfall_core::transaction::{Outcome, Transaction};

use crate::check::{Invariant, sight};
use crate::disk::Disk;
use crate::mark::Mark;
use crate::server;
use crate::world::World;

/// How far a device has come before a page that goes on from there is stored.
pub fn through(world: &World, device: usize, transaction: &Transaction) -> Option<Position> {
    match transaction {
        Transaction::Store { reset: None, .. } => {
            stored(&world.devices[device].disk).map(|checkpoint| checkpoint.position)
        }
        _ => None,
    }
}

/// It has not gone back, whatever the tab that stored the page knew.
pub fn forward(world: &mut World, device: usize, before: Option<Position>, outcome: &Outcome) {
    if before.is_none() || *outcome != Outcome::Stored {
        return;
    }
    let after = stored(&world.devices[device].disk).map(|checkpoint| checkpoint.position);
    if after < before {
        let what = format!("device {device} goes back from {before:?} to {after:?}");
        world.violate(Invariant::I10, what);
    }
}

/// How far a disk has come.
pub fn stored(disk: &Disk) -> Option<Checkpoint> {
    read(disk.records(Store::Meta).get(&Key::Text(CHECKPOINT.into()))?)
}

/// A transaction is done.
pub fn transacted(world: &mut World, device: usize, transaction: &Transaction, outcome: &Outcome) {
    match (transaction, outcome) {
        (Transaction::Store { asked, reached, rows, reset, .. }, Outcome::Stored) => {
            if reset.is_some() {
                let current = reached.epoch.as_deref() == Some(&*world.server.store(0).name());
                world.devices[device].tainted = !current;
            } else if reached.position < asked.position {
                let what = format!("device {device} goes back from {asked:?} to {reached:?}");
                return world.violate(Invariant::I10, what);
            }
            rows.iter().for_each(|(key, row)| compare(world, device, key, row.as_ref()));
            let swept = reset.is_none() && asked.cursor == reached.cursor && !rows.is_empty();
            world.marks.hit_if(swept, Mark::TombstonesSwept);
            world.marks.hit_if(reset.is_some_and(|through| through > Position(0)), Mark::RestoredInPart);
        }
        (Transaction::Unpack { rows, .. }, Outcome::Stored) => {
            rows.iter().for_each(|(key, row)| compare(world, device, key, row.as_ref()));
        }
        (_, Outcome::Settled { rows, settled, .. }) => {
            rows.iter().for_each(|(key, row)| compare(world, device, key, row.as_ref()));
            for one in settled {
                world.marks.hit_if(one.end == End::Folded, Mark::Folded);
                world.marks.hit_if(matches!(one.end, End::Accepted { .. }), Mark::AcceptedAhead);
            }
        }
        (_, _) => {}
    }
}

/// A confirmed document is what the server had at that version.
fn compare(world: &mut World, device: usize, key: &DocumentKey, row: Option<&BaseRow>) {
    let Some(row) = row.filter(|_| !world.devices[device].tainted && !world.set_back) else { return };
    if let Some(what) = unlike(world.store_of(device), key, row) {
        world.violate(Invariant::I9, format!("device {device} has {what}"));
    }
}

/// A confirmed document that is not what the server had at that version.
pub fn unlike(store: &server::Store, key: &DocumentKey, row: &BaseRow) -> Option<String> {
    // Its versions are counted from the start again.
    if store.forgotten.contains_key(key) {
        return None;
    }
    let mut recorded = store.versions.range((key.clone(), row.version)..);
    let next = recorded.next().filter(|((other, _), _)| other == key);
    // Of several changes in one commit only the last is there to compare with.
    if next.is_some_and(|((_, version), (position, _))| *version > row.version && *position == row.position) {
        return None;
    }
    let Some((_, (position, data))) = next.filter(|((_, version), _)| *version == row.version) else {
        return Some(format!("{key:?} at {:?}, which never was", row.version));
    };
    let mine = row.deleted.is_none().then_some(&row.data);
    (mine != data.as_ref() || row.position != *position).then(|| {
        format!(
            "{key:?} at {:?} as {mine:?} of {:?}, the server {data:?} of {position:?}",
            row.version, row.position
        )
    })
}

/// Nothing is missing up to the checkpoint: what is stored is compared with all that the server has.
pub fn complete(world: &mut World, device: usize) {
    let person = &world.people[world.devices[device].person];
    let sees = |key: &DocumentKey, data: &Json| sight::may_see(person, key, data);
    if let Some(what) = gap(&world.devices[device].disk, world.store_of(device), sees) {
        world.violate(Invariant::I9, format!("device {device} {what}"));
    }
}

/// What a disk lacks of what its owner may see up to its checkpoint, or has too much.
pub fn gap(disk: &Disk, store: &server::Store, sees: impl Fn(&DocumentKey, &Json) -> bool) -> Option<String> {
    let checkpoint = stored(disk)?;
    if !checkpoint.complete || checkpoint.staged.is_some() || !disk.records(Store::Staged).is_empty() {
        return None;
    }
    let missing = store.documents.iter().find(|(key, row)| {
        if row.hidden || row.stored.position > checkpoint.position || !sees(key, &row.data) {
            return false;
        }
        let text = disk.records(Store::Base).get(&landfall_core::stored::base_key(key));
        let mine = text.and_then(|text| read::<BaseRow>(text));
        mine.is_none_or(|mine| mine.version != row.stored.version)
    });
    let extra = || {
        disk.records(Store::Base).iter().find_map(|(key, text)| {
            let Key::Text(key) = key else { return None };
            let (key, mine) = (base_document(key)?, read::<BaseRow>(text)?);
            let early = mine.position > checkpoint.position.max(store.position);
            early.then(|| format!("has {key:?} of {:?}, which is not yet", mine.position))
        })
    };
    let missing = missing.map(|(key, _)| format!("has come to {checkpoint:?} without {key:?}"));
    missing.or_else(extra)
}

/// A transaction in a line.
pub fn line(transaction: &Transaction, done: &Done) -> String {
    let what = match transaction {
        Transaction::Store { asked, reached, rows, staged, reset, .. } => {
            let (Position(from), Position(to)) = (asked.position, reached.position);
            format!("stores {} rows, {} packed, {from} to {to}, reset {reset:?}", rows.len(), staged.len())
        }
        Transaction::Settle { settled, .. } => format!("settles {settled:?}"),
        Transaction::Fix { sent, .. } => {
            format!("fixes {:?}", sent.iter().map(|sent| sent.mutation.id).collect::<Vec<_>>())
        }
        Transaction::Commit(record, _) => {
            format!("commits {:?}", record.entries.iter().map(|entry| entry.id).collect::<Vec<_>>())
        }
        Transaction::Amend(amendment) => format!("amends {amendment:?}"),
        Transaction::Open { .. } => "opens".to_owned(),
        Transaction::Load(keys, records) => {
            format!("loads {} documents and what {records:?} write to them", keys.iter().count())
        }
        Transaction::LoadPart(..) => "loads a part".to_owned(),
        Transaction::Seek { field, .. } => format!("asks the index of {field}"),
        Transaction::Index { fields, .. } => format!("indexes {fields:?}"),
        Transaction::Migrate(migrated) => format!("migrates {migrated:?}"),
        Transaction::Adopt(_) => "adopts".to_owned(),
        Transaction::Compact { record, ended } => format!("takes {ended:?} out of {record}"),
        Transaction::Seal { .. } => "seals".to_owned(),
        Transaction::Unpack { key, .. } => format!("unpacks {key}"),
    };
    let outcome = match &done.outcome {
        Outcome::Settled { settled, rows, .. } => format!("{settled:?}, {} rows", rows.len()),
        Outcome::Stale(_) => "too early".to_owned(),
        Outcome::Missed => "too late".to_owned(),
        _ => String::new(),
    };
    format!("{what} → {outcome} {:?}", done.added)
}
