//! What reaches a device from others: causal, whole, and never in the way of its own writes.

use landfall_core::client::{Input, Status};
use landfall_core::drain::Nudge;

use crate::world::{Fault, World, create, delete, key, patch};

fn sync(world: &mut World, tab: usize) {
    world.tabs[tab].input(Input::Nudge(Nudge::Asked), world.now);
    world.run(tab);
}

/// Two devices that both have the document `d`.
fn pair() -> World {
    let mut world = World::new(2);
    world.run(0);
    world.write(0, create("d", r#"{"a":0,"b":0}"#));
    world.rest();
    world
}

#[test]
fn edits_of_different_fields_both_survive() {
    for order in [[0, 1], [1, 0]] {
        let mut world = pair();
        world.write(0, patch("d", r#"{"a":1}"#));
        world.write(1, patch("d", r#"{"b":1}"#));
        order.into_iter().for_each(|tab| world.run(tab));
        world.rest();
        assert_eq!(world.server.visible()[&key("d")], r#"{"a":1,"b":1}"#);
        assert_eq!(world.server.conflicts, []);
    }
}

#[test]
fn the_later_edit_of_one_field_wins_and_the_other_is_recorded() {
    for order in [[0, 1], [1, 0]] {
        let mut world = pair();
        world.write(0, patch("d", r#"{"a":1}"#));
        world.now.0 += 1_000;
        world.write(1, patch("d", r#"{"a":2}"#));
        order.into_iter().for_each(|tab| world.run(tab));
        world.rest();
        assert_eq!(world.server.visible()[&key("d")], r#"{"a":2,"b":0}"#);
        assert_eq!(world.server.conflicts.len(), 1);
    }
}

#[test]
fn documents_of_one_commit_become_visible_together_whatever_the_page_size() {
    for limit in [1, 2, 3, 100] {
        let mut world = pair();
        world.server.limit = limit;
        for n in 0..5 {
            world.write(0, create(&format!("g{n}"), r#"{"a":1}"#));
        }
        world.rest();
        for view in &world.tabs[1].views {
            let seen = (0..5).filter(|n| view.contains_key(&key(&format!("g{n}")))).count();
            assert!(seen == 0 || seen == 5, "{limit}: {view:?}");
        }
    }
}

#[test]
fn a_page_lost_half_way_is_fetched_again() {
    let mut world = pair();
    world.server.limit = 1;
    for n in 0..5 {
        world.write(0, create(&format!("g{n}"), r#"{"a":1}"#));
    }
    world.run(0);
    world.faults.extend([Fault::None, Fault::None, Fault::LoseReply]);
    sync(&mut world, 1);
    world.reopen(1, true);
    world.rest();
}

#[test]
fn a_write_between_two_pages_is_not_undone_by_them() {
    let mut world = pair();
    world.server.limit = 1;
    for n in 0..4 {
        world.write(0, patch("d", &format!(r#"{{"b":{n}}}"#)));
        world.write(0, create(&format!("g{n}"), r#"{"a":1}"#));
    }
    world.run(0);
    world.tabs[1].input(Input::Nudge(Nudge::Asked), world.now);
    for n in 1..=3 {
        world.request(1);
        world.write(1, patch("d", &format!(r#"{{"a":{n}}}"#)));
        world.network_step(1);
    }
    world.rest();
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":3,"b":3}"#);
    let shown: Vec<_> = world.stream(1, "d").into_iter().flatten().collect();
    let own: Vec<_> = shown.iter().map(|text| text.split(',').next().unwrap()).collect();
    assert!(own.is_sorted(), "an own write went backwards: {shown:?}");
}

#[test]
fn a_pull_never_hides_a_pending_write() {
    let mut world = pair();
    world.write(1, patch("d", r#"{"b":7}"#));
    world.run(1);
    world.now.0 += 1_000;
    world.faults.extend([Fault::Busy]);
    world.write(0, patch("d", r#"{"a":7}"#));
    world.run(0);
    world.rest();
    let own = world.stream(0, "d").into_iter().flatten().skip_while(|text| !text.contains(r#""a":7"#));
    assert!(own.into_iter().all(|text| text.contains(r#""a":7"#)));
}

#[test]
fn an_idle_device_sends_nothing_and_is_shown_nothing() {
    let mut world = pair();
    let (pushes, views) = (world.tabs[1].pushes.len(), world.tabs[1].views.len());
    for _ in 0..20 {
        world.sleep();
        world.run(0);
        world.run(1);
    }
    assert_eq!((world.tabs[1].pushes.len(), world.tabs[1].views.len()), (pushes, views));
}

#[test]
fn a_cursor_that_the_server_does_not_take_costs_a_pull_and_no_write() {
    let mut world = pair();
    world.write(0, patch("d", r#"{"a":1}"#));
    world.server.refuse_cursors = 2;
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1,"b":0}"#));
}

#[test]
fn a_network_too_slow_for_a_page_keeps_no_write_from_the_server() {
    let mut world = pair();
    world.reopen(0, false);
    world.server.pulls_fail = true;
    world.write(0, patch("d", r#"{"a":1}"#));
    world.run(0);
    world.sleep();
    world.run(0);
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":1,"b":0}"#);
    world.server.pulls_fail = false;
    world.rest();
}

#[test]
fn what_is_accepted_before_the_first_page_is_not_sent_again_after_it() {
    let mut world = World::new(0);
    world.add_device(0, 0);
    world.server.pulls_fail = true;
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.sleep();
    world.run(0);
    assert_eq!(world.server.applied.len(), 1);
    world.server.pulls_fail = false;
    world.rest();
    // One asked what time it is.
    assert_eq!(world.tabs[0].pushes.len(), 2);
}

#[test]
fn a_new_epoch_keeps_what_is_pending() {
    let mut world = pair();
    world.server.lose_everything();
    let id = world.write(0, create("e", r#"{"a":1}"#));
    let late = world.write(0, patch("e", r#"{"a":2}"#));
    world.saved.retain(|(_, saved)| [id, late].contains(saved));
    world.rest();
    assert_eq!(world.text(1, "e").as_deref(), Some(r#"{"a":2}"#));
    assert!(world.text(1, "d").is_some(), "it is not in the backup, and its device has kept it");
}

#[test]
fn a_deleted_document_is_gone_on_the_other_device_and_can_be_made_again_there() {
    let mut world = pair();
    world.write(0, delete("d"));
    world.rest();
    assert_eq!(world.text(1, "d"), None);
    world.write(1, create("d", r#"{"c":1}"#));
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"c":1}"#));
    assert_eq!(world.stream(1, "d").len(), 4, "{:?}", world.stream(1, "d"));
}

/// Positions are of one history, and those of the next one say nothing about what the last one had taken in.
#[test]
fn what_a_server_had_taken_in_before_a_backup_was_put_back_goes_again() {
    for reopened in [false, true] {
        let mut world = World::new(2);
        world.rest();
        world.write(1, create("d", r#"{"b":1}"#));
        world.run(1);
        world.write(0, create("d", r#"{"a":1}"#));
        world.request(0);
        world.network_step(0);
        world.disk(0);
        assert_eq!(world.tabs[0].client.entries()[0].status, Status::Accepted, "and not in the base yet");
        world.server.lose_everything();
        for document in ["e", "f", "g"] {
            world.write(1, create(document, "{}"));
            world.run(1);
        }
        if reopened {
            world.reopen(0, false);
        }
        world.rest();
        assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":1,"b":1}"#));
    }
}

/// Found by the simulator (seed 1437): what the device had before its own accepted write came back for a moment.
#[test]
fn what_a_delete_hides_and_a_pending_write_brings_back_is_as_the_server_will_have_it() {
    let mut world = pair();
    world.write(0, patch("d", r#"{"c":1}"#));
    world.run(0);
    world.write(1, patch("d", r#"{"a":1}"#));
    world.request(1);
    world.network_step(1);
    world.disk(1);
    assert_eq!(world.tabs[1].client.entries()[0].status, Status::Accepted, "and not in the base yet");
    world.now.0 += 1_000;
    world.write(0, delete("d"));
    world.run(0);
    world.now.0 += 1_000;
    world.write(1, patch("d", r#"{"b":2}"#));
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1,"b":2,"c":1}"#));
    let shown: Vec<_> = world.stream(1, "d").into_iter().flatten().collect();
    let edited = shown.iter().position(|text| text.contains(r#""a":1"#)).unwrap();
    assert!(shown[edited..].iter().all(|text| text.contains(r#""a":1"#)), "{shown:?}");
}

/// Found by the simulator (seed 723): the position was passed in a history that does not have the write.
#[test]
fn a_verdict_of_another_history_than_the_base_counts_only_if_the_device_comes_there() {
    let mut world = World::new(2);
    world.write(0, create("d", "{}"));
    world.rest();
    let first = world.server.clone();
    world.server.lose_everything();
    world.write(0, create("e", r#"{"a":1}"#));
    world.request(0);
    world.network_step(0);
    world.disk(0);
    assert_eq!(world.tabs[0].client.entries()[0].status, Status::Accepted, "and not in the base yet");
    // The first history is back, and nobody is told.
    world.server = first;
    for document in ["f", "g", "h"] {
        world.write(1, create(document, "{}"));
        world.run(1);
    }
    world.rest();
    assert_eq!(world.text(1, "e").as_deref(), Some(r#"{"a":1}"#));
}
