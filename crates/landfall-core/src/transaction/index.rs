//! Decides about indexes: which are there, and what the next part of one is.

use super::{INDEXED_PART, Outcome, Rows, Write, base};
use crate::id::{Collection, DocumentKey};
use crate::index;
use crate::stored::{self, Indexed, Key, Store};

/// What is indexed of every collection.
pub(super) fn indexes(rows: &Rows) -> Vec<(Collection, Indexed)> {
    rows.iter()
        .filter_map(|(key, text)| Some((stored::indexed_collection(key)?, Indexed::read(text)?)))
        .collect()
}

fn indexed(rows: &Rows) -> Option<Indexed> {
    indexes(rows).pop().map(|(_, indexed)| indexed)
}

pub(super) fn sought(field: &str, mut read: Vec<Rows>) -> Outcome {
    let keys = read.pop().filter(|keys| !keys.iter().any(|(key, _)| index::is_vague(key)));
    Outcome::Sought(keys.filter(|_| indexed(&read[0]).is_some_and(|indexed| indexed.answers(field))))
}

/// The part of the base that is indexed next.
pub(super) fn part(collection: &Collection, known: Option<&Indexed>, fields: &[String]) -> (String, String) {
    let (from, to) = stored::base_range(collection);
    let known = known.filter(|known| known.fields == fields);
    // No key is between this one and the one behind it.
    let next = known.and_then(|known| known.through.as_ref()).map(|through| format!("{through}\0"));
    (next.unwrap_or(from), to)
}

pub(super) fn index(
    collection: &Collection,
    expected: Option<&Indexed>,
    mut next: Indexed,
    read: &[Rows],
) -> (Vec<Write>, Outcome) {
    let there = indexed(&read[0]);
    if there.as_ref() != expected {
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
        let keys = index::keys(key, &next.fields, row);
        writes.extend(keys.into_iter().map(|key| Write::Put(Store::Index, key, String::new())));
    }
    next.through = match read[1].last() {
        Some((Key::Text(last), _)) if read[1].len() == INDEXED_PART as usize => {
            Some(last.clone()).filter(|_| !next.fields.is_empty())
        }
        Some(_) | None => None,
    };
    writes.push(Write::Put(Store::Meta, stored::index_key(collection), next.write()));
    (writes, Outcome::Indexed(Some(next), rows.len() < read[1].len()))
}

/// Adds to what is written to the base what that means for the indexes that are stored. The first of `read` are
/// those, the others the rows of `asked` as they were. False if the old rows of other documents are needed too.
pub(super) fn keep(writes: &mut Vec<Write>, asked: &[DocumentKey], read: &[Rows]) -> bool {
    let indexes = indexes(&read[0]);
    if indexes.is_empty() {
        return true;
    }
    if writes.contains(&Write::Clear(Store::Staged)) {
        // They are made anew, from the start.
        let records = indexes.iter().map(|(collection, _)| stored::index_key(collection));
        writes.extend(records.map(|key| Write::Delete(Store::Meta, key)));
        return true;
    }
    let mut changes = Vec::new();
    // What each document was, or what an earlier write has made of it.
    let mut rows: Vec<_> = read[1..].iter().map(|row| row.first().map(|(_, text)| text)).collect();
    let mut next = 0;
    for (key, text) in writes.iter().filter_map(changed) {
        let Key::Text(name) = key else { continue };
        let Some(document) = stored::base_document(name) else { continue };
        // Also what is not indexed yet: it makes no difference.
        let of = |(collection, _): &&(Collection, Indexed)| *collection == document.collection;
        let Some((_, indexed)) = indexes.iter().find(of) else { continue };
        // Mostly they are written in the order in which they were asked for.
        let here = asked.get(next) == Some(&document);
        let at = if here { Some(next) } else { asked.iter().position(|other| *other == document) };
        let Some(at) = at else { return false };
        next = at + 1;
        let old = std::mem::replace(&mut rows[at], text);
        let keys = |text: Option<&String>| -> Vec<Key> {
            let row = text.and_then(|text| base::read(text));
            row.map(|row| index::keys(&document, &indexed.fields, &row)).unwrap_or_default()
        };
        let (before, after) = (keys(old), keys(text));
        for key in before.iter().filter(|key| !after.contains(key)) {
            changes.push(Write::Delete(Store::Index, key.clone()));
        }
        for key in after.iter().filter(|key| !before.contains(key)) {
            changes.push(Write::Put(Store::Index, key.clone(), String::new()));
        }
    }
    writes.extend(changes);
    true
}

/// The document of the base that is written, and what it becomes.
fn changed(write: &Write) -> Option<(&Key, Option<&String>)> {
    match write {
        Write::Put(Store::Base, key, text) => Some((key, Some(text))),
        Write::Delete(Store::Base, key) => Some((key, None)),
        Write::Add(..) | Write::Put(..) | Write::Delete(..) | Write::DeleteRange(..) | Write::Clear(_) => {
            None
        }
    }
}
