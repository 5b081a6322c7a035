//! From the promise that a write is saved to its one effect on the server.

use crate::world::{Fault, World, create, delete, key, patch};

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
