//! What a document may be and what one request may carry: where two devices go too far together, and where one does.

use landfall_core::client::Status;
use landfall_core::code::Code;
use landfall_core::id::DocumentKey;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, STEP_MAX};
use landfall_core::stored::Urgency;
use landfall_core::wire::{BODY_BYTES_MAX, Batch, DOCUMENT_BYTES_MAX};

use crate::attention::pause;
use crate::world::{World, change, create, key, patch};

fn text(kilobytes: usize) -> String {
    "x".repeat(kilobytes << 10)
}

/// So many members, whose names begin with this.
fn members(name: &str, count: usize) -> String {
    let members: Vec<_> = (0..count).map(|n| format!(r#""{name}{n}":1"#)).collect();
    format!("{{{}}}", members.join(","))
}

/// Two devices know a document. Each writes something that can be, and then both are sent.
fn together(first: Intent, a: Intent, b: Intent) -> (World, Option<String>) {
    let mut world = World::new(2);
    world.write(0, first);
    world.rest();
    world.write(0, a);
    world.write(1, b);
    world.rest();
    let refused = world.tabs.iter().flat_map(|tab| tab.client.entries());
    let codes: Vec<_> = refused.map(|entry| (entry.status, entry.code.map(str::to_owned))).collect();
    assert!(
        codes.len() <= 1 && codes.iter().all(|(status, _)| *status == Status::NeedsAttention),
        "{codes:?}"
    );
    let code = codes.into_iter().find_map(|(_, code)| code);
    (world, code)
}

#[test]
fn what_two_devices_write_is_refused_to_the_later_one_where_it_is_too_large_together() {
    let member = |name: &str, kilobytes| patch("d", &format!(r#"{{"{name}":"{}"}}"#, text(kilobytes)));
    for (kilobytes, code) in [(60, None), (70, Some("document_too_large"))] {
        let first = create("d", &format!(r#"{{"a":"{}"}}"#, text(120)));
        let (world, refused) = together(first, member("b", kilobytes), member("c", kilobytes));
        assert_eq!(refused.as_deref(), code);
        let visible = &world.server.visible()[&key("d")];
        assert!(visible.len() <= DOCUMENT_BYTES_MAX, "{} bytes", visible.len());
        assert_eq!(world.text(0, "d").as_ref(), Some(visible), "both see what is there");
        assert_eq!(world.text(1, "d").as_ref(), Some(visible));
    }
}

#[test]
fn keys_of_two_devices_are_counted_together_and_what_is_added_to_sets_with_them() {
    for (count, code) in [(450, None), (451, Some("too_many_keys"))] {
        let add = |n: usize| Field {
            path: "/tags".parse().unwrap(),
            change: Change::Add(Json::parse(&n.to_string()).unwrap()),
        };
        let adds = Intent::Patch(key("d"), Json::parse("{}").unwrap(), (0..100).map(add).collect());
        let keys = patch("d", &members("b", count));
        let (world, refused) = together(create("d", &members("a", 449)), adds, keys);
        assert_eq!(refused.as_deref(), code);
        assert!(world.tabs[0].client.entries().is_empty(), "what came first stays");
    }
}

#[test]
fn a_counter_stays_within_what_can_be_counted_exactly() {
    let most = i64::try_from(STEP_MAX).unwrap();
    for (step, code) in [(most - 1, None), (most, Some("invalid_operation"))] {
        let by = |step| change("d", "/count", Change::Increment(step));
        let (world, refused) = together(create("d", "{}"), by(1), by(step));
        assert_eq!(refused.as_deref(), code);
        let count = if code.is_none() { most } else { 1 };
        assert_eq!(world.text(0, "d"), Some(format!(r#"{{"count":{count}}}"#)));
    }
}

/// What the device says to a write.
fn said(intent: &Intent) -> Option<(Code, Option<String>)> {
    let mut world = World::new(1);
    world.write(0, create("d", "{}"));
    world.rest();
    let now = world.now;
    let client = &mut world.tabs[0].client;
    client.assume_new(intent.key().clone());
    let refusal = client.write(99, &[(intent.clone(), Urgency::default())], false, now).err()?;
    assert!(client.entries().is_empty(), "nothing of it is kept");
    Some((refusal.code, refusal.field.map(|field| field.to_string())))
}

#[test]
fn what_no_server_takes_is_refused_at_once_with_the_field_at_fault() {
    let code = |intent: Intent| said(&intent);
    let at = |code: Code, field: &str| Some((code, Some(field.to_owned())));
    let elements = |count: usize| {
        let elements: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        Change::Set(Json::parse(&format!("[{}]", elements.join(","))).unwrap())
    };
    let large =
        |bytes: usize| create("e", &format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len())));
    assert_eq!(code(change("d", "/tags", elements(1_000))), None);
    assert_eq!(code(change("d", "/tags", elements(1_001))), at(Code::TooManyKeys, "/tags"));
    let keys = |count| create("e", &format!(r#"{{"a":{}}}"#, members("k", count)));
    assert_eq!(code(keys(1_000)), None);
    assert_eq!(code(keys(1_001)), at(Code::TooManyKeys, "/a"));
    let step = Change::Increment(i64::try_from(STEP_MAX).unwrap() + 1);
    assert_eq!(code(change("d", "/count", step)), at(Code::InvalidOperation, "/count"));
    assert_eq!(
        code(change("d", "/a/count", Change::Increment(1))).map(|(code, _)| code),
        Some(Code::InvalidOperation)
    );
    assert_eq!(code(create("e", r#"{"a":"\ud800"}"#)), at(Code::InvalidMutation, "/a"));
    assert_eq!(code(large(100 << 10)), None);
    assert_eq!(code(large(DOCUMENT_BYTES_MAX + 1)), Some((Code::DocumentTooLarge, None)));
    let elsewhere = DocumentKey { collection: "elsewhere".parse().unwrap(), document: "e".parse().unwrap() };
    let elsewhere = Intent::Create(elsewhere, Json::parse("{}").unwrap());
    assert_eq!(code(elsewhere), Some((Code::InvalidCollection, None)));
}

#[test]
fn what_is_too_much_for_one_request_goes_in_several_and_a_transaction_in_one() {
    let mut world = World::new(1);
    world.rest();
    pause(&mut world, 0, true);
    let document = |n: usize| create(&format!("d{n}"), &format!(r#"{{"a":"{}"}}"#, text(200)));
    for n in 0..2 {
        world.write(0, document(n));
    }
    let group: Vec<_> = (2..4).map(|n| (document(n), Urgency::default())).collect();
    let now = world.now;
    group.iter().for_each(|(intent, _)| world.tabs[0].client.assume_new(intent.key().clone()));
    world.tabs[0].write_with(&group, true, now).expect("a transaction that fits");
    world.disk(0);
    world.tabs[0].pushes.clear();
    pause(&mut world, 0, false);
    world.rest();
    let sizes = |push: &String| {
        assert!(push.len() < BODY_BYTES_MAX);
        serde_json::from_str::<Batch>(push).unwrap().mutations.len()
    };
    let sent: Vec<_> = world.tabs[0].pushes.iter().map(sizes).filter(|count| *count > 0).collect();
    assert_eq!(sent, [2, 2]);
    assert_eq!(world.server.visible().len(), 4);
}
