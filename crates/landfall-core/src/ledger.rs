//! Which stored records something still depends on.
//!
//! Records are packed, so one is garbage only when everything in it is; it is deleted by the next
//! transaction that writes anyway. Forgetting to is harmless: the next start finds it again.

use crate::id::{MutationId, Writer};
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::stored::{End, Key, SettledMutation, Store};

/// So many records of what people have decided stay for the sake of tabs that have slept: for these, a write of which
/// nothing is said any more was accepted.
const DECIDED: usize = 100;

/// So many records of verdicts stay for tabs that have not seen them yet.
const NEWEST: u64 = 4;

/// Records and the mutations in them, looked up from either side: two sets of one type, which is half of the code.
#[derive(Clone, Debug, Default)]
struct Contents {
    /// Record, writer, n.
    by_record: Set<[u128; 3]>,
    /// Writer, n, record.
    by_id: Set<[u128; 3]>,
}

impl Contents {
    fn insert(&mut self, record: u64, id: MutationId) {
        let [record, writer, n] = [record.into(), id.writer.0, id.n.into()];
        self.by_record.insert([record, writer, n]);
        self.by_id.insert([writer, n, record]);
    }

    fn remove(&mut self, record: u64, id: MutationId) {
        let [record, writer, n] = [record.into(), id.writer.0, id.n.into()];
        self.by_record.remove(&[record, writer, n]);
        self.by_id.remove(&[writer, n, record]);
    }

    fn ids(&self, record: u64) -> impl Iterator<Item = MutationId> {
        let record = record.into();
        let ids = self.by_record.range(&[record, 0, 0], &[record, u128::MAX, u128::MAX]);
        ids.map(|[_, writer, n]| MutationId { writer: Writer(*writer), n: *n as u64 })
    }

    fn records(&self, id: MutationId) -> impl Iterator<Item = u64> {
        let [writer, n] = [id.writer.0, id.n.into()];
        self.by_id.range(&[writer, n, 0], &[writer, n, u128::MAX]).map(|[_, _, record]| *record as u64)
    }

    /// The records, each as often as there is something in it.
    fn all(&self) -> impl Iterator<Item = u64> {
        self.by_record.iter().map(|[record, _, _]| *record as u64)
    }

    fn contains(&self, id: MutationId) -> bool {
        self.records(id).next().is_some()
    }
}

/// Records, each with what it is still needed for.
#[derive(Clone, Debug, Default)]
struct Shelf {
    needed: Contents,
    empty: Vec<u64>,
}

impl Shelf {
    fn put(&mut self, record: u64, mut ids: Set<MutationId>) {
        if self.has(record) {
            return;
        }
        if planted::is(Bug::GarbageTooEarly) {
            ids = ids.into_iter().take(1).collect();
        }
        if ids.is_empty() {
            self.empty.push(record);
        }
        for id in ids {
            self.needed.insert(record, id);
        }
    }

    /// Whether a record is here.
    fn has(&self, record: u64) -> bool {
        self.empty.contains(&record) || self.needed.ids(record).next().is_some()
    }

    /// Gives the records that were needed for it, and whether nothing needs them any more.
    fn release(&mut self, id: MutationId) -> Vec<(u64, bool)> {
        let records: Vec<u64> = self.needed.records(id).collect();
        let released = records.into_iter().map(|record| {
            self.needed.remove(record, id);
            let is_empty = self.needed.ids(record).next().is_none();
            self.empty.extend(is_empty.then_some(record));
            (record, is_empty)
        });
        released.collect()
    }
}

/// The counted records of a device.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    journal: Shelf,
    sent: Shelf,
    settled: Shelf,
    /// Writes that have ended, in journal records that are not garbage.
    ended: Contents,
    /// Whether any has since records were looked through for those that are mostly of these.
    ends: bool,
    /// Records that say that a write was discarded or that another one stands in for it.
    decided: Vec<u64>,
    /// The newest record of verdicts.
    newest: u64,
    /// Single records that are garbage.
    strays: Vec<(Store, Key)>,
    last: u64,
}

impl Ledger {
    /// A journal record: all its writes, and which of them have not ended.
    pub fn journal(&mut self, record: u64, members: Vec<MutationId>, live: Set<MutationId>) {
        self.last = self.last.max(record);
        for id in members.into_iter().filter(|id| !live.is_empty() && !live.contains(id)) {
            self.ended.insert(record, id);
            self.ends = true;
        }
        self.journal.put(record, live);
    }

