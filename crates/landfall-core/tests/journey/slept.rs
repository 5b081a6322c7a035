//! A tab that has slept hears what was decided about its writes meanwhile.

use landfall_core::client::{Act, Status};

use crate::attention::{BAD, attend, pause};
use crate::world::{World, create};

/// Found by the simulator (seeds 287 and 1226): the verdict was gone before the tab looked, and it took the write for one
/// that was accepted and is in the base.
#[test]
fn a_tab_that_has_slept_through_the_discarding_of_its_write_is_told_so() {
    for refused in [false, true] {
        let mut world = World::new(1);
        world.run(0);
        let sleeper = world.add_tab(0);
        pause(&mut world, 0, !refused);
        let id = world.write(sleeper, create("d", if refused { BAD } else { r#"{"a":1}"# }));
        world.run(0);
        attend(&mut world, 0, id, Act::Discard);
        pause(&mut world, 0, false);
        for name in ["e", "f"] {
            world.run(0);
            world.write(0, create(name, r#"{"a":1}"#));
        }
        world.run(0);
        assert!(world.tabs[sleeper].settled.is_empty());
        world.tabs[sleeper].hinted = true;
        world.rest();
        let told = world.tabs[sleeper].settled.iter().find(|one| one.id == id);
        assert_eq!(told.map(|one| one.status), Some(Status::Discarded), "refused: {refused}");
    }
}

/// Found by the simulator (seed 287): what stood in for the write was refused too before the tab looked.
#[test]
fn a_tab_that_has_slept_through_the_retry_of_its_write_hears_what_became_of_that() {
    let mut world = World::new(1);
    world.run(0);
    let sleeper = world.add_tab(0);
    let mut id = world.write(sleeper, create("d", BAD));
    let mut names = vec![id];
    world.run(0);
    for name in ["e", "f"] {
        id = attend(&mut world, 0, id, Act::Retry)[0];
        names.push(id);
        world.run(0);
        world.write(0, create(name, r#"{"a":1}"#));
        world.run(0);
    }
    world.tabs[sleeper].hinted = true;
    world.rest();
    let told: Vec<_> = world.tabs[sleeper].settled.iter().map(|one| (one.id, one.status)).collect();
    assert_eq!(told, [(id, Status::NeedsAttention)], "of {names:?}");
}
