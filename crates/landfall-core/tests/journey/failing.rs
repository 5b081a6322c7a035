//! A disk on which one transaction fails, whichever it is: nothing is lost by that, and nothing gets stuck.

use landfall_core::client::Act;
use landfall_core::code::Code;
use landfall_core::id::MutationId;
use landfall_core::intent::Intent;
use landfall_core::mutation::Change;

use crate::tab::App;
use crate::world::{World, change, create, delete, key, patch};

/// What a person does who is told that a write was not saved: the same again.
fn write(world: &mut World, intent: &Intent) -> MutationId {
    let told = world.tabs[0].unsaved.len();
    let id = world.write(0, intent.clone());
    if world.tabs[0].unsaved.len() == told { id } else { world.write(0, intent.clone()) }
}

fn attend(world: &mut World, id: MutationId, act: &Act) {
    let told = world.tabs[0].unsaved.len();
    world.attend(0, id, act.clone()).expect("a decision that makes sense");
    world.disk(0);
    if world.tabs[0].unsaved.len() > told {
        world.attend(0, id, act.clone()).expect("a decision that makes sense");
        world.disk(0);
    }
}

/// A life of two devices, the first with two tabs, on whose disk this transaction fails. Says whether there was one.
fn live(breaks: usize) -> bool {
    let mut world = World::new(0);
    world.app = App { indexes: vec!["a".to_owned()], ..world.app };
    (0..2).for_each(|device| world.add_device(device, 0));
    world.add_tab(0);
    // A tab that could not read what another has stored reads it when somebody looks at it.
    world.watched = true;
    world.rest();
    world.tabs[0].disk.borrow_mut().breaks = Some(breaks);
    world.server.limit = 2;

    write(&mut world, &create("d", r#"{"a":1}"#));
    let bad = write(&mut world, &create("bad", r#"{"a":"unacceptable"}"#));
    write(&mut world, &patch("bad", r#"{"b":1}"#));
    for n in 0..5 {
        world.write(1, create(&format!("e{n}"), r#"{"a":2}"#));
    }
    world.rest();
    write(&mut world, &change("d", "/count", Change::Increment(2)));
    world.write(1, patch("d", r#"{"a":3}"#));
    let fields = patch("bad", r#"{"a":4}"#).fields().unwrap();
    attend(&mut world, bad, &Act::Edit(fields));
    world.rest();
    let worse = write(&mut world, &patch("d", r#"{"a":"unacceptable"}"#));
    world.rest();
    attend(&mut world, worse, &Act::Discard);
    write(&mut world, &delete("e0"));
    world.rest();
    world.server.forget_deletes();
    world.write(1, patch("d", r#"{"a":5}"#));
    world.rest();

    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":5,"count":2}"#), "{breaks}");
    assert_eq!(world.text(0, "bad").as_deref(), Some(r#"{"a":4,"b":1}"#), "{breaks}");
    assert_eq!(world.server.visible().len(), 6, "{breaks}");
    assert!(!world.server.visible().contains_key(&key("e0")), "{breaks}");
    assert!(world.tabs[0].unsaved.iter().all(|code| *code == Code::StorageUnavailable), "{breaks}");
    world.tabs[0].disk.borrow().breaks.is_none()
}

#[test]
fn whichever_transaction_fails_nothing_is_lost_by_it() {
    let lives = (0..).take_while(|breaks| live(*breaks)).count();
    assert!(lives > 30, "{lives} transactions");
}
