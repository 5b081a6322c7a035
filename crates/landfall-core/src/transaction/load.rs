//! Documents as they are read: what is confirmed of them, and what is written to them and in the journal alone.

use super::{Outcome, Rows, base};
use crate::id::DocumentKey;
use crate::map::Set;
use crate::stored::{self, Entry};

pub(super) fn loaded(read: &[Rows], next: Option<String>, entries: Vec<Entry>) -> Outcome {
    let rows: Vec<_> = read.iter().flatten().filter_map(base::row).collect();
    let damaged = rows.len() < read.iter().map(Vec::len).sum();
    Outcome::Loaded { rows, damaged, next, entries }
}

/// What is written to documents in records of the journal.
pub(super) fn written(keys: &Set<DocumentKey>, journal: &[Rows]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (_, text) in journal.iter().flatten() {
        if let Some(record) = stored::read_journal(text) {
            entries.extend(record.entries.into_iter().filter(|entry| keys.contains(&entry.key())));
        }
    }
    entries
}
