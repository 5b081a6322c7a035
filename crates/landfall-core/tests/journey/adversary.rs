//! Servers, and things in their place, that say what they should not. The cases are those of the reliability
//! programme, by number.

use landfall_core::client::{Failure, Heard, Input, Status};
use landfall_core::code::Code;
use landfall_core::id::MutationId;
use landfall_core::json::Json;
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::{BatchReply, PullReply, Verdict};

use crate::tab::Call;
use crate::world::{World, create, patch};

const HOUR: Millis = Millis::seconds(3_600);

/// A device in step with the server.
fn device() -> World {
    let mut world = World::new(1);
    world.run(0);
    world
}

fn refused(code: Code) -> Failure {
    Failure::Refused { code: code.to_string(), retry_after: None }
}

/// Answers the tab's next request in the server's place, if it makes one now.
fn answer(
    world: &mut World,
    push: impl FnOnce(String) -> Result<BatchReply, Failure>,
    pull: impl FnOnce(Option<String>) -> Result<PullReply, Failure>,
) -> bool {
    world.disk(0);
    let Some((call, sent)) = world.tabs[0].call.take() else { return false };
    let input = match call {
        Call::Push(body) => Input::Pushed(push(body), sent),
        Call::Pull(cursor) => Input::Pulled(pull(cursor), sent),
        Call::Ask => Input::Token(true),
    };
    world.now.0 += 10;
    let now = world.now;
    world.tabs[0].input(input, now);
    true
}

/// How many requests the tab makes in an hour in which it gets these answers.
fn hour(
    world: &mut World,
    push: impl Fn(String) -> Result<BatchReply, Failure>,
    pull: impl Fn(Option<String>) -> Result<PullReply, Failure>,
) -> usize {
    let (end, mut requests) = (world.now.after(HOUR), 0);
    while world.now < end && requests < 10_000 {
        if answer(world, &push, &pull) {
            requests += 1;
        } else {
            world.sleep();
        }
    }
    requests
}

/// The answer of the server to the tab's next push, which is on its way back.
fn pushed(world: &mut World) -> &mut BatchReply {
    world.request(0);
    match &mut world.tabs[0].reply {
        Some(Input::Pushed(Ok(reply), _)) => reply,
        other => panic!("{other:?}"),
    }
}

fn page(now: WallTime, cursor: &str, more: bool) -> PullReply {
    PullReply {
        server_time: now,
        epoch: "1".into(),
        reset: None,
        backed_up_through: Default::default(),
        position: Default::default(),
        changes: Json::parse("[]").unwrap(),
        cursor: cursor.into(),
        more,
        forgotten_through: Default::default(),
        remaining: None,
    }
}

