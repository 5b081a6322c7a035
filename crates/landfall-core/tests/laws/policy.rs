//! Which of the writes that did not know of each other stands is the collection's policy to say, and only that.

use landfall_core::clock::Stamp;
use landfall_core::conflict::Policy;
use landfall_core::id::{MutationId, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::wire::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::strangers;
use crate::court::Court;

fn set(path: String, value: usize) -> Field {
    Field { path: path.parse().unwrap(), change: Change::Set(Json::parse(&value.to_string()).unwrap()) }
}

/// Every one of them sets `/a` to its place in the order of arrival, and a field of its own; all have seen the
/// first.
fn disputing(all: &mut [Mutation]) {
    for (n, mutation) in all.iter_mut().enumerate() {
        mutation.op = if n == 0 { Op::Create } else { Op::Patch };
        mutation.base = Version(u64::from(n > 0));
        mutation.fields = vec![set("/a".to_owned(), n), set(format!("/own{n}"), n)];
    }
    all[0].stamp.ticks = 0;
    all[0].fields.pop();
}

fn under(policy: Policy, all: &[Mutation]) -> (Court, Vec<Verdict>) {
    let mut court = Court::default();
    court.policy = policy;
    let push = |one: &Mutation| court.push(&[one.id.writer.0], std::slice::from_ref(one))[0].verdict;
    let verdicts = all.iter().map(push).collect();
    (court, verdicts)
}

fn seen(court: &Court) -> Option<Value> {
    court.text().map(|text| serde_json::from_str(&text).unwrap())
}

const ALL: [Policy; 5] = [
    Policy::LastWriteWins,
    Policy::ClientWins,
    Policy::ServerWins,
    Policy::Manual,
    Policy::DocumentLastWriteWins,
];
/// Those that decide each field alone.
const BY_FIELD: &[Policy] = ALL.split_at(4).0;

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// One of them stands in the disputed field, every other field is kept, and each dispute is recorded with
    /// what has become of it.
    #[test]
    fn the_disputed_field_is_the_policys_and_the_rest_is_kept(
        mut all in strangers(1, 1), policy in proptest::sample::select(BY_FIELD)
    ) {
        disputing(&mut all);
        let (court, verdicts) = under(policy, &all);
        let document = seen(&court).unwrap();
        let newest = (1..all.len()).max_by_key(|n| all[*n].stamp).unwrap();
        let stands = match policy {
            Policy::LastWriteWins | Policy::DocumentLastWriteWins => newest,
            Policy::ClientWins => all.len() - 1,
            Policy::ServerWins | Policy::Manual => 1,
        };
        prop_assert_eq!(&document["a"], &json!(stands));
        for n in 1..all.len() {
            prop_assert_eq!(&document[format!("own{n}")], &json!(n));
            prop_assert_eq!(verdicts[n], if n == 1 { Verdict::Applied } else { Verdict::Conflict });
        }
        prop_assert_eq!(court.conflicts.len(), all.len() - 2);
        for conflict in &court.conflicts {
            prop_assert_eq!(conflict.policy, policy);
            match policy {
                Policy::LastWriteWins | Policy::DocumentLastWriteWins => {}
                Policy::ClientWins => prop_assert!(conflict.won),
                Policy::ServerWins | Policy::Manual => prop_assert!(!conflict.won),
            }
        }
    }

    /// Of an edit and a delete one stands as a whole.
    #[test]
    fn a_delete_and_an_edit_are_decided_for_the_whole_document(
        mut all in strangers(1, 1), policy in proptest::sample::select(&ALL[..]), edit_first: bool
    ) {
        all.truncate(2);
        all.push(all[0].clone());
        all[2].id.writer.0 += 1 << 90;
        all[2].stamp.writer = all[2].id.writer;
        disputing(&mut all);
        let delete = if edit_first { 2 } else { 1 };
        all[delete].op = Op::Delete;
        all[delete].fields = vec![];
        let (court, verdicts) = under(policy, &all);
        let edit_is_newer = all[3 - delete].stamp > all[delete].stamp;
        let edit_stands = match policy {
            Policy::LastWriteWins | Policy::DocumentLastWriteWins => edit_is_newer,
            Policy::ClientWins => !edit_first,
            Policy::ServerWins | Policy::Manual => edit_first,
        };
        prop_assert_eq!(seen(&court).is_some(), edit_stands);
        prop_assert_eq!(&verdicts[1..], [Verdict::Applied, Verdict::Conflict]);
        prop_assert_eq!(court.conflicts.len(), 1);
        prop_assert_eq!(court.version(), 3, "devices pull what stands, also where nothing was changed");
    }

    /// Who has seen what stands has their way under every policy.
    #[test]
    fn no_policy_is_against_who_has_seen_everything(
        mut all in strangers(1, 1), policy in proptest::sample::select(&ALL[..])
    ) {
        disputing(&mut all);
        let mut last = all.pop().unwrap();
        let (mut court, _) = under(policy, &all);
        let before = court.conflicts.len();
        last.base = Version(court.version());
        last.stamp.ticks = 0;
        let results = court.push(&[last.id.writer.0], std::slice::from_ref(&last));
        prop_assert_eq!(results[0].verdict, Verdict::Applied);
        prop_assert_eq!(&seen(&court).unwrap()["a"], &json!(all.len()));
        prop_assert_eq!(court.conflicts.len(), before);
    }
}

/// What was written as one is met on the way to its part and again there.
#[test]
fn each_path_that_is_lost_is_one_conflict_that_says_what_stood_there() {
    let mut court = Court::default();
    let json = |text| Change::Set(Json::parse(text).unwrap());
    let field = |path: &str, text| Field { path: path.parse().unwrap(), change: json(text) };
    let written = |writer: u128, op: Op, ticks: u64, fields| {
        let id = MutationId { writer: Writer(writer), n: 1 };
        let text = serde_json::json!({
            "id": id, "collection": "notes", "document": "d", "op": op, "fields": fields, "base": 0,
            "stamp": Stamp { ticks, writer: id.writer }, "schema": 1,
        });
        serde_json::from_value::<Mutation>(text).unwrap()
    };
    court.push(&[2], &[written(2, Op::Create, 9, vec![field("/a", r#"{"x":1}"#), field("/b", "1")])]);
    court.push(&[1], &[written(1, Op::Patch, 5, vec![field("/a/x", "2"), field("/b", "2")])]);
    let lost: Vec<_> =
        court.conflicts.iter().map(|one| (one.path.to_string(), one.met_value.clone())).collect();
    let stood = Some(Json::parse("1").unwrap());
    assert_eq!(lost, [("/a/x".to_owned(), stood.clone()), ("/b".to_owned(), stood)]);
    assert_eq!(court.text().as_deref(), Some(r#"{"a":{"x":1},"b":1}"#));
}
