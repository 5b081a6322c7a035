//! A disk that costs little: what is written is there, and nothing fails.

use std::collections::BTreeMap;

use landfall_core::client::Done;
use landfall_core::stored::{Key, Store};
use landfall_core::transaction::{Read, Rows, Transaction, Write};

/// The stores of a device.
#[derive(Default)]
pub struct Disk {
    texts: BTreeMap<Store, BTreeMap<Key, String>>,
    counted: BTreeMap<Store, u64>,
}

impl Disk {
    /// Runs a transaction.
    pub fn run(&mut self, transaction: &Transaction) -> Done {
        let read: Vec<Rows> = transaction.reads().iter().map(|read| self.read(read)).collect();
        let (writes, outcome) = transaction.clone().decide(read);
        let mut added = vec![];
        for write in writes {
            match write {
                Write::Add(store, text) => {
                    let next = Key::Counted(self.counted.get(&store).unwrap_or(&0) + 1);
                    self.put(store, next, text);
                    added.push(self.counted[&store]);
                }
                Write::Put(store, key, text) => self.put(store, key, text),
                Write::Delete(store, key) => {
                    self.texts.entry(store).or_default().remove(&key);
                }
                Write::DeleteRange(store, from, to) => {
                    self.texts.entry(store).or_default().retain(|key, _| !(&from..&to).contains(&key));
                }
                Write::Clear(store) => self.texts.entry(store).or_default().clear(),
            }
        }
        Done { outcome, added }
    }

    /// Puts a record where it belongs. Counted keys go on above it.
    pub fn put(&mut self, store: Store, key: Key, text: String) {
        if let Key::Counted(n) = key {
            let counted = self.counted.entry(store).or_default();
            *counted = n.max(*counted);
        }
        self.texts.entry(store).or_default().insert(key, text);
    }

    /// The records of a store, in the order of their keys.
    pub fn records(&self, store: Store) -> impl Iterator<Item = (&Key, &str)> {
        self.texts.get(&store).into_iter().flatten().map(|(key, text)| (key, &**text))
    }

    fn read(&mut self, read: &Read) -> Rows {
        let texts = self.texts.entry(read.store()).or_default();
        let row = |(key, text): (&Key, &String)| (key.clone(), text.clone());
        match read {
            Read::One(_, key) => texts.get_key_value(key).map(row).into_iter().collect(),
            Read::All(_) => texts.iter().map(row).collect(),
            Read::Range(_, from, to, count) => {
                texts.range(from.clone()..to.clone()).take(*count as usize).map(row).collect()
            }
            Read::Keys(_, from, to, count, descending) => {
                let keys = texts.range(from.clone()..to.clone()).map(|(key, _)| (key.clone(), String::new()));
                if *descending {
                    keys.rev().take(*count as usize).collect()
                } else {
                    keys.take(*count as usize).collect()
                }
            }
        }
    }
}
