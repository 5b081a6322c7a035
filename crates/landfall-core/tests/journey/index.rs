//! Indexes: made part by part, kept by whoever changes the base, and asked instead of reading everything.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use landfall_core::backoff::Random;
use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use landfall_core::id::DocumentKey;
use landfall_core::index::{Seek, Wanted};
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::stored::{Indexed, Key, Store};
use landfall_core::transaction::{Outcome, Transaction};

use crate::disaster::Chance;
use crate::tab::App;
use crate::world::{Fault, World, collection, create, delete, key, patch};

/// Documents of a device that has many: three parts of an index.
const MANY: usize = 850;
const SEEDS: u64 = 400;
/// Seeds that have found something.
const FOUND: [u64; 0] = [];
/// Values near to each other, of every kind, and some that no index has an order for.
const VALUES: [&str; 10] =
    ["null", "false", "true", "-1", "2", "10.5", r#""""#, r#""x""#, r#""x\u0000""#, "[1]"];

fn app(version: u32, indexes: &[&str]) -> App {
    App {
        version,
        indexes: indexes.iter().map(|field| (*field).into()).collect(),
        frugal: true,
        migrate: None,
        tail: 0,
    }
}

/// A device that has synchronised many documents, and is about to index them.
fn stocked(indexes: &[&str]) -> World {
    let mut world = World::new(0);
    let documents = (0..MANY).map(|n| {
        let fields = format!(r#"{{"path":"/a","op":"set","value":{}}}"#, n % 7);
        let writer = 77;
        format!(
            r#"{{"id":"{writer:032x}:{}","collection":"notes","document":"a{n:04}","op":"create","fields":[{fields}],"base":0,"after":null,"stamp":"018bcfe56800-0000-{writer:032x}","schema":1}}"#,
            n + 1
        )
    });
    let body = format!(
        r#"{{"protocol":1,"client":"stock","user":"u_17","sentAt":0,"mutations":[{}]}}"#,
        documents.collect::<Vec<_>>().join(",")
    );
    world.server.push(&body, world.now).expect("a server that works");
    world.app = app(1, indexes);
    world.add_device(0, 0);
    world
}

fn equal(field: &str, value: &str) -> Seek {
    Seek { field: field.into(), wanted: Wanted::Equal(Json::parse(value).unwrap()) }
}

fn first(field: &str, count: u32, descending: bool) -> Seek {
    Seek { field: field.into(), wanted: Wanted::First { count, descending } }
}

/// What a device says about its index.
fn indexed(world: &World, tab: usize) -> Option<Indexed> {
    world.tabs[tab].client.indexed(&collection()).cloned()
}

/// That an index holds what one would that was made just now.
fn check_index(world: &World, tab: usize) {
    let Some(stored) = indexed(world, tab).filter(|stored| stored.through.is_none()) else { return };
    let disk = world.tabs[tab].disk.borrow();
    let mut copy = disk.unindexed();
    let mut expected = None;
    loop {
        let index = Transaction::Index {
            collection: collection(),
            expected: expected.clone(),
            version: 1,
            fields: stored.fields.clone(),
        };
        let Outcome::Indexed(Some(next), false) = copy.run(index).unwrap().outcome else {
            panic!("nobody else indexes, and nothing is damaged")
        };
        if next.through.is_none() {
            break;
        }
        expected = Some(next);
    }
    assert_eq!(disk.records(Store::Index), copy.records(Store::Index), "{stored:?}");
}

/// A value's place in the order of a query.
fn compare(a: Option<&serde_json::Value>, b: Option<&serde_json::Value>) -> Ordering {
    use serde_json::Value;
    let rank = |value: Option<&Value>| match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(flag)) => 2 + u8::from(*flag),
        Some(Value::Number(_)) => 4,
        Some(Value::String(_)) => 5,
        Some(Value::Array(_) | Value::Object(_)) => 6,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(a @ Value::Array(_)), Some(b @ Value::Array(_))) => a.to_string().cmp(&b.to_string()),
        (_, _) => Ordering::Equal,
    })
}

/// The answer to a query out of the documents that are known, in order.
fn answer(view: &BTreeMap<DocumentKey, String>, Seek { field, wanted }: &Seek) -> Vec<(DocumentKey, String)> {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap().get(&**field).cloned();
    let mut rows: Vec<_> = view.iter().map(|(key, text)| (value(text), key.clone(), text.clone())).collect();
    rows.sort_by(|(a, one, _), (b, other, _)| compare(a.as_ref(), b.as_ref()).then_with(|| one.cmp(other)));
    match wanted {
        Wanted::Equal(wanted) => {
            let wanted = serde_json::from_str(wanted.text()).unwrap();
            rows.retain(|(value, _, _)| compare(value.as_ref(), Some(&wanted)) == Ordering::Equal);
        }
        Wanted::First { count, descending } => {
            if *descending {
                rows.reverse();
            }
            rows.truncate(*count as usize);
        }
    }
    rows.into_iter().map(|(_, key, text)| (key, text)).collect()
}

