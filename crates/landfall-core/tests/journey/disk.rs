//! A device's stores in memory, and what a power cut takes back.

use std::collections::BTreeMap;

use landfall_core::client::Done;
use landfall_core::code::Code;
use landfall_core::stored::{Key, SEAL, Store};
use landfall_core::transaction::{Durability, Read, Rows, Transaction, Write};

#[derive(Clone, Debug, Default)]
struct Records {
    texts: BTreeMap<(Store, Key), String>,
    /// Keys are never given out twice, as in IndexedDB.
    counted: BTreeMap<Store, u64>,
}

/// What is stored now, and what would be left after a power cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    now: Records,
    synced: Records,
    /// Whether there is no room for another write.
    pub(crate) full: bool,
    /// How many transactions are still done before one fails.
    pub(crate) breaks: Option<usize>,
    /// How many confirmed documents were read from it.
    pub(crate) documents_read: usize,
    /// Records of the journal that were read to see what is stored.
    pub(crate) records_read: usize,
}

impl Disk {
    /// Does what a driver does: read, decide, write, all in one transaction.
    pub(crate) fn run(&mut self, transaction: Transaction) -> Result<Done, Code> {
        if self.full && matches!(transaction, Transaction::Commit(..) | Transaction::Migrate(_)) {
            return Err(Code::StorageFull);
        }
        match &mut self.breaks {
            Some(0) => {
                self.breaks = None;
                return Err(Code::StorageUnavailable);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let durability = transaction.durability();
        let stores = transaction.stores();
        let read: Vec<Rows> = transaction.reads().iter().map(|read| self.read(read, &stores)).collect();
        if durability == Durability::ReadOnly || matches!(transaction, Transaction::Open { .. }) {
            let base =
                transaction.reads().into_iter().zip(&read).filter(|(read, _)| read.store() == Store::Base);
            self.documents_read += base.map(|(_, rows)| rows.len()).sum::<usize>();
        }
        if matches!(transaction, Transaction::Open { .. }) {
            let stored = transaction.reads().into_iter().zip(&read);
            let writes = stored.filter(|(read, _)| read.store() == Store::Journal);
            self.records_read += writes.map(|(_, rows)| rows.len()).sum::<usize>();
        }
        let (writes, outcome) = transaction.decide(read);
        assert!(durability != Durability::ReadOnly || writes.is_empty(), "a reader writes");
        let sealed = self.now.texts.contains_key(&(Store::Journal, SEAL));
        if sealed && writes.iter().any(|write| matches!(write, Write::Add(Store::Journal, _))) {
            // What IndexedDB says when a counter has come to its end.
            return Err(Code::SignedOut);
        }
        let mut added = vec![];
        for write in writes {
            match write {
                Write::Add(store, text) => {
                    assert!(stores.contains(&store) && store.is_counted(), "{store:?} cannot be added to");
                    let count = self.now.counted.entry(store).or_default();
                    *count += 1;
                    self.now.texts.insert((store, Key::Counted(*count)), text);
                    added.push(*count);
                }
                Write::Put(store, key, text) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    self.now.texts.insert((store, key), text);
                }
                Write::Delete(store, key) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    self.now.texts.remove(&(store, key));
                }
                Write::DeleteRange(store, from, to) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    let range = (store, from)..(store, to);
                    self.now.texts.retain(|key, _| !range.contains(key));
                }
                Write::Clear(store) => {
                    assert!(stores.contains(&store), "{store:?} is not part of the transaction");
                    self.now.texts.retain(|(other, _), _| *other != store);
                }
            }
        }
        if durability == Durability::Strict {
            self.synced = self.now.clone();
        }
        Ok(Done { outcome, added })
    }

    fn read(&self, read: &Read, stores: &[Store]) -> Rows {
        let of = |wanted: Store| {
            assert!(stores.contains(&wanted), "{wanted:?} is not part of the transaction");
            let records = self.now.texts.iter().filter(move |((store, _), _)| *store == wanted);
            records.map(|((_, key), text)| (key.clone(), text.clone()))
        };
        match read {
            Read::One(store, wanted) => of(*store).filter(|(key, _)| key == wanted).collect(),
            Read::All(store) => of(*store).collect(),
            Read::Range(store, from, to, count) => {
                of(*store).filter(|(key, _)| from <= key && key < to).take(*count as usize).collect()
            }
            Read::Keys(store, from, to, count, descending) => {
                let mut keys: Vec<_> = of(*store).filter(|(key, _)| from <= key && key < to).collect();
                if *descending {
                    keys.reverse();
                }
                keys.truncate(*count as usize);
                // A driver that reads no values gives none.
                keys.into_iter().map(|(key, _)| (key, String::new())).collect()
            }
        }
    }

    /// The same without any index.
    pub(crate) fn unindexed(&self) -> Disk {
        let mut now = self.now.clone();
        now.texts.retain(|(store, key), _| match (store, key) {
            (Store::Meta, Key::Text(key)) => !key.starts_with("index/"),
            (store, _) => *store != Store::Index,
        });
        Disk { now, ..Disk::default() }
    }

    /// Commits a record of the journal, as a connection does once more that was lost before it could say that it had.
    pub(crate) fn commit(&mut self, record: String) {
        let count = self.now.counted.entry(Store::Journal).or_default();
        *count += 1;
        self.now.texts.insert((Store::Journal, Key::Counted(*count)), record);
    }

    /// Takes back every transaction after the last strict one.
    pub(crate) fn power_cut(&mut self) {
        self.now = self.synced.clone();
    }

    /// The browser takes everything away.
    pub(crate) fn evict(&mut self) {
        *self = Disk::default();
    }

    /// Makes what a store holds unreadable.
    pub(crate) fn damage(&mut self, damaged: Store) {
        let texts = self.now.texts.iter_mut().filter(|((store, _), _)| *store == damaged);
        texts.for_each(|(_, text)| text.insert(0, '#'));
    }

    /// What a store holds.
    pub(crate) fn records(&self, store: Store) -> BTreeMap<Key, String> {
        let records = self.now.texts.iter().filter(|((other, _), _)| *other == store);
        records.map(|((_, key), text)| (key.clone(), text.clone())).collect()
    }

    /// A record becomes something that nobody can read.
    pub(crate) fn damage_one(&mut self, store: Store, key: Key) {
        for records in [&mut self.now, &mut self.synced] {
            records.texts.insert((store, key.clone()), "}".to_owned());
        }
    }

    /// How many records a store holds.
    pub(crate) fn count(&self, store: Store) -> usize {
        self.texts(store).count()
    }

    /// Under which keys a store holds something.
    pub(crate) fn keys(&self, store: Store) -> impl Iterator<Item = &Key> {
        self.now.texts.keys().filter(move |(other, _)| *other == store).map(|(_, key)| key)
    }

    /// What a store holds.
    pub(crate) fn texts(&self, store: Store) -> impl Iterator<Item = &String> {
        self.now.texts.iter().filter(move |((other, _), _)| *other == store).map(|(_, text)| text)
    }
}
