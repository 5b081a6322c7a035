//! A record of many writes is made shorter once most of them have ended, and nothing that is left in it is lost.

use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use landfall_core::id::MutationId;
use landfall_core::intent::Intent;
use landfall_core::stored::{JournalRecord, Network, Store, Urgency, read};

use crate::server::REFUSED;
use crate::world::{World, create, patch};

const MANY: usize = 40;

/// Many documents in one commit, of which some are for another network.
fn import(world: &mut World, tab: usize, waits: &[usize]) -> Vec<MutationId> {
    let intents: Vec<(Intent, Urgency)> = (0..MANY)
        .map(|n| {
            let network = if waits.contains(&n) { Network::Unmetered } else { Network::Any };
            (create(&format!("d{n}"), r#"{"a":1}"#), Urgency { network, ..Urgency::default() })
        })
        .collect();
    world.disk(tab);
    let now = world.tabs[tab].clock(world.now);
    let ids = world.tabs[tab].write_with(&intents, false, now).unwrap();
    world.disk(tab);
    ids
}

/// The writes in each record of the journal.
fn journal(world: &World, tab: usize) -> Vec<Vec<u64>> {
    let records = world.tabs[tab].disk.borrow().records(Store::Journal);
    let records = records.values().map(|text| read::<JournalRecord>(text).unwrap().entries);
    records.map(|entries| entries.iter().map(|entry| entry.id.n).collect()).collect()
}

fn bytes(world: &World, tab: usize) -> usize {
    let disk = world.tabs[tab].disk.borrow();
    let stores = [Store::Journal, Store::Sent, Store::Settled].map(|store| disk.records(store));
    stores.iter().flat_map(|records| records.values()).map(String::len).sum()
}

fn meter(world: &mut World, metered: bool) {
    for tab in 0..world.tabs.len() {
        world.tabs[tab].input(Input::Metered(metered), world.now);
    }
}

#[test]
fn what_waits_of_an_import_keeps_nothing_else_of_it() {
    let mut world = World::new(1);
    world.run(0);
    meter(&mut world, true);
    import(&mut world, 0, &[3, 20, 21]);
    let whole = bytes(&world, 0);
    world.run(0);
    assert_eq!(journal(&world, 0), [[4, 21, 22]]);
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    world.run(0);
    world.write(0, patch("d0", r#"{"a":2}"#));
    world.run(0);
    assert!(bytes(&world, 0) * MANY < whole * 6, "{} of {whole}", bytes(&world, 0));
    world.reopen(0, true);
    world.run(0);
    meter(&mut world, false);
    world.rest();
    assert_eq!(world.server.applied.len(), MANY + 1);
    let last: Vec<u64> = world.server.applied[MANY - 3..].iter().map(|id| id.n).collect();
    assert_eq!(last, [41, 4, 21, 22], "each where it stood");
}

/// The other tab knows the record as it was, decides about what is in it and writes beside it.
#[test]
fn a_record_is_made_shorter_whatever_another_tab_does_and_whenever_the_power_fails() {
    let tell = |crash: Option<(usize, bool)>| {
        let mut world = World::new(1);
        world.run(0);
        let other = world.add_tab(0);
        world.watched = true;
        meter(&mut world, true);
        let ids = import(&mut world, 0, &[1, 5]);
        world.run(other);
        world.crash = crash;
        for _ in 0..6 {
            world.network_step(0);
            world.disk_step(0);
            world.disk_step(other);
        }
        world.lead(other, true);
        if world.tabs[other].can_write(&patch("d5", "{}")) {
            world.write(other, patch("d5", r#"{"b":1}"#));
        }
        world.run(0);
        world.run(other);
        meter(&mut world, false);
        (0..world.tabs.len()).for_each(|tab| world.tabs[tab].input(Input::Nudge(Nudge::Asked), world.now));
        world.rest();
        let applied = world.server.applied.len();
        assert!(ids.iter().all(|id| world.server.applied.contains(id)), "crash {crash:?}");
        (world.steps, applied)
    };
    let (steps, _) = tell(None);
    for step in 1..steps {
        for power_cut in [false, true] {
            tell(Some((step, power_cut)));
        }
    }
}

#[test]
fn what_is_held_for_a_refused_creation_keeps_little_of_what_came_with_it() {
    let mut world = World::new(1);
    world.run(0);
    let now = world.tabs[0].clock(world.now);
    let mut intents =
        vec![create("parent", &format!(r#"{{"a":"{REFUSED}"}}"#)), patch("parent", r#"{"b":1}"#)];
    intents.extend((0..MANY).map(|n| create(&format!("d{n}"), r#"{"a":1}"#)));
    let intents: Vec<_> = intents.into_iter().map(|intent| (intent, Urgency::default())).collect();
    world.tabs[0].write_with(&intents, false, now).unwrap();
    world.run(0);
    assert_eq!(journal(&world, 0), [[2]]);
}
