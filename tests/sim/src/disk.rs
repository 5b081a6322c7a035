//! A device's stores, and what a power cut takes back.
//!
//! Every write is in force at once. What was not synced since can be undone, newest first, so a power
//! cut leaves a state that the stores were in at some moment after the last strict transaction.

use std::collections::BTreeMap;

use landfall_core::client::Done;
use landfall_core::code::Code;
use landfall_core::stored::{Key, SEAL, Store};
use landfall_core::transaction::{Durability, Outcome, Read, Rows, Write};

/// How to take one write back.
#[derive(Clone, Debug)]
enum Undo {
    /// What stood under a key before.
    Record(Store, Key, Option<String>),
    /// How far the keys were counted.
    Count(Store, u64),
}

/// One device's stores.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    stores: [BTreeMap<Key, String>; Store::ALL.len()],
    counts: [u64; Store::ALL.len()],
    /// What a power cut can take back, by transaction.
    pending: Vec<Vec<Undo>>,
    /// Whether there is no room.
    pub full: bool,
    /// Whether nothing can be read either.
    pub broken: bool,
    /// How often it was put into an earlier state.
    pub incarnation: u64,
}

fn slot(store: Store) -> usize {
    store as usize
}

impl Disk {
    /// Reads what a transaction wants to know.
    pub fn read(&self, reads: &[Read], stores: &[Store]) -> Vec<Rows> {
        let copy = |(key, text): (&Key, &String)| (key.clone(), text.clone());
        let part = |store: &Store| {
            assert!(stores.contains(store), "{store:?} is not part of the transaction");
            &self.stores[slot(*store)]
        };
        let read = |read: &Read| match read {
            Read::One(store, key) => part(store).get_key_value(key).map(copy).into_iter().collect(),
            Read::All(store) => part(store).iter().map(copy).collect(),
            Read::Range(store, from, to, count) => {
                part(store).range(from..to).take(*count as usize).map(copy).collect()
            }
            Read::Keys(store, from, to, count, descending) => {
                let mut keys: Vec<_> = part(store).range(from..to).map(copy).collect();
                if *descending {
                    keys.reverse();
                }
                keys.truncate(*count as usize);
                keys
            }
        };
        reads.iter().map(read).collect()
    }

    /// Does what a transaction has decided, all of it or nothing.
    pub fn write(
        &mut self,
        writes: Vec<Write>,
        outcome: Outcome,
        stores: &[Store],
        durability: Durability,
    ) -> Result<Done, Code> {
        assert!(durability != Durability::ReadOnly || writes.is_empty(), "a reader writes");
        let journals = writes.iter().any(|write| matches!(write, Write::Add(Store::Journal, _)));
        if journals && self.stores[slot(Store::Journal)].contains_key(&SEAL) {
            // What IndexedDB says when a counter has come to its end.
            return Err(Code::SignedOut);
        }
        let mut added = vec![];
        let mut undo = vec![];
        for write in writes {
            match write {
                Write::Add(store, text) => {
                    assert!(stores.contains(&store) && store.is_counted(), "{store:?} cannot be added to");
                    let count = self.counts[slot(store)];
                    undo.push(Undo::Count(store, count));
                    self.counts[slot(store)] = count + 1;
                    self.put(store, Key::Counted(count + 1), Some(text), &mut undo);
                    added.push(count + 1);
                }
                Write::Put(store, key, text) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    self.put(store, key, Some(text), &mut undo);
                }
                Write::Delete(store, key) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    self.put(store, key, None, &mut undo);
                }
                Write::DeleteRange(store, from, to) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    let range = self.stores[slot(store)].range(from..to);
                    let keys: Vec<Key> = range.map(|(key, _)| key.clone()).collect();
                    keys.into_iter().for_each(|key| self.put(store, key, None, &mut undo));
                }
                Write::Clear(store) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    let keys: Vec<Key> = self.stores[slot(store)].keys().cloned().collect();
                    keys.into_iter().for_each(|key| self.put(store, key, None, &mut undo));
                }
            }
        }
        match durability {
            Durability::Strict => self.sync(),
            Durability::Relaxed => self.pending.push(undo),
            Durability::ReadOnly => {}
        }
        Ok(Done { outcome, added })
    }

    fn put(&mut self, store: Store, key: Key, text: Option<String>, undo: &mut Vec<Undo>) {
        let records = &mut self.stores[slot(store)];
        let before = match text {
            Some(text) => records.insert(key.clone(), text),
            None => records.remove(&key),
        };
        undo.push(Undo::Record(store, key, before));
    }

    /// Everything so far is on disk.
    pub fn sync(&mut self) {
        self.pending.clear();
    }

    /// How many transactions a power cut could take back.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The power fails: the newest `lost` transactions that were not synced have never been.
    pub fn power_cut(&mut self, lost: usize) {
        for _ in 0..lost {
            for undo in self.pending.pop().into_iter().flatten().rev() {
                match undo {
                    Undo::Record(store, key, Some(text)) => _ = self.stores[slot(store)].insert(key, text),
                    Undo::Record(store, key, None) => _ = self.stores[slot(store)].remove(&key),
                    Undo::Count(store, count) => self.counts[slot(store)] = count,
                }
            }
        }
        self.sync();
    }

    /// Everything is gone; what comes next is another database in its place.
    pub fn wipe(&mut self) {
        let Disk { full, broken, incarnation, .. } = *self;
        *self = Disk { full, broken, incarnation: incarnation + 1, ..Disk::default() };
    }

    /// What a store holds.
    pub fn records(&self, store: Store) -> &BTreeMap<Key, String> {
        &self.stores[slot(store)]
    }
}
