//! Which stored records something still depends on.
//!
//! Records are packed, so one is garbage only when everything in it is; it is deleted by the next
//! transaction that writes anyway. Forgetting to is harmless: the next start finds it again.

use crate::id::MutationId;
use crate::map::{Map, Set};
use crate::planted::{self, Bug};
use crate::stored::{Key, Store};

/// Records by key, each with what it is still needed for.
#[derive(Clone, Debug, Default)]
struct Shelf {
    records: Map<u64, Set<MutationId>>,
    homes: Map<MutationId, Vec<u64>>,
    empty: Vec<u64>,
}

impl Shelf {
    fn put(&mut self, record: u64, mut ids: Set<MutationId>) {
        if planted::is(Bug::GarbageTooEarly) {
            ids = ids.into_iter().take(1).collect();
        }
        if ids.is_empty() {
            self.empty.push(record);
            return;
        }
        for id in ids.iter() {
            let homes = self.homes.get_or_insert_with(*id, Vec::new);
            if !homes.contains(&record) {
                homes.push(record);
            }
        }
        // A database that was deleted and made anew gives keys a second time.
        self.records.get_or_insert_with(record, Set::new).extend(ids);
    }

    /// Gives the records that nothing needs any more because of this.
    fn release(&mut self, id: MutationId) -> Vec<u64> {
        let mut emptied = Vec::new();
        for record in self.homes.remove(&id).into_iter().flatten() {
            let ids = self.records.get_mut(&record).expect("BUG: a home without a record");
            ids.remove(&id);
            if ids.is_empty() {
                self.records.remove(&record);
                emptied.push(record);
            }
        }
        self.empty.extend(&emptied);
        emptied
    }
}

/// The counted records of a device.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    journal: Shelf,
    sent: Shelf,
    settled: Shelf,
    /// All writes of each journal record that is not garbage.
    members: Map<u64, Vec<MutationId>>,
    journalled: Set<MutationId>,
    /// Single records that are garbage.
    strays: Vec<(Store, Key)>,
    last: u64,
}

impl Ledger {
    /// A journal record: all its writes, and which of them have not ended.
    pub fn journal(&mut self, record: u64, members: Vec<MutationId>, live: Set<MutationId>) {
        self.last = self.last.max(record);
        if !live.is_empty() {
            self.journalled.extend(members.iter().copied());
            self.members.insert(record, members);
        }
        self.journal.put(record, live);
    }

    /// The newest journal record that is known here.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The journal records that are known here.
    pub fn journals(&self) -> Set<u64> {
        self.journal.records.keys().chain(&self.journal.empty).copied().collect()
    }

    /// A record of final bytes, and which of its mutations are not settled.
    pub fn sent(&mut self, record: u64, unsettled: Set<MutationId>) {
        self.sent.put(record, unsettled);
    }

    /// A record of verdicts, after the journal records it may speak of.
    pub fn settled(&mut self, record: u64, ids: impl Iterator<Item = MutationId>) {
        self.settled.put(record, ids.filter(|id| self.journalled.contains(id)).collect());
    }

    /// A verdict is stored: the bytes need not be sent again.
    pub fn settle(&mut self, id: MutationId) {
        self.sent.release(id);
    }

    /// A write has ended: its effect is in the base, or it is parked.
    pub fn end(&mut self, id: MutationId) {
        for record in self.journal.release(id) {
            // The journal no longer names these writes, so nobody will ask how they ended.
            for member in self.members.remove(&record).into_iter().flatten() {
                self.journalled.remove(&member);
                self.settled.release(member);
            }
        }
    }

    /// A record that nothing needs any more.
    pub fn stray(&mut self, store: Store, key: Key) {
        self.strays.push((store, key));
    }

    /// What can be deleted, all in one transaction: a write must not outlive the verdict on it.
    pub fn garbage(&self) -> Vec<(Store, Key)> {
        let mut garbage = Vec::new();
        for (store, shelf) in
            [(Store::Journal, &self.journal), (Store::Settled, &self.settled), (Store::Sent, &self.sent)]
        {
            garbage.extend(shelf.empty.iter().map(|record| (store, Key::Counted(*record))));
        }
        garbage.extend_from_slice(&self.strays);
        garbage
    }

    /// These records are deleted.
    pub fn collected(&mut self, garbage: &[(Store, Key)]) {
        self.strays.retain(|stray| !garbage.contains(stray));
        let gone = |store: Store| -> Set<u64> {
            let records = garbage.iter().filter_map(|(other, key)| match key {
                Key::Counted(record) if *other == store => Some(*record),
                Key::Counted(_) | Key::Text(_) => None,
            });
            records.collect()
        };
        for (store, shelf) in [
            (Store::Journal, &mut self.journal),
            (Store::Settled, &mut self.settled),
            (Store::Sent, &mut self.sent),
        ] {
            let gone = gone(store);
            shelf.empty.retain(|record| !gone.contains(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Writer;

    fn id(n: u64) -> MutationId {
        MutationId { writer: Writer(1), n }
    }

    #[test]
    fn a_record_goes_when_everything_in_it_has_ended() {
        let mut ledger = Ledger::default();
        ledger.journal(1, vec![id(1), id(2)], Set::from_iter([id(1), id(2)]));
        ledger.sent(1, Set::from_iter([id(1), id(2)]));
        ledger.settle(id(1));
        ledger.settled(1, [id(1)].into_iter());
        ledger.end(id(1));
        assert_eq!(ledger.garbage(), []);
        ledger.settle(id(2));
        ledger.settled(2, [id(2)].into_iter());
        ledger.end(id(2));
        let garbage = ledger.garbage();
        let all = [(Store::Journal, 1), (Store::Settled, 1), (Store::Settled, 2), (Store::Sent, 1)];
        assert_eq!(garbage, all.map(|(store, record)| (store, Key::Counted(record))));
        ledger.collected(&garbage);
        assert_eq!(ledger.garbage(), []);
    }

    #[test]
    fn leftovers_of_an_earlier_run_are_found() {
        let mut ledger = Ledger::default();
        ledger.journal(7, vec![id(1)], Set::new());
        ledger.sent(3, Set::new());
        ledger.settled(4, [id(1)].into_iter());
        assert_eq!(ledger.garbage().len(), 3);
    }
}
