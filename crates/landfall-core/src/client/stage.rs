//! Between a page and the base: what was pulled is stored packed at once, and unpacked step by step.
//!
//! A record for each document costs as much as the rest of a pull together, and a thousand of them in one
//! transaction keep a page from answering. So a page becomes a few packed records, which are all it takes
//! to go on after a crash; each goes into the base in a transaction of its own, between which the page
//! lives. What is packed and visible is newer than the base, and whoever reads the base is given it on top.

use super::load::Then;
use super::{Client, Done, Purpose, Transaction};
use crate::code::Code;
use crate::id::{DocumentKey, Position};
use crate::json::Json;
use crate::stored::BaseRow;
use crate::time::WallTime;
use crate::transaction::Outcome;
use crate::wire::PullChange;

/// Most documents that go into the base in one transaction: a few milliseconds of a slow phone.
const STEP: usize = 200;

/// Whether so many changes go into the base at once, without being packed before.
pub(super) fn is_small(changes: &[PullChange]) -> bool {
    changes.len() <= STEP
}

/// Changes as they are staged.
pub(super) fn pack(changes: &Json) -> Vec<String> {
    let texts = |part: &[Json]| Json::array(part.iter().map(Json::text)).text().to_owned();
    changes.elements().unwrap_or_default().chunks(STEP).map(texts).collect()
}

impl Client {
    /// What changes make of the documents that they are about.
    pub(super) fn rows(
        &self,
        changes: &[PullChange],
        reached: Position,
    ) -> Vec<(DocumentKey, Option<BaseRow>)> {
        changes.iter().filter_map(|change| self.row(change, reached)).collect()
    }

    /// What is packed and visible: newer than the base, where both know a document.
    pub(super) fn packed(&self) -> &[(u64, Vec<PullChange>)] {
        if self.checkpoint.staged.is_none() { &self.staged } else { &[] }
    }

    /// Puts the next packed record into the base, if there is one.
    pub(super) fn unpack(&mut self) -> bool {
        let Some((_, changes)) = self.packed().first() else { return false };
        let unknown = self.revivable(changes);
        if !unknown.is_empty() {
            self.read_documents(unknown, Then::Unpack);
            return true;
        }
        let Some((key, changes)) = self.packed().first() else { return false };
        let (key, rows) = (*key, self.rows(changes, self.checkpoint.position));
        let indexed = self.indexed_of(&rows);
        let of = self.installation.clone();
        self.transact(Purpose::Unpack { key }, Transaction::Unpack { of, key, rows, indexed });
        true
    }

    /// The confirmed state of documents has changed.
    pub(super) fn show(&mut self, rows: Vec<(DocumentKey, Option<BaseRow>)>) {
        for (key, row) in rows {
            if let Some(row) = &row {
                self.clock.observe(row.newest());
            }
            self.replica.confirm(key, row, &self.outbox);
        }
    }

    /// What was just staged is known as it is read at a start.
    pub(super) fn stage(&mut self, added: &[u64], mut changes: Vec<PullChange>) {
        for key in added {
            let rest = changes.split_off(STEP.min(changes.len()));
            self.staged.push((*key, std::mem::replace(&mut changes, rest)));
        }
    }

    /// A packed record is in the base, or is not.
    pub(super) fn unpacked(&mut self, key: u64, result: Result<Done, Code>, now: WallTime) {
        match result {
            Ok(Done { outcome: Outcome::Missed, .. }) => self.refresh = true,
            Ok(Done { added, .. }) => {
                self.seen.changed(added.first().copied());
                let Some(at) = self.staged.iter().position(|(other, _)| *other == key) else { return };
                let (_, changes) = self.staged.remove(at);
                // Nothing is folded into the base before a first sync is complete, so nothing here is newer.
                if !self.checkpoint.complete {
                    self.show(self.rows(&changes, self.checkpoint.position));
                }
            }
            Err(code) => {
                self.trouble = Some(code.to_string());
                self.drain.fail(None, now);
            }
        }
    }
}
