//! What waits behind much else is in the journal alone: it is read when somebody asks for its document, and before it is
//! sent.

use landfall_core::client::Input;
use landfall_core::id::MutationId;
use landfall_core::stored::{Network, Urgency};

use crate::world::{World, create, delete, key, patch};

/// A device that has written to ten documents and is opened anew: nothing of that was sent, and nothing is asked for.
fn waiting() -> (World, Vec<MutationId>) {
    let mut world = World::new(1);
    world.run(0);
    world.lead(0, false);
    let document = |n: usize| format!("d{n}");
    let mut ids: Vec<_> = (0..10).map(|n| world.write(0, create(&document(n), r#"{"a":1}"#))).collect();
    ids.extend((0..10).map(|n| world.write(0, patch(&document(n), r#"{"b":2}"#))));
    reopen(&mut world, 0);
    (world, ids)
}

fn reopen(world: &mut World, tab: usize) {
    world.app.frugal = true;
    world.reopen(tab, false);
    world.disk(tab);
}

/// How many pending writes are in memory as heads, and how many whole.
fn held(world: &World, tab: usize) -> (usize, usize) {
    let entries = world.tabs[tab].client.entries();
    let heads = entries.iter().filter(|entry| entry.fields.is_none()).count();
    (heads, entries.len() - heads)
}

#[test]
fn what_nobody_asks_for_is_in_the_journal_alone_until_it_is_sent() {
    let (mut world, ids) = waiting();
    assert_eq!((held(&world, 0), world.tabs[0].client.export().unread), ((20, 0), 20));
    world.lead(0, true);
    world.rest();
    assert_eq!(world.server.applied, ids, "in the order of writing, each once");
    assert_eq!(world.server.visible()[&key("d7")], r#"{"a":1,"b":2}"#);
}

#[test]
fn the_first_part_of_the_journal_is_in_memory_whole() {
    let (mut world, _) = waiting();
    world.app.tail = 1_000;
    reopen(&mut world, 0);
    let (heads, whole) = held(&world, 0);
    assert!(heads > 10 && whole > 1, "{heads} and {whole}");
    world.app.tail = usize::MAX;
    reopen(&mut world, 0);
    assert_eq!(held(&world, 0), (0, 20));
}

#[test]
fn a_document_is_read_together_with_what_is_written_to_it() {
    let (mut world, _) = waiting();
    let now = world.now;
    world.tabs[0].know(key("d3"), now);
    assert_eq!(world.text(0, "d3").as_deref(), Some(r#"{"a":1,"b":2}"#));
    assert_eq!(held(&world, 0), (18, 2));
    let unread = world.tabs[0].client.unread(None, usize::MAX);
    unread.into_iter().for_each(|key| world.tabs[0].know(key, now));
    assert_eq!(world.tabs[0].client.export().items.len(), 20);
}

#[test]
fn what_another_tab_writes_to_a_document_that_is_shown_is_shown_whole() {
    let (mut world, _) = waiting();
    let now = world.now;
    world.tabs[0].know(key("d3"), now);
    let other = world.add_tab(0);
    world.tabs[other].know(key("d3"), now);
    world.write(other, patch("d3", r#"{"b":3}"#));
    world.disk(0);
    assert_eq!(world.text(0, "d3").as_deref(), Some(r#"{"a":1,"b":3}"#));
    assert_eq!(held(&world, 0), (18, 3));
}

#[test]
fn what_another_tab_has_brought_to_an_end_is_not_missed_in_the_journal() {
    let (mut world, ids) = waiting();
    let other = world.add_tab(0);
    world.lead(other, true);
    world.run(other);
    world.sleep();
    world.run(other);
    assert_eq!(world.server.applied, ids);
    world.tabs[0].hinted = false;
    let now = world.now;
    world.tabs[0].know(key("d3"), now);
    assert_eq!(world.text(0, "d3").as_deref(), Some(r#"{"a":1,"b":2}"#), "confirmed");
    world.disk(0);
    assert_eq!(held(&world, 0), (0, 0), "and that is found out");
}

#[test]
fn what_was_in_the_journal_alone_when_that_was_deleted_is_counted() {
    let (mut world, _) = waiting();
    let now = world.now;
    world.tabs[0].know(key("d3"), now);
    world.tabs[0].disk.borrow_mut().evict();
    world.tabs[0].input(Input::Refresh, now);
    world.disk(0);
    assert_eq!(world.tabs[0].client.state().lost, 18);
    world.lead(0, true);
    world.run(0);
    assert_eq!(world.server.visible()[&key("d3")], r#"{"a":1,"b":2}"#, "what was in memory is saved again");
}

#[test]
fn of_a_transaction_all_is_lost_with_the_journal_or_nothing() {
    let mut world = World::new(1);
    world.run(0);
    world.lead(0, false);
    let now = world.now;
    let both = ["d", "e"].map(|document| (create(document, r#"{"a":1}"#), Urgency::default()));
    world.tabs[0].write_with(&both, true, now);
    world.disk(0);
    reopen(&mut world, 0);
    world.tabs[0].know(key("d"), now);
    assert_eq!(held(&world, 0), (1, 1));
    world.tabs[0].disk.borrow_mut().evict();
    world.tabs[0].input(Input::Refresh, now);
    world.disk(0);
    assert_eq!((world.tabs[0].client.state().lost, held(&world, 0)), (2, (0, 0)));
}

#[test]
fn a_delete_keeps_what_a_write_may_bring_back_that_is_in_the_journal_alone() {
    let mut world = World::new(2);
    world.write(0, create("d", r#"{"a":1,"b":2}"#));
    world.rest();
    world.write(1, delete("d"));
    world.run(1);
    let now = world.now;
    world.tabs[0].input(Input::Metered(true), now);
    let waits = Urgency { network: Network::Unmetered, ..Urgency::default() };
    world.tabs[0].write_with(&[(patch("d", r#"{"a":3}"#), waits)], false, now);
    world.disk(0);
    world.lead(0, false);
    reopen(&mut world, 0);
    assert_eq!(held(&world, 0), (1, 0));
    world.tabs[0].input(Input::Metered(true), now);
    world.lead(0, true);
    world.run(0);
    let now = world.now;
    world.tabs[0].know(key("d"), now);
    assert_eq!(world.text(0, "d").as_deref(), Some(r#"{"a":3,"b":2}"#));
}
