//! The same stories with the power cut after every single step.

use crate::world::{Fault, World, create, delete, patch};

/// Tells a story once, then again with a crash after each of its steps, with and without the loss of
/// what was not synced.
fn check(story: fn(&mut World)) {
    let tell = |crash| {
        let mut world = World::new(2);
        world.crash = crash;
        story(&mut world);
        world.rest();
        world
    };
    let whole = tell(None);
    for step in 1..whole.steps {
        for power_cut in [false, true] {
            let world = tell(Some((step, power_cut)));
            assert_eq!(world.server.visible(), whole.server.visible(), "crash after step {step}");
        }
    }
}

#[test]
fn writes_survive_a_crash_after_any_step() {
    check(|world| {
        world.write(0, create("d", r#"{"a":1}"#));
        world.write(0, create("e", r#"{"a":1}"#));
        world.run(0);
        world.write(0, patch("d", r#"{"a":2}"#));
        world.request(0);
        world.write(0, patch("d", r#"{"b":3}"#));
        world.run(0);
    });
}

#[test]
fn lost_replies_double_nothing_whatever_crashes_in_between() {
    check(|world| {
        world.faults.extend([Fault::None, Fault::LoseReply, Fault::Twice, Fault::LoseReply]);
        for n in 0..3 {
            world.write(0, create(&format!("d{n}"), r#"{"a":1}"#));
            world.run(0);
        }
        world.write(0, patch("d0", r#"{"a":2}"#));
    });
}

#[test]
fn refused_writes_are_kept_through_a_crash_after_any_step() {
    check(|world| {
        world.write(0, create("d", r#"{"a":"unacceptable"}"#));
        world.write(0, patch("d", r#"{"b":1}"#));
        world.write(0, create("e", r#"{"a":1}"#));
        world.run(0);
        world.write(0, patch("e", r#"{"a":"unacceptable"}"#));
        world.write(0, patch("e", r#"{"b":2}"#));
        world.run(0);
    });
}

#[test]
fn deleting_and_making_again_survives_a_crash_after_any_step() {
    check(|world| {
        world.write(0, create("d", r#"{"a":1}"#));
        world.write(0, delete("d"));
        world.request(0);
        world.write(0, create("d", r#"{"b":1}"#));
        world.run(0);
        world.write(0, delete("d"));
        world.run(0);
        world.write(0, create("d", r#"{"c":1}"#));
    });
}

#[test]
fn small_pages_from_another_device_survive_a_crash_after_any_step() {
    check(|world| {
        world.server.limit = 1;
        world.run(1);
        for n in 0..3 {
            world.write(1, create(&format!("d{n}"), r#"{"a":1}"#));
        }
        world.write(1, patch("d1", r#"{"a":2}"#));
        world.run(1);
        world.run(0);
        world.write(0, patch("d1", r#"{"b":3}"#));
        world.write(1, delete("d2"));
        world.run(1);
    });
}
