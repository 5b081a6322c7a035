//! Documents that somebody has written to are in memory when somebody wants them, and not because writes wait.

use landfall_core::client::Input;
use landfall_core::clock::Stamp;
use landfall_core::mutation::Mutation;
use landfall_core::stored::{Network, Store, Urgency};

use crate::world::{World, create, delete, key, patch};

/// Devices whose apps read nothing that they do not ask for; they all have `d`.
fn lean(skews: &[i64]) -> World {
    let mut world = World::new(0);
    world.app.frugal = true;
    for (device, skew) in skews.iter().enumerate() {
        world.add_device(device, *skew);
        world.run(device);
    }
    know(&mut world, 0, "d");
    world.write(0, create("d", r#"{"a":0}"#));
    world.rest();
    (0..skews.len()).for_each(|tab| pull(&mut world, tab));
    world
}

/// Lets a tab fetch what is new.
fn pull(world: &mut World, tab: usize) {
    world.now.0 += 60_000;
    let now = world.now;
    world.tabs[tab].input(Input::Tick, now);
    world.run(tab);
}

fn know(world: &mut World, tab: usize, document: &str) {
    let now = world.now;
    world.tabs[tab].know(key(document), now);
}

fn text(world: &mut World, tab: usize, document: &str) -> Option<String> {
    know(world, tab, document);
    world.text(tab, document)
}

fn stamps(pushes: &[String]) -> Vec<Stamp> {
    let batches = pushes.iter().map(|body| serde_json::from_str::<serde_json::Value>(body).unwrap());
    let mutations = batches.flat_map(|batch| batch["mutations"].as_array().unwrap().clone());
    mutations.map(|mutation| serde_json::from_value::<Mutation>(mutation).unwrap().stamp).collect()
}

#[test]
fn a_tab_that_is_opened_with_pending_writes_reads_no_document_for_them_and_keeps_none() {
    let mut world = lean(&[0]);
    let now = world.now;
    world.tabs[0].input(Input::Pause(true), now);
    world.write(0, patch("d", r#"{"b":1}"#));
    world.write(0, patch("d", r#"{"b":2}"#));
    know(&mut world, 0, "e");
    world.write(0, create("e", r#"{"a":1}"#));
    world.reopen(0, true);
    world.tabs[0].input(Input::Pause(true), now);
    world.disk(0);
    assert!(!world.tabs[0].client.is_loaded(&key("d")));
    world.tabs[0].input(Input::Pause(false), now);
    world.rest();
    assert!(!world.tabs[0].client.is_loaded(&key("d")), "nobody has asked for it");
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":0,"b":2}"#);
    assert_eq!(text(&mut world, 0, "d").as_deref(), Some(r#"{"a":0,"b":2}"#));
    assert_eq!(text(&mut world, 0, "e").as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn what_a_delete_hides_comes_back_whole_with_a_write_that_waits_and_whose_document_nobody_reads() {
    for packed in [false, true] {
        let mut world = lean(&[0, 0]);
        let now = world.now;
        let urgency = Urgency { network: Network::Unmetered, ..Urgency::default() };
        world.tabs[0].input(Input::Metered(true), now);
        world.tabs[0].write_with(&[(patch("d", r#"{"b":1}"#), urgency)], false, now).unwrap();
        world.disk(0);
        world.reopen(0, false);
        world.tabs[0].input(Input::Metered(true), now);
        know(&mut world, 1, "d");
        world.write(1, delete("d"));
        // More than goes into the base at once.
        for n in 0..if packed { 300 } else { 0 } {
            know(&mut world, 1, &format!("x{n}"));
            world.write(1, create(&format!("x{n}"), r#"{"a":1}"#));
        }
        world.run(1);
        pull(&mut world, 0);
        let base = world.tabs[0].disk.borrow().records(Store::Base);
        let row = base.iter().find(|(row, _)| format!("{row:?}").contains("\\0d\""));
        let deleted = row.filter(|(_, text)| text.contains(r#""x":""#));
        assert!(deleted.is_some_and(|(_, text)| text.contains(r#"{"a":0}"#)), "{row:?}");
        assert!(!world.tabs[0].client.is_loaded(&key("d")));
        world.tabs[0].input(Input::Metered(false), now);
        world.rest();
        assert_eq!(text(&mut world, 0, "d"), text(&mut world, 1, "d"));
    }
}

#[test]
fn a_write_goes_above_the_one_before_it_that_is_confirmed_in_a_document_nobody_reads() {
    let mut world = lean(&[1_900]);
    world.write(0, patch("d", r#"{"a":1}"#));
    world.request(0);
    world.tabs[0].skew = 0;
    world.now.0 += 500;
    world.write(0, patch("d", r#"{"a":2}"#));
    while world.tabs[0].client.state().pending > 1 {
        assert!(world.disk_step(0) || world.network_step(0));
    }
    let before = stamps(&world.tabs[0].pushes);
    world.reopen(0, false);
    world.rest();
    let after = stamps(&world.tabs[0].pushes);
    assert!(before.iter().max() < after.iter().max(), "{before:?} {after:?}");
    assert_eq!(world.server.visible()[&key("d")], r#"{"a":2}"#);
}
