//! What is stored is taken away, or cannot be read: found out, told, and as little as possible is lost.

use landfall_core::client::{Act, Input, Status};
use landfall_core::stored::{Network, Store, Urgency};

use crate::world::{Fault, World, create, patch};

/// One device with two tabs, of which the first drains, and a server that cannot be reached: writes of both, one of
/// them refused before.
fn with_writes() -> World {
    let mut world = World::new(1);
    world.run(0);
    world.add_tab(0);
    world.write(0, create("refused", r#"{"a":"unacceptable"}"#));
    world.write(0, create("there", r#"{"a":1}"#));
    world.rest();
    world.lead(0, false);
    world.write(0, patch("there", r#"{"a":2}"#));
    world.write(0, create("mine", r#"{"a":1}"#));
    world.write(1, create("theirs", r#"{"a":1}"#));
    for tab in [0, 1] {
        look(&mut world, tab);
    }
    world
}

/// Has a tab look at what is stored, and no more.
fn look(world: &mut World, tab: usize) {
    let now = world.now;
    world.tabs[tab].input(Input::Refresh, now);
    while world.disk_step(tab) {}
}

#[test]
fn what_tabs_remember_is_saved_again_when_what_was_stored_is_gone() {
    for first in [0, 1] {
        let mut world = with_writes();
        let told: Vec<_> = world.tabs.iter().map(|tab| tab.settled.len()).collect();
        world.tabs[0].disk.borrow_mut().evict();
        for tab in [first, 1 - first] {
            look(&mut world, tab);
        }
        let made: Vec<_> = world.tabs.iter().map(|tab| tab.client.state().made).collect();
        assert_eq!(made, [2, 1], "the first tab made the database, too");
        let since: Vec<_> = world.tabs.iter().map(|tab| tab.settled.len()).collect();
        assert_eq!(since, told, "nobody is told that a write has ended that is only gone");
        world.lead(0, true);
        world.rest();
        for (document, text) in [("there", r#"{"a":2}"#), ("mine", r#"{"a":1}"#), ("theirs", r#"{"a":1}"#)] {
            assert_eq!(world.text(0, document).as_deref(), Some(text));
            assert_eq!(world.text(1, document).as_deref(), Some(text));
        }
        assert_eq!(world.server.applied.len(), 4, "each once");
        let refused =
            world.tabs[1].client.entries().pop().map(|entry| (entry.document.to_string(), entry.status));
        assert_eq!(refused, Some(("refused".to_owned(), Status::NeedsAttention)));
    }
}

#[test]
fn what_tabs_remember_is_saved_again_every_time_that_what_was_stored_is_gone() {
    let mut world = with_writes();
    for _ in 0..3 {
        world.tabs[0].disk.borrow_mut().evict();
        for tab in [0, 1] {
            look(&mut world, tab);
        }
    }
    assert_eq!(world.tabs[0].settled.iter().filter(|one| one.status == Status::Accepted).count(), 1);
    world.lead(0, true);
    world.rest();
    assert_eq!(world.server.applied.len(), 4, "each once");
}

#[test]
fn nobody_is_told_that_a_write_has_ended_that_another_tab_is_about_to_save_again() {
    let mut world = with_writes();
    let told = world.tabs[1].settled.len();
    world.tabs[0].disk.borrow_mut().evict();
    let now = world.now;
    world.tabs[0].input(Input::Refresh, now);
    world.disk_step(0);
    look(&mut world, 1);
    assert_eq!(world.tabs[1].settled.len(), told);
    world.lead(0, true);
    world.rest();
    assert_eq!(world.server.applied.len(), 4, "each once");
}

#[test]
fn a_write_to_a_database_that_was_made_anew_does_not_take_the_place_of_an_older_one() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.faults.push_back(Fault::LoseRequest);
    world.disk(0);
    // While a push is under way it does not look at what is stored.
    world.tabs[0].disk.borrow_mut().evict();
    let now = world.now;
    world.tabs[0].input(Input::Refresh, now);
    world.write(0, create("e", r#"{"a":2}"#));
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1}"#));
    world.rest();
    assert_eq!(world.server.applied.len(), 2);
}

#[test]
fn what_is_saved_again_goes_ahead_of_what_was_written_since() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.now;
    world.tabs[0].input(Input::Pause(true), now);
    let older = ["d", "e"].map(|document| world.write(0, create(document, r#"{"a":1}"#)));
    world.tabs[0].disk.borrow_mut().evict();
    let newer = ["d", "e"].map(|document| world.write(0, patch(document, r#"{"a":2}"#)));
    look(&mut world, 0);
    world.tabs[0].input(Input::Pause(false), now);
    world.rest();
    assert_eq!(world.server.applied, [older, newer].concat());
}

#[test]
fn what_there_is_no_room_to_save_again_stays_and_is_saved_once_there_is() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.now;
    world.tabs[0].input(Input::Pause(true), now);
    world.write(0, create("d", r#"{"a":1}"#));
    world.tabs[0].disk.borrow_mut().evict();
    world.tabs[0].disk.borrow_mut().full = true;
    for _ in 0..2 {
        look(&mut world, 0);
        assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(world.tabs[0].client.state().reason.as_deref(), Some("storage_full"));
    }
    world.tabs[0].disk.borrow_mut().full = false;
    look(&mut world, 0);
    let saved = world.tabs[0].disk.borrow().texts(Store::Journal).count();
    assert_eq!(saved, 1, "with the next look, and not only once something is sent");
    world.tabs[0].input(Input::Pause(false), now);
    world.rest();
    assert_eq!(world.server.applied.len(), 1);
}

/// Found by the simulator (seeds 550 and 953).
#[test]
fn what_there_was_no_room_for_goes_ahead_of_what_was_stored_since_also_when_that_is_gone_too() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.now;
    world.tabs[0].input(Input::Pause(true), now);
    let older = world.write(0, create("d", r#"{"a":1}"#));
    world.tabs[0].disk.borrow_mut().evict();
    let newer = world.write(0, patch("d", r#"{"a":2}"#));
    world.tabs[0].disk.borrow_mut().full = true;
    look(&mut world, 0);
    world.tabs[0].disk.borrow_mut().full = false;
    world.tabs[0].disk.borrow_mut().evict();
    look(&mut world, 0);
    world.tabs[0].input(Input::Pause(false), now);
    world.rest();
    assert_eq!(world.server.applied, [older, newer]);
}

/// Found by the simulator (seed 51): the place of a refused write was taken when somebody tried it again.
#[test]
fn a_refused_write_is_tried_again_where_another_stands_that_was_saved_again() {
    let mut world = World::new(1);
    world.run(0);
    world.add_tab(0);
    world.lead(0, false);
    let now = world.now;
    world.tabs.iter_mut().for_each(|tab| tab.input(Input::Metered(true), now));
    let refused = world.write(0, create("refused", r#"{"a":"unacceptable"}"#));
    let patient = Urgency { network: Network::Unmetered, ..Urgency::default() };
    world.tabs[1].write_with(&[(create("waits", r#"{"a":1}"#), patient)], false, now).unwrap();
    world.disk(1);
    world.tabs[0].disk.borrow_mut().evict();
    for tab in [0, 1] {
        look(&mut world, tab);
    }
    world.lead(0, true);
    world.rest();
    look(&mut world, 0);
    let again = world.attend(0, refused, Act::Retry).expect("a decision that makes sense");
    world.rest();
    assert_eq!(world.tabs[0].client.entries().len(), 2, "{again:?} is refused again");
}

#[test]
fn what_a_tab_remembers_of_one_that_is_gone_is_saved_again_whoever_looks_first() {
    let mut world = with_writes();
    world.tabs[0].disk.borrow_mut().evict();
    // A tab that knows nothing makes the database, and then the writer of the others is gone.
    let fresh = world.add_tab(1);
    world.reopen(0, false);
    look(&mut world, 1);
    world.lead(0, true);
    world.rest();
    assert_eq!(world.text(fresh, "mine").as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn a_damaged_journal_is_counted_and_given_out_as_it_is() {
    let mut world = with_writes();
    world.tabs[0].disk.borrow_mut().damage(Store::Journal);
    world.tabs[0].disk.borrow_mut().damage(Store::Parked);
    let tab = world.add_tab(0);
    let client = &world.tabs[tab].client;
    assert_eq!((client.state().damaged, client.entries().len()), (client.export().damaged.len(), 0));
    assert!(
        client.export().damaged.iter().all(|text| text.starts_with('#'))
            && client.export().damaged.len() >= 3
    );
    assert_eq!(client.state().made, 0);
}

#[test]
fn a_damaged_base_is_fetched_again() {
    let mut world = World::new(1);
    world.write(0, create("d", r#"{"a":1}"#));
    world.rest();
    world.tabs[0].disk.borrow_mut().damage(Store::Base);
    let tab = world.add_tab(0);
    world.lead(0, false);
    world.lead(tab, true);
    world.rest();
    assert_eq!(world.text(tab, "d").as_deref(), Some(r#"{"a":1}"#));
}

/// A page that was asked for with a cursor says nothing of what came before it.
#[test]
fn a_base_found_damaged_while_a_page_is_on_its_way_is_fetched_whole() {
    let mut world = World::new(1);
    world.write(0, create("d", r#"{"a":1}"#));
    world.write(0, create("e", r#"{"a":2}"#));
    world.rest();
    world.tabs[0].disk.borrow_mut().damage(Store::Base);
    world.reopen(0, false);
    world.rest();
    let texts = ["d", "e"].map(|document| world.text(0, document));
    assert_eq!(texts, [r#"{"a":1}"#, r#"{"a":2}"#].map(|text| Some(text.to_owned())));
}

/// What is garbage in one database is somebody's write in the next.
#[test]
fn a_tab_that_has_not_seen_that_everything_is_gone_deletes_nothing_in_what_was_made_since() {
    let mut world = World::new(1);
    let other = world.add_tab(0);
    world.run(0);
    world.write(0, create("d", r#"{"a":1}"#));
    world.request(0);
    world.write(0, patch("d", r#"{"a":2}"#));
    world.network_step(0);
    // The first record goes with the verdict on the second.
    world.request(0);
    world.tabs[0].disk.borrow_mut().evict();
    for n in 0..3 {
        world.write(other, create(&format!("theirs{n}"), r#"{"a":1}"#));
        look(&mut world, other);
    }
    world.tabs[0].hinted = false;
    world.network_step(0);
    while world.tabs[0].disk_step(world.now) {}
    world.reopen(other, false);
    world.rest();
    assert_eq!(world.server.applied.len(), 5, "each once, and none is lost");
}

/// Bytes in a database that has nothing else of the write would go with the next look at it.
#[test]
fn the_bytes_of_a_write_are_made_final_only_where_it_is_saved() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.now;
    world.tabs[0].write(&[create("d", r#"{"a":1}"#)], now).expect("a write that makes sense");
    // It is saved, and about to be made final.
    world.disk_step(0);
    world.tabs[0].disk.borrow_mut().evict();
    while world.server.applied.is_empty() {
        assert!(world.network_step(0) || world.disk_step(0), "nothing is sent");
    }
    let records = |store| world.tabs[0].disk.borrow().count(store);
    assert_eq!((records(Store::Journal), records(Store::Sent)), (1, 1));
    world.rest();
    assert_eq!(world.server.applied.len(), 1);
}
