//! Writes that the server refuses: kept whole, shown for what they are, in nobody's way.

use landfall_core::client::Status;

use crate::world::{Fault, World, create, delete, key, patch};

const BAD: &str = r#"{"a":"unacceptable"}"#;

fn statuses(world: &World, tab: usize) -> Vec<(String, Status)> {
    let entries = world.tabs[tab].client.entries();
    entries.iter().map(|entry| (entry.document.to_string(), entry.status)).collect()
}

#[test]
fn a_refused_creation_stays_as_a_draft_and_holds_only_its_own_document() {
    let mut world = World::new(2);
    world.run(0);
    let bad = world.write(0, create("d", BAD));
    let held = world.write(0, patch("d", r#"{"b":1}"#));
    world.write(0, create("e", r#"{"a":1}"#));
    world.rest();
    let late = world.write(0, patch("d", r#"{"b":2}"#));
    world.write(0, patch("e", r#"{"a":2}"#));
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":"unacceptable","b":2}"#));
    assert_eq!(world.text(1, "d"), None);
    assert_eq!(world.text(1, "e").as_deref(), Some(r#"{"a":2}"#));
    let entries = world.tabs[0].client.entries();
    for (entry, id) in entries.iter().zip([held, late]) {
        assert_eq!((entry.id, entry.status, entry.because), (id, Status::Waiting, Some(bad)));
    }
    assert_eq!((entries[2].id, entries[2].status), (bad, Status::NeedsAttention));
    assert_eq!(entries[2].code, Some("validation_failed"));
    assert_eq!(world.tabs[0].client.state().failed, 1);
}

#[test]
fn a_refused_creation_is_the_same_after_a_power_cut() {
    for power_cut in [false, true] {
        let mut world = World::new(1);
        world.run(0);
        world.write(0, create("d", BAD));
        world.write(0, patch("d", r#"{"b":1}"#));
        world.rest();
        let before = statuses(&world, 0);
        world.reopen(0, power_cut);
        world.rest();
        assert_eq!(statuses(&world, 0), before);
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":"unacceptable","b":1}"#));
    }
}

#[test]
fn what_is_written_on_top_of_a_draft_is_seen_though_the_clock_was_ahead_when_that_was_made() {
    let mut world = World::new(0);
    world.add_device(0, 3_600_000);
    world.disk(0);
    world.write(0, create("d", BAD));
    world.rest();
    world.reopen(0, false);
    world.rest();
    world.write(0, patch("d", r#"{"a":2}"#));
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":2}"#));
}

#[test]
fn a_refused_patch_leaves_the_view_and_is_kept() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    world.write(0, patch("d", BAD));
    world.write(0, patch("d", r#"{"b":2}"#));
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":"unacceptable","b":2}"#));
    world.rest();
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1,"b":2}"#), "later writes are not held");
    assert_eq!(statuses(&world, 0), [("d".to_owned(), Status::NeedsAttention)]);
    world.reopen(0, true);
    world.rest();
    assert_eq!(statuses(&world, 0), [("d".to_owned(), Status::NeedsAttention)]);
}

#[test]
fn a_refusal_whose_reply_was_lost_is_heard_the_second_time() {
    let mut world = World::new(1);
    world.run(0);
    world.faults.push_back(Fault::LoseReply);
    world.write(0, create("d", BAD));
    world.rest();
    assert_eq!(statuses(&world, 0), [("d".to_owned(), Status::NeedsAttention)]);
}

#[test]
fn three_bad_writes_of_a_hundred_are_three() {
    let mut world = World::new(1);
    world.run(0);
    for n in 0..100 {
        let bad = [10, 50, 99].contains(&n);
        world.write(0, create(&format!("d{n}"), if bad { BAD } else { r#"{"a":1}"# }));
    }
    world.rest();
    assert_eq!(world.server.applied.len(), 97);
    assert_eq!(world.tabs[0].client.state().failed, 3);
}

#[test]
fn a_patch_of_what_another_device_deleted_is_never_silent() {
    // The patch is newer than the delete that it did not know of: the document comes back, whole.
    let mut world = World::new(2);
    world.write(0, create("d", r#"{"a":1,"b":1}"#));
    world.rest();
    world.write(1, delete("d"));
    world.now.0 += 1_000;
    world.write(0, patch("d", r#"{"a":2}"#));
    world.run(1);
    world.rest();
    assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":2,"b":1}"#));
    assert_eq!(world.stream(0, "d").iter().filter(|shown| shown.is_none()).count(), 1, "never hidden there");
    assert_eq!(world.server.conflicts.len(), 1);

    // And an older patch stays below it, with a record.
    world.write(0, patch("d", r#"{"a":3}"#));
    world.now.0 += 1_000;
    world.write(1, delete("d"));
    world.run(1);
    world.rest();
    assert_eq!(world.server.visible().get(&key("d")), None);
    assert_eq!(world.server.conflicts.len(), 2);
}
