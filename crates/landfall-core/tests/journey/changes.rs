//! What a tab reads again when another tab has changed what is stored: what has changed, as long as that is known.

use landfall_core::client::Input;
use landfall_core::stored::Store;

use crate::world::{World, create, patch};

/// A tab that drains, one that follows it, and another device; all three show twenty documents.
fn followed() -> World {
    let mut world = World::new(2);
    for n in 0..20 {
        world.write(1, create(&format!("d{n}"), r#"{"a":0}"#));
    }
    world.run(1);
    world.sleep();
    world.run(0);
    world.add_tab(0);
    world
}

/// The other device changes a document, and the tab that drains has it.
fn change(world: &mut World, document: &str, data: &str) {
    world.write(1, patch(document, data));
    world.run(1);
    world.sleep();
    world.run(0);
}

/// How many documents the device's disk gives out while a tab does all it has to do.
fn read_by(world: &mut World, tab: usize) -> usize {
    let before = world.tabs[tab].disk.borrow().documents_read;
    world.run(tab);
    world.tabs[tab].disk.borrow().documents_read - before
}

#[test]
fn only_what_another_tab_has_changed_is_read_again() {
    let mut world = followed();
    change(&mut world, "d7", r#"{"a":1}"#);
    change(&mut world, "d9", r#"{"a":2}"#);
    assert!(world.tabs[2].hinted);
    assert_eq!(read_by(&mut world, 2), 2);
    assert_eq!(world.text(2, "d7").as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(world.text(2, "d9").as_deref(), Some(r#"{"a":2}"#));
    assert_eq!(world.tabs[2].stale, 0);
    world.rest();
}

#[test]
fn a_hint_of_a_write_alone_reads_no_document() {
    let mut world = followed();
    world.app.tail = usize::MAX;
    world.reopen(2, false);
    world.run(2);
    world.tabs[0].input(Input::Pause(true), world.now);
    world.write(0, patch("d3", r#"{"a":1}"#));
    assert_eq!(read_by(&mut world, 2), 0);
    assert_eq!(world.text(2, "d3").as_deref(), Some(r#"{"a":1}"#));
    world.tabs[0].input(Input::Pause(false), world.now);
    world.rest();
}

#[test]
fn a_write_stays_in_view_until_its_effect_is_there_in_every_tab() {
    let mut world = followed();
    world.write(2, patch("d3", r#"{"a":1}"#));
    // Step by step, so that the other tab looks at everything that is ever stored.
    while world.disk_step(0) || world.network_step(0) {
        world.tabs[2].hinted = true;
        world.disk(2);
    }
    assert_eq!(world.stream(2, "d3"), [Some(r#"{"a":0}"#.to_owned()), Some(r#"{"a":1}"#.to_owned())]);
    assert_eq!(world.tabs[2].client.state().pending, 0);
    assert_eq!(world.tabs[2].stale, 0);
    world.rest();
}

#[test]
fn a_tab_that_slept_for_longer_than_changes_are_kept_reads_everything_again() {
    let mut world = followed();
    for n in 0..100 {
        change(&mut world, "d7", &format!(r#"{{"a":{n}}}"#));
        world.tabs[2].hinted = false;
    }
    let kept = world.tabs[0].disk.borrow().count(Store::Changes);
    assert!((20..=40).contains(&kept), "{kept} are kept");
    world.tabs[2].hinted = true;
    assert_eq!(read_by(&mut world, 2), 20);
    assert_eq!(world.tabs[2].stale, 1);
    assert_eq!(world.text(2, "d7").as_deref(), Some(r#"{"a":99}"#));
    // From here on it knows what has changed again.
    change(&mut world, "d8", r#"{"a":1}"#);
    assert_eq!(read_by(&mut world, 2), 1);
    world.rest();
}

#[test]
fn a_server_restored_from_a_backup_leaves_no_tab_with_what_it_has_forgotten() {
    let mut world = followed();
    world.server.lose_everything();
    world.sleep();
    world.run(0);
    world.run(2);
    assert_eq!(world.tabs[0].view(), world.tabs[2].view());
    assert!(world.tabs[2].stale > 0);
}
