//! Decides about indexes: which are there, and what the next part of one is.

use super::{Outcome, PART, Rows, Write, base};
use crate::id::{Collection, DocumentKey};
use crate::index;
use crate::map::Map;
use crate::stored::{self, BaseRow, Indexed, Key, Store};

/// What is indexed of every collection.
pub(super) fn indexes(rows: &Rows) -> Map<Collection, Indexed> {
    rows.iter()
        .filter_map(|(key, text)| Some((stored::indexed_collection(key)?, stored::read(text)?)))
        .collect()
}

fn indexed(rows: &Rows) -> Option<Indexed> {
    rows.first().and_then(|(_, text)| stored::read(text))
}

pub(super) fn sought(field: &str, read: &[Rows]) -> Outcome {
    let text = |(key, _): &(Key, String)| match key {
        Key::Text(key) => Some(key.clone()),
        Key::Counted(_) => None,
    };
    let is_answered = indexed(&read[0]).is_some_and(|indexed| indexed.answers(field));
    Outcome::Sought(is_answered.then(|| read[1].iter().filter_map(text).collect()))
}

/// The part of the base that is indexed next.
pub(super) fn part(
    collection: &Collection,
    known: Option<&Indexed>,
    fields: &[Box<str>],
) -> (String, String) {
    let (from, to) = stored::base_range(collection);
    let known = known.filter(|known| known.fields == fields);
    // No key is between this one and the one behind it.
    let next = known.and_then(|known| known.through.as_ref()).map(|through| format!("{through}\0"));
    (next.unwrap_or(from), to)
}

pub(super) fn index(
    collection: &Collection,
    expected: Option<Indexed>,
    mut next: Indexed,
    read: &[Rows],
) -> (Vec<Write>, Outcome) {
    let there = indexed(&read[0]);
    if there != expected {
        // Another tab does it too, or has fetched everything anew.
        return (vec![], Outcome::Indexed(there, false));
    }
    let mut writes = Vec::new();
    if let Some(same) = there.filter(|there| there.fields == next.fields) {
        next.version = same.version;
    } else {
        let (from, to) = index::collection_range(collection);
        writes.push(Write::DeleteRange(Store::Index, Key::Text(from), Key::Text(to)));
    }
    let rows: Vec<_> = read[1].iter().filter_map(base::row).collect();
    for (key, row) in &rows {
        let keys = index::keys(collection, &key.document, &next.fields, row);
        writes.extend(keys.into_iter().map(|key| Write::Put(Store::Index, Key::Text(key), String::new())));
    }
    next.through = match read[1].last() {
        Some((Key::Text(last), _)) if read[1].len() == PART as usize => {
            Some(last.clone()).filter(|_| !next.fields.is_empty())
        }
        Some(_) | None => None,
    };
    writes.push(Write::Put(Store::Meta, stored::index_key(collection), stored::write(&next)));
    (writes, Outcome::Indexed(Some(next), rows.len() < read[1].len()))
}

/// Adds to what is written to the base what that means for the indexes that are stored. The first of `read` are
/// those, the others the rows of `asked` as they were. False if the old rows of other documents are needed too.
pub(super) fn keep(writes: &mut Vec<Write>, asked: &[DocumentKey], read: &[Rows]) -> bool {
    let indexes = indexes(&read[0]);
    if indexes.is_empty() {
        return true;
    }
    if writes.contains(&Write::Clear(Store::Base)) {
        // They are made anew, from the start.
        writes.extend(
            indexes.keys().map(|collection| Write::Delete(Store::Meta, stored::index_key(collection))),
        );
        return true;
    }
    let old = read[1..].iter().flatten().map(|(key, text)| (key.clone(), text.clone()));
    let mut current: Map<Key, String> = old.collect();
    let mut changes = Vec::new();
    for write in writes.iter() {
        let (key, text) = match write {
            Write::Put(Store::Base, key, text) => (key, Some(text)),
            Write::Delete(Store::Base, key) => (key, None),
            Write::Add(..)
            | Write::Put(..)
            | Write::Delete(..)
            | Write::DeleteRange(..)
            | Write::Clear(_) => {
                continue;
            }
        };
        let Key::Text(name) = key else { continue };
        let Some(document) = stored::base_document(name) else { continue };
        let Some(indexed) = indexes.get(&document.collection).filter(|indexed| indexed.holds(name)) else {
            continue;
        };
        if !asked.contains(&document) {
            return false;
        }
        let keys = |text: &String| -> Vec<String> {
            let row: Option<BaseRow> = stored::read(text);
            row.map(|row| index::keys(&document.collection, &document.document, &indexed.fields, &row))
                .unwrap_or_default()
        };
        let (before, after) =
            (current.get(key).map(keys).unwrap_or_default(), text.map(keys).unwrap_or_default());
        let gone = before.iter().filter(|key| !after.contains(key));
        changes.extend(gone.map(|key| Write::Delete(Store::Index, Key::Text(key.clone()))));
        let come = after.iter().filter(|key| !before.contains(key));
        changes.extend(come.map(|key| Write::Put(Store::Index, Key::Text(key.clone()), String::new())));
        match text {
            Some(text) => drop(current.insert(key.clone(), text.clone())),
            None => drop(current.remove(key)),
        }
    }
    writes.extend(changes);
    true
}
