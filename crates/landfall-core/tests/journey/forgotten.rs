//! What was deleted goes from the device too, once the server has forgotten it, and does not come back.

use landfall_core::client::{Act, Input, Status};
use landfall_core::drain::Nudge;
use landfall_core::intent::Intent;
use landfall_core::stored::{BaseRow, Network, Store, Urgency, read};

use crate::world::{World, create, delete, patch};

/// More than are looked through at once.
const MANY: usize = 900;

/// Deletes that a device remembers.
fn remembered(world: &World, tab: usize) -> usize {
    let base = world.tabs[tab].disk.borrow().records(Store::Base);
    base.values().filter(|text| read::<BaseRow>(text).unwrap().deleted.is_some()).count()
}

fn write_all(world: &mut World, intents: Vec<Intent>) {
    let intents: Vec<_> = intents.into_iter().map(|intent| (intent, Urgency::default())).collect();
    let now = world.now;
    world.tabs[0].write_with(&intents, false, now).unwrap();
    world.rest();
}

/// Everybody asks for news.
fn ask(world: &mut World) {
    for tab in 0..world.tabs.len() {
        world.tabs[tab].input(Input::Nudge(Nudge::Asked), world.now);
        world.run(tab);
    }
}

/// Many documents, of which every second is deleted, on two devices.
fn history() -> World {
    let mut world = World::new(2);
    world.rest();
    let name = |n: usize| format!("d{n:04}");
    write_all(&mut world, (0..MANY).map(|n| create(&name(n), r#"{"a":1}"#)).collect());
    write_all(&mut world, (0..MANY).step_by(2).map(|n| delete(&name(n))).collect());
    world
}

#[test]
fn what_the_server_has_forgotten_is_forgotten_by_whoever_was_there_all_the_time() {
    let mut world = history();
    for tab in 0..2 {
        assert_eq!(remembered(&world, tab), MANY / 2);
    }
    world.server.forget_deletes();
    ask(&mut world);
    for tab in 0..2 {
        assert_eq!(remembered(&world, tab), 0);
        assert_eq!(world.tabs[tab].disk.borrow().records(Store::Base).len(), MANY / 2);
    }
    // Whoever makes one of them anew begins with nothing.
    world.write(1, create("d0000", r#"{"b":2}"#));
    world.rest();
    ask(&mut world);
    for tab in 0..2 {
        assert_eq!(world.text(tab, "d0000").as_deref(), Some(r#"{"b":2}"#));
    }
    // And what is deleted from now on is remembered until it is forgotten as well.
    world.write(0, delete("d0001"));
    world.rest();
    ask(&mut world);
    assert_eq!((remembered(&world, 0), remembered(&world, 1)), (1, 1));
    world.server.forget_deletes();
    ask(&mut world);
    assert_eq!((remembered(&world, 0), remembered(&world, 1)), (0, 0));
}

#[test]
fn looking_for_it_goes_on_wherever_it_was_cut_off() {
    for step in 0..16 {
        for power_cut in [false, true] {
            let mut world = history();
            world.server.forget_deletes();
            world.crash = Some((world.steps + step, power_cut));
            ask(&mut world);
            world.sleep();
            world.rest();
            ask(&mut world);
            assert_eq!(remembered(&world, 0), 0, "crash after step {step}, power cut {power_cut}");
        }
    }
}

#[test]
fn what_somebody_has_written_to_is_not_brought_back_either() {
    let mut world = World::new(2);
    world.rest();
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    ask(&mut world);
    world.tabs[1].input(Input::Metered(true), world.now);
    let unmetered = Urgency { network: Network::Unmetered, ..Urgency::default() };
    let now = world.now;
    let late = world.tabs[1].write_with(&[(patch("d", r#"{"b":2}"#), unmetered)], false, now).unwrap()[0];
    world.write(0, delete("d"));
    world.rest();
    ask(&mut world);
    assert_eq!((remembered(&world, 0), remembered(&world, 1)), (1, 1));
    world.server.forget_deletes();
    ask(&mut world);
    assert_eq!((remembered(&world, 0), remembered(&world, 1), world.text(1, "d")), (0, 0, None));
    world.tabs[1].input(Input::Metered(false), world.now);
    world.rest();
    assert_eq!(world.tabs[1].client.entries()[0].status, Status::NeedsAttention);
    assert_eq!(world.text(1, "d"), None, "nothing brings it back");
    world.attend(1, late, Act::Discard).unwrap();
    world.write(0, create("e", "{}"));
    world.rest();
    world.server.forget_deletes();
    ask(&mut world);
    assert_eq!((remembered(&world, 0), remembered(&world, 1)), (0, 0));
}
