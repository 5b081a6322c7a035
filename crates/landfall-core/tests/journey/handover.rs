//! Signing in and out: what a guest wrote goes along, and nothing is deleted that is nowhere else.

use landfall_core::client::{Input, Remote};
use landfall_core::code::Code;

use crate::world::{World, create, patch};

/// A guest with two writes, the first tab, and whoever signs in on that device, the second.
fn guest_and_user() -> World {
    let mut world = World::new(0);
    world.remote = Remote::SignedOut;
    world.add_device(0, 0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.write(0, patch("d", r#"{"b":2}"#));
    world.remote = Remote::Present;
    world.add_device(0, 0);
    world.disk(1);
    world
}

/// What the second tab does about what the first one has.
fn claim(world: &mut World) {
    let legacy = world.tabs[0].legacy();
    let through = legacy.through;
    world.tabs[1].adopt(legacy, world.now);
    world.disk(1);
    world.tabs[0].seal(Some(through), world.now).unwrap();
    world.disk(0);
}

#[test]
fn what_a_guest_wrote_is_sent_as_whoever_signs_in() {
    let mut world = guest_and_user();
    claim(&mut world);
    assert_eq!(world.tabs[0].unsaved, [], "nothing keeps the guest's database");
    assert_eq!(world.text(1, "d").as_deref(), Some(r#"{"a":1,"b":2}"#), "visible at once");
    world.tabs.remove(0);
    world.rest();
    assert_eq!(world.server.applied.len(), 2);
}

#[test]
fn a_crash_between_any_two_steps_of_that_loses_nothing_and_doubles_nothing() {
    for step in 1.. {
        let mut world = guest_and_user();
        // Nothing is sent before both have come to their end.
        world.remote = Remote::SignedOut;
        let crash = world.steps + step;
        world.crash = Some((crash, false));
        claim(&mut world);
        let crashed = world.steps >= crash;
        // Whoever crashed begins anew, with whatever there is.
        world.disk(0);
        world.disk(1);
        claim(&mut world);
        assert_eq!(world.tabs[1].client.entries().len(), 2, "crashed at step {step}");
        world.tabs.remove(0);
        world.remote = Remote::Present;
        world.reopen(0, false);
        world.rest();
        assert_eq!(world.server.applied.len(), 2, "crashed at step {step}");
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1,"b":2}"#));
        if !crashed {
            assert!(step > 4, "reading, storing and answering, in both databases");
            return;
        }
    }
}

#[test]
fn a_guest_who_goes_on_writing_keeps_the_database() {
    let mut world = guest_and_user();
    world.remote = Remote::SignedOut;
    let other = world.add_tab(0);
    let legacy = world.tabs[0].legacy();
    let through = legacy.through;
    world.tabs[1].adopt(legacy, world.now);
    world.disk(1);
    world.write(other, create("e", r#"{"a":1}"#));
    world.tabs[0].seal(Some(through), world.now).unwrap();
    world.disk(0);
    assert_eq!(world.tabs[0].unsaved, [Code::PendingWrites]);
    claim(&mut world);
    assert_eq!(world.tabs[1].client.entries().len(), 3, "nothing is here twice");
    world.tabs.remove(other);
    world.tabs.remove(0);
    world.rest();
    assert_eq!(world.server.applied.len(), 3);
}

#[test]
fn signing_out_is_refused_while_something_is_not_on_the_server() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    let refused = world.tabs[0].seal(None, world.now).unwrap_err();
    assert_eq!(
        (refused.code, &*refused.message),
        (Code::PendingWrites, "not on the server yet: 1 of what was written here")
    );
    let refused = world.write(0, create("e", r#"{"a":"unacceptable"}"#));
    world.rest();
    assert_eq!(
        world.tabs[0].seal(None, world.now).unwrap_err().code,
        Code::PendingWrites,
        "{refused} is parked"
    );
}

#[test]
fn what_another_tab_has_just_written_keeps_the_database() {
    let mut world = World::new(1);
    world.run(0);
    let other = world.add_tab(0);
    world.write(other, create("d", r#"{"a":1}"#));
    world.tabs[0].seal(None, world.now).unwrap();
    world.run(0);
    assert_eq!(world.tabs[0].unsaved, [Code::PendingWrites]);
    world.rest();
    assert_eq!(world.server.applied.len(), 1);
}

#[test]
fn nothing_is_left_of_a_database_that_is_given_up_and_nobody_can_write_to_it() {
    let mut world = World::new(1);
    let other = world.add_tab(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    world.tabs[0].seal(None, world.now).unwrap();
    world.disk(0);
    assert_eq!(world.tabs[0].unsaved, []);
    world.tabs[other].write(&[create("e", r#"{"a":1}"#)], world.now).unwrap();
    world.tabs[other].hinted = true;
    world.disk(other);
    assert_eq!(world.tabs[other].unsaved, [Code::SignedOut]);
    assert!(world.tabs[other].ended, "whoever looks is told");
    world.reopen(other, false);
    world.disk(other);
    assert!(world.tabs[other].ended && !world.tabs[other].ready);
    let disk = world.tabs[0].disk.borrow();
    let left: usize = landfall_core::stored::Store::ALL.into_iter().map(|store| disk.count(store)).sum();
    assert_eq!(left, 1, "the seal itself, and the installation's name is gone");
}

/// The tab that signs out has not heard of it, and has written something later itself.
#[test]
fn signing_out_does_not_delete_what_another_tab_has_written_in_between() {
    for discard in [false, true] {
        let mut world = World::new(1);
        let other = world.add_tab(0);
        world.rest();
        world.write(other, create("theirs", r#"{"a":1}"#));
        world.tabs[0].hinted = false;
        world.write(0, create("mine", r#"{"a":1}"#));
        world.tabs[0].hinted = false;
        world.network_step(0);
        world.network_step(0);
        world.disk(0);
        let through = discard.then(|| world.tabs[0].legacy().through);
        if world.tabs[0].seal(through, world.now).is_ok() {
            world.disk(0);
        }
        assert_eq!(world.tabs[0].unsaved, [Code::PendingWrites], "discard {discard}");
        world.rest();
        assert_eq!(world.server.applied.len(), 2);
    }
}

/// Found by the simulator (seed 1158): records are counted anew where everything was deleted.
#[test]
fn signing_out_of_a_database_that_is_gone_does_not_delete_the_one_that_was_made_since() {
    let mut world = World::new(1);
    let other = world.add_tab(0);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.request(0);
    world.network_step(0);
    world.disk(0);
    // Its record is not needed any more, and still there.
    world.tabs[0].disk.borrow_mut().evict();
    let now = world.now;
    world.tabs[other].input(Input::Refresh, now);
    world.write(other, create("e", r#"{"a":1}"#));
    world.tabs[0].hinted = false;
    world.tabs[0].seal(None, now).unwrap();
    world.disk(0);
    assert_eq!(world.tabs[0].unsaved, [Code::PendingWrites]);
    world.rest();
    assert_eq!(world.server.applied.len(), 2);
}
