//! What other tabs have stored: how much of that this tab knows, and which documents it has to read again.
//!
//! The device counts keys without gaps, so a tab that knows all records of a store up to one finds the others behind
//! it. Of verdicts the newest stay for a while: where those that are there do not join on to those that are known,
//! everything is read.
//!
//! Every change of the base leaves a record in [`Store::Changes`]. A tab that has slept for so long that some of them are
//! deleted already forgets the documents that it has read, and reads them again.

use super::{Client, Opened};
use crate::id::DocumentKey;
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::stored::{Key, Store};
use crate::transaction::Known;

/// How many records are kept: those of some minutes of work, or of a page that is unpacked.
const KEPT: u64 = 32;
/// So often a tab reads on before it reads everything: then it lets go of what others have deleted.
const TIMES: u32 = 256;
/// Beyond so many documents, forgetting everything is cheaper than reading them one by one.
const READ_MAX: usize = 1_000;

/// The records that this tab has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The oldest of changes that may still be there.
    first: u64,
    /// The newest up to which nothing is unknown.
    known: Known,
    /// How often this tab has read on since it has read everything.
    times: u32,
}

/// A record of this tab's own. If there are others before it, they are found together.
#[inline(never)]
fn count(last: &mut u64, record: Option<u64>) {
    *last += u64::from(record == Some(*last + 1));
}

impl Seen {
    /// The newest records up to which nothing is unknown.
    pub(super) fn known(self) -> Known {
        self.known
    }

    /// Whether reading on is still enough.
    pub(super) fn is_fresh(self) -> bool {
        self.times < TIMES
    }

    /// Everything was to be read, and could not be: reading on is not enough.
    pub(super) fn missed(&mut self) {
        self.times = TIMES;
    }

    /// Whether verdicts join on to those that are known: none was deleted before this tab has seen it.
    pub(super) fn joins(self, opened: &Opened) -> bool {
        let first = opened.settled.first().map_or(self.known.settled + 1, |(record, _)| *record);
        first == self.known.settled + 1 || planted::is(Bug::VerdictsMissed)
    }

    /// The documents of all records behind those that are known; `None` where it could be any.
    pub(super) fn unseen(self, changes: &[(u64, Vec<DocumentKey>)]) -> Option<Set<DocumentKey>> {
        let gapless = planted::is(Bug::RingNotChecked)
            || changes.first().is_none_or(|(record, _)| *record == self.known.changes + 1);
        let told = changes.iter().all(|(_, documents)| !documents.is_empty());
        (gapless && told).then(|| changes.iter().flat_map(|(_, documents)| documents).cloned().collect())
    }

    /// All this has been looked at.
    pub(super) fn see(&mut self, opened: &Opened, on: bool) {
        self.times = if on { self.times + 1 } else { 0 };
        let known = &mut self.known;
        if let (Some((first, _)), Some((last, _))) = (opened.changes.first(), opened.changes.last()) {
            // Before it, either everything is known or nothing is there any more.
            self.first = if known.changes == 0 { *first } else { self.first };
            known.changes = *last;
        }
        known.journal = opened.journal.last().map_or(known.journal, |(record, _)| *record);
        known.sent = opened.sent.last().map_or(known.sent, |(record, _)| *record);
        known.settled = opened.settled.last().map_or(known.settled, |(record, _)| *record);
    }

    /// A change of this tab's own.
    pub(super) fn changed(&mut self, record: Option<u64>) {
        count(&mut self.known.changes, record);
    }

    /// Writes of this tab's own.
    pub(super) fn wrote(&mut self, record: u64) {
        count(&mut self.known.journal, Some(record));
    }

    /// Bytes that this tab has made final.
    pub(super) fn fixed(&mut self, record: u64) {
        count(&mut self.known.sent, Some(record));
    }

    /// Verdicts that this tab has stored.
    pub(super) fn settled(&mut self, record: u64) {
        count(&mut self.known.settled, Some(record));
    }

    /// Records that are old enough to go.
    pub(super) fn garbage(self) -> impl Iterator<Item = (Store, Key)> {
        (self.first..self.known.changes.saturating_sub(KEPT))
            .map(|record| (Store::Changes, Key::Counted(record)))
    }

    /// These records are deleted.
    pub(super) fn collected(&mut self, garbage: &[(Store, Key)]) {
        let last = garbage.iter().filter_map(|(store, key)| match key {
            Key::Counted(record) if *store == Store::Changes => Some(*record),
            Key::Counted(_) | Key::Text(_) => None,
        });
        self.first = last.max().map_or(self.first, |last| self.first.max(last + 1));
    }
}

impl Client {
    /// Stored records that nothing needs any more.
    pub(super) fn garbage(&self) -> Vec<(Store, Key)> {
        let mut garbage = self.ledger.garbage();
        garbage.extend(self.seen.garbage());
        garbage
    }

    /// These records are deleted.
    pub(super) fn collected(&mut self, garbage: &[(Store, Key)]) {
        self.ledger.collected(garbage);
        self.seen.collected(garbage);
    }

    /// The documents known here that others have changed, or written to what is not in memory; `None` where that is not
    /// worth reading one by one.
    pub(super) fn outdated(&self, opened: &Opened) -> Option<Vec<DocumentKey>> {
        let unseen = self.seen.unseen(&opened.changes)?.into_iter();
        let mut known: Vec<_> = unseen.filter(|key| self.replica.follows(key)).collect();
        if known.len() > READ_MAX {
            return None;
        }
        for entry in opened.journal.iter().flat_map(|(_, record)| &record.entries) {
            if !entry.fields.are_here() && self.outbox.fields(entry).is_none() {
                known.extend(Some(entry.key()).filter(|key| self.replica.follows(key)));
            }
        }
        Some(known)
    }
}