/// The answer that an app gets that reads nothing else, asking for more for as long as it has to.
fn ask(world: &mut World, tab: usize, seek: &Seek) -> Vec<(DocumentKey, String)> {
    let mut asked = seek.clone();
    for _ in 0..20 {
        let found = world.tabs[tab].find(&asked, world.now).filter(|through| !through.is_empty());
        let rows = answer(&world.tabs[tab].view(), seek);
        let Some(through) = found else { return rows };
        let Wanted::First { count: more, descending } = &mut asked.wanted else {
            panic!("the end of what was asked for without an end")
        };
        let is_before = |(key, text): &(DocumentKey, String)| {
            let field = Json::parse(text).unwrap().members().unwrap().remove(&*seek.field);
            let order = place(key, &seek.field, field.as_ref()).cmp(&through);
            order != if *descending { Ordering::Less } else { Ordering::Greater }
        };
        if rows.len() == rows_of(seek) && rows.last().is_some_and(is_before) {
            return rows;
        }
        *more *= 2;
    }
    panic!("{seek:?} is never answered");
}

fn rows_of(seek: &Seek) -> usize {
    match seek.wanted {
        Wanted::First { count, .. } => count as usize,
        Wanted::Equal(_) => usize::MAX,
    }
}

/// Where an index has a document with this value.
fn place(key: &DocumentKey, field: &str, value: Option<&Json>) -> String {
    match landfall_core::index::key(key, field, value) {
        Key::Text(text) => text,
        Key::Counted(_) => unreachable!("keys of an index are texts"),
    }
}

/// The answer of an app on the same device that reads everything.
fn scan(world: &mut World, tab: usize, seek: &Seek) -> Vec<(DocumentKey, String)> {
    let app = std::mem::replace(
        &mut world.app,
        App { version: 1, indexes: vec![], frugal: false, migrate: None, tail: 0 },
    );
    let other = world.add_tab(tab);
    let rows = answer(&world.tabs[other].view(), seek);
    world.tabs.remove(other);
    world.app = app;
    rows
}

/// Makes a write. An app reads a document before it writes to it.
fn save(world: &mut World, tab: usize, intent: Intent) {
    world.disk(tab);
    let now = world.now;
    world.tabs[tab].know(intent.key().clone(), now);
    world.write(tab, intent);
}

#[test]
fn an_index_is_made_in_parts_and_goes_on_after_a_crash_after_any_step() {
    let mut whole = stocked(&["a", "b"]);
    whole.run(0);
    let fields = indexed(&whole, 0).map(|indexed| (indexed.fields.len(), indexed.through));
    assert_eq!(fields, Some((2, None)));
    assert_eq!(whole.tabs[0].disk.borrow().count(Store::Index), 2 * MANY);
    for step in 1..whole.steps {
        for power_cut in [false, true] {
            let mut world = stocked(&["a", "b"]);
            world.crash = Some((step, power_cut));
            world.rest();
            assert_eq!(indexed(&world, 0), indexed(&whole, 0), "crash after step {step}");
            check_index(&world, 0);
        }
    }
}