/// Case 2.
#[test]
fn what_the_server_takes_for_another_write_needs_attention_and_is_never_sent_again() {
    let mut world = device();
    world.write(0, create("d", r#"{"a":1}"#));
    let result = &mut pushed(&mut world).results[0];
    result.verdict = Verdict::Rejected;
    result.code = Some(Code::IdReused.to_string());
    world.run(0);
    let sent = world.tabs[0].pushes.len();
    for _ in 0..20 {
        world.sleep();
        world.run(0);
    }
    assert_eq!(world.tabs[0].pushes.len(), sent);
    let entries = world.tabs[0].client.entries();
    assert_eq!((entries[0].status, entries[0].code), (Status::NeedsAttention, Some("id_reused")));
}

/// Case 8.
#[test]
fn a_server_of_another_protocol_is_asked_seldom_and_everything_is_kept() {
    let mut world = device();
    world.write(0, create("d", r#"{"a":1}"#));
    let no = || refused(Code::UnsupportedProtocol);
    let requests = hour(&mut world, |_| Err(no()), |_| Err(no()));
    assert!((20..150).contains(&requests), "{requests} requests in an hour");
    let state = world.tabs[0].client.state();
    assert_eq!((state.pending, state.reason.as_deref()), (1, Some("unsupported_protocol")));
    world.rest();
    assert_eq!(world.server.applied.len(), 1);
}

/// Case 17.
#[test]
fn a_server_that_takes_fewer_mutations_at_once_gets_fewer_and_all() {
    let mut world = device();
    for n in 0..100 {
        world.write(0, create(&format!("d{n}"), r#"{"a":1}"#));
    }
    let count = |body: &str| body.matches(r#""op":"create""#).count();
    for _ in 0..300 {
        world.disk(0);
        let large = matches!(&world.tabs[0].call, Some((Call::Push(body), _)) if count(body) > 10);
        if large {
            answer(&mut world, |_| Err(refused(Code::BatchTooLarge)), |_| unreachable!("a push"));
        } else if !world.network_step(0) {
            world.sleep();
        }
    }
    assert_eq!(world.server.applied.len(), 100);
}

/// Case 21.
#[test]
fn ten_thousand_hints_during_a_pull_are_one_more_pull() {
    let mut world = device();
    world.tabs[0].input(Input::Heard(Heard::Open), world.now);
    world.run(0);
    let before = world.pages;
    world.tabs[0].input(Input::Heard(Heard::Hint), world.now);
    world.request(0);
    for _ in 0..10_000 {
        world.tabs[0].input(Input::Heard(Heard::Hint), world.now);
    }
    world.run(0);
    assert_eq!(world.pages, before + 2);
}

/// Case 22.
#[test]
fn a_page_that_is_older_than_what_is_known_changes_nothing_that_is_seen() {
    let mut world = World::new(2);
    world.run(0);
    world.run(1);
    world.write(1, create("d", r#"{"a":1}"#));
    world.run(1);
    world.sleep();
    world.request(0);
    let Some(Input::Pulled(Ok(old), _)) = &world.tabs[0].reply else { panic!("no page") };
    let old = old.clone();
    world.run(0);
    world.write(1, patch("d", r#"{"a":2}"#));
    world.rest();
    assert!(hour(&mut world, |_| unreachable!("nothing to push"), |_| Ok(old.clone())) < 150);
    assert_eq!(world.tabs[0].client.state().reason.as_deref(), Some("protocol_violation"));
    world.rest();
    let shown: Vec<_> = world.stream(0, "d").into_iter().flatten().collect();
    assert_eq!(shown, [r#"{"a":1}"#, r#"{"a":2}"#]);
}

/// Case 23.
#[test]
fn what_a_newer_server_sends_is_skipped_or_kept_as_it_is() {
    let mut world = World::new(2);
    world.run(0);
    world.write(0, create("d", r#"{"a":1,"later":{"x":[1.0,12345678901234567890]}}"#));
    world.run(0);
    world.sleep();
    world.request(1);
    let Some(Input::Pulled(Ok(reply), _)) = &mut world.tabs[1].reply else { panic!("no page") };
    let newer =
        r#"[{"kind":"hologram","collection":"drones","document":"x","version":1,"position":1,"depth":3},"#;
    reply.changes = Json::parse(&reply.changes.text().replacen('[', newer, 1)).unwrap();
    world.run(1);
    assert_eq!(world.tabs[1].client.state().reason, None);
    world.write(1, patch("d", r#"{"a":2}"#));
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2,"later":{"x":[1.0,12345678901234567890]}}"#));
}

/// Case 24.
#[test]
fn a_server_that_leads_in_a_circle_is_asked_seldom() {
    for circle in [&["A"][..], &["A", "B"], &["A", "B", "C"]] {
        let mut world = device();
        world.write(0, create("d", r#"{"a":1}"#));
        world.run(0);
        let now = world.now;
        let next = |cursor: Option<String>| {
            let at = circle.iter().position(|name| Some(*name) == cursor.as_deref());
            let next = circle[at.map_or(0, |at| at + 1) % circle.len()];
            let position = landfall_core::id::Position(1);
            Ok(PullReply { position, epoch: "epoch-1".into(), ..page(now, next, true) })
        };
        let requests = hour(&mut world, |_| unreachable!("nothing to push"), next);
        assert!(requests < 600, "{requests} requests in an hour, {circle:?}");
        assert_eq!(world.tabs[0].client.state().reason.as_deref(), Some("protocol_violation"));
    }
}

/// Cases 25 and 26.
#[test]
fn verdicts_on_what_was_not_asked_settle_nothing() {
    let mut world = device();
    let now = world.now;
    world.write(0, create("d", r#"{"a":1}"#));
    let stranger: MutationId = format!("{:032x}:9007199254740991", 7).parse().unwrap();
    let requests = hour(
        &mut world,
        |body| {
            let id = body.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap();
            let text = format!(
                r#"{{"serverTime":1,"epoch":"1","results":[{{"id":"{stranger}","verdict":"applied","version":1,"position":1}}]}}"#
            );
            let beyond = text.replace("9007199254740991", "9223372036854775808");
            assert!(!text.contains(id) && serde_json::from_str::<BatchReply>(&beyond).is_err());
            Ok(serde_json::from_str(&text).unwrap())
        },
        |_| Ok(page(now, "a", false)),
    );
    assert!(requests < 150, "{requests} requests in an hour");
    assert_eq!(world.tabs[0].client.state().reason.as_deref(), Some("protocol_violation"));
    world.rest();
    assert_eq!(world.server.applied.len(), 1);
}
