//! What the checkers know that no device and no server does: everything that was promised.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::id::{MutationId, Writer};
use landfall_core::mutation::{Change, Field, Mutation};
use landfall_core::stored::{End, Entry, Place};
use landfall_core::transaction::{Amendment, Outcome, Transaction};

use crate::check::cause::Causes;
use crate::person::PersonId;

/// Where a write was made: the device, how often its disk was put back before, the place in its journal.
pub type Home = (usize, u64, Place);

/// Everything that was promised, and what excuses that it is not kept.
#[derive(Debug, Default)]
pub struct Witness {
    /// Writes whose promise has resolved, and on which device.
    pub saved: BTreeMap<MutationId, usize>,
    /// Where each write stands in its journal.
    pub homes: BTreeMap<MutationId, Home>,
    /// Where else a write was journalled, once more each time after what was stored had been deleted: how often
    /// that was, and the record.
    pub rescued: BTreeMap<MutationId, Vec<(u64, u64)>>,
    /// Writes that nobody wants any more.
    pub given_up: BTreeSet<MutationId>,
    /// Writes about which somebody has decided and was told that it is saved: on which device, and how often its
    /// disk was put back before.
    pub decided: BTreeMap<MutationId, (usize, u64)>,
    /// Writes that go on under other names.
    pub replaced: BTreeMap<MutationId, Vec<MutationId>>,
    /// Writes that a person or a browser has thrown away, or a backup without them.
    pub excused: BTreeSet<MutationId>,
    /// Writes that devices keep no longer: they were too much, and counted, or the server has said that they are in a
    /// backup.
    pub let_go: BTreeSet<MutationId>,
    /// Writes of which everybody was told that they are in a backup.
    pub announced: BTreeSet<MutationId>,
    /// Writes whose device has lost all that it had.
    pub unkept: BTreeSet<MutationId>,
    /// Values of writes that may come and go.
    pub fickle: BTreeSet<u64>,
    /// Writes that the app could not bring to a newer version.
    pub set_aside: BTreeSet<MutationId>,
    /// Writes that were brought to a newer version on a disk: the device, how often it was put back, and which.
    pub migrated: BTreeSet<((usize, u64), MutationId)>,
    /// How each write was first sent from each disk, as often as that was put back before.
    pub sendings: BTreeMap<((usize, u64), MutationId), Mutation>,
    /// What else is shown to whom a value is shown.
    pub causes: Causes,
    /// Whose the writers are.
    pub authors: BTreeMap<Writer, PersonId>,
    /// Values that each person has written or was sent.
    pub known: BTreeMap<PersonId, BTreeSet<u64>>,
}

/// The values that a write sets: all of them are different.
pub fn values(fields: &[Field]) -> Vec<u64> {
    let mut found = Vec::new();
    for field in fields {
        if let Change::Set(value) = &field.change {
            let words = value.text().split(|c: char| !c.is_ascii_digit());
            found.extend(words.filter_map(|word| word.parse::<u64>().ok()));
        }
    }
    found
}

impl Witness {
    /// Something is stored on a device.
    pub fn transacted(
        &mut self,
        device: usize,
        incarnation: u64,
        transaction: &Transaction,
        outcome: &Outcome,
        added: &[u64],
    ) {
        match (transaction, outcome) {
            (Transaction::Commit(record, _), Outcome::Committed) => {
                self.journalled(device, incarnation, &record.entries, added[0]);
            }
            (Transaction::Amend(amendment), Outcome::Amended) => {
                self.amended(device, incarnation, amendment, added);
            }
            (Transaction::Settle { .. }, Outcome::Settled { settled, .. }) => {
                let closed = settled.iter().filter(|one| one.end == End::Discarded);
                self.given_up.extend(closed.map(|one| one.id));
            }
            (_, _) => {}
        }
    }

    fn journalled(&mut self, device: usize, incarnation: u64, entries: &[Entry], record: u64) {
        for (index, entry) in (0..).zip(entries) {
            let here = Place { record, index };
            let home = (device, incarnation, entry.place.unwrap_or(here));
            match self.homes.get(&entry.id) {
                None => _ = self.homes.insert(entry.id, home),
                // What a browser had deleted is saved again.
                Some((_, before, _)) if *before < incarnation => {
                    self.rescued.entry(entry.id).or_default().push((incarnation, record));
                }
                Some(_) => {}
            }
        }
    }

    fn amended(&mut self, device: usize, incarnation: u64, amendment: &Amendment, added: &[u64]) {
        let entries = &amendment.record.entries;
        if !entries.is_empty() {
            self.journalled(device, incarnation, entries, added[0]);
        }
        for entry in entries {
            if let Some(old) = entry.replaces {
                self.replaced.entry(old).or_default().push(entry.id);
            }
            self.fickle.extend(values(&entry.fields));
        }
        self.given_up.extend(amendment.voids.iter().copied());
        let dropped = amendment.unpark.iter().filter(|id| !self.replaced.contains_key(id));
        self.given_up.extend(dropped.copied());
    }

    /// Everything that a write goes on as, itself first.
    pub fn successors(&self, id: MutationId) -> Vec<MutationId> {
        let (mut all, mut next) = (vec![id], 0);
        while let Some(id) = all.get(next) {
            let more: Vec<_> = self.replaced.get(id).into_iter().flatten().copied().collect();
            all.extend(more.into_iter().filter(|id| !all.contains(id)).collect::<Vec<_>>());
            next += 1;
        }
        all
    }
}
