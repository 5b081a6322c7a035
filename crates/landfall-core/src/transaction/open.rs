//! Reads everything that a client starts from.

use super::index::indexes;
use super::{Opened, Outcome, Rows, Write, base, checkpoint};
use crate::id::{Client, DocumentKey};
use crate::stored::{self, CLIENT, Key, Parked, SEAL, Store};

pub(super) fn open(client: &Client, mut read: Vec<Rows>) -> (Vec<Write>, Outcome) {
    fn records<T: serde::de::DeserializeOwned>(rows: Rows, damaged: &mut Vec<String>) -> Vec<(u64, T)> {
        let read = rows.into_iter().filter_map(|(key, text)| match (key, stored::read(&text)) {
            (Key::Counted(key), Some(record)) => Some((key, record)),
            (Key::Counted(_) | Key::Text(_), _) => {
                damaged.push(text);
                None
            }
        });
        read.collect()
    }
    let mut next = || std::mem::take(&mut read.remove(0));
    let name = next().first().and_then(|(_, text)| text.parse().ok());
    let mut damaged = Vec::new();
    let checkpoint = checkpoint(&next());
    let mut journal = next();
    let whole = journal.len();
    journal.retain(|(key, _)| *key != SEAL);
    let sealed = journal.len() < whole;
    let write = (name.is_none() && !sealed)
        .then(|| Write::Put(Store::Meta, Key::Text(CLIENT.into()), client.to_string()));
    let journal = records(journal, &mut damaged);
    let sent = records(next(), &mut damaged);
    let settled = records(next(), &mut damaged);
    let mut parked: Vec<Parked> = Vec::new();
    for (_, text) in next() {
        match stored::read(&text) {
            Some(whole) => parked.push(whole),
            None => damaged.push(text),
        }
    }
    let voids = next().iter().filter_map(|(key, _)| stored::voided(key)).collect();
    let made = name.is_none();
    let client = Some(name.unwrap_or_else(|| client.clone()));
    let mut lost = Vec::new();
    let staged = Some(records(next(), &mut lost)).filter(|_| lost.is_empty());
    let changes = next().iter().filter_map(changed).collect();
    let indexes = indexes(&next());
    // What cannot be read looks as if it were not there; whoever loads it notices.
    let rows = read.iter().flatten().filter_map(base::row).collect();
    let opened = Opened {
        made,
        client,
        checkpoint,
        indexes,
        journal,
        sent,
        settled,
        parked,
        voids,
        staged,
        damaged,
        sealed,
        changes,
        rows,
    };
    (write.into_iter().collect(), Outcome::Opened(Box::new(opened)))
}

/// A record of changed documents: none where that could be any, as with one that cannot be read.
fn changed((key, text): &(Key, String)) -> Option<(u64, Vec<DocumentKey>)> {
    let keys: Vec<String> = stored::read(text).unwrap_or_default();
    let documents = keys.iter().map(|key| stored::base_document(key)).collect::<Option<_>>();
    match key {
        Key::Counted(key) => Some((*key, documents.unwrap_or_default())),
        Key::Text(_) => None,
    }
}
