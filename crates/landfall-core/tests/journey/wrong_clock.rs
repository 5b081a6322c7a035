//! Devices whose clocks are wrong: they neither win for ever nor lose what they have seen.

use landfall_core::client::Input;
use landfall_core::mutation::Mutation;
use landfall_core::stored::{Network, Urgency};
use landfall_core::wire::Batch;

use crate::world::{Fault, World, create, key, patch};

const DAY: i64 = 86_400_000;
const YEARS: i64 = 3_650 * DAY;

/// A device with a wrong clock and one with a right one; both have the document `d`.
fn pair(skew: i64) -> World {
    let mut world = World::new(0);
    world.add_device(0, skew);
    world.add_device(1, 0);
    world.run(1);
    world.write(1, create("d", r#"{"a":0}"#));
    world.rest();
    world
}

fn ends_at(world: &mut World, value: &str) {
    world.rest();
    assert_eq!(world.server.visible()[&key("d")], value);
}

#[test]
fn a_clock_ten_years_ahead_does_not_win_for_ever() {
    let mut world = pair(YEARS);
    world.write(0, patch("d", r#"{"a":1}"#));
    world.rest();
    world.now.0 += 1_000;
    world.write(1, patch("d", r#"{"a":2}"#));
    ends_at(&mut world, r#"{"a":2}"#);
}

#[test]
fn a_clock_ten_years_ahead_does_not_win_for_ever_even_where_the_other_had_not_seen_it() {
    let mut world = pair(YEARS);
    world.write(0, patch("d", r#"{"a":1}"#));
    world.run(0);
    world.now.0 += 1_000;
    world.write(1, patch("d", r#"{"a":2}"#));
    ends_at(&mut world, r#"{"a":2}"#);
}

#[test]
fn an_edit_made_after_seeing_another_wins_however_slow_the_clock_is() {
    for skew in [-DAY, -3_600_000, -1_000] {
        let mut world = pair(skew);
        world.write(0, patch("d", r#"{"a":1}"#));
        ends_at(&mut world, r#"{"a":1}"#);
        assert_eq!(world.server.conflicts, []);
    }
}

#[test]
fn a_wrong_clock_that_has_met_the_server_orders_as_a_right_one() {
    for skew in [-YEARS, -DAY, DAY, YEARS] {
        for (first, second) in [(0, 1), (1, 0)] {
            for order in [[0, 1], [1, 0]] {
                let mut world = pair(skew);
                world.write(first, patch("d", r#"{"a":1}"#));
                world.now.0 += 5_000;
                world.write(second, patch("d", r#"{"a":2}"#));
                world.now.0 += 5_000;
                order.into_iter().for_each(|tab| world.run(tab));
                ends_at(&mut world, r#"{"a":2}"#);
            }
        }
    }
}

/// Whoever has been offline since the browser was started learns how wrong the clock is, then sends.
#[test]
fn a_wrong_clock_is_known_before_the_first_write_is_sent() {
    for skew in [-YEARS, -DAY, DAY, YEARS] {
        for writes in [[0, 0, 1], [1, 0, 0], [0, 1, 0]] {
            let mut world = pair(skew);
            world.reopen(0, false);
            for (tab, n) in writes.into_iter().zip(1..) {
                world.now.0 += 5_000;
                world.write(tab, patch("d", &format!(r#"{{"a":{n}}}"#)));
                world.faults.extend([Fault::LoseRequest; 2].iter().filter(|_| tab == 0));
                world.run(tab);
                world.faults.clear();
            }
            world.now.0 += 600_000;
            ends_at(&mut world, r#"{"a":3}"#);
        }
    }
}

#[test]
fn the_writes_of_a_wrong_clock_keep_their_order() {
    for skew in [-DAY, DAY, YEARS] {
        let mut world = World::new(0);
        world.add_device(0, skew);
        world.write(0, create("d", r#"{"a":0}"#));
        for n in 1..5 {
            world.write(0, patch("d", &format!(r#"{{"a":{n}}}"#)));
            if n == 2 {
                world.request(0);
            }
        }
        ends_at(&mut world, r#"{"a":4}"#);
        assert_eq!(world.stream(0, "d").len(), 6, "{:?}", world.stream(0, "d"));
    }
}

#[test]
fn a_clock_that_is_set_right_while_writes_are_pending_changes_nothing_that_was_seen() {
    for skew in [-DAY, DAY] {
        let mut world = pair(skew);
        world.write(0, patch("d", r#"{"a":1}"#));
        world.tabs[0].skew = 0;
        world.now.0 += 1_000;
        world.write(0, patch("d", r#"{"a":2}"#));
        ends_at(&mut world, r#"{"a":2}"#);
    }
}

#[test]
fn a_write_made_while_the_one_before_it_is_sent_comes_after_it_on_a_clock_that_stands_still() {
    let mut world = pair(0);
    world.write(0, patch("d", r#"{"a":1}"#));
    let stood = world.now;
    world.request(0);
    world.tabs[0].skew = i64::try_from(stood.0).unwrap() - i64::try_from(world.now.0).unwrap();
    world.write(0, patch("d", r#"{"a":2}"#));
    while world.disk_step(0) || world.network_step(0) {
        world.tabs[0].skew = i64::try_from(stood.0).unwrap() - i64::try_from(world.now.0).unwrap();
    }
    ends_at(&mut world, r#"{"a":2}"#);
    let shown: Vec<_> = world.stream(0, "d").into_iter().flatten().collect();
    assert_eq!(shown, [r#"{"a":0}"#, r#"{"a":1}"#, r#"{"a":2}"#]);
}

/// Found by the simulator (seed 379): a later write lost to an earlier one of the same tab, after a backup.
#[test]
fn two_writes_that_had_seen_the_same_have_two_stamps_however_late_the_second_is_sent() {
    let mut world = pair(0);
    world.now.0 += 40_000;
    world.write(1, patch("d", r#"{"a":1}"#));
    world.rest();
    // What is on the screen is ahead of every clock.
    world.now.0 -= 40_000;
    let now = world.now;
    world.tabs[0].input(Input::Metered(true), now);
    world.write(0, patch("d", r#"{"a":2}"#));
    let patient = Urgency { network: Network::Unmetered, ..Urgency::default() };
    world.tabs[0].write_with(&[(patch("d", r#"{"a":3}"#), patient)], false, now).unwrap();
    world.rest();
    // From now on nothing in the document tells of the first of them.
    world.write(1, patch("d", r#"{"a":4}"#));
    world.rest();
    let now = world.now;
    world.tabs[0].input(Input::Metered(false), now);
    world.rest();
    let batches = world.tabs[0].pushes.iter().map(|push| serde_json::from_str::<Batch>(push).unwrap());
    let stamps = batches
        .flat_map(|batch| batch.mutations)
        .map(|text| serde_json::from_str::<Mutation>(text.text()).unwrap().stamp);
    let stamps: Vec<_> = stamps.collect();
    assert!(stamps.len() == 2 && stamps[0] < stamps[1], "{stamps:?}");
}
