//! The order of keys is the order of rows in a query, and numbers are what JavaScript makes of them.

use proptest::prelude::*;
use std::cmp::Ordering;

use super::*;

/// A value as `order.ts` sees it.
#[derive(Clone, Debug)]
enum Value {
    Absent,
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
}

impl Value {
    fn json(&self) -> Option<Json> {
        let text = match self {
            Value::Absent => return None,
            Value::Null => "null".to_owned(),
            Value::Flag(flag) => flag.to_string(),
            Value::Number(number) => serde_json::to_string(number).unwrap(),
            Value::Text(text) => serde_json::to_string(text).unwrap(),
        };
        Some(Json::parse(&text).unwrap())
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Absent => 0,
            Value::Null => 1,
            Value::Flag(flag) => 2 + u8::from(*flag),
            Value::Number(_) => 4,
            Value::Text(_) => 5,
        }
    }
}

/// `compare` of `pkg/src/order.ts`.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b).unwrap(),
        (Value::Text(a), Value::Text(b)) => a.encode_utf16().cmp(b.encode_utf16()),
        (a, b) => a.rank().cmp(&b.rank()),
    }
}

/// Texts that are near to each other, with everything in them that a key has a meaning for.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('\0'), Just('\u{1}'), Just('\u{2}'), Just('a'), Just('\u{ffff}'), Just('\u{10000}')],
        0..4,
    )
    .prop_map(String::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        (-3i8..3).prop_map(|n| f64::from(n) / 2.0),
    ];
    prop_oneof![
        Just(Value::Absent),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Flag),
        number.prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Value::Number),
        text().prop_map(Value::Text),
    ]
}

fn collection() -> Collection {
    "visits".parse().unwrap()
}

fn named(id: &str) -> DocumentKey {
    DocumentKey { collection: collection(), document: id.parse().unwrap() }
}

fn text_of(key: Key) -> String {
    match key {
        Key::Text(text) => text,
        Key::Counted(_) => unreachable!("keys of an index are texts"),
    }
}

fn key_of(value: &Value, id: &str) -> String {
    text_of(key(&named(id), "f", value.json().as_ref()))
}

fn units(key: &str) -> Vec<u16> {
    key.encode_utf16().collect()
}

proptest! {
    #[test]
    fn keys_sort_as_the_rows_of_a_query(
        a in value(),
        b in value(),
        one in "[a-c]{1,2}",
        other in "[a-c]{1,2}",
    ) {
        let expected = compare(&a, &b).then_with(|| one.cmp(&other));
        prop_assert_eq!(units(&key_of(&a, &one)).cmp(&units(&key_of(&b, &other))), expected);
    }

    #[test]
    fn a_range_holds_the_keys_with_its_value_and_no_others(a in value(), b in value(), id in "[a-c]{1,2}") {
        let Some(json) = a.json() else { return Ok(()) };
        let seek = Seek { field: "f".into(), wanted: Wanted::Equal(json) };
        let (from, to) = seek.range(&collection()).unwrap();
        let key = units(&key_of(&b, &id));
        let held = units(&from) <= key && key < units(&to);
        prop_assert_eq!(held, compare(&a, &b) == Ordering::Equal);
    }

    #[test]
    fn the_keys_of_a_field_are_a_range_of_their_own(value in value(), field in text(), other in text()) {
        let whole = |field: &str| {
            let wanted = Wanted::First { count: 1, descending: false };
            Seek { field: field.into(), wanted }.range(&collection()).unwrap()
        };
        let key = units(&text_of(key(&named("d"), &field, value.json().as_ref())));
        let (from, to) = whole(&other);
        prop_assert_eq!(units(&from) <= key && key < units(&to), field == other);
    }

    #[test]
    fn numbers_are_what_javascript_reads(number in any::<f64>(), more in "[0-9]{0,20}", power in -330i32..310) {
        prop_assume!(number.is_finite());
        // As fractions are written, with digits that change nothing or round, and in sizes that cannot be.
        let plain = serde_json::to_string(&number).unwrap();
        let long = format!("{number:?}");
        let longer = if long.contains('e') { long.clone() } else { format!("{long}{more}") };
        for text in [plain, longer, format!("1{more}e{power}"), format!("-0.00{more}1e{power}"), format!("{}{more}", i64::MAX)] {
            prop_assert_eq!(number::ordered(&text), ordered_fraction(text.parse().unwrap()), "{}", text);
        }
    }
}

fn ordered_fraction(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if number < 0.0 { !bits } else { bits & !(1 << 63) | 1 << 63 }
}

#[test]
fn numbers_at_the_edges_are_what_javascript_reads() {
    let half = format!("2.4703282292062327208e-324{}", "");
    let ties = ["9007199254740993", "9007199254740995", "9007199254740993.0000000001", "4503599627370497.5"];
    let extremes = [
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "2e308",
        "1e400",
        "1e99999999999",
        "5e-324",
        "2.5e-324",
        "2.4e-324",
        "1e-400",
        "-1e-99999999999",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "-0",
        "0.0e5",
        "1E2",
        "1e+2",
        "-1.50",
    ];
    for text in ties.into_iter().chain(extremes).chain([half.as_str()]) {
        assert_eq!(number::ordered(text), ordered_fraction(text.parse().unwrap()), "{text}");
    }
    // Between two fractions, but for a digit at the very end.
    let tie =
        format!("1.{:0>52}", "").replace("1.", "1.00000000000000011102230246251565404236316680908203125");
    for text in [tie.clone(), format!("{tie}{:0>1500}1", ""), format!("{tie}{:0>700}1", "")] {
        assert_eq!(number::ordered(&text), ordered_fraction(text.parse().unwrap()), "{text}");
    }
    let long = "7".repeat(50_000);
    assert_eq!(number::ordered(&format!("0.{long}")), ordered_fraction(format!("0.{long}").parse().unwrap()));
}

#[test]
fn a_key_names_its_document_and_what_has_no_order_says_so() {
    let row = |data: &str| BaseRow {
        version: crate::id::Version(1),
        position: crate::id::Position(1),
        data: Json::parse(data).unwrap(),
        stamp: crate::clock::Stamp::ZERO,
        stamps: crate::map::Map::new(),
        deleted: None,
    };
    let keys = |row: &BaseRow| keys(&named("d"), &["a".into(), "b".into()], row);
    let both = keys(&row(r#"{"a":[1],"b":"6"}"#));
    assert_eq!(both.iter().map(|key| document(key).unwrap().to_string()).collect::<Vec<_>>(), ["d", "d"]);
    assert_eq!(both.iter().map(is_vague).collect::<Vec<_>>(), [true, false]);
    let tombstone = BaseRow { deleted: Some(crate::clock::Stamp::ZERO), ..row("{}") };
    assert_eq!(keys(&tombstone), []);
}
