//! Decides what becomes of writes that are waiting: their bytes, their end, and the end of their database.

use super::{Amendment, Outcome, Rows, Write, open};
use crate::id::MutationId;
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::stored::{self, Key, Legacy, Place, Sent, SentRecord, SettledRecord, Store};

pub(super) fn fix(new: &[Sent], migrations: u64, read: &[Rows]) -> (Vec<Write>, Outcome) {
    if open::migrations(&read[2]) != migrations && !planted::is(Bug::FixesOlder) {
        return (vec![], Outcome::Fixed { sent: vec![], added: vec![], outdated: true });
    }
    let voids: Set<MutationId> = read[1].iter().filter_map(|(key, _)| stored::voided(key)).collect();
    let there: Vec<Sent> = read[0]
        .iter()
        .filter_map(|(_, text)| stored::read::<SentRecord>(text))
        .flat_map(|record| record.sent)
        .collect();
    let mut added = Vec::new();
    let mut fresh = Vec::new();
    let asked = new.len();
    let sent: Vec<Sent> = new
        .iter()
        .filter(|sent| !voids.contains(&sent.mutation.id))
        .map(|sent| match there.iter().find(|other| other.mutation.id == sent.mutation.id) {
            Some(final_one) if !planted::is(Bug::BytesNotFinal) => final_one.clone(),
            Some(_) | None => {
                added.push(sent.mutation.id);
                fresh.push(sent.clone());
                sent.clone()
            }
        })
        .collect();
    let write =
        (!fresh.is_empty()).then(|| Write::Add(Store::Sent, stored::write(&SentRecord { sent: fresh })));
    let outdated = sent.len() < asked;
    (write.into_iter().collect(), Outcome::Fixed { sent, added, outdated })
}

pub(super) fn amend(amendment: &Amendment, read: &[Rows]) -> (Vec<Write>, Outcome) {
    if read.iter().any(Vec::is_empty) {
        return (vec![], Outcome::Missed);
    }
    let Amendment { record, unpark, voids, ended } = amendment;
    let mut writes = Vec::new();
    if !record.entries.is_empty() {
        writes.push(Write::Add(Store::Journal, stored::write(record)));
    }
    if !ended.is_empty() {
        let record = SettledRecord { epoch: None, resets: 0, settled: ended.clone() };
        writes.push(Write::Add(Store::Settled, stored::write(&record)));
    }
    let unparked = unpark.iter().map(|id| Write::Delete(Store::Parked, Key::Text(id.to_string())));
    writes.extend(unparked);
    writes.extend(voids.iter().map(|id| Write::Put(Store::Meta, stored::void_key(*id), String::new())));
    (writes, Outcome::Amended)
}

/// A record under the same key, so that whoever knows it as it was can still say when nothing in it is needed. Another
/// tab may have deleted it.
pub(super) fn compact(record: u64, ended: &[MutationId], read: &Rows) -> (Vec<Write>, Outcome) {
    let read = read.first().and_then(|(_, text)| stored::read_journal(text));
    let write = read.map(|mut shorter| {
        for (index, entry) in (0..).zip(&mut shorter.entries) {
            entry.place.get_or_insert(Place { record, index });
        }
        // They are in order.
        shorter.entries.retain(|entry| ended.binary_search(&entry.id).is_err());
        if planted::is(Bug::CompactsLive) {
            shorter.entries.pop();
        }
        Write::Put(Store::Journal, Key::Counted(record), stored::write(&shorter))
    });
    (write.into_iter().collect(), Outcome::Committed)
}

pub(super) fn adopt(Legacy { from, through, record }: &Legacy, read: &Rows) -> (Vec<Write>, Outcome) {
    let mut record = record.clone();
    let known = read.first().and_then(|(_, text)| text.parse().ok()).unwrap_or(0);
    record.entries.retain_mut(|entry| entry.place.take().is_some_and(|place| place.record > known));
    let mut writes = Vec::new();
    if !record.entries.is_empty() {
        writes.push(Write::Add(Store::Journal, stored::write(&record)));
        writes.push(Write::Put(Store::Meta, stored::adopted_key(from), through.to_string()));
    }
    (writes, Outcome::Adopted(record.entries))
}

#[cfg(test)]
mod tests;
