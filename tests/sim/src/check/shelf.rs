//! I1: what a device keeps of writes that the server has taken in goes for a reason, and is counted where there is none
//! but that it is too much.

use std::collections::BTreeSet;

use landfall_core::id::MutationId;
use landfall_core::stored::{JournalRecord, KEPT, Key, Store, kept_from, read};
use landfall_core::transaction::{Outcome, Transaction, Write};

use crate::check::{Invariant, base};
use crate::disk::Disk;
use crate::mark::Mark;
use crate::world::World;

/// Writes that a disk keeps though they have come to an end.
pub fn kept(disk: &Disk) -> Vec<MutationId> {
    let (from, to) = (Key::Text(KEPT.0.into()), Key::Text(KEPT.1.into()));
    disk.records(Store::Meta).range(from..to).flat_map(|(_, text)| ids(text)).collect()
}

/// The writes of a record.
fn ids(text: &str) -> Vec<MutationId> {
    let record = text.split('\n').next().and_then(read::<JournalRecord>);
    record.into_iter().flat_map(|record| record.entries).map(|entry| entry.id).collect()
}

/// What a transaction is about to take off the shelf: the newest commit of each record, and what is in it.
pub fn leaving(disk: &Disk, writes: &[Write]) -> Vec<(Key, Vec<MutationId>)> {
    let meta = disk.records(Store::Meta);
    let mut leaving = Vec::new();
    for write in writes {
        match write {
            Write::Delete(Store::Meta, key) => leaving.extend(meta.get_key_value(key)),
            Write::DeleteRange(Store::Meta, from, to) => leaving.extend(meta.range(from..to)),
            _ => {}
        }
    }
    let is_kept = |key: &Key| matches!(key, Key::Text(key) if key.starts_with(KEPT.0));
    leaving.into_iter().filter(|(key, _)| is_kept(key)).map(|(key, text)| (key.clone(), ids(text))).collect()
}

/// It is done.
pub fn transacted(
    world: &mut World,
    device: usize,
    transaction: &Transaction,
    outcome: &Outcome,
    left: Vec<(Key, Vec<MutationId>)>,
    dropped_before: u64,
) {
    match (transaction, outcome) {
        (Transaction::Settle { settled, .. }, Outcome::Settled { checkpoint, .. }) => {
            let dropped: BTreeSet<MutationId> = left.iter().flat_map(|(_, ids)| ids).copied().collect();
            let counted = checkpoint.dropped - dropped_before;
            if counted < dropped.len() as u64 {
                let what = format!("device {device} lets {dropped:?} go, and counts {counted}");
                return world.violate(Invariant::I1, what);
            }
            world.marks.hit_if(!dropped.is_empty(), Mark::KeptDropped);
            settled.iter().for_each(|one| _ = world.witness.let_go.remove(&one.id));
            let_go(world, dropped);
        }
        (Transaction::Store { asked, reached, backed_up, .. }, Outcome::Stored) => {
            let there = kept_from(backed_up.next());
            let is_there = |key: &Key| matches!(key, Key::Text(key) if *key < there);
            let backed: Vec<_> = left.iter().filter(|(key, _)| is_there(key)).collect();
            world.marks.hit_if(!backed.is_empty(), Mark::KeptBackedUp);
            let backed = backed.into_iter().flat_map(|(_, ids)| ids).copied();
            let announced = backed.filter(|id| world.witness.announced.contains(id)).collect();
            let_go(world, announced);
            let back = asked.resets != reached.resets && !left.is_empty();
            world.marks.hit_if(back, Mark::KeptPutBack);
        }
        (_, _) => {}
    }
}

/// Nobody has to keep these any more, also where they are lost already.
fn let_go(world: &mut World, ids: BTreeSet<MutationId>) {
    let lost: Vec<_> = ids.iter().filter(|id| !world.server.knows(**id)).copied().collect();
    world.witness.let_go.extend(ids);
    let excused = excused(world, &lost);
    world.witness.excused.extend(excused);
}

/// How many writes a device says that it keeps no longer.
pub fn dropped(disk: &Disk) -> u64 {
    base::stored(disk).map_or(0, |checkpoint| checkpoint.dropped)
}

/// What of the writes that a restore has taken back nobody has to keep: their devices are gone, or have let them go with
/// good reason.
pub fn excused(world: &World, lost: &[MutationId]) -> Vec<MutationId> {
    let witness = &world.witness;
    let may_go = |id: &MutationId| witness.let_go.contains(id) || witness.unkept.contains(id);
    let mut excused: Vec<_> = lost.iter().copied().filter(may_go).collect();
    // Most of the time there is none, and what all disks hold takes long to read.
    if !excused.is_empty() {
        let all = (0..world.devices.len()).flat_map(|device| world.all_kept(device));
        let there: BTreeSet<MutationId> = all.collect();
        excused.retain(|id| !there.contains(id));
    }
    excused
}