#[test]
fn a_query_reads_what_it_asks_for() {
    let mut world = stocked(&["a"]);
    world.run(0);
    let mut reads = |seek: &Seek| {
        world.reopen(0, false);
        world.run(0);
        let before = world.tabs[0].disk.borrow().documents_read;
        let rows = ask(&mut world, 0, seek).len();
        let read = world.tabs[0].disk.borrow().documents_read - before;
        (rows, read)
    };
    assert_eq!(reads(&equal("a", "3")), (MANY / 7, MANY / 7));
    assert_eq!(reads(&equal("a", "3.0")), (MANY / 7, MANY / 7), "another spelling of it");
    assert_eq!(reads(&equal("a", r#""3""#)), (0, 0));
    assert_eq!(reads(&first("a", 50, true)), (50, 50));
    assert_eq!(reads(&equal("b", "3")), (0, MANY), "what has no index reads everything");
    assert_eq!(reads(&equal("a", "[3]")), (0, MANY));
}

#[test]
fn what_comes_to_match_later_is_known_without_another_question() {
    let mut world = stocked(&["a"]);
    world.run(0);
    world.app = app(1, &[]);
    world.add_device(1, 0);
    world.run(1);
    world.tabs[0].find(&equal("a", "3"), world.now);
    world.tabs[0].find(&first("a", 2, true), world.now);
    world.tabs[1].find(&equal("a", "100"), world.now);
    save(&mut world, 1, create("new", r#"{"a":3}"#));
    save(&mut world, 1, patch("a0001", r#"{"a":100}"#));
    save(&mut world, 1, patch("a0003", r#"{"a":4}"#));
    world.run(1);
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.run(0);
    let view = world.tabs[0].view();
    assert_eq!(view.get(&key("new")).map(String::as_str), Some(r#"{"a":3}"#));
    assert_eq!(answer(&view, &first("a", 1, true))[0].0, key("a0001"));
    assert_eq!(answer(&view, &equal("a", "3")), scan(&mut world, 0, &equal("a", "3")));
    check_index(&world, 0);
}

#[test]
fn of_two_versions_of_an_app_the_later_one_says_what_is_indexed_and_both_keep_it() {
    let mut world = stocked(&["a"]);
    world.run(0);
    world.app = app(2, &["b", "c"]);
    let later = world.add_tab(0);
    let declared = |world: &World| indexed(world, 0).unwrap().fields.concat();
    for round in 0..3 {
        world.lead(0, false);
        world.lead(later, true);
        world.run(later);
        world.lead(later, false);
        world.lead(0, true);
        save(&mut world, 0, create(&format!("new{round}"), r#"{"a":1,"b":2}"#));
        world.rest();
        assert_eq!(declared(&world), "bc");
        check_index(&world, 0);
    }
    assert_eq!(ask(&mut world, later, &equal("b", "2")).len(), 3);
    assert_eq!(ask(&mut world, 0, &equal("a", "1")), scan(&mut world, 0, &equal("a", "1")));
}

#[test]
fn two_tabs_that_index_at_the_same_time_come_to_one_index() {
    let mut world = stocked(&["a"]);
    while world.tabs[0].disk.borrow().count(Store::Index) == 0 {
        assert!(world.disk_step(0) || world.network_step(0), "something is indexed in the end");
    }
    world.app = app(2, &["b"]);
    let later = world.add_tab(0);
    world.lead(later, true);
    while world.disk_step(later) | world.disk_step(0) | world.network_step(later) {}
    assert_eq!(indexed(&world, later).unwrap().fields.concat(), "b");
    assert_eq!(indexed(&world, later).unwrap().through, None);
    check_index(&world, later);
}

#[test]
fn a_tab_that_has_not_heard_of_an_index_keeps_it_all_the_same() {
    let mut world = stocked(&["a"]);
    world.add_device(1, 0);
    world.run(1);
    // A tab that drains too, and has looked at what is stored before there was an index.
    while world.tabs[0].disk.borrow().count(Store::Base) < MANY {
        assert!(world.disk_step(0) || world.network_step(0), "everything is fetched in the end");
    }
    world.app = app(1, &[]);
    let other = world.add_tab(0);
    world.lead(other, true);
    world.run(other);
    world.run(0);
    assert_eq!((indexed(&world, other), world.tabs[0].disk.borrow().count(Store::Index)), (None, MANY));
    world.tabs[other].hinted = false;
    save(&mut world, 1, patch("a0001", r#"{"a":100}"#));
    world.run(1);
    world.tabs[other].input(Input::Nudge(Nudge::Asked), world.now);
    world.run(other);
    assert_eq!(ask(&mut world, other, &equal("a", "100")).len(), 1);
    assert_eq!(ask(&mut world, other, &equal("a", "1")), scan(&mut world, other, &equal("a", "1")));
    check_index(&world, 0);
}

#[test]
fn what_is_pulled_and_not_in_the_base_yet_is_part_of_an_answer() {
    let mut world = stocked(&["a"]);
    world.run(0);
    world.app = app(1, &[]);
    world.add_device(1, 0);
    world.run(1);
    for n in 0..300 {
        save(&mut world, 1, patch(&format!("a{n:04}"), r#"{"a":100}"#));
    }
    world.run(1);
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    while world.tabs[0].disk.borrow().count(Store::Staged) == 0 {
        assert!(world.disk_step(0) || world.network_step(0), "a page comes");
    }
    // Somebody opens another tab, while the first one takes a rest.
    let other = world.add_tab(0);
    assert_eq!(ask(&mut world, other, &equal("a", "100")).len(), 300);
    assert_eq!(ask(&mut world, other, &first("a", 3, true)), scan(&mut world, other, &first("a", 3, true)));
}

#[test]
fn an_app_that_declares_more_under_the_same_version_takes_nothing_away() {
    let mut world = stocked(&["a"]);
    world.run(0);
    world.app = app(1, &["b"]);
    for (indexes, together) in [(&["b"], "ab"), (&["a"], "ab")] {
        world.app = app(1, indexes);
        world.reopen(0, false);
        world.run(0);
        assert_eq!(indexed(&world, 0).unwrap().fields.concat(), together);
        check_index(&world, 0);
    }
}

#[test]
fn what_is_fetched_anew_is_indexed_anew() {
    let mut world = stocked(&["a"]);
    world.run(0);
    assert_eq!(world.tabs[0].disk.borrow().count(Store::Index), MANY);
    world.server.lose_everything();
    world.add_device(1, 0);
    world.run(1);
    save(&mut world, 1, create("d", r#"{"a":1}"#));
    world.rest();
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.rest();
    assert_eq!(world.tabs[0].disk.borrow().count(Store::Index), 1);
    check_index(&world, 0);
    // Where a document cannot be read, everything is fetched once more.
    let one = Key::Text("notes\0d".into());
    world.tabs[0].disk.borrow_mut().damage_one(Store::Base, one);
    world.reopen(0, false);
    world.run(0);
    assert_eq!(ask(&mut world, 0, &equal("a", "1")).len(), 0);
    world.rest();
    assert_eq!(ask(&mut world, 0, &equal("a", "1")).len(), 1);
    check_index(&world, 0);
}

/// Goal: whatever happens to a device, an index answers as if everything had been read. Method: random writes of
/// two devices, tabs that take turns in draining, crashes and lost answers; questions between them.
#[test]
fn an_index_answers_as_reading_everything_does_whatever_happens() {
    for seed in (0..SEEDS).chain(FOUND) {
        let ran = std::panic::catch_unwind(|| history(seed));
        assert!(ran.is_ok(), "seed {seed}");
    }
}

fn history(seed: u64) {
    let chance = &mut Chance(Random(seed));
    let mut world = World::new(0);
    world.server.limit = chance.of(&[2, 3, 1_000]);
    world.app = App { frugal: chance.one_in(2), ..app(1, &["a", "b"]) };
    world.add_device(0, 0);
    world.app.frugal = false;
    world.add_device(1, 0);
    world.run(0);
    world.run(1);
    if chance.one_in(2) {
        world.app = app(1 + chance.below(2) as u32, &["b"]);
        let tab = world.add_tab(0);
        world.lead(tab, chance.one_in(2));
    }
    for _ in 0..60 {
        let tab = chance.below(world.tabs.len());
        match chance.below(16) {
            0..6 => write(&mut world, tab, chance),
            6 => _ = world.disk_step(tab),
            7 => _ = world.network_step(tab),
            8..11 => world.run(tab),
            11 => world.faults.push_back(chance.of(&[Fault::LoseReply, Fault::LoseRequest])),
            12 => world.reopen(tab, chance.one_in(2)),
            13 => {
                world.tabs[tab].input(Input::Nudge(Nudge::Asked), world.now);
                world.run(tab);
            }
            _ => question(&mut world, tab, chance),
        }
    }
    world.faults.clear();
    world.watched = true;
    world.rest();
    for tab in 0..world.tabs.len() {
        check_index(&world, tab);
        for _ in 0..4 {
            question(&mut world, tab, chance);
        }
    }
}

fn write(world: &mut World, tab: usize, chance: &mut Chance) {
    let document = chance.of(&["d", "e", "f", "g", "h", "i", "j"]);
    let data = match chance.below(8) {
        0 => "{}".to_owned(),
        1 => r#"{"a":"unacceptable"}"#.to_owned(),
        _ => format!(r#"{{"{}":{}}}"#, chance.of(&["a", "a", "b", "c"]), chance.of(&VALUES)),
    };
    let deletes = chance.one_in(4);
    if !world.tabs[tab].ready {
        world.disk(tab);
    }
    // An app reads a document before it writes to it.
    let now = world.now;
    world.tabs[tab].know(key(document), now);
    let intent = match world.text(tab, document) {
        None => create(document, &data),
        Some(_) if deletes => delete(document),
        Some(_) => patch(document, &data),
    };
    world.tabs[tab].write(&[intent], now);
}

/// Asks one tab's index, and compares with what another tab reads that reads everything.
fn question(world: &mut World, tab: usize, chance: &mut Chance) {
    let field = chance.of(&["a", "b", "c"]);
    let seek = match chance.below(3) {
        0 => equal(field, chance.of(&VALUES)),
        _ => first(field, 1 + chance.below(4) as u32, chance.one_in(2)),
    };
    // What one tab has just stored, another one knows only once it has heard of it and has nothing else to do.
    world.run(tab);
    world.tabs[tab].hinted = true;
    world.run(tab);
    let mine = ask(world, tab, &seek);
    world.disk(tab);
    assert_eq!(mine, scan(world, tab, &seek), "{seek:?}");
}
