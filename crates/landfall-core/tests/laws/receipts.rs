//! What a server keeps of a verdict: once for each mutation, and nothing where there is none.

use landfall_core::authority::{Decision, Facts, Terms, decide, parse};
use landfall_core::id::Position;
use landfall_core::json::Json;
use landfall_core::time::WallTime;
use landfall_core::wire::Verdict;

use crate::court::NoRules;

fn mutation(n: u64, document: &str, value: u64, rest: &str) -> String {
    let writer = "0".repeat(31) + "1";
    format!(
        r#"{{"id":"{writer}:{n}","collection":"visits","document":"{document}","op":"create",
            "fields":[{{"path":"/a","op":"set","value":{value}}}],"base":0,
            "stamp":"000000000001-{n:04x}-{writer}","schema":1{rest}}}"#
    )
}

/// Judges a batch after others.
fn judged(before: &[Decision], batch: &[String]) -> Decision {
    let mut facts = Facts { position: Position(1 + before.len() as u64), ..Facts::default() };
    for decision in before {
        facts.documents.extend(decision.documents.clone());
        facts.receipts.extend(decision.receipts.clone());
    }
    let parsed: Vec<_> = batch.iter().map(|text| parse(&Json::parse(text).unwrap())).collect();
    decide(&parsed, facts, &NoRules(Terms::default()), WallTime(1))
}

fn said(decision: &Decision) -> Vec<(Verdict, bool, Option<&str>)> {
    let said = decision.results.iter().map(|one| (one.verdict, one.duplicate, one.code.as_deref()));
    said.collect()
}

fn keeps_nothing(decision: &Decision) -> bool {
    decision.receipts.is_empty() && decision.documents.is_empty() && decision.conflicts.is_empty()
}

#[test]
fn what_has_a_verdict_already_is_not_kept_again() {
    let first = judged(&[], &[mutation(1, "d", 1, "")]);
    assert_eq!((first.receipts.len(), first.documents.len()), (1, 1));
    let before = [first];
    let again = judged(&before, &[mutation(1, "d", 1, "")]);
    assert_eq!(said(&again), [(Verdict::Applied, true, None)]);
    assert!(keeps_nothing(&again), "{:?}", again.receipts);
    let other = judged(&before, &[mutation(1, "d", 2, "")]);
    assert_eq!(said(&other), [(Verdict::Rejected, false, Some("id_reused"))]);
    assert!(keeps_nothing(&other), "{:?}", other.receipts);
}

#[test]
fn what_is_held_is_judged_anew_once_that_is_in_which_it_needs() {
    let needs = format!(r#","needs":["{}1:1"]"#, "0".repeat(31));
    let child = || mutation(2, "e", 1, &needs);
    let held = judged(&[], &[child()]);
    assert_eq!(said(&held), [(Verdict::Held, false, Some("held"))]);
    assert!(keeps_nothing(&held), "{:?}", held.receipts);
    let before = [held, judged(&[], &[mutation(1, "d", 1, "")])];
    let then = judged(&before, &[child()]);
    assert_eq!(said(&then), [(Verdict::Applied, false, None)]);
    assert_eq!(then.receipts.len(), 1);
}

#[test]
fn a_transaction_that_is_refused_keeps_the_refusals_and_a_held_one_nothing() {
    let group = |n, document, rest| mutation(n, document, 1, &format!(r#","group":"g"{rest}"#));
    let first = judged(&[], &[mutation(1, "d", 1, "")]);
    let before = [first];
    // Another content under an id that was used, in the midst of two that could be.
    let refused = judged(&before, &[group(2, "e", ""), group(1, "x", ""), group(3, "f", "")]);
    let because = |code| (Verdict::Rejected, false, Some(code));
    assert_eq!(said(&refused), [because("group_refused"), because("id_reused"), because("group_refused")]);
    let kept: Vec<u64> = refused.receipts.keys().map(|id| id.n).collect();
    assert_eq!((kept, refused.documents.len()), (vec![2, 3], 0));
    let needs = format!(r#","needs":["{}9:1"]"#, "0".repeat(31));
    let held = judged(&before, &[group(2, "e", ""), group(3, "f", &needs)]);
    assert!(said(&held).iter().all(|(verdict, ..)| *verdict == Verdict::Held));
    assert!(keeps_nothing(&held), "{:?}", held.receipts);
}

#[test]
fn what_comes_behind_a_refused_transaction_meets_nothing_of_it() {
    let group = |n, document| mutation(n, document, 1, r#","group":"g""#);
    let before = [judged(&[], &[mutation(1, "d", 1, "")])];
    let unrelated = mutation(4, "e", 5, "").replace("/a", "/b");
    let batch = judged(&before, &[group(2, "e"), group(3, "e"), group(1, "x"), unrelated]);
    assert_eq!(said(&batch)[3], (Verdict::Applied, false, None));
    let result = &batch.results[3];
    assert_eq!((result.previous.0, result.version.0), (0, 1));
    let visible: Vec<_> = batch.documents.values().filter_map(|stored| stored.document.value()).collect();
    assert_eq!(visible, [Json::parse(r#"{"b":5}"#).unwrap()]);
}

#[test]
fn what_is_in_already_stays_so_where_another_of_its_transaction_is_refused() {
    let group = |n, document| mutation(n, document, 1, r#","group":"g""#);
    let before = [judged(&[], &[group(1, "d")])];
    let batch = judged(
        &before,
        &[group(1, "d"), group(2, "e"), mutation(3, "f", 1, r#","group":"g""#).replace("/a", "/id")],
    );
    let refused = |code| (Verdict::Rejected, false, Some(code));
    assert_eq!(
        said(&batch),
        [(Verdict::Applied, true, None), refused("group_refused"), refused("reserved_field")]
    );
}

#[test]
fn the_verdict_on_what_was_first_sent_more_than_four_hundred_days_ago_may_be_forgotten() {
    const DAYS: u64 = 400 * 24 * 60 * 60 * 1_000;
    let text = mutation(1, "d", 1, r#","firstSentAt":1000"#);
    let code = |now| {
        let parsed = [parse(&Json::parse(&text).unwrap())];
        let decision = decide(&parsed, Facts::default(), &NoRules(Terms::default()), WallTime(now));
        decision.results[0].code.clone()
    };
    assert_eq!(code(1_000 + DAYS), None);
    assert_eq!(code(1_001 + DAYS).as_deref(), Some("maybe_applied"));
    assert_eq!(code(0), None, "a clock that was ahead says nothing");
}
