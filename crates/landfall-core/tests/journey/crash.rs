//! The same stories with the power cut after every single step.

use crate::world::{World, create, delete, patch};

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
