//! Confirmed documents: what verdicts make of them, and what follows from a change of them.

use super::{ELSEWHERE, Fold, Kept, Outcome, Rows, Write, checkpoint, index, put_checkpoint, reset};
use crate::document::Register;
use crate::id::{DocumentKey, Version};
use crate::map::Map;
use crate::planted::{self, Bug};
use crate::stored::{self, BaseRow, End, Key, SettledMutation, SettledRecord, Store};

pub(super) fn row((key, text): &(Key, String)) -> Option<(DocumentKey, BaseRow)> {
    match key {
        Key::Text(key) => Some((stored::base_document(key)?, read(text)?)),
        Key::Counted(_) => None,
    }
}

/// There once, and not wherever a row is read: it is a kilobyte of what a page downloads.
#[inline(never)]
pub(super) fn read(text: &str) -> Option<BaseRow> {
    stored::read(text)
}

pub(super) fn settle(
    epoch: &str,
    head: Option<&String>,
    mut settled: Vec<SettledMutation>,
    folds: &[Fold],
    kept: &Kept,
    read: &[Rows],
) -> (Vec<Write>, Outcome) {
    let mut checkpoint = checkpoint(&read[0]);
    checkpoint.folds += 1;
    // Before the first page, this is what says which history the verdicts' positions are of.
    checkpoint.epoch = checkpoint.epoch.or_else(|| Some(epoch.to_owned()));
    let elsewhere = checkpoint.epoch.as_deref() != Some(epoch) && !planted::is(Bug::EpochsMixed);
    if let Some(head) = head {
        checkpoint.saw(head);
    }
    let mut rows: Map<DocumentKey, Option<BaseRow>> = Map::new();
    // What is packed goes into the base later, and would take back what is folded into it before.
    let packed = read.last().is_some_and(|staged| !staged.is_empty());
    for (fold, read) in folds.iter().zip(&read[2..]) {
        // A document without a row may never have been made, or it is gone. A late answer to another tab's
        // sending must not bring it back, so what a pull has covered is left alone.
        let covered = fold.position <= checkpoint.position && !planted::is(Bug::FoldsLate);
        if packed || elsewhere || !checkpoint.complete || covered {
            continue;
        }
        let key = fold.mutation.key();
        let base = match rows.get(&key) {
            Some(row) => row.clone(),
            None => read.first().and_then(row).map(|(_, row)| row),
        };
        let version = base.as_ref().map_or(Version(0), |row| row.version);
        if version != fold.previous && !planted::is(Bug::FoldsAnywhere) {
            continue;
        }
        let mut document = base.map(|row| row.document()).unwrap_or_default();
        // What the server makes of a hidden document depends on more than is known here; the pull tells.
        if document.is_deleted() {
            continue;
        }
        fold.mutation.apply(&mut document, Register { stamp: fold.stamp, version: Version(0) });
        let row = match document.deleted().filter(|_| document.is_deleted()) {
            // Whatever else this device writes knows of the delete, so nothing of the document comes back.
            Some(deleted) => BaseRow::tombstone(deleted.stamp, fold.version, fold.position),
            None => BaseRow::of(&document, fold.version, fold.position),
        };
        rows.insert(key, Some(row));
        for one in settled.iter_mut().filter(|one| one.id == fold.mutation.id) {
            one.end = End::Folded;
        }
    }
    let rows: Vec<_> = rows.into_iter().collect();
    let position = if elsewhere { ELSEWHERE } else { kept.position };
    let kept = reset::keep(kept, position, &mut checkpoint, &read[read.len() - 2]);
    let mut writes = vec![
        put_checkpoint(&checkpoint),
        Write::Add(
            Store::Settled,
            stored::write(&SettledRecord {
                epoch: Some(epoch.to_owned()),
                resets: checkpoint.resets,
                settled: settled.clone(),
            }),
        ),
    ];
    writes.extend(kept);
    writes.extend(rows.iter().map(put));
    let folded: Vec<_> = folds.iter().map(|fold| fold.mutation.key()).collect();
    assert!(index::keep(&mut writes, &folded, &read[1..]), "BUG: folded into a document that was not read");
    (writes, Outcome::Settled { settled, rows, checkpoint })
}

pub(super) fn put((key, row): &(DocumentKey, Option<BaseRow>)) -> Write {
    match row {
        Some(row) => Write::Put(Store::Base, stored::base_key(key), stored::write(row)),
        None => Write::Delete(Store::Base, stored::base_key(key)),
    }
}

/// Has other tabs find out which documents have changed, if any have.
pub(super) fn announced(mut writes: Vec<Write>) -> Vec<Write> {
    let mut changed: Vec<&str> = Vec::new();
    let mut everything = false;
    for write in &writes {
        match write {
            Write::Put(Store::Base, Key::Text(key), _) | Write::Delete(Store::Base, Key::Text(key)) => {
                changed.push(key);
            }
            // What is staged goes only where everything is fetched anew.
            Write::Clear(store) => everything |= *store == Store::Staged,
            Write::Add(..) | Write::Put(..) | Write::Delete(..) | Write::DeleteRange(..) => {}
        }
    }
    if everything {
        changed.clear();
    }
    if everything || !changed.is_empty() {
        let record = stored::write(&changed);
        writes.push(Write::Add(Store::Changes, record));
    }
    writes
}
