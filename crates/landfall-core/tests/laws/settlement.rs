//! What a person puts back stands above all that the document has, and is a write like any other.

use landfall_core::authority::{Back, Stored};
use landfall_core::clock::Stamp;
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::{MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::wire::Verdict;
use proptest::prelude::*;

use crate::arbitrary::strangers;
use crate::court::Court;
use crate::merged;

const SETTLER: u128 = 1 << 100;

/// A server that has these, in this order.
fn court(all: &[Mutation]) -> Court {
    let mut court = Court::default();
    let (version, document) = (Version(all.len() as u64), merged(all));
    court.documents.insert(all[0].key(), Stored { version, position: Position(1), document, whole: None });
    court
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is put back is there afterwards, under a stamp above every other; nothing else is touched.
    #[test]
    fn what_is_put_back_stands(all in strangers(0, 1), removed: bool) {
        let mut court = court(&all);
        let hidden = court.document().is_deleted();
        let newest = court.document().newest();
        let path: landfall_core::path::Path = "/kept/back".parse().unwrap();
        let back = if removed {
            Back::Absence(path.clone())
        } else {
            Back::Value(path.clone(), Json::parse("7").unwrap())
        };
        let others = |court: &Court| court.document().walk(&"/a".parse().unwrap(), |_| {}).and_then(|n| n.value());
        let before = others(&court);
        match court.settle(back, SETTLER) {
            Err(refusal) => prop_assert!(hidden && refusal.code == Code::Gone),
            Ok(mutation) => {
                prop_assert!(!hidden && mutation.stamp > newest);
                let there = court.document().walk(&path, |_| {}).and_then(|node| node.value());
                prop_assert_eq!(there.map(|json| json.text().to_owned()), (!removed).then(|| "7".to_owned()));
                prop_assert_eq!(others(&court), before);
            }
        }
    }

    /// A deleted document comes back with all that the delete had hidden, and a delete can be put back on it.
    #[test]
    fn a_document_comes_back_whole_and_goes_again(all in strangers(0, 1)) {
        let mut court = court(&all);
        let all_of_it = court.document().hidden().or_else(|| court.document().value());
        court.settle(Back::Document, SETTLER).unwrap();
        prop_assert_eq!(court.document().value(), all_of_it);
        court.settle(Back::Deletion, SETTLER + 1).unwrap();
        prop_assert!(court.document().is_deleted());
    }

    /// Who knew of it writes over it; who did not conflicts with it, and the stamps decide.
    #[test]
    fn a_device_that_knew_wins_and_another_conflicts(mut all in strangers(0, 1), knew: bool, later: bool) {
        all.iter_mut().for_each(|mutation| {
            mutation.op = Op::Patch;
            mutation.fields = vec![Field {
                path: "/a".parse().unwrap(),
                change: Change::Set(Json::parse("1").unwrap()),
            }];
        });
        let mut next = all.pop().unwrap();
        let mut court = court(&all);
        let base = court.version();
        let put_back = court.settle(Back::Value("/a".parse().unwrap(), Json::parse("2").unwrap()), SETTLER);
        let ticks = put_back.unwrap().stamp.ticks;
        next.base = Version(if knew { base + 1 } else { base });
        next.stamp.ticks = if later { ticks + 1 } else { ticks - 1 };
        next.fields[0].change = Change::Set(Json::parse("3").unwrap());
        let results = court.push(&[next.id.writer.0], std::slice::from_ref(&next));
        let wins = knew || later;
        prop_assert_eq!(court.text().unwrap(), if wins { r#"{"a":3}"# } else { r#"{"a":2}"# });
        prop_assert_eq!(results[0].verdict, if knew { Verdict::Applied } else { Verdict::Conflict });
        prop_assert_eq!(court.conflicts.len(), usize::from(!knew));
    }
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// A document that is there, and has been deleted since, where that is said.
fn one(fields: &[(&str, Change)], deleted: bool) -> Court {
    let fields =
        fields.iter().map(|(path, change)| Field { path: path.parse().unwrap(), change: change.clone() });
    let create = Mutation { fields: fields.collect(), ..written(1, Op::Create) };
    let delete = Mutation { base: Version(1), ..written(2, Op::Delete) };
    let mut court = Court::default();
    court.policy = Policy::DocumentLastWriteWins;
    court.push(&[1], &[create]);
    if deleted {
        court.push(&[1], &[delete]);
    }
    court
}

fn written(n: u64, op: Op) -> Mutation {
    let id = MutationId { writer: Writer(1), n };
    serde_json::from_value(serde_json::json!({
        "id": id, "collection": "visits", "document": "d", "op": op, "fields": [], "base": 0,
        "stamp": Stamp { ticks: n << 16, writer: id.writer }, "schema": 1,
    }))
    .unwrap()
}

#[test]
fn a_part_of_what_is_deleted_cannot_be_put_back_and_all_of_it_can() {
    for back in [Back::Value("/a".parse().unwrap(), json("2")), Back::Absence("/a".parse().unwrap())] {
        let mut court = one(&[("/a", Change::Set(json("1")))], true);
        assert_eq!(court.settle(back, SETTLER).unwrap_err().code, Code::Gone);
        assert_eq!(court.text(), None);
    }
    let mut court = one(&[("/a", Change::Set(json("1")))], true);
    court.settle(Back::Whole(json(r#"{"a":1}"#)), SETTLER).unwrap();
    assert_eq!(court.text().as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn a_whole_that_is_put_back_is_all_there_is_but_for_what_merges_by_itself() {
    let there =
        [("/a", Change::Set(json("1"))), ("/b", Change::Set(json("2"))), ("/n", Change::Set(json("5")))];
    let mut court = one(&there, false);
    court.settle(Back::Whole(json(r#"{"b":3,"c":4,"n":9}"#)), SETTLER).unwrap();
    assert_eq!(court.text().as_deref(), Some(r#"{"b":3,"c":4,"n":5}"#));
    // Nothing but what merges by itself is left of it.
    court.settle(Back::Whole(json("{}")), SETTLER + 1).unwrap();
    assert_eq!(court.text().as_deref(), Some(r#"{"n":5}"#));
}

#[test]
fn a_document_of_nothing_but_what_merges_by_itself_comes_back_too() {
    let mut court = one(&[("/n", Change::Set(json("5")))], true);
    court.settle(Back::Whole(json(r#"{"n":9}"#)), SETTLER).unwrap();
    assert_eq!(court.text().as_deref(), Some(r#"{"n":5}"#));
}
