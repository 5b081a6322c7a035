//! What a transaction reads and writes, record by record.

use crate::stored::{Key, Store};

/// What survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On disk before it is reported done.
    Strict,
    /// In the hands of the operating system; for what can be fetched again.
    Relaxed,
    /// Nothing is written.
    ReadOnly,
}

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// One record; gives a list of none or one.
    One(Store, Key),
    /// All records of a store, in the order of their keys.
    All(Store),
    /// The records from the first key up to and without the second, and no more than so many of them.
    Range(Store, Key, Key, u32),
    /// As a range, but only the keys, and from its end on where `true`. Nothing is read after it.
    Keys(Store, Key, Key, u32, bool),
}

impl Read {
    /// The store that is read.
    pub fn store(&self) -> Store {
        match self {
            Read::One(store, _) | Read::All(store) | Read::Range(store, ..) | Read::Keys(store, ..) => *store,
        }
    }
}

/// What a read gives: keys and texts, in the order of the keys.
pub type Rows = Vec<(Key, String)>;

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A new record under the next counted key.
    Add(Store, String),
    /// A record in the place of what was there.
    Put(Store, Key, String),
    /// No record.
    Delete(Store, Key),
    /// No records from the first key up to and without the second.
    DeleteRange(Store, Key, Key),
    /// No records at all. Counted keys go on where they were.
    Clear(Store),
}
