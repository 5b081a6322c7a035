//! Documents as they are read: what is confirmed of them, and what is written to them and in the journal alone.

use super::{Outcome, PART, Read, Rows, base};
use crate::id::DocumentKey;
use crate::map::Set;
use crate::stored::{self, Entry, Key, Store};

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

/// Reads records of the journal, too; neighbours as one.
pub(super) fn read_journal(reads: &mut Vec<Read>, records: &Set<u64>) {
    for record in records.iter() {
        let (from, to) = (Key::Counted(*record), Key::Counted(record + 1));
        match reads.last_mut() {
            Some(Read::Range(_, _, end, _)) if *end == from => *end = to,
            Some(_) | None => reads.push(Read::Range(Store::Journal, from, to, u32::MAX)),
        }
    }
}

/// Where the next part begins, if there is one.
pub(super) fn next(part: &Rows) -> Option<String> {
    match part.last() {
        // No key is between this one and the one behind it.
        Some((Key::Text(last), _)) if part.len() == PART as usize => Some(format!("{last}\0")),
        Some(_) | None => None,
    }
}
