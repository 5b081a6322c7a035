//! From the promise that a write is saved to its one effect on the server.

use landfall_core::client::{Act, Input, Phase, Remote, Status};
use landfall_core::drain::Nudge;

use crate::world::{Fault, World, create, delete, key, patch};

/// One device with a document that everybody knows.
fn with_document() -> World {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("d", r#"{"a":0,"b":0}"#));
    world.rest();
    world
}

#[test]
fn offline_writes_survive_a_power_cut_and_arrive_once() {
    let mut world = World::new(1);
    world.run(0);
    for n in 0..25 {
        world.write(0, create(&format!("d{n}"), r#"{"a":1}"#));
    }
    for n in 0..10 {
        world.write(0, patch(&format!("d{n}"), r#"{"a":2}"#));
    }
    world.reopen(0, true);
    world.rest();
    assert_eq!(world.server.applied.len(), 35);
    assert_eq!(world.text(0, "d3").as_deref(), Some(r#"{"a":2}"#));
}

#[test]
fn an_own_write_is_visible_at_once_and_never_flickers() {
    let mut world = World::new(1);
    for n in 0..4 {
        let data = format!(r#"{{"a":{n}}}"#);
        world.write(0, if n == 0 { create("d", &data) } else { patch("d", &data) });
        assert_eq!(world.text(0, "d"), Some(data), "before anybody else knows");
        world.request(0);
    }
    world.rest();
    let shown: Vec<_> = (0..4).map(|n| Some(format!(r#"{{"a":{n}}}"#))).collect();
    assert_eq!(world.stream(0, "d"), [vec![None], shown].concat());
}

/// Exchanges that fail in some way, one after the other, while one document is made and changed twice.
#[test]
fn whatever_is_lost_is_sent_again_and_counted_once() {
    let check = |faults: &[Fault]| {
        let mut world = World::new(1);
        world.run(0);
        world.faults.extend(faults);
        world.write(0, create("d", r#"{"a":1}"#));
        world.write(0, patch("d", r#"{"a":2}"#));
        world.run(0);
        world.write(0, patch("d", r#"{"b":3}"#));
        world.rest();
        assert!(world.faults.is_empty(), "{faults:?}");
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2,"b":3}"#), "{faults:?}");
        assert_eq!(world.server.version(&key("d")).0, 3, "{faults:?}");
        assert_eq!(world.stream(0, "d").len(), 4, "{faults:?}: {:?}", world.stream(0, "d"));
    };
    check(&[Fault::LoseRequest]);
    check(&[Fault::LoseReply]);
    check(&[Fault::LoseReply; 5]);
    check(&[Fault::None, Fault::LoseReply, Fault::None, Fault::LoseReply]);
    check(&[Fault::Twice; 3]);
    check(&[Fault::Portal; 4]);
    check(&[Fault::Busy; 5]);
    check(&[Fault::LoseReply, Fault::Busy, Fault::Portal, Fault::Token, Fault::LoseRequest, Fault::Twice]);
}

#[test]
fn every_reply_is_lost_once_and_nothing_is_doubled() {
    let mut world = World::new(1);
    for n in 0..10 {
        world.faults.extend([Fault::LoseReply, Fault::None]);
        world.write(0, create(&format!("d{n}"), r#"{"a":1}"#));
        world.run(0);
    }
    world.rest();
    assert_eq!(world.server.applied.len(), 10);
}

#[test]
fn an_edit_between_send_and_reply_is_pushed_next_and_wins() {
    let mut world = with_document();
    world.write(0, patch("d", r#"{"a":1}"#));
    world.request(0);
    world.write(0, patch("d", r#"{"a":2}"#));
    world.rest();
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":2,"b":0}"#);
    let shown =
        [r#"{"a":0,"b":0}"#, r#"{"a":1,"b":0}"#, r#"{"a":2,"b":0}"#].map(|text| Some(text.to_owned()));
    assert_eq!(world.stream(0, "d")[1..], shown);
}

#[test]
fn five_fast_edits_of_one_field_end_at_the_last() {
    for faults in [vec![], vec![Fault::LoseReply; 3], vec![Fault::LoseRequest; 3]] {
        let mut world = with_document();
        world.faults.extend(faults);
        for n in 1..=5 {
            world.write(0, patch("d", &format!(r#"{{"a":{n}}}"#)));
            if n % 2 == 0 {
                world.request(0);
            }
        }
        world.rest();
        assert_eq!(world.server.visible()[&key("d")], r#"{"a":5,"b":0}"#);
        assert_eq!(world.server.conflicts, [], "writes of one installation never conflict");
        assert_eq!(world.stream(0, "d").len(), 7);
    }
}

#[test]
fn a_portal_settles_nothing() {
    let mut world = with_document();
    world.write(0, patch("d", r#"{"a":1}"#));
    world.faults.extend([Fault::Portal; 3]);
    world.run(0);
    let state = world.tabs[0].client.state();
    assert_eq!((state.pending, state.online, state.phase), (1, false, Phase::Offline));
    assert_eq!(state.reason.as_deref(), Some("not_ours"));
    world.rest();
}

#[test]
fn a_busy_server_is_asked_until_it_has_time_without_another_write() {
    let mut world = with_document();
    let before = world.tabs[0].pushes.len();
    world.faults.extend([Fault::Busy; 5]);
    world.write(0, patch("d", r#"{"a":1}"#));
    world.run(0);
    assert!(world.tabs[0].client.state().next_try_at.is_some());
    world.rest();
    assert!(world.faults.is_empty(), "every one of them was met");
    // Once it has failed alone, something else is asked first: the write could be what the server fails over.
    assert_eq!(world.tabs[0].pushes.len() - before, 5);
}

#[test]
fn a_refused_token_is_asked_for_once_and_then_as_the_backoff_says() {
    let mut world = with_document();
    world.faults.extend([Fault::Token; 8]);
    world.write(0, patch("d", r#"{"a":1}"#));
    world.run(0);
    assert_eq!(world.tabs[0].asked, 1, "at once");
    assert!(world.tabs[0].client.state().next_try_at.is_some(), "and then no sooner than the backoff says");
    let start = world.now;
    world.rest();
    assert_eq!(world.tabs[0].asked, 8);
    assert!(world.now.since(start).0 > 2_000);
}

#[test]
fn without_a_token_nothing_is_lost_and_nothing_is_sent() {
    let mut world = with_document();
    world.signed_in = false;
    world.faults.push_back(Fault::Token);
    let before = world.tabs[0].pushes.len();
    world.write(0, patch("d", r#"{"a":1}"#));
    for _ in 0..10 {
        world.run(0);
        world.sleep();
    }
    assert_eq!(world.tabs[0].pushes.len() - before, 1);
    assert_eq!(world.tabs[0].client.state().phase, Phase::Paused);
    assert_eq!(world.tabs[0].client.entries()[0].status, Status::Paused);
    world.signed_in = true;
    world.rest();
}

#[test]
fn a_guest_keeps_what_they_write_and_never_talks_to_the_server() {
    let mut world = World::new(0);
    world.remote = Remote::SignedOut;
    world.add_device(0, 0);
    world.write(0, create("d", r#"{"a":1}"#));
    for nudge in [Nudge::Asked, Nudge::Woke] {
        world.tabs[0].input(Input::Nudge(nudge), world.now);
        world.run(0);
    }
    let tab = &world.tabs[0];
    assert_eq!((tab.pushes.len(), tab.asked, tab.client.wake_at()), (0, 0, None));
    let state = tab.client.state();
    assert_eq!((state.phase, state.reason.as_deref(), state.pending), (Phase::Paused, Some("signed_out"), 1));
    assert_eq!(tab.client.entries()[0].status, Status::Paused);
}

#[test]
fn what_was_never_sent_can_be_deleted_and_made_again() {
    let check = |pulse: fn(&mut World)| {
        let mut world = World::new(2);
        world.run(0);
        world.write(0, create("d", r#"{"a":1,"b":1}"#));
        pulse(&mut world);
        world.write(0, delete("d"));
        assert_eq!(world.text(0, "d"), None);
        pulse(&mut world);
        world.write(0, create("d", r#"{"c":3}"#));
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"c":3}"#), "nothing of the deleted one");
        pulse(&mut world);
        world.write(0, patch("d", r#"{"c":4}"#));
        world.rest();
        assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"c":4}"#));
        let shown: Vec<_> = world.stream(0, "d").into_iter().flatten().collect();
        let expected = [r#"{"a":1,"b":1}"#, r#"{"c":3}"#, r#"{"c":4}"#];
        assert!(expected.ends_with(&shown.iter().map(String::as_str).collect::<Vec<_>>()), "{shown:?}");
        assert_eq!(world.server.conflicts, []);
    };
    check(|_| ());
    check(|world| world.request(0));
    check(|world| world.run(0));
    check(World::rest);
    check(|world| world.reopen(0, true));
}

#[test]
fn a_document_made_and_deleted_unsent_is_gone_everywhere() {
    let mut world = World::new(2);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.write(0, delete("d"));
    world.rest();
    assert_eq!(world.server.visible().len(), 0);
    assert_eq!(world.stream(1, "d"), [None]);
}

#[test]
fn a_long_queue_goes_in_few_requests_and_in_order() {
    let mut world = World::new(1);
    world.run(0);
    let ids: Vec<_> = (0..250).map(|n| world.write(0, create(&format!("d{n}"), r#"{"a":1}"#))).collect();
    world.rest();
    assert_eq!(world.server.applied, ids);
    assert!(world.tabs[0].pushes.len() <= 4, "{}", world.tabs[0].pushes.len());
}

/// The mark of a discarded write can be on the disk before the write itself.
#[test]
fn what_is_discarded_before_it_is_committed_stays_so_when_the_tab_looks_at_what_is_stored() {
    let mut world = with_document();
    let now = world.now;
    world.tabs[0].write(&[patch("d", r#"{"a":1}"#)], now).expect("a write that makes sense");
    let unwanted =
        world.tabs[0].write(&[patch("d", r#"{"b":1}"#)], now).expect("a write that makes sense")[0];
    world.attend(0, unwanted, Act::Discard).expect("a decision that makes sense");
    world.tabs[0].input(Input::Refresh, now);
    world.disk(0);
    world.rest();
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":1,"b":0}"#);
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1,"b":0}"#));
}
