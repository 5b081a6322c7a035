//! A backup is put back: what the server has lost, its devices have kept.

use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use landfall_core::id::Position;
use landfall_core::stored::{KEPT, Key, Store, base_key};
use landfall_core::time::Millis;

use crate::world::{World, create, delete, key, patch};

const DAY: u64 = 86_400_000;

/// How many records a device keeps of what the server has taken in.
fn kept(world: &World, tab: usize) -> usize {
    let disk = world.tabs[tab].disk.borrow();
    disk.keys(Store::Meta).filter(|key| matches!(key, Key::Text(key) if key.starts_with(KEPT.0))).count()
}

/// The mutation in a push, but for when it was first sent.
fn mutation(push: &str) -> String {
    let mut batch: serde_json::Value = serde_json::from_str(push).unwrap();
    let mut mutation = batch["mutations"][0].take();
    mutation.as_object_mut().expect("one mutation").remove("firstSentAt");
    mutation.to_string()
}

#[test]
fn what_the_server_has_lost_goes_again_as_it_went_also_after_a_restart() {
    for reopened in [false, true] {
        let mut world = World::new(2);
        world.write(0, create("d", r#"{"a":1}"#));
        world.rest();
        let backup = world.server.clone();
        world.write(0, patch("d", r#"{"a":2}"#));
        world.rest();
        let first = mutation(world.tabs[0].pushes.last().unwrap());
        world.server.restore(backup);
        if reopened {
            world.reopen(0, true);
        }
        world.rest();
        assert_eq!(world.server.visible()[&key("d")], r#"{"a":2}"#);
        assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":2}"#));
        let again: Vec<_> =
            world.tabs[0].pushes.iter().filter(|push| push.contains(r#""op":"patch""#)).collect();
        assert_eq!(mutation(again.last().unwrap()), first);
    }
}

/// Goal: positions that were passed in one history say nothing of what another one has taken in.
#[test]
fn of_two_restores_in_a_row_of_which_nobody_was_told_nothing_is_lost() {
    for forward in [false, true] {
        let mut world = World::new(2);
        world.write(1, create("d", "{}"));
        world.rest();
        let early = world.server.clone();
        for document in ["e", "f", "g"] {
            world.write(1, create(document, "{}"));
            world.run(1);
        }
        world.rest();
        let late = world.server.clone();
        world.server.restore(early.clone());
        world.write(0, create("h", r#"{"a":1}"#));
        world.request(0);
        world.network_step(0);
        world.disk(0);
        world.server.restore(if forward { late } else { early });
        if forward {
            // The device would go on as if nothing had been: it is somebody else who finds out.
            world.server.epoch += 10;
        }
        world.rest();
        let there = world.server.visible();
        for document in ["d", "e", "f", "g", "h"] {
            assert!(there.contains_key(&key(document)), "{document}, {forward}");
        }
    }
}

#[test]
fn what_is_left_of_a_history_is_seen_all_the_time_and_what_was_deleted_since_is_gone() {
    let mut world = World::new(2);
    for document in ["stays", "goes"] {
        world.write(1, create(document, r#"{"a":1}"#));
        world.rest();
    }
    let backup = world.server.clone();
    world.write(1, create("later", "{}"));
    world.rest();
    world.lead(0, false);
    world.server.restore(backup);
    world.write(1, delete("goes"));
    world.run(1);
    let before = world.tabs[0].views.len();
    world.lead(0, true);
    world.rest();
    let since = &world.tabs[0].views[before..];
    assert!(since.iter().all(|view| view.contains_key(&key("stays"))), "{since:?}");
    assert_eq!(world.text(0, "goes"), None);
    assert_eq!(world.text(0, "later").as_deref(), Some("{}"), "its device has kept it");
}

#[test]
fn what_is_in_a_backup_is_kept_no_longer() {
    let mut world = World::new(1);
    for document in ["a", "b"] {
        world.write(0, create(document, "{}"));
        world.rest();
    }
    assert_eq!(kept(&world, 0), 2);
    world.server.backed_up = Position(1);
    world.sleep();
    world.rest();
    assert_eq!(kept(&world, 0), 1);
    assert_eq!(world.tabs[0].client.state().dropped, 0);
}

#[test]
fn what_is_kept_for_a_month_or_beyond_twenty_mebibytes_goes_and_is_counted() {
    let mut world = World::new(1);
    world.write(0, create("d", "{}"));
    world.rest();
    world.now = world.now.after(Millis(31 * DAY));
    world.write(0, patch("d", r#"{"a":1}"#));
    world.rest();
    assert_eq!((kept(&world, 0), world.tabs[0].client.state().dropped), (1, 1));
    // It is kept as it was journalled and as it was sent.
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(200 << 10));
    for _ in 0..60 {
        world.write(0, patch("d", &large));
        world.run(0);
    }
    let (kept, dropped) = (kept(&world, 0), world.tabs[0].client.state().dropped);
    assert!(kept < 53 && kept > 45, "{kept}");
    assert_eq!(kept as u64 + dropped, 62);
    world.reopen(0, false);
    world.rest();
    assert_eq!(world.tabs[0].client.state().dropped, dropped);
}

/// What a user has taken back too late is in, and is not what they want the server to have again.
#[test]
fn what_was_discarded_too_late_is_not_put_back() {
    let mut world = World::new(1);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    let backup = world.server.clone();
    world.faults.push_back(crate::world::Fault::LoseReply);
    let unwanted = world.write(0, patch("d", r#"{"a":2}"#));
    world.run(0);
    world.attend(0, unwanted, landfall_core::client::Act::Discard).unwrap();
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2}"#));
    world.server.restore(backup);
    world.tabs[0].input(Input::Tick, world.now);
    world.sleep();
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1}"#));
}

/// Found by the simulator (seed 3967): whoever comes to another history with what is part of it too has deletes, and was
/// taken for one who begins.
#[test]
fn deletes_of_both_histories_are_forgotten_on_the_device_too() {
    let mut world = World::new(1);
    world.write(0, create("d", "{}"));
    world.rest();
    world.write(0, delete("d"));
    world.write(0, create("e", "{}"));
    world.write(0, create("f", "{}"));
    world.rest();
    world.server.forget_deletes();
    world.server.epoch += 10;
    world.server.limit = 1;
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.rest();
    let base = world.tabs[0].disk.borrow().records(Store::Base);
    assert_eq!(base.keys().collect::<Vec<_>>(), [&base_key(&key("e")), &base_key(&key("f"))]);
}