    /// The journal records that a write is in.
    pub fn records(&self, id: MutationId) -> impl Iterator<Item = u64> {
        self.journal.needed.records(id)
    }

    /// Whether a journal record is known here.
    pub fn knows(&self, record: u64) -> bool {
        self.journal.has(record)
    }

    /// The newest journal record that is known here.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The journal records that are known here.
    pub fn journals(&self) -> Set<u64> {
        self.journal.needed.all().chain(self.journal.empty.iter().copied()).collect()
    }

    /// A record of final bytes, and which of its mutations are not settled.
    pub fn sent(&mut self, record: u64, unsettled: Set<MutationId>) {
        self.sent.put(record, unsettled);
    }

    /// A record of verdicts, after the journal records it may speak of.
    pub fn settled(&mut self, record: u64, verdicts: &[SettledMutation]) {
        if self.settled.has(record) {
            return;
        }
        self.newest = self.newest.max(record);
        let ids = verdicts.iter().map(|one| one.id);
        let named = ids.filter(|id| self.journal.needed.contains(*id) || self.ended.contains(*id));
        self.settled.put(record, named.collect());
        if verdicts.iter().any(|one| matches!(one.end, End::Discarded | End::Replaced { .. })) {
            self.decided.push(record);
        }
    }

    /// A verdict is stored: the bytes need not be sent again.
    pub fn settle(&mut self, id: MutationId) {
        self.sent.release(id);
    }

    /// A write has ended: its effect is in the base, or it is parked.
    pub fn end(&mut self, id: MutationId) {
        for (record, is_empty) in self.journal.release(id) {
            self.ended.insert(record, id);
            self.ends = true;
            if is_empty {
                self.forget(record, self.ended.ids(record).collect());
            }
        }
    }

    /// A journal record more than half of which has ended, and what that is.
    pub fn sparse(&mut self) -> Option<(u64, Vec<MutationId>)> {
        if !std::mem::take(&mut self.ends) {
            return None;
        }
        let mut before = 0;
        let record = self.ended.all().find(|record| {
            let seen = std::mem::replace(&mut before, *record) == *record;
            !seen && self.ended.ids(*record).count() > self.journal.needed.ids(*record).count()
        })?;
        Some((record, self.ended.ids(record).collect()))
    }

    /// These are in a journal record no longer, or it goes itself.
    pub fn forget(&mut self, record: u64, ended: Vec<MutationId>) {
        self.ends = true;
        for id in ended {
            self.ended.remove(record, id);
            // Where the journal no longer names a write, nobody will ask how it ended. Another record may name it too.
            if !self.ended.contains(id) && !self.journal.needed.contains(id) {
                self.settled.release(id);
            }
        }
    }

    /// A record that nothing needs any more.
    pub fn stray(&mut self, store: Store, key: Key) {
        let stray = (store, key);
        if !self.strays.contains(&stray) {
            self.strays.push(stray);
        }
    }

    /// What can be deleted, all in one transaction: a write must not outlive the verdict on it.
    pub fn garbage(&self) -> Vec<(Store, Key)> {
        let mut garbage = Vec::new();
        let decided = &self.decided[self.decided.len().saturating_sub(DECIDED)..];
        for (store, shelf, decided, newest) in [
            (Store::Journal, &self.journal, &[][..], u64::MAX),
            (Store::Settled, &self.settled, decided, self.newest.saturating_sub(NEWEST)),
            (Store::Sent, &self.sent, &[], u64::MAX),
        ] {
            let empty = shelf.empty.iter().filter(|record| **record <= newest && !decided.contains(record));
            garbage.extend(empty.map(|record| (store, Key::Counted(*record))));
        }
        garbage.extend_from_slice(&self.strays);
        garbage
    }

