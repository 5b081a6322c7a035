//! Who had seen a write stands above it, whatever the clocks say.

use landfall_core::authority::Stored;
use landfall_core::clock::Stamp;
use landfall_core::id::{MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Mutation, Op};
use landfall_core::wire::Verdict;
use proptest::prelude::*;
use serde_json::Value;

use crate::arbitrary::strangers;
use crate::court::Court;
use crate::merged;

/// Whether a document looks as a mutation says that it should.
fn obeys(court: &Court, mutation: &Mutation) -> bool {
    let Some(text) = court.text() else { return mutation.op == Op::Delete };
    let document: Value = serde_json::from_str(&text).unwrap();
    mutation.op != Op::Delete
        && mutation.fields.iter().all(|field| {
            let there = document.pointer(&field.path.to_string());
            let parse = |json: &Json| serde_json::from_str::<Value>(json.text()).unwrap();
            let has = |element: &Json| there.unwrap().as_array().unwrap().contains(&parse(element));
            match &field.change {
                // What was counted stays counted when a document is created once more.
                Change::Set(_) if field.path.to_string() == "/n" => there.unwrap().is_i64(),
                Change::Set(json) => there == Some(&parse(json)),
                Change::Unset => there.is_none(),
                Change::Increment(_) => there.unwrap().is_i64(),
                Change::Add(element) => has(element),
                Change::Remove(element) => !has(element),
                Change::Max(_) | Change::Min(_) => there.is_some(),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A mutation based on all there is always has its way, and conflicts with nobody.
    #[test]
    fn who_has_seen_everything_wins(mut all in strangers(0, 1), ticks in 0u64..3) {
        let mut last = all.pop().unwrap();
        let document = merged(&all);
        let hidden = document.is_deleted();
        let mut court = Court::default();
        let version = Version(all.len() as u64);
        court.documents.insert(last.key(), Stored { version, position: Position(1), document, whole: None });
        last.base = version;
        last.stamp.ticks = ticks;
        let results = court.push(&[last.id.writer.0], std::slice::from_ref(&last));
        if hidden && last.op == Op::Patch {
            prop_assert_eq!(results[0].code.as_deref(), Some("gone"));
        } else {
            prop_assert_eq!(results[0].verdict, Verdict::Applied);
            prop_assert!(obeys(&court, &last), "{:?} after {:?}", court.text(), last);
        }
        prop_assert_eq!(court.conflicts, vec![]);
    }

    /// The writes of one installation take effect in the order in which they were made, one batch each or
    /// all together, with their verdicts at hand or long settled.
    #[test]
    fn one_installation_never_conflicts_with_itself(
        mut all in strangers(0, 1), together: bool, settled: bool
    ) {
        let own: Vec<u128> = all.iter().map(|mutation| mutation.id.writer.0).collect();
        let mut court = Court::default();
        all[0].op = Op::Create;
        all[0].fields.retain(|field| {
            field.path.keys().len() == 1
                && matches!(field.change, Change::Set(_) | Change::Max(_) | Change::Min(_))
        });
        for n in 1..all.len() {
            all[n].after = Some(all[n - 1].id);
        }
        let batches: Vec<&[Mutation]> = if together { vec![&all] } else { all.chunks(1).collect() };
        let mut results = vec![];
        for batch in batches {
            results.extend(court.push(&own, batch));
            if settled {
                court.receipts.clear();
            }
        }
        prop_assert_eq!(&court.conflicts, &vec![]);
        let last = all.iter().zip(&results).rev().find(|(_, result)| result.verdict != Verdict::Rejected);
        prop_assert!(obeys(&court, last.unwrap().0), "{:?} after {all:?}", court.text());
        for (result, mutation) in results.iter().zip(&all) {
            let gone = result.code.as_deref() == Some("gone") && mutation.op == Op::Patch;
            prop_assert!(gone || result.verdict != Verdict::Rejected, "{result:?}");
        }
    }
}

fn write(writer: u128, n: u64, ticks: u64, op: &str, fields: &str) -> Mutation {
    let id = MutationId { writer: Writer(writer), n };
    let stamp = Stamp { ticks, writer: Writer(writer) };
    serde_json::from_str(&format!(
        r#"{{"id":"{id}","collection":"notes","document":"d","op":"{op}","fields":{fields},"base":0,
            "stamp":"{stamp}","schema":1}}"#
    ))
    .unwrap()
}

fn set(path: &str, value: u64) -> String {
    format!(r#"[{{"path":"{path}","op":"set","value":{value}}}]"#)
}

/// Three writes of one installation on one version, each naming the one before it.
#[test]
fn a_chain_of_own_writes_is_applied_and_not_merged() {
    for together in [true, false] {
        let mut court = Court::default();
        let mut chain: Vec<_> = (1..=4).map(|n| write(1, n, n, "patch", &set("/a", n))).collect();
        chain[0] = write(1, 1, 1, "create", &set("/a", 1));
        for n in 1..4 {
            chain[n].after = Some(chain[n - 1].id);
        }
        let results: Vec<_> = if together {
            court.push(&[1], &chain)
        } else {
            chain.iter().flat_map(|one| court.push(&[1], std::slice::from_ref(one))).collect()
        };
        assert!(results.iter().all(|result| result.verdict == Verdict::Applied), "{results:?}");
    }
}

/// Two tabs of one installation write without having seen each other: the journal's order counts.
#[test]
fn writes_of_two_tabs_never_conflict() {
    let mut court = Court::default();
    court.push(&[1, 2], &[write(1, 1, 10, "create", &set("/a", 0))]);
    let (mut one, mut other) =
        (write(1, 2, 20, "patch", &set("/a", 1)), write(2, 1, 21, "patch", &set("/a", 2)));
    one.after = Some(MutationId { writer: Writer(1), n: 1 });
    other.after = one.after;
    court.push(&[1, 2], &[one]);
    court.push(&[1, 2], &[other]);
    assert_eq!(court.text().as_deref(), Some(r#"{"a":2}"#));
    assert_eq!(court.conflicts, []);
}

/// A creation, a delete and a patch that did not know of each other, in every order of arrival and of time.
#[test]
fn a_newer_stranger_brings_a_deleted_document_back_whole() {
    let check = |patch_at: u64, delete_at: u64, expected: Option<&str>| {
        for patch_first in [true, false] {
            let mut court = Court::default();
            court.push(
                &[9],
                &[write(
                    9,
                    1,
                    1,
                    "create",
                    r#"[{"path":"/a","op":"set","value":0},{"path":"/b","op":"set","value":0}]"#,
                )],
            );
            let mut patch = write(1, 1, patch_at, "patch", &set("/a", 1));
            let mut delete = write(2, 1, delete_at, "delete", "[]");
            (patch.base, delete.base) = (Version(1), Version(1));
            for patch_now in [patch_first, !patch_first] {
                if patch_now {
                    court.push(&[1], &[patch.clone()])
                } else {
                    court.push(&[2], &[delete.clone()])
                };
            }
            assert_eq!(court.text().as_deref(), expected, "patch first: {patch_first}");
            assert_eq!(
                (court.version(), court.conflicts.is_empty()),
                (3, false),
                "patch first: {patch_first}"
            );
        }
    };
    check(5, 4, Some(r#"{"a":1,"b":0}"#));
    check(4, 5, None);
    // Of two equal readings the greater writer is the newer one.
    check(5, 5, None);
}

/// It is told so, for its device shows less than there is; so is the next one, which was made without a look at it.
#[test]
fn a_write_beside_another_one_that_its_writer_did_not_know_is_merged() {
    let mut court = Court::default();
    let patch =
        |writer, n, path| Mutation { base: Version(1), ..write(writer, n, 10 + n, "patch", &set(path, n)) };
    court.push(&[9], &[write(9, 1, 1, "create", &set("/a", 0))]);
    let known = court.push(&[2], &[patch(2, 1, "/b")]);
    let first = patch(1, 1, "/c");
    let second = Mutation { after: Some(first.id), ..patch(1, 2, "/d") };
    let after_pulling = Mutation { base: Version(4), after: Some(second.id), ..patch(1, 3, "/e") };
    let results = court.push(&[1], &[first, second, after_pulling]);
    let verdicts: Vec<_> = known.iter().chain(&results).map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Verdict::Applied, Verdict::Merged, Verdict::Merged, Verdict::Applied]);
    assert_eq!(court.conflicts, []);
}

/// A device that does not know how a field is declared shows what it has set, and there is something else.
#[test]
fn what_is_set_in_a_field_that_merges_by_itself_merges_and_who_sees_another_value_is_told() {
    let mut court = Court::default();
    court.push(&[1], &[write(1, 1, 1, "create", &set("/max", 5))]);
    let set_on =
        |n, base, value| Mutation { base: Version(base), ..write(1, n, n, "patch", &set("/max", value)) };
    let results = court.push(&[1], &[set_on(2, 1, 3), set_on(3, 2, 7)]);
    let verdicts: Vec<_> = results.iter().map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Verdict::Merged, Verdict::Applied]);
    assert_eq!(court.text().as_deref(), Some(r#"{"max":7}"#));
    assert_eq!(court.conflicts, []);
}
