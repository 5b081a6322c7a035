//! I1 for what people decide: once they are told that it is saved, no power cut takes it back.

use std::collections::BTreeSet;

use landfall_core::id::MutationId;
use landfall_core::stored::{JournalRecord, Parked, SettledRecord, Store, read, voided};

use crate::check::Invariant;
use crate::world::World;

/// Decisions that a device's disk knows nothing of, though somebody was told that they are saved.
pub fn forgotten(world: &World, device: usize) -> BTreeSet<MutationId> {
    let disk = &world.devices[device].disk;
    let here = (device, disk.incarnation);
    let is_decided = |id: &MutationId| world.witness.decided.get(id) == Some(&here);
    let settled = disk.records(Store::Settled).values().filter_map(|text| read::<SettledRecord>(text));
    let mut known: BTreeSet<_> = settled.flat_map(|record| record.settled).map(|one| one.id).collect();
    known.extend(disk.records(Store::Meta).keys().filter_map(voided));
    let journal = disk.records(Store::Journal).values().filter_map(|text| read::<JournalRecord>(text));
    let pending = journal.flat_map(|record| record.entries).map(|entry| entry.id);
    let pending = pending.filter(|id| !known.contains(id));
    let parked = disk.records(Store::Parked).values().filter_map(|text| read::<Parked>(text));
    pending.chain(parked.map(|parked| parked.entry.id)).filter(is_decided).collect()
}

/// A device had no power; `before` is what was forgotten before that.
pub fn kept(world: &mut World, device: usize, before: &BTreeSet<MutationId>) {
    if let Some(id) = forgotten(world, device).iter().find(|id| !before.contains(id)) {
        world.violate(Invariant::I1, format!("what was decided about {id} was saved and is forgotten"));
    }
}
