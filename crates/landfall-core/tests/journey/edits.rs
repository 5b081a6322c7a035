//! What a person makes of a refused write: whatever they touch, the rest of it stays as it was meant.

use landfall_core::client::Act;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field};

use crate::attention::attend;
use crate::world::{World, create, key};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn field(path: &str, change: Change) -> Field {
    Field { path: path.parse().unwrap(), change }
}

/// A patch of this and of a word that the server refuses, edited in this way and to another word: what there is then.
fn edited(first: &str, refused: &[(&str, Change)], edit: &[(&str, Change)]) -> String {
    let mut world = World::new(2);
    world.write(0, create("d", first));
    world.rest();
    let fields = |fields: &[(&str, Change)]| {
        fields.iter().map(|(path, change)| field(path, change.clone())).collect::<Vec<_>>()
    };
    let bad = world.write(0, Intent::Patch(key("d"), json(r#"{"a":"unacceptable"}"#), fields(refused)));
    world.rest();
    let good = fields(edit).into_iter().chain([field("/a", Change::Set(json("1")))]);
    attend(&mut world, 0, bad, Act::Edit(good.collect()));
    world.rest();
    assert!(world.tabs[0].client.entries().is_empty());
    assert_eq!(world.text(0, "d"), world.text(1, "d"));
    world.text(0, "d").expect("a document")
}

#[test]
fn a_part_of_what_was_set_as_a_whole_is_set_in_the_whole() {
    let whole = ("/size", Change::Set(json(r#"{"w":1,"h":2}"#)));
    let part = edited("{}", std::slice::from_ref(&whole), &[("/size/w", Change::Set(json("5")))]);
    assert_eq!(part, r#"{"a":1,"size":{"h":2,"w":5}}"#);
    // What was there before and was to be replaced does not come back through the edit.
    let first = r#"{"size":{"w":0,"depth":9}}"#;
    let gone = edited(first, std::slice::from_ref(&whole), &[("/size/h", Change::Unset)]);
    assert_eq!(gone, r#"{"a":1,"size":{"w":1}}"#);
}

#[test]
fn a_step_is_counted_on_those_that_were_refused() {
    let by = |step| ("/count", Change::Increment(step));
    assert_eq!(edited(r#"{"count":10}"#, &[by(5)], &[by(3)]), r#"{"a":1,"count":18}"#);
    assert_eq!(
        edited(r#"{"count":10}"#, &[by(5)], &[("/total", Change::Increment(3))]),
        r#"{"a":1,"count":15,"total":3}"#
    );
}

#[test]
fn elements_of_a_set_are_edited_one_by_one() {
    let (add, remove) =
        (|text| ("/tags", Change::Add(json(text))), |text| ("/tags", Change::Remove(json(text))));
    let first = r#"{"tags":["old"]}"#;
    assert_eq!(
        edited(first, &[add("\"x\""), remove("\"old\"")], &[add("\"y\"")]),
        r#"{"a":1,"tags":["x","y"]}"#
    );
    assert_eq!(edited(first, &[add("\"x\"")], &[remove("\"x\"")]), r#"{"a":1,"tags":["old"]}"#);
}
