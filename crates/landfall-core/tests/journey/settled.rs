//! Verdicts that are stored: the server is told, forgets the details, and nothing takes effect twice.

use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use landfall_core::id::MutationId;
use landfall_core::stored::{Priority, Urgency};
use landfall_core::wire::Batch;

use crate::server::REFUSED;
use crate::world::{Fault, World, create, patch};

/// What a push says of the verdicts that are stored: each id.
fn settled(push: &str) -> Vec<u64> {
    let batch: Batch = serde_json::from_str(push).unwrap();
    let ranges = batch.settled.values().flatten();
    ranges.flat_map(|(first, last)| *first..=*last).collect()
}

#[test]
fn a_device_says_once_which_verdicts_it_has_stored() {
    let mut world = World::new(1);
    world.run(0);
    let all = [
        world.write(0, create("a", r#"{"n":1}"#)),
        world.write(0, create("b", &format!(r#"{{"n":"{REFUSED}"}}"#))),
        world.write(0, create("c", r#"{"n":1}"#)),
    ];
    world.run(0);
    world.write(0, patch("a", r#"{"n":2}"#));
    world.run(0);
    world.write(0, patch("a", r#"{"n":3}"#));
    world.run(0);
    let pushes: Vec<_> = world.tabs[0].pushes.iter().map(|push| settled(push)).collect();
    assert_eq!(pushes, [vec![], vec![1], vec![2, 3], vec![4]]);
    let runs: Vec<MutationId> = world.server.runs.keys().copied().collect();
    assert_eq!(runs[..3], all);
    assert_eq!(world.server.receipts.len(), 1, "nobody has said so of the last one");
}

#[test]
fn what_was_not_heard_is_said_again_and_what_is_not_stored_is_not_said() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("a", r#"{"n":1}"#));
    world.run(0);
    world.write(0, patch("a", r#"{"n":2}"#));
    world.faults.extend([Fault::LoseRequest, Fault::LoseReply]);
    for _ in 0..4 {
        world.run(0);
        world.sleep();
    }
    let pushes: Vec<_> = world.tabs[0].pushes.iter().map(|push| settled(push)).collect();
    assert_eq!(pushes, [vec![], vec![1], vec![1], vec![1]]);
}

#[test]
fn a_tab_that_is_opened_anew_says_what_its_predecessor_could_not() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("a", r#"{"n":1}"#));
    world.run(0);
    world.write(0, patch("a", r#"{"n":2}"#));
    world.request(0);
    world.network_step(0);
    world.disk(0);
    world.reopen(0, true);
    world.run(0);
    world.write(0, patch("a", r#"{"n":3}"#));
    world.run(0);
    assert!(settled(world.tabs[0].pushes.last().unwrap()).contains(&2));
    assert_eq!(world.server.runs.len(), 2);
}

/// As from an old copy of a disk, which does not know that its writes are settled.
#[test]
fn what_is_settled_and_sent_again_is_accepted_and_nothing_is_doubled() {
    let mut world = World::new(1);
    world.run(0);
    let id = world.write(0, create("a", r#"{"n":1}"#));
    world.run(0);
    world.write(0, patch("a", r#"{"n":2}"#));
    world.run(0);
    let applied = world.server.applied.clone();
    let reply = world.server.push(&world.tabs[0].pushes[0], world.now).unwrap();
    assert!(reply.contains(r#""verdict":"merged""#) && reply.contains(r#""duplicate":true"#), "{reply}");
    assert_eq!(world.server.applied, applied);
    assert!(world.server.runs.contains_key(&id));
}

/// The profile of one device comes to another, in the place of what was there.
fn copy_disk(world: &World, from: usize, to: usize) {
    let copy = world.tabs[from].disk.borrow().clone();
    *world.tabs[to].disk.borrow_mut() = copy;
}

/// What was written to `d` was seen in the order of writing, and nothing of it twice.
fn assert_counted_up(world: &World) {
    let shown: Vec<_> = world.stream(0, "d").into_iter().flatten().collect();
    assert_eq!(shown, [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#]);
}

/// Found by the simulator (seed 3270): of what a copy has settled the server names no stamp, and so it was shown above
/// what was written later, once that had the stamp that the copy had sent it with.
#[test]
fn what_a_copy_of_a_device_has_settled_is_not_shown_above_what_was_written_later() {
    let mut world = World::new(2);
    world.rest();
    // A page that is on its way for long.
    world.tabs[0].input(Input::Nudge(Nudge::Asked), world.now);
    let now = world.now;
    let mut intents: Vec<_> = (0..201).map(|n| create(&format!("d{n}"), "{}")).collect();
    // One in each batch.
    intents[0] = create("d", r#"{"n":0}"#);
    intents[100] = patch("d", r#"{"n":1}"#);
    intents[200] = patch("d", r#"{"n":2}"#);
    for intent in intents {
        world.tabs[0].write(&[intent], now).expect("a write that makes sense");
        world.disk(0);
    }
    copy_disk(&world, 0, 1);
    world.reopen(1, false);
    world.run(1);
    world.rest();
    assert_counted_up(&world);
}

/// Found by the simulator (seed 3270): the copy has sent it with a newer stamp than what was written later has.
#[test]
fn what_a_copy_of_a_device_has_sent_is_not_shown_above_what_was_written_later() {
    let mut world = World::new(0);
    for device in 0..2 {
        world.add_device(device, -3_600_000);
        world.disk(device);
        world.tabs[device].input(Input::Nudge(Nudge::Asked), world.now);
    }
    world.write(0, create("d", r#"{"n":0}"#));
    world.write(0, patch("d", r#"{"n":1}"#));
    copy_disk(&world, 0, 1);
    world.write(0, patch("d", r#"{"n":2}"#));
    world.reopen(1, false);
    world.run(1);
    world.rest();
    assert_counted_up(&world);
}

/// What goes once more after a restore is not settled any more.
#[test]
fn a_history_that_is_no_more_settles_nothing() {
    let mut world = World::new(1);
    world.run(0);
    world.write(0, create("a", r#"{"n":1}"#));
    world.run(0);
    world.server.lose_everything();
    world.write(0, create("b", r#"{"n":1}"#));
    world.run(0);
    world.write(0, create("c", r#"{"n":1}"#));
    world.run(0);
    let told: Vec<_> = world.tabs[0].pushes.iter().map(|push| settled(push)).collect();
    // First once more, and then what this history says of it.
    assert_eq!(told, [vec![], vec![1], vec![2], vec![1]]);
}

/// Whatever was not pulled yet leaves its verdict on the disk.
fn without_pulls() -> World {
    let mut world = World::new(1);
    world.server.pulls_fail = true;
    world.run(0);
    world
}

/// Long enough for a device to come back from a failed pull, and to push what it has.
fn settle_in(world: &mut World) {
    for _ in 0..4 {
        world.run(0);
        world.sleep();
    }
}

#[test]
fn what_was_said_is_not_said_again_whenever_the_stores_are_read_again() {
    let mut world = without_pulls();
    for document in ["a", "b", "c"] {
        world.write(0, create(document, r#"{"n":1}"#));
        settle_in(&mut world);
        let now = world.now;
        world.tabs[0].input(Input::Refresh, now);
    }
    let pushes = world.tabs[0].pushes.iter().map(|push| settled(push));
    assert_eq!(pushes.filter(|told| !told.is_empty()).collect::<Vec<_>>(), [[1], [2]]);
}

/// Found by the simulator (seeds 230, 399 and 586): verdicts were counted where ranges of them are.
#[test]
fn more_than_a_thousand_verdicts_are_said_at_once() {
    let mut world = without_pulls();
    let all: Vec<_> = (0..1_100).map(|n| create(&format!("d{n}"), r#"{"n":1}"#)).collect();
    let now = world.now;
    world.tabs[0].write(&all, now).expect("writes that make sense");
    settle_in(&mut world);
    assert_eq!(world.server.applied.len(), 1_100);
    world.reopen(0, false);
    settle_in(&mut world);
    world.write(0, create("a", r#"{"n":1}"#));
    settle_in(&mut world);
    assert_eq!(settled(world.tabs[0].pushes.last().unwrap()).len(), 1_100);
}

/// Found by the simulator (seed 963): what is new and urgent stood in every batch, and each was refused for it.
#[test]
fn a_device_that_has_to_settle_first_sends_first_what_it_has_no_verdict_on() {
    let mut world = World::new(1);
    world.run(0);
    world.server.receipts_max = 1;
    let first = world.write(0, create("a", r#"{"n":1}"#));
    world.faults.push_back(Fault::LoseReply);
    world.run(0);
    let now = world.now;
    let urgent = Urgency { priority: Priority::High, ..Urgency::default() };
    let ids = world.tabs[0].write_with(&[(create("b", r#"{"n":1}"#), urgent)], false, now);
    world.rest();
    assert_eq!(world.server.applied, [vec![first], ids.expect("a write that makes sense")].concat());
}

/// Found by the simulator (seed 368).
#[test]
fn what_was_accepted_before_the_first_page_goes_again_where_that_is_of_another_history() {
    let mut world = without_pulls();
    let id = world.write(0, create("a", r#"{"n":1}"#));
    settle_in(&mut world);
    assert_eq!(world.server.applied, [id]);
    world.server.lose_everything();
    world.rest();
    assert_eq!(world.server.applied, [id]);
}

/// Found by the simulator (seed 909).
#[test]
fn a_device_that_has_to_settle_first_says_what_has_ended_though_the_verdicts_are_gone() {
    let mut world = World::new(1);
    world.run(0);
    world.server.receipts_max = 1;
    let mut ids = vec![world.write(0, create("a", r#"{"n":1}"#))];
    world.run(0);
    ids.push(world.write(0, create("b", r#"{"n":1}"#)));
    world.faults.push_back(Fault::LoseRequest);
    world.run(0);
    world.reopen(0, true);
    world.rest();
    assert_eq!(world.server.applied, ids);
}
