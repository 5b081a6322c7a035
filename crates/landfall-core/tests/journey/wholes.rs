//! Documents that are decided as wholes, as their writers see that happen.

use landfall_core::conflict::Policy;

use crate::world::{World, create, patch};

/// Two devices that have one form, and then write apart from each other.
fn apart() -> World {
    let mut world = World::new(2);
    world.server.policy = Policy::DocumentLastWriteWins;
    world.write(0, create("d", r#"{"status":"planned"}"#));
    world.rest();
    world
}

fn both(world: &World) -> [Option<String>; 2] {
    [0, 1].map(|tab| world.text(tab, "d"))
}

#[test]
fn whoever_loses_sees_their_own_until_the_other_document_is_there_whole() {
    let mut world = apart();
    world.write(0, patch("d", r#"{"rating":2}"#));
    world.sleep();
    world.write(1, patch("d", r#"{"notes":"roof ok"}"#));
    world.run(1);
    world.run(0);
    // The answer says that something else stands; what that is comes with the pull.
    let stream = world.stream(0, "d");
    let mine = r#"{"rating":2,"status":"planned"}"#;
    let theirs = r#"{"notes":"roof ok","status":"planned"}"#;
    world.rest();
    assert_eq!(both(&world), [Some(theirs.to_owned()), Some(theirs.to_owned())]);
    assert_eq!(world.server.conflicts.len(), 1);
    let lost = world.server.conflicts[0].value.as_ref().map(|value| value.text().to_owned());
    assert_eq!(lost.as_deref(), Some(mine));
    assert!(
        !stream.iter().flatten().any(|text| text.contains("rating") && text.contains("notes")),
        "{stream:?}"
    );
}

#[test]
fn what_was_written_offline_in_several_steps_stands_with_all_of_them() {
    let mut world = apart();
    world.write(0, patch("d", r#"{"rating":2}"#));
    world.sleep();
    world.write(1, patch("d", r#"{"notes":"roof ok"}"#));
    world.run(1);
    world.sleep();
    world.write(0, patch("d", r#"{"status":"done"}"#));
    world.rest();
    let mine = r#"{"rating":2,"status":"done"}"#;
    assert_eq!(both(&world), [Some(mine.to_owned()), Some(mine.to_owned())]);
    // One for each batch that lost or won.
    let conflicts = world.server.conflicts.len();
    assert!((1..=2).contains(&conflicts));

    // Both know what stands, so nobody loses anything.
    world.write(1, patch("d", r#"{"notes":"again"}"#));
    world.rest();
    world.write(0, patch("d", r#"{"rating":3}"#));
    world.rest();
    let end = r#"{"notes":"again","rating":3,"status":"done"}"#;
    assert_eq!(both(&world), [Some(end.to_owned()), Some(end.to_owned())]);
    assert_eq!(world.server.conflicts.len(), conflicts);
}
