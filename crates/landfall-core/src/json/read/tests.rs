//! The reader against `serde_json`: what one takes the other must, with the same result.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Unreadable, read};
use crate::json::Json;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    One,
    Two,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    text: String,
    number: u64,
    #[serde(default)]
    small: u32,
    flag: bool,
    kind: Kind,
    list: Vec<u64>,
    maybe: Option<String>,
    #[serde(default)]
    members: BTreeMap<String, Vec<bool>>,
    #[serde(default)]
    counted: Counted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counted(u32);

/// Reads with both; what one takes the other must, with the same result.
fn same<'de, T: Deserialize<'de> + PartialEq + std::fmt::Debug>(text: &'de str) -> Option<T> {
    let ours = read::<T>(text).ok();
    assert_eq!(ours, serde_json::from_str::<T>(text).ok(), "{text}");
    ours
}

fn same_raw(text: &str) -> bool {
    let ours = read::<Json>(text).map(|json| json.text().to_owned()).ok();
    let raw = serde_json::from_str::<Box<RawValue>>(text).map(|raw| raw.get().to_owned()).ok();
    assert_eq!(ours, raw, "{text}");
    assert_eq!(ours, serde_json::from_str::<Json>(text).map(|json| json.text().to_owned()).ok(), "{text}");
    ours.is_some()
}

/// Pieces that make JSON, nearly make it, or break it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"text\"",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud800",
        "\\u12",
        "null",
        "true",
        "false",
        "nul",
        "0",
        "-0",
        "01",
        "12",
        "-1",
        "1.5",
        "1.",
        "1e9",
        "1E+",
        ".5",
        "+1",
        " ",
        "\n",
        "\u{0}",
        "\u{1f}",
        "é",
        "😀",
        "{}",
        "[]",
        "\"a\":1",
        "[1,2]",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn record() -> impl Strategy<Value = Record> {
    let list = prop::collection::vec(any::<u64>(), 0..3);
    let members =
        prop::collection::btree_map(any::<String>(), prop::collection::vec(any::<bool>(), 0..3), 0..3);
    let kind = prop_oneof![Just(Kind::One), Just(Kind::Two)];
    (any::<String>(), any::<u64>(), any::<u32>(), any::<bool>(), kind, list, any::<Option<String>>(), members)
        .prop_map(|(text, number, small, flag, kind, list, maybe, members)| Record {
            counted: Counted(small / 2),
            text,
            number,
            small,
            flag,
            kind,
            list,
            maybe,
            members,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_same_texts_are_json(text in pieces()) {
        same_raw(&text);
        same_raw(&format!("[{text}]"));
        same_raw(&format!("{{\"a\":{text}}}"));
        same::<String>(&text);
        same::<String>(&format!("\"{text}\""));
        same::<u64>(&text);
        same::<Option<bool>>(&text);
        same::<BTreeMap<String, u32>>(&text);
        same::<Vec<u64>>(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_written_is_read(record in record(), pretty: bool) {
        let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let text = write(&record).unwrap();
        prop_assert_eq!(same::<Record>(&text), Some(record));
        prop_assert!(same_raw(&text));
    }

    #[test]
    fn a_text_with_a_piece_missing_is_read_the_same(record in record(), from: usize, length in 1usize..4) {
        let mut text: Vec<char> = serde_json::to_string(&record).unwrap().chars().collect();
        let from = from % text.len();
        let to = (from + length).min(text.len());
        text.drain(from..to);
        let text: String = text.into_iter().collect();
        same::<Record>(&text);
        same_raw(&text);
    }
}

#[test]
fn members_that_nobody_knows_are_passed_over() {
    let text =
        r#"{"new":{"a":[1.5,{"b":"\ud800"}]},"text":"t","number":1,"flag":true,"kind":"two","list":[]}"#;
    assert_eq!(same::<Record>(text).map(|record| record.kind), Some(Kind::Two));
}

#[test]
fn a_struct_is_an_object_and_an_enum_a_name() {
    assert_eq!(read::<Kind>(r#"{"one":null}"#), Err(Unreadable));
    assert_eq!(read::<Vec<Kind>>(r#"["one","three"]"#), Err(Unreadable));
    assert!(read::<Record>(r#"["t",1,0,true,"one",[],null,{}]"#).is_err());
}

#[test]
fn nesting_exhausts_nothing() {
    let deep = "[".repeat(1_000_000);
    assert!(!same_raw(&deep));
    assert!(same_raw(&format!("{deep}{}", "]".repeat(1_000_000))));
}

#[test]
fn every_escape_is_the_character_that_it_stands_for() {
    let all = r#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00""#;
    assert_eq!(same::<String>(all).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\tA\u{1f600}"));
    for bad in [r#""\x""#, r#""\u00g0""#, r#""\ud83d""#, r#""\ud83d\u0041""#, r#""\ude00""#, "\"\t\""] {
        assert_eq!(same::<String>(bad), None, "{bad}");
    }
}

/// What no message and no record has, though `serde_json` would take it.
#[test]
fn what_no_device_reads_is_unreadable_always() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum Content {
        #[serde(rename = "a")]
        A(u64),
    }
    fn never<T: serde::de::DeserializeOwned>(text: &str) {
        assert!(serde_json::from_str::<T>(text).is_ok() && read::<T>(text).is_err(), "{text}");
    }
    never::<Content>(r#"{"a":1}"#);
    never::<i64>("1");
    never::<f64>("1.5");
    never::<(u64, u64)>("[1,2]");
    never::<serde_json::Value>("1");
    assert_eq!(read::<Content>(r#""a""#), Err(Unreadable), "a name without its content");
    assert_eq!(read::<std::num::NonZeroU64>("0"), Err(Unreadable));
}
