//! The order of arrival is no part of the outcome.

use landfall_core::authority::Stored;
use landfall_core::clock::Stamp;
use landfall_core::document::{Document, Register};
use landfall_core::encoding::Encoded;
use landfall_core::id::{Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Mutation};
use landfall_core::wire::Verdict;
use proptest::prelude::*;
use serde_json::Value;

use crate::arbitrary::{in_two_orders, strangers};
use crate::court::Court;
use crate::merged;
use crate::reference::Reference;

/// What a document is, whatever the versions are that led there.
pub(crate) fn state(document: &Document) -> impl PartialEq + std::fmt::Debug + use<> {
    let Encoded { data, stamps, deleted, versions: _ } = document.encode();
    (data, stamps, deleted.map(|register| register.stamp))
}

fn value(json: Option<Json>) -> Option<Value> {
    json.map(|json| serde_json::from_str(json.text()).expect("JSON"))
}

/// The document that all strangers have seen, at version 1 and with stamps below theirs.
pub(crate) fn seen() -> Document {
    let mut document = Document::default();
    let register = Register { stamp: Stamp { ticks: 1, writer: Writer(99) }, version: Version(1) };
    for (path, text) in [("/a", r#"{"x":{"p":0,"q":0},"y":0}"#), ("/b", "0"), ("/n", "7"), ("/s", r#"["x"]"#)]
    {
        document.change(&path.parse().unwrap(), &Change::Set(Json::parse(text).unwrap()), register);
    }
    document
}

/// What a server makes of mutations that arrive one batch each, all of other clients.
fn judged(mutations: &[Mutation]) -> Document {
    let mut court = Court::default();
    let stored = Stored { version: Version(1), position: Position(1), document: seen(), whole: None };
    court.documents.insert(mutations[0].key(), stored);
    for mutation in mutations {
        let results = court.push(&[mutation.id.writer.0], std::slice::from_ref(mutation));
        assert_ne!(results[0].verdict, Verdict::Rejected, "{results:?}");
    }
    court.document()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither the state nor what is visible depends on the order, and a second opinion agrees.
    #[test]
    fn any_order_gives_the_same_document((one, other) in in_two_orders(strangers(0, 1))) {
        let (first, second) = (merged(&one), merged(&other));
        prop_assert_eq!(state(&first), state(&second));
        let mut reference = Reference::default();
        one.iter().for_each(|mutation| reference.take(mutation));
        prop_assert_eq!(value(first.value()), reference.value());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The server comes to the same document in any order, for writers that stamp above what they saw.
    #[test]
    fn a_server_decides_the_same_in_any_order((one, other) in in_two_orders(strangers(1, 2))) {
        prop_assert_eq!(state(&judged(&one)), state(&judged(&other)));
    }

    /// What arrives twice changes nothing the second time, at once or later; steps of a counter aside, which
    /// nothing but receipts can tell from others.
    #[test]
    fn a_repetition_changes_nothing((mut one, mut other) in in_two_orders(strangers(0, 1))) {
        for mutation in one.iter_mut().chain(&mut other) {
            mutation.fields.retain(|field| !matches!(field.change, Change::Increment(_)));
        }
        let mut document = merged(&one);
        let before = document.clone();
        for mutation in &other {
            mutation.apply(&mut document, Register { stamp: mutation.stamp, version: Version(99) });
        }
        prop_assert_eq!(document, before);
    }

    /// A document read back from its text goes on as the one that was never written down.
    #[test]
    fn a_document_survives_being_written_down(all in strangers(0, 1)) {
        let mut whole = Document::default();
        let mut stored = Document::default();
        for (mutation, n) in all.iter().zip(1..) {
            let register = Register { stamp: mutation.stamp, version: Version(n) };
            mutation.apply(&mut whole, register);
            mutation.apply(&mut stored, register);
            let encoded = stored.encode();
            stored = encoded.decode();
            prop_assert_eq!(stored.encode(), encoded);
            prop_assert_eq!(stored.encode(), whole.encode());
        }
    }
}
