//! What several tabs decide about the same writes is decided once.

use serde_json::json;

use super::*;
use crate::clock::Stamp;
use crate::id::Writer;
use crate::stored::{End, Entry, JournalRecord, MIGRATIONS, SettledMutation};
use crate::time::WallTime;

fn id(n: u64) -> MutationId {
    MutationId { writer: Writer(1), n }
}

fn entry(n: u64) -> Entry {
    let stamp = Stamp { ticks: n << 16, writer: Writer(1) };
    serde_json::from_value(json!({
        "id": id(n), "collection": "notes", "document": "d", "op": "patch", "base": 0,
        "at": WallTime(0), "stamp": stamp, "seen": Stamp::ZERO, "schema": 1,
    }))
    .unwrap()
}

fn sent(n: u64, ticks: u64) -> Sent {
    Sent { mutation: entry(n).mutation(Stamp { ticks, writer: Writer(1) }, vec![]), at: WallTime(0) }
}

/// A device on which these bytes are final and these writes are discarded.
fn device(sent: &[Sent], voids: &[MutationId], migrations: u64) -> Vec<Rows> {
    let record = SentRecord { sent: sent.to_vec() };
    let voids = voids.iter().map(|id| (stored::void_key(*id), String::new()));
    let sent = (Key::Counted(1), stored::write(&record));
    vec![vec![sent], voids.collect(), vec![(Key::Text(MIGRATIONS.to_owned()), migrations.to_string())]]
}

#[test]
fn bytes_that_are_final_stay_so_and_new_ones_are_stored_before_they_are_sent() {
    let there = device(&[sent(1, 5), sent(4, 5)], &[], 0);
    let (writes, outcome) = fix(&[sent(1, 9), sent(2, 9)], 0, &there);
    let all = Outcome::Fixed { sent: vec![sent(1, 5), sent(2, 9)], added: vec![id(2)], outdated: false };
    assert_eq!(outcome, all);
    let record = SentRecord { sent: vec![sent(2, 9)] };
    assert_eq!(writes, [Write::Add(Store::Sent, stored::write(&record))]);
    let (writes, outcome) = fix(&[sent(1, 9)], 0, &there);
    assert_eq!(outcome, Outcome::Fixed { sent: vec![sent(1, 5)], added: vec![], outdated: false });
    assert_eq!(writes, [], "nothing is new");
}

#[test]
fn what_another_tab_has_discarded_is_left_out_and_the_batch_is_said_to_be_outdated() {
    let (writes, outcome) = fix(&[sent(1, 9), sent(2, 9)], 0, &device(&[], &[id(1)], 0));
    assert_eq!(outcome, Outcome::Fixed { sent: vec![sent(2, 9)], added: vec![id(2)], outdated: true });
    assert_eq!(writes.len(), 1);
}

#[test]
fn nothing_is_made_final_in_the_form_that_it_had_before_another_tab_brought_it_to_a_newer_version() {
    let outdated = Outcome::Fixed { sent: vec![], added: vec![], outdated: true };
    assert_eq!(fix(&[sent(1, 9)], 0, &device(&[], &[], 1)), (vec![], outdated));
    let fresh = Outcome::Fixed { sent: vec![sent(1, 9)], added: vec![id(1)], outdated: false };
    assert_eq!(fix(&[sent(1, 9)], 1, &device(&[], &[], 1)).1, fresh);
}

#[test]
fn a_decision_about_what_was_refused_is_carried_out_whole_or_not_at_all() {
    let ended = vec![SettledMutation { id: id(1), end: End::Replaced { by: Some(id(3)) } }];
    let record = JournalRecord { entries: vec![entry(3)] };
    let all =
        Amendment { record: record.clone(), unpark: vec![id(1)], voids: vec![id(2)], ended: ended.clone() };
    let there = vec![(Key::Text(id(1).to_string()), "{}".to_owned())];
    let (writes, outcome) = amend(&all, std::slice::from_ref(&there));
    assert_eq!(outcome, Outcome::Amended);
    let settled = SettledRecord { epoch: None, resets: 0, settled: ended };
    let expected = [
        Write::Add(Store::Journal, stored::write(&record)),
        Write::Add(Store::Settled, stored::write(&settled)),
        Write::Delete(Store::Parked, Key::Text(id(1).to_string())),
        Write::Put(Store::Meta, stored::void_key(id(2)), String::new()),
    ];
    assert_eq!(writes, expected);
    let two = Amendment { unpark: vec![id(1), id(2)], ..all };
    assert_eq!(amend(&two, &[there, vec![]]), (vec![], Outcome::Missed), "another tab has decided about one");
    let none =
        Amendment { record: JournalRecord { entries: vec![] }, unpark: vec![], voids: vec![], ended: vec![] };
    assert_eq!(amend(&none, &[]), (vec![], Outcome::Amended), "no record of nothing");
}

#[test]
fn what_is_left_of_a_record_keeps_its_place() {
    let moved = Entry { place: Some(Place { record: 2, index: 0 }), ..entry(3) };
    let record = JournalRecord { entries: vec![entry(1), entry(2), moved.clone(), entry(4)] };
    let (writes, outcome) = compact(7, &[id(1), id(4)], &vec![(Key::Counted(7), stored::write(&record))]);
    assert_eq!(outcome, Outcome::Committed);
    let second = Entry { place: Some(Place { record: 7, index: 1 }), ..entry(2) };
    let shorter = JournalRecord { entries: vec![second, moved] };
    assert_eq!(writes, [Write::Put(Store::Journal, Key::Counted(7), stored::write(&shorter))]);
    assert_eq!(compact(7, &[id(1)], &vec![]), (vec![], Outcome::Committed), "another tab has deleted it");
}

#[test]
fn what_was_taken_over_from_another_database_is_not_taken_over_again() {
    let at = |n: u64| Entry { place: Some(Place { record: n, index: 0 }), ..entry(n) };
    let record = JournalRecord { entries: vec![at(1), at(2), at(3)] };
    let legacy = Legacy { from: "tablet".parse().unwrap(), through: 3, record };
    let known = |through: u64| vec![(stored::adopted_key(&legacy.from), through.to_string())];
    let (writes, outcome) = adopt(&legacy, &known(2));
    assert_eq!(outcome, Outcome::Adopted(vec![entry(3)]));
    let record = JournalRecord { entries: vec![entry(3)] };
    let through = Write::Put(Store::Meta, stored::adopted_key(&legacy.from), "3".to_owned());
    assert_eq!(writes, [Write::Add(Store::Journal, stored::write(&record)), through]);
    assert_eq!(adopt(&legacy, &known(3)), (vec![], Outcome::Adopted(vec![])));
    assert_eq!(adopt(&legacy, &vec![]).1, Outcome::Adopted(vec![entry(1), entry(2), entry(3)]));
}
