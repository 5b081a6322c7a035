//! What an app brings to another version of its schema: nothing that was sent, all of it for good, and once.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::id::MutationId;
use landfall_core::mutation::Mutation;
use landfall_core::stored::{Entry, JournalRecord, Parked, SentRecord, SettledRecord, Store, read};
use landfall_core::transaction::Transaction;

use crate::check::Invariant;
use crate::disk::Disk;
use crate::mark::Mark;
use crate::tab::VERSION;
use crate::world::World;

/// The writes of a journal.
fn entries(disk: &Disk) -> impl Iterator<Item = Entry> {
    let records = disk.records(Store::Journal).values().filter_map(|text| read::<JournalRecord>(text));
    records.flat_map(|record| record.entries)
}

/// What a migration must leave as it is: what may have been sent, or has ended. A write that was saved again is in
/// more than one record.
pub type Closed = BTreeMap<MutationId, Vec<Entry>>;

/// What must stay as it is.
pub fn before(world: &World, device: usize, transaction: &Transaction) -> Closed {
    let mut before = Closed::new();
    let Transaction::Migrate(_) = transaction else { return before };
    let disk = &world.devices[device].disk;
    let sent = disk.records(Store::Sent).values().filter_map(|text| read::<SentRecord>(text));
    let sent = sent.flat_map(|record| record.sent).map(|sent| sent.mutation.id);
    let settled = disk.records(Store::Settled).values().filter_map(|text| read::<SettledRecord>(text));
    let settled = settled.flat_map(|record| record.settled).map(|settled| settled.id);
    let closed: BTreeSet<MutationId> = sent.chain(settled).collect();
    for entry in entries(disk).filter(|entry| closed.contains(&entry.id)) {
        before.entry(entry.id).or_default().push(entry);
    }
    before
}

/// A transaction is done.
pub fn transacted(world: &mut World, device: usize, before: &Closed, transaction: &Transaction) {
    let disk = &world.devices[device].disk;
    let home = (device, disk.incarnation);
    match transaction {
        Transaction::Migrate(migrated) => {
            let touched =
                entries(disk).find(|now| before.get(&now.id).is_some_and(|then| !then.contains(now)));
            // What was saved again may have gone as it was before.
            let newer = |entry: &Entry| entry.schema == VERSION && !before.contains_key(&entry.id);
            let newer: Vec<_> = entries(disk).filter(newer).map(|entry| entry.id).collect();
            let parked = || migrated.iter().filter(|one| !one.is_pending());
            for parked in parked() {
                world.witness.fickle.extend(crate::witness::values(&parked.entry.fields));
                world.witness.set_aside.insert(parked.entry.id);
            }
            world.marks.hit_if(migrated.iter().any(Parked::is_pending), Mark::Migrated);
            world.marks.hit_if(parked().next().is_some(), Mark::MigrationFailed);
            world.witness.migrated.extend(newer.into_iter().map(|id| (home, id)));
            if let Some(touched) = touched {
                world.violate(Invariant::Migration, format!("{touched:?} is changed, and was sent"));
            }
        }
        Transaction::Open { .. } => {
            let was = |entry: &Entry| world.witness.migrated.contains(&(home, entry.id));
            let back = entries(disk).find(|entry| entry.schema < VERSION && was(entry));
            if let Some(back) = back {
                world.violate(Invariant::Migration, format!("{back:?} is of the older version again"));
            }
        }
        _ => {}
    }
}

/// A batch has come to the server.
pub fn arrived(world: &mut World, device: usize, mutations: &[Mutation]) {
    let home = (device, world.devices[device].disk.incarnation);
    let older = mutations
        .iter()
        .filter(|mutation| mutation.schema < VERSION)
        .find(|mutation| world.witness.migrated.contains(&(home, mutation.id)));
    if let Some(older) = older {
        let what = format!("{older:?} comes as it was, and is stored in another form");
        world.violate(Invariant::Migration, what);
    }
}
