//! Small mutations that meet often: few keys, few ticks, one writer each.

use landfall_core::clock::Stamp;
use landfall_core::id::{MutationId, Version, Writer};
use landfall_core::json::Json;
use landfall_core::merge::{Merge, Merges};
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::path::Path;
use proptest::prelude::*;
use proptest::sample::select;

const PATHS: &[&str] = &["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/p", "/a/x/q", "/b/x/p"];
const VALUES: &[&str] = &[
    "1",
    "[2]",
    "null",
    "{}",
    r#"{"x":3}"#,
    r#"{"y":4,"x":{"p":5}}"#,
    r#"{"p":6}"#,
    r#"{"x":{"q":7},"z":8}"#,
];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        5 => select(VALUES).prop_map(|value| Change::Set(Json::parse(value).expect("JSON"))),
        1 => Just(Change::Unset),
    ]
}

const ELEMENTS: &[&str] = &["1", r#""x""#, r#"{"p":1}"#];
const SETS: &[&str] = &["[]", r#"["x",1]"#, r#"[{"p":1}]"#];
const RANKED: &[&str] = &["-1", "1", "1.0", "20", "3e0", r#""x""#];

/// The fields that are declared to merge in another way than by the last write.
pub(crate) fn merges() -> Merges {
    let names = [("n", Merge::Counter), ("s", Merge::Set), ("max", Merge::Max), ("min", Merge::Min)];
    names.into_iter().map(|(name, merge)| (name.into(), merge)).collect()
}

fn value(of: &'static [&'static str]) -> impl Strategy<Value = Json> {
    select(of).prop_map(|text| Json::parse(text).expect("JSON"))
}

/// Something that happens to a declared field.
fn declared_field() -> impl Strategy<Value = (&'static str, Change)> {
    prop_oneof![
        3 => (-2i64..3).prop_map(|by| ("/n", Change::Increment(by))),
        3 => value(ELEMENTS).prop_map(|element| ("/s", Change::Add(element))),
        2 => value(ELEMENTS).prop_map(|element| ("/s", Change::Remove(element))),
        1 => value(SETS).prop_map(|set| ("/s", Change::Set(set))),
        1 => Just(("/s", Change::Unset)),
        1 => value(RANKED).prop_map(|value| ("/max", Change::Max(value))),
        1 => value(RANKED).prop_map(|value| ("/min", Change::Min(value))),
    ]
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let field = prop_oneof![5 => (select(PATHS), change()), 3 => declared_field()]
        .prop_map(|(path, change)| Field { path: path.parse().expect("a path"), change });
    proptest::collection::vec(field, 1..4).prop_map(|fields| {
        let mut apart: Vec<Field> = vec![];
        for field in fields {
            if !apart.iter().any(|other| clash(other, &field)) {
                apart.push(field);
            }
        }
        apart
    })
}

fn clash(one: &Field, other: &Field) -> bool {
    let element = |field: &Field| match &field.change {
        Change::Add(element) | Change::Remove(element) => Some(element.clone()),
        _ => None,
    };
    let apart = matches!((element(one), element(other)), (Some(one), Some(other)) if one != other);
    one.path.overlaps(&other.path) && !apart
}

fn members() -> impl Strategy<Value = Vec<Field>> {
    let member = |key: &'static str| {
        proptest::option::of(select(VALUES)).prop_map(move |value| {
            let change = Change::Set(Json::parse(value?).expect("JSON"));
            Some(Field { path: Path::default().child(key), change })
        })
    };
    let declared = prop_oneof![
        3 => Just(None),
        1 => (0i64..3).prop_map(|start| Some(("/n", Change::Set(Json::whole(start))))),
        1 => value(SETS).prop_map(|set| Some(("/s", Change::Set(set)))),
        1 => value(RANKED).prop_map(|value| Some(("/max", Change::Max(value)))),
    ];
    (member("a"), member("b"), declared).prop_map(|(a, b, declared)| {
        let declared = declared.map(|(path, change)| Field { path: path.parse().expect("a path"), change });
        a.into_iter().chain(b).chain(declared).collect()
    })
}

/// A mutation whose writer has seen version `base`, with one of the ticks from `ticks` on.
fn mutation(writer: u128, base: u64, ticks: u64) -> impl Strategy<Value = Mutation> {
    let what = prop_oneof![
        6 => fields().prop_map(|fields| (Op::Patch, fields)),
        2 => members().prop_map(|fields| (Op::Create, fields)),
        2 => Just((Op::Delete, vec![])),
    ];
    (what, ticks..ticks + 4).prop_map(move |((op, fields), ticks)| Mutation {
        id: MutationId { writer: Writer(writer), n: 1 },
        group: None,
        replaces: None,
        needs: vec![],
        first_sent_at: None,
        collection: "notes".parse().expect("a name"),
        document: "d".parse().expect("a name"),
        op,
        fields,
        base: Version(base),
        after: None,
        stamp: Stamp { ticks, writer: Writer(writer) },
        schema: 1,
    })
}

/// Two to five mutations of as many writers, none of which knew of another; all had seen version `base`.
pub(crate) fn strangers(base: u64, ticks: u64) -> impl Strategy<Value = Vec<Mutation>> {
    let one = |writer| mutation(writer, base, ticks);
    (2usize..6, one(1), one(2), one(3), one(4), one(5)).prop_map(|(count, a, b, c, d, e)| {
        let mut all = vec![a, b, c, d, e];
        all.truncate(count);
        all
    })
}

/// The same mutations in the order of their writers and in another.
pub(crate) fn in_two_orders(
    mutations: impl Strategy<Value = Vec<Mutation>>,
) -> impl Strategy<Value = (Vec<Mutation>, Vec<Mutation>)> {
    (mutations, any::<usize>()).prop_map(|(all, mut draw)| {
        let mut left = all.clone();
        let mut other = vec![];
        while !left.is_empty() {
            other.push(left.remove(draw % left.len()));
            draw /= 5;
        }
        (all, other)
    })
}
