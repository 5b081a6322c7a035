//! Streams of hints: who has one and when, and what a hint does.

use landfall_core::client::{Failure, Heard, Input};
use landfall_core::code::Code;
use landfall_core::time::Millis;

use crate::world::{Fault, World, create};

/// A device in step with the server, whose stream of hints stands.
fn listening() -> World {
    let mut world = World::new(1);
    world.run(0);
    assert!(world.tabs[0].listens, "it was reached, so it may be listened to");
    hear(&mut world, Heard::Open);
    world.run(0);
    world
}

fn hear(world: &mut World, heard: Heard) {
    let now = world.now;
    world.tabs[0].input(Input::Heard(heard), now);
}

fn refused(code: Code) -> Heard {
    Heard::End(Failure::Refused { code: code.to_string(), retry_after: None })
}

#[test]
fn a_hint_brings_what_others_wrote_without_waiting() {
    let mut world = World::new(2);
    world.run(0);
    world.run(1);
    hear(&mut world, Heard::Open);
    world.run(0);
    let before = world.now;
    world.write(1, create("n", r#"{"a":1}"#));
    world.run(1);
    assert_eq!(world.text(0, "n"), None);
    hear(&mut world, Heard::Hint);
    world.run(0);
    assert_eq!(world.text(0, "n").as_deref(), Some(r#"{"a":1}"#));
    assert!(world.now.since(before) < Millis::seconds(1), "nobody waited for a poll");
}

#[test]
fn what_was_written_while_the_stream_was_not_standing_is_pulled_when_it_does() {
    let mut world = World::new(2);
    world.run(0);
    world.run(1);
    world.write(1, create("n", r#"{"a":1}"#));
    world.run(1);
    hear(&mut world, Heard::Open);
    world.run(0);
    assert!(world.text(0, "n").is_some());
}

#[test]
fn only_the_leading_tab_listens_and_only_while_it_may() {
    let mut world = listening();
    let other = world.add_tab(0);
    assert!(!world.tabs[other].listens);
    let now = world.now;
    for (end, begin) in [(Input::Pause(true), Input::Pause(false)), (Input::Lead(false), Input::Lead(true))] {
        world.tabs[0].input(end, now);
        assert!(!world.tabs[0].listens);
        world.tabs[0].input(begin, now);
        world.run(0);
        assert!(world.tabs[0].listens);
    }
    world.lead(other, true);
    world.run(other);
    assert!(world.tabs[other].listens);
}

#[test]
fn a_network_that_is_gone_and_a_server_that_never_answered_are_not_listened_to() {
    let mut world = World::new(1);
    assert!(!world.tabs[0].listens);
    world.faults.push_back(Fault::LoseRequest);
    world.run(0);
    assert!(!world.tabs[0].listens);
    world.sleep();
    world.run(0);
    assert!(world.tabs[0].listens);
    hear(&mut world, Heard::Open);
    world.run(0);
    world.faults.push_back(Fault::LoseRequest);
    world.sleep();
    world.run(0);
    assert!(!world.tabs[0].listens);
}

#[test]
fn a_page_that_nobody_looks_at_for_long_lets_its_stream_go() {
    let mut world = listening();
    let now = world.now;
    world.tabs[0].input(Input::Seen(false), now);
    let mut sleeps = 0;
    while world.tabs[0].listens {
        world.sleep();
        world.run(0);
        sleeps += 1;
        assert!(sleeps < 20);
    }
    assert!(world.now.since(now) >= Millis::seconds(120));
    let now = world.now;
    world.tabs[0].input(Input::Seen(true), now);
    assert!(world.tabs[0].listens);
}

#[test]
fn a_stream_that_ends_with_its_token_asks_the_app_once() {
    let mut world = listening();
    hear(&mut world, refused(Code::TokenExpired));
    world.run(0);
    assert_eq!(world.tabs[0].asked, 1);
    while !world.tabs[0].listens {
        world.sleep();
        world.run(0);
    }
    assert_eq!(world.tabs[0].asked, 1);
}