    /// These records are deleted.
    pub fn collected(&mut self, garbage: &[(Store, Key)]) {
        self.strays.retain(|stray| !garbage.contains(stray));
        let gone = |store: Store| -> Set<u64> {
            let records = garbage.iter().filter_map(|(other, key)| match key {
                Key::Counted(record) if *other == store => Some(*record),
                Key::Counted(_) | Key::Text(_) => None,
            });
            records.collect()
        };
        for (store, shelf) in [
            (Store::Journal, &mut self.journal),
            (Store::Settled, &mut self.settled),
            (Store::Sent, &mut self.sent),
        ] {
            let gone = gone(store);
            shelf.empty.retain(|record| !gone.contains(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> MutationId {
        MutationId { writer: Writer(1), n }
    }

    fn verdict(n: u64, end: End) -> SettledMutation {
        SettledMutation { id: id(n), end }
    }

    /// So many verdicts came since that none of those before is among the newest.
    fn age(ledger: &mut Ledger) {
        ledger.settled(1_000, &[]);
    }

    #[test]
    fn the_newest_verdicts_stay_for_tabs_that_have_not_seen_them() {
        let mut ledger = Ledger::default();
        for n in 1..=NEWEST {
            ledger.settled(n, &[verdict(n, End::Folded)]);
            assert_eq!(ledger.garbage(), []);
        }
        ledger.settled(NEWEST + 2, &[]);
        assert_eq!(ledger.garbage(), [1, 2].map(|record| (Store::Settled, Key::Counted(record))));
    }

    #[test]
    fn a_record_goes_when_everything_in_it_has_ended() {
        let mut ledger = Ledger::default();
        ledger.journal(1, vec![id(1), id(2)], Set::from_iter([id(1), id(2)]));
        ledger.sent(1, Set::from_iter([id(1), id(2)]));
        ledger.settle(id(1));
        ledger.settled(1, &[verdict(1, End::Folded)]);
        ledger.end(id(1));
        assert_eq!(ledger.garbage(), []);
        ledger.settle(id(2));
        ledger.settled(2, &[verdict(2, End::Folded)]);
        ledger.end(id(2));
        age(&mut ledger);
        let garbage = ledger.garbage();
        let all = [(Store::Journal, 1), (Store::Settled, 1), (Store::Settled, 2), (Store::Sent, 1)];
        assert_eq!(garbage, all.map(|(store, record)| (store, Key::Counted(record))));
        ledger.collected(&garbage);
        assert_eq!(ledger.garbage(), []);
    }

    #[test]
    fn a_verdict_stays_as_long_as_any_record_names_its_write() {
        let mut ledger = Ledger::default();
        ledger.journal(1, vec![id(1)], Set::from_iter([id(1)]));
        ledger.journal(2, vec![id(1), id(2)], Set::from_iter([id(2)]));
        ledger.settled(1, &[verdict(1, End::Folded)]);
        ledger.end(id(1));
        assert_eq!(ledger.garbage(), [(Store::Journal, Key::Counted(1))]);
        ledger.end(id(2));
        age(&mut ledger);
        assert!(ledger.garbage().contains(&(Store::Settled, Key::Counted(1))));
    }

    #[test]
    fn the_last_hundred_decisions_are_remembered() {
        let mut ledger = Ledger::default();
        ledger.settled(1, &[verdict(1, End::Parked)]);
        for n in 2..=101 {
            ledger.settled(n, &[verdict(n, End::Discarded)]);
        }
        let garbage = ledger.garbage();
        assert_eq!(garbage, [(Store::Settled, Key::Counted(1))]);
        ledger.collected(&garbage);
        assert_eq!(ledger.garbage(), []);
        ledger.settled(102, &[verdict(102, End::Discarded)]);
        assert_eq!(ledger.garbage(), [(Store::Settled, Key::Counted(2))]);
    }

    /// Whatever ends in whatever order, and is made shorter whenever that is worth it: no record is more than twice
    /// as long as what is needed of it, and none is written again before half of it has ended.
    #[test]
    fn records_are_never_more_than_twice_as_long_as_what_is_needed() {
        for step in [1, 3, 7, 37, 63] {
            let mut ledger = Ledger::default();
            let all: Vec<_> = (0..64).map(id).collect();
            ledger.journal(1, all.clone(), all.iter().copied().collect());
            let (mut stored, mut written) = (64, 0);
            for n in 0..64 {
                ledger.end(id(n * step % 64));
                while let Some((record, ended)) = ledger.sparse() {
                    stored -= ended.len();
                    written += stored;
                    ledger.forget(record, ended);
                }
                let needed = 63 - n as usize;
                assert!(needed == 0 || stored <= 2 * needed, "{stored} for {needed}");
            }
            assert!(written < 64, "{written} written again");
            assert_eq!(ledger.garbage(), [(Store::Journal, Key::Counted(1))]);
        }
    }

    #[test]
    fn verdicts_on_what_is_no_longer_in_the_journal_go() {
        let mut ledger = Ledger::default();
        ledger.journal(1, (1..=3).map(id).collect(), (1..=3).map(id).collect());
        ledger.settled(1, &[verdict(1, End::Folded)]);
        ledger.settled(2, &[verdict(2, End::Folded)]);
        ledger.end(id(1));
        ledger.end(id(2));
        assert_eq!(ledger.garbage(), []);
        assert_eq!(ledger.sparse(), Some((1, vec![id(1), id(2)])));
        assert_eq!(ledger.sparse(), None, "that is under way");
        ledger.forget(1, vec![id(1), id(2)]);
        age(&mut ledger);
        let garbage = [1, 2].map(|record| (Store::Settled, Key::Counted(record)));
        assert_eq!(ledger.garbage(), garbage);
    }

    /// What was saved again by two tabs is in two records, and needed of the first.
    #[test]
    fn a_verdict_is_needed_as_long_as_any_record_names_its_write() {
        let mut ledger = Ledger::default();
        ledger.journal(1, vec![id(1), id(2)], Set::from_iter([id(1), id(2)]));
        ledger.journal(2, vec![id(3), id(1)], Set::from_iter([id(3)]));
        ledger.settled(1, &[verdict(1, End::Folded), verdict(3, End::Folded)]);
        ledger.end(id(3));
        ledger.end(id(1));
        assert_eq!(ledger.garbage(), [(Store::Journal, Key::Counted(2))]);
        ledger.end(id(2));
        age(&mut ledger);
        assert!(ledger.garbage().contains(&(Store::Settled, Key::Counted(1))));
    }

    #[test]
    fn leftovers_of_an_earlier_run_are_found() {
        let mut ledger = Ledger::default();
        ledger.journal(7, vec![id(1)], Set::new());
        ledger.sent(3, Set::new());
        ledger.settled(4, &[verdict(1, End::Folded)]);
        age(&mut ledger);
        assert_eq!(ledger.garbage().len(), 3);
    }

    #[test]
    fn a_record_of_the_journal_is_known_until_it_is_deleted() {
        let mut ledger = Ledger::default();
        ledger.journal(5, vec![id(1), id(2)], Set::from_iter([id(1), id(2)]));
        ledger.journal(3, vec![id(3)], Set::new());
        ledger.journal(7, vec![id(1)], Set::from_iter([id(1)]));
        assert_eq!(ledger.journals(), Set::from_iter([3, 5, 7]));
        assert_eq!(ledger.last(), 7, "whatever comes in which order");
        assert_eq!(ledger.records(id(1)).collect::<Vec<_>>(), [5, 7]);
        ledger.end(id(1));
        assert_eq!(ledger.journals(), Set::from_iter([3, 5, 7]));
        assert_eq!(ledger.records(id(1)).count(), 0);
        ledger.collected(&ledger.garbage());
        assert_eq!((ledger.journals(), ledger.last()), (Set::from_iter([5]), 7));
    }

    #[test]
    fn only_what_was_deleted_is_garbage_no_longer() {
        let mut ledger = Ledger::default();
        let [page, mark] = [(Store::Staged, Key::Counted(1)), (Store::Meta, Key::Text("void/1".to_owned()))];
        ledger.stray(page.0, page.1.clone());
        ledger.stray(mark.0, mark.1.clone());
        ledger.journal(1, vec![id(1)], Set::new());
        ledger.sent(1, Set::new());
        ledger.settled(2, &[]);
        age(&mut ledger);
        let all = ledger.garbage();
        assert_eq!(all.len(), 5);
        ledger.collected(&[page, (Store::Sent, Key::Counted(1))]);
        let left = [(Store::Journal, Key::Counted(1)), (Store::Settled, Key::Counted(2)), mark];
        assert_eq!(ledger.garbage(), left);
    }

    #[test]
    fn a_record_is_made_shorter_only_once_more_than_half_of_it_has_ended() {
        let mut ledger = Ledger::default();
        let all: Vec<_> = (1..=4).map(id).collect();
        ledger.journal(1, all.clone(), all.iter().copied().collect());
        ledger.journal(2, all.clone(), Set::from_iter([id(1)]));
        assert_eq!(ledger.sparse(), Some((2, vec![id(2), id(3), id(4)])), "as it was found");
        ledger.forget(2, vec![id(2), id(3), id(4)]);
        ledger.end(id(1));
        ledger.end(id(2));
        assert_eq!(ledger.sparse(), None, "half of it");
        ledger.end(id(3));
        assert_eq!(ledger.sparse(), Some((1, vec![id(1), id(2), id(3)])));
        assert_eq!(ledger.garbage(), [(Store::Journal, Key::Counted(2))]);
    }
}
