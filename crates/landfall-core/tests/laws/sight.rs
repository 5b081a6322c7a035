//! What the caller may not see is not there, whatever is asked, and the answer gives nothing away.

use std::cell::RefCell;

use landfall_core::authority::{Decision, Facts, Proposal, Rules, Stored, Terms, decide, parse};
use landfall_core::clock::Stamp;
use landfall_core::code::Code;
use landfall_core::document::Document;
use landfall_core::id::{Collection, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Mutation, Refusal};
use landfall_core::time::WallTime;
use landfall_core::wire::{DOCUMENT_BYTES_MAX, PushResult, Verdict};

const NOW: WallTime = WallTime(1_000_000);

/// Everybody sees what is `mine`, nobody may write what is `bad`.
struct Sight(Terms);

impl Rules for Sight {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn may_see(&self, _: &Collection, document: &Json) -> bool {
        document.text().contains("mine")
    }

    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal> {
        match proposal.document {
            Some(document) if document.text().contains("bad") => {
                Err(Refusal::new(Code::ValidationFailed, "bad"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn written(n: u64, op: &str, fields: &str) -> Mutation {
    let writer = "0".repeat(31) + "2";
    let text = format!(
        r#"{{"id":"{writer}:{n}","collection":"visits","document":"d","op":"{op}","fields":{fields},"base":0,
            "stamp":"000000000001-{n:04x}-{writer}","schema":1}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn set(value: &str) -> String {
    format!(r#"[{{"path":"/a","op":"set","value":"{value}"}}]"#)
}

/// What is answered where the document is this, and whether it was changed. `None` is no document.
fn asked(there: Option<&str>, mutation: &Mutation) -> (PushResult, bool) {
    let decision = decided(facts(there, false), &Sight(Terms::default()), mutation);
    (decision.results[0].clone(), !decision.documents.is_empty())
}

/// What there is: a document, which may be deleted.
fn facts(there: Option<&str>, deleted: bool) -> Facts {
    let documents = there.map(|value| {
        let first =
            Mutation { stamp: Stamp { ticks: 9, writer: Writer(1) }, ..written(9, "create", &set(value)) };
        let mut document = Document::default();
        first.apply(
            &mut document,
            landfall_core::document::Register { stamp: first.stamp, version: Version(3) },
        );
        if deleted {
            let stamp = Stamp { ticks: 10, writer: Writer(1) };
            let register = landfall_core::document::Register { stamp, version: Version(3) };
            written(8, "delete", "[]").apply(&mut document, register);
        }
        (first.key(), Stored { version: Version(3), position: Position(5), document, whole: None })
    });
    Facts { position: Position(8), documents: documents.into_iter().collect(), ..Facts::default() }
}

fn decided(facts: Facts, rules: &dyn Rules, mutation: &Mutation) -> Decision {
    let text = Json::parse(&serde_json::to_string(mutation).unwrap()).unwrap();
    decide(&[parse(&text)], facts, rules, NOW)
}

fn said(there: Option<&str>, mutation: &Mutation) -> (Verdict, Option<String>, Version, bool) {
    let (result, changed) = asked(there, mutation);
    (result.verdict, result.code, result.version, changed)
}

fn refused(code: Code, version: u64) -> (Verdict, Option<String>, Version, bool) {
    (Verdict::Rejected, Some(code.to_string()), Version(version), false)
}

#[test]
fn a_change_of_what_is_not_seen_is_answered_as_if_there_were_nothing() {
    let delete = written(1, "delete", "[]");
    for mutation in [written(1, "patch", &set("mine")), written(1, "patch", &set("bad")), delete] {
        assert_eq!(asked(Some("theirs"), &mutation), asked(None, &mutation));
        assert!(!asked(Some("theirs"), &mutation).1);
    }
    assert_eq!(said(Some("theirs"), &written(1, "patch", &set("mine"))), refused(Code::NotFound, 0));
    let (result, _) = asked(Some("theirs"), &written(1, "delete", "[]"));
    assert_eq!((result.verdict, result.position, result.stamp), (Verdict::Applied, Position(0), None));
}

#[test]
fn what_a_delete_hides_is_not_changed_by_whoever_could_not_see_it() {
    let patch = written(1, "patch", &set("mine"));
    let unseen = decided(facts(Some("theirs"), true), &Sight(Terms::default()), &patch);
    assert_eq!(unseen, decided(facts(None, false), &Sight(Terms::default()), &patch));
    let seen = decided(facts(Some("mine"), true), &Sight(Terms::default()), &patch);
    assert_eq!((seen.results[0].verdict, seen.documents.len()), (Verdict::Conflict, 1));
}

/// Writes down what it is asked about.
#[derive(Default)]
struct Clerk(Terms, RefCell<Vec<(Option<String>, Option<String>)>>);

impl Rules for Clerk {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn may_see(&self, _: &Collection, _: &Json) -> bool {
        true
    }

    fn check(&self, Proposal { previous, document, .. }: Proposal<'_>) -> Result<(), Refusal> {
        let text = |json: Option<&Json>| json.map(|json| json.text().to_owned());
        self.1.borrow_mut().push((text(previous), text(document)));
        Ok(())
    }
}

#[test]
fn rules_judge_what_was_there_and_what_would_be() {
    let check = |there, deleted, mutation: Mutation, expected: (Option<&str>, Option<&str>)| {
        let clerk = Clerk::default();
        decided(facts(there, deleted), &clerk, &mutation);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        assert_eq!(clerk.1.into_inner(), [(owned(expected.0), owned(expected.1))], "{mutation:?}");
    };
    let known = |mutation| Mutation { base: Version(3), ..mutation };
    let (old, new) = (Some(r#"{"a":"old"}"#), Some(r#"{"a":"new"}"#));
    check(None, false, written(1, "create", &set("new")), (None, new));
    check(Some("old"), false, known(written(1, "patch", &set("new"))), (old, new));
    check(Some("old"), false, known(written(1, "delete", "[]")), (old, None));
    check(Some("old"), true, known(written(1, "create", &set("new"))), (None, new));
    // An older write, which the delete goes on hiding.
    let older = Mutation { stamp: Stamp { ticks: 9, writer: Writer(2) }, ..written(1, "patch", &set("new")) };
    check(Some("old"), true, older, (old, new));
}

#[test]
fn a_creation_of_what_is_not_seen_is_refused_as_if_there_were_nothing_or_not_found() {
    let large = "x".repeat(DOCUMENT_BYTES_MAX);
    for (value, code) in
        [("mine", Code::NotFound), ("bad", Code::ValidationFailed), (&large, Code::DocumentTooLarge)]
    {
        assert_eq!(said(Some("theirs"), &written(1, "create", &set(value))), refused(code, 0));
    }
    assert_eq!(said(None, &written(1, "create", &set("bad"))), refused(Code::ValidationFailed, 0));
    assert_eq!(said(None, &written(1, "create", &set("theirs"))), (Verdict::Applied, None, Version(1), true));
}

#[test]
fn whoever_sees_a_document_is_told_its_version_with_a_refusal() {
    let (result, changed) = asked(Some("mine"), &written(1, "patch", &set("bad")));
    assert_eq!((result.version, result.previous, changed), (Version(3), Version(3), false));
    assert_eq!(result.code.as_deref(), Some("validation_failed"));
    let (result, changed) = asked(Some("mine"), &written(1, "patch", &set("else")));
    assert_eq!((result.version, result.previous, changed), (Version(4), Version(3), true));
}

#[test]
fn stamps_of_the_future_are_replaced_by_the_servers_next_ones_in_order() {
    let ahead = |n: u64, millis: u64| {
        let stamp = Stamp { ticks: (NOW.0 + millis) << 16, writer: Writer(2) };
        let fields = format!(r#"[{{"path":"/a{n}","op":"set","value":"mine"}}]"#);
        Mutation { stamp, ..written(n, if n == 1 { "create" } else { "patch" }, &fields) }
    };
    let all = [ahead(1, 60_000), ahead(2, 60_001), ahead(3, 90_000)];
    let parsed = all.iter().map(|one| parse(&Json::parse(&serde_json::to_string(one).unwrap()).unwrap()));
    let facts = Facts { position: Position(1), own_writers: [Writer(2)].into(), ..Facts::default() };
    let decision = decide(&parsed.collect::<Vec<_>>(), facts, &Sight(Terms::default()), NOW);
    let used = decision.results.iter().map(|result| (result.stamp.unwrap().ticks, result.restamped));
    let tick = NOW.0 << 16;
    assert_eq!(used.collect::<Vec<_>>(), [(all[0].stamp.ticks, false), (tick + 1, true), (tick + 2, true)]);
}
