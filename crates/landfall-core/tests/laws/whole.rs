//! Where documents are decided as wholes, what stands is one writer's document, whoever came first.

use landfall_core::authority::Stored;
use landfall_core::conflict::Policy;
use landfall_core::document::{Document, Register};
use landfall_core::id::{MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::merge::enter;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::wire::Verdict;
use proptest::prelude::*;
use serde_json::Value;

use crate::arbitrary::{in_two_orders, merges, strangers};
use crate::court::Court;
use crate::order::{seen, state};

/// A server with the document that everybody has seen.
fn court(like: &Mutation) -> Court {
    let mut court = Court::default();
    court.policy = Policy::DocumentLastWriteWins;
    let stored = Stored { version: Version(1), position: Position(1), document: seen(), whole: None };
    court.documents.insert(like.key(), stored);
    court
}

/// What it makes of mutations that arrive one batch each, all of other clients.
fn judged(mutations: &[Mutation]) -> Court {
    let mut court = court(&mutations[0]);
    for mutation in mutations {
        let results = court.push(&[mutation.id.writer.0], std::slice::from_ref(mutation));
        assert_ne!(results[0].verdict, Verdict::Rejected, "{results:?}");
    }
    court
}

/// The members of a document that merge by the policy, where it is visible.
fn decided(document: &Document) -> Option<Vec<(String, Value)>> {
    let members = document.value()?.members()?.into_iter();
    let text = |json: Json| serde_json::from_str(json.text()).expect("JSON");
    let decided = members.filter(|(name, _)| !merges().contains_key(name));
    Some(decided.map(|(name, json)| (name.into_string(), text(json))).collect())
}

fn decides(mutation: &Mutation) -> bool {
    let merging = |field: &Field| merges().contains_key(&field.path.keys()[0]);
    mutation.op != Op::Patch || !mutation.fields.iter().all(merging)
}

fn apply(mutation: &Mutation, document: &mut Document, version: u64) {
    let fields = enter(mutation.op, mutation.fields.clone(), &merges()).unwrap();
    let register = Register { stamp: mutation.stamp, version: Version(version) };
    Mutation { fields, ..mutation.clone() }.apply(document, register);
}

fn set(path: String, value: usize) -> Field {
    Field { path: path.parse().unwrap(), change: Change::Set(Json::parse(&value.to_string()).unwrap()) }
}

/// What two devices write one after the other, each without knowing of the other one. The first of each is
/// based on what both have seen, the others on that and on their own.
fn diaries() -> impl Strategy<Value = Vec<(u128, Vec<Mutation>)>> {
    let lengths = (1usize..4, 1usize..4, any::<u64>(), strangers(1, 2), any::<bool>());
    lengths.prop_map(|(one, other, draw, like, together)| {
        let mut diaries = [vec![], vec![]];
        for n in 0..one + other {
            let which =
                usize::from(diaries[0].len() == one || diaries[1].len() < other && draw >> n & 1 == 1);
            let id = MutationId { writer: Writer(which as u128 + 1), n: diaries[which].len() as u64 + 1 };
            let after = diaries[which].last().map(|last: &Mutation| last.id);
            let fields = vec![set(format!("/{which}/{n}"), n), set("/a".to_owned(), n)];
            let mut mutation =
                Mutation { id, after, fields, op: Op::Patch, base: Version(1), ..like[0].clone() };
            mutation.stamp.ticks = 2 + n as u64;
            mutation.stamp.writer = id.writer;
            diaries[which].push(mutation);
        }
        let mut batches = vec![];
        let [mut one, mut other] = diaries.map(|diary| diary.into_iter().peekable());
        for n in 16.. {
            let (writer, next) = if draw >> n & 1 == 1 { (1, &mut one) } else { (2, &mut other) };
            let size = if together { usize::MAX } else { 1 };
            let batch: Vec<_> = next.take(size).collect();
            if !batch.is_empty() {
                batches.push((writer, batch));
            }
            if n == 40 {
                batches.extend(one.map(|last| (1, vec![last])));
                batches.extend(other.map(|last| (2, vec![last])));
                break;
            }
        }
        batches
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The server comes to the same document in any order, for writers that stamp above what they saw: to that of
    /// the newest write, as its writer left it. What merges by itself goes on doing so.
    #[test]
    fn the_newest_document_stands_in_any_order((one, other) in in_two_orders(strangers(1, 2))) {
        let (first, second) = (judged(&one), judged(&other));
        prop_assert_eq!(state(&first.document()), state(&second.document()));
        let mut expected = seen();
        if let Some(newest) = one.iter().filter(|one| decides(one)).max_by_key(|one| one.stamp) {
            apply(newest, &mut expected, 2);
        }
        // Whatever merges by itself brings a document back that is older than that.
        let revived = expected.is_deleted() && !first.document().is_deleted();
        prop_assert!(revived || decided(&first.document()) == decided(&expected));
    }

    /// Whatever merges by itself ends as it does where each field is decided alone.
    #[test]
    fn what_merges_by_itself_loses_nothing(mut all in strangers(1, 2)) {
        all.iter_mut().for_each(|one| one.op = if one.op == Op::Delete { Op::Create } else { one.op });
        let whole = judged(&all).document();
        let mut fields = seen();
        for (one, version) in all.iter().zip(2..) {
            apply(one, &mut fields, version);
        }
        for (name, _) in merges().iter() {
            let path = landfall_core::path::Path::default().child(name);
            let value = |document: &Document| document.walk(&path, |_| {}).and_then(|node| node.value());
            prop_assert_eq!(value(&whole), value(&fields), "{}", name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every document that does not stand is in one conflict, whole.
    #[test]
    fn every_loss_is_one_conflict(mut all in strangers(1, 2)) {
        for (n, mutation) in all.iter_mut().enumerate() {
            mutation.op = Op::Patch;
            mutation.fields = vec![set(format!("/own{n}"), n), set("/a".to_owned(), n)];
        }
        let court = judged(&all);
        let newest = all.iter().max_by_key(|one| one.stamp).unwrap();
        let mut losers: Vec<_> = court
            .conflicts
            .iter()
            .map(|one| if one.won { one.met.stamp.writer } else { one.register.stamp.writer })
            .collect();
        losers.sort();
        let others = all.iter().map(|one| one.id.writer).filter(|writer| *writer != newest.id.writer);
        prop_assert_eq!(losers, others.collect::<Vec<_>>());
        for conflict in &court.conflicts {
            let (lost, writer) = match conflict.won {
                true => (&conflict.met_value, conflict.met.stamp.writer),
                false => (&conflict.value, conflict.register.stamp.writer),
            };
            let mut document = seen();
            apply(all.iter().find(|one| one.id.writer == writer).unwrap(), &mut document, 2);
            prop_assert_eq!(lost, &document.value());
            prop_assert!(conflict.path.keys().is_empty());
        }
    }

    /// Of two devices that wrote several times each, the document of the newest write stands with all that its
    /// writer had written before, also where that had lost when it arrived.
    #[test]
    fn all_that_a_writer_had_written_stands_with_it(batches in diaries()) {
        let mut court = court(&batches[0].1[0]);
        for (writer, batch) in &batches {
            let before = court.conflicts.len();
            let results = court.push(&[*writer], batch);
            prop_assert!(results.iter().all(|result| result.verdict != Verdict::Rejected));
            prop_assert!(court.conflicts.len() <= before + 1, "a batch loses to one write, or wins over it");
        }
        let mut all: Vec<_> = batches.iter().flat_map(|(_, batch)| batch).collect();
        all.sort_by_key(|one| one.stamp);
        let newest = all.last().unwrap();
        let mut expected = seen();
        for one in all.iter().filter(|one| one.id.writer == newest.id.writer) {
            apply(one, &mut expected, 2);
        }
        prop_assert_eq!(court.document().value(), expected.value());
    }

    /// Who has seen what stands changes that and nothing else, whatever their clock says.
    #[test]
    fn who_knows_what_stands_builds_on_it(mut all in strangers(1, 2), mut last in strangers(1, 2)) {
        all.retain(|one| one.op != Op::Delete);
        prop_assume!(!all.is_empty());
        let mut court = judged(&all);
        let mut last = last.pop().unwrap();
        last.op = Op::Patch;
        last.fields = vec![set("/last".to_owned(), 1)];
        last.id.writer = Writer(77);
        last.stamp = landfall_core::clock::Stamp { ticks: 0, writer: Writer(77) };
        last.base = Version(court.version());
        let mut expected = decided(&court.document()).unwrap();
        expected.push(("last".to_owned(), 1.into()));
        let conflicts = court.conflicts.len();
        let results = court.push(&[77], std::slice::from_ref(&last));
        prop_assert_eq!(results[0].verdict, Verdict::Applied);
        prop_assert_eq!(court.conflicts.len(), conflicts);
        let mut found = decided(&court.document()).unwrap();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        prop_assert_eq!(found, expected);
        let stranger = Mutation { id: MutationId { writer: Writer(70), n: 1 }, base: Version(1), ..last };
        let older = Mutation {
            stamp: landfall_core::clock::Stamp { ticks: 1, writer: Writer(70) },
            fields: vec![set("/b".to_owned(), 99)],
            ..stranger
        };
        court.push(&[70], &[older]);
        let again = decided(&court.document()).unwrap();
        prop_assert!(again.iter().any(|(name, _)| name == "last"), "what stands is as new as its newest write");
    }
}

/// A write, by the nth device, of what it has seen at a version.
fn write(
    writer: u128,
    n: u64,
    ticks: u64,
    base: u64,
    op: Op,
    document: &str,
    fields: &[(&str, usize)],
) -> Mutation {
    let id = MutationId { writer: Writer(writer), n };
    let fields: Vec<_> = fields.iter().map(|(path, value)| set((*path).to_owned(), *value)).collect();
    serde_json::from_value(serde_json::json!({
        "id": id, "collection": "visits", "document": document, "op": op, "fields": fields, "base": base,
        "stamp": landfall_core::clock::Stamp { ticks, writer: id.writer }, "schema": 1,
    }))
    .unwrap()
}

/// What becomes of writes that come one by one, each from the device of its writer.
fn after(mutations: &[Mutation]) -> Court {
    let mut court = Court::default();
    court.policy = Policy::DocumentLastWriteWins;
    for mutation in mutations {
        court.push(&[mutation.id.writer.0], std::slice::from_ref(mutation));
    }
    court
}

#[test]
fn whoever_creates_what_was_deleted_begins_anew_and_over_what_is_there_adds_to_it() {
    let first = write(9, 1, 1, 0, Op::Create, "d", &[("/a", 1)]);
    let stranger = write(2, 1, 5, 1, Op::Patch, "d", &[("/b", 2)]);
    let over = write(1, 1, 9, 1, Op::Create, "d", &[("/c", 3)]);
    assert_eq!(after(&[first.clone(), stranger.clone(), over]).text().as_deref(), Some(r#"{"a":1,"c":3}"#));
    let delete = write(9, 2, 2, 1, Op::Delete, "d", &[]);
    let anew = write(1, 1, 9, 2, Op::Create, "d", &[("/c", 3)]);
    assert_eq!(after(&[first.clone(), delete.clone(), stranger, anew]).text().as_deref(), Some(r#"{"c":3}"#));
    // What has come back since, by whoever did not know of the delete, is there.
    let mut court = after(&[first, delete]);
    court.earlier.clear();
    court.push(&[2], &[write(2, 1, 5, 1, Op::Patch, "d", &[("/b", 2)])]);
    court.push(&[3], &[write(3, 1, 6, 3, Op::Patch, "d", &[("/z", 2)])]);
    court.push(&[1], &[write(1, 1, 9, 3, Op::Create, "d", &[("/c", 3)])]);
    assert_eq!(court.text().as_deref(), Some(r#"{"a":1,"b":2,"c":3}"#));
}

#[test]
fn what_a_delete_does_away_with_is_shown_whole_also_where_nobody_knows_what_its_writer_had_seen() {
    let mut court = after(&[
        write(9, 1, 1, 0, Op::Create, "d", &[("/a", 1), ("/b", 1)]),
        write(2, 1, 5, 1, Op::Patch, "d", &[("/b", 2)]),
    ]);
    court.earlier.clear();
    court.push(&[1], &[write(1, 1, 9, 1, Op::Delete, "d", &[])]);
    let lost: Vec<_> = court.conflicts.iter().map(|one| one.met_value.clone()).collect();
    assert_eq!(lost, [Some(Json::parse(r#"{"a":1,"b":2}"#).unwrap())]);
}

#[test]
fn one_batch_that_does_away_with_two_documents_is_two_conflicts() {
    let both = |writer, ticks, value| {
        let create = |n, document| write(writer, n, ticks + n, 0, Op::Create, document, &[("/a", value)]);
        [create(1, "d"), create(2, "e")]
    };
    let mut court = after(&both(2, 1, 2));
    court.push(&[1], &both(1, 9, 1));
    let lost: Vec<_> = court.conflicts.iter().map(|one| one.key.document.as_str()).collect();
    assert_eq!(lost, ["d", "e"]);
}

#[test]
fn where_fields_are_decided_each_alone_each_write_of_a_batch_says_what_it_met() {
    let mut court = Court::default();
    court.push(&[9], &[write(9, 1, 1, 0, Op::Create, "d", &[("/a", 1), ("/b", 1)])]);
    court.push(&[2], &[write(2, 1, 9, 1, Op::Patch, "d", &[("/a", 2)])]);
    let delete = |n| write(1, n, 4 + n, 1, Op::Delete, "d", &[]);
    court.push(&[1], &[delete(1), delete(2)]);
    let writers: Vec<_> = court.conflicts.iter().map(|one| one.mutation.n).collect();
    assert_eq!(writers, [1, 2]);
}
