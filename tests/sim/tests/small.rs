//! Every state of some small worlds, and from each of them a way to rest.
//!
//! With the feature `planted` the worlds are looked through for bugs that are planted instead:
//! `cargo test --release --package landfall-sim --features planted --test small`.

use landfall_sim::small::{Deed, Mishaps, Plan, Report, explore};

const F: Deed = Deed::Set("one", "f");
const G: Deed = Deed::Set("one", "g");
const OTHER: Deed = Deed::Set("two", "f");
const REFUSED: Deed = Deed::Refused("one", "f");
const DELETE: Deed = Deed::Delete("one");

const NONE: Mishaps = Mishaps { losses: 0, doubles: 0, deaths: 0 };
const ALL: Mishaps = Mishaps { losses: 1, doubles: 1, deaths: 1 };

/// One device from its first start on, for which everything goes wrong once.
fn alone(deeds: &[Deed]) -> Plan {
    Plan { seats: vec![(0, deeds.to_vec())], drain: 1, opened: false, page: 10, mishaps: ALL }
}

/// Devices that know all there is.
fn apart(deeds: &[&[Deed]], page: usize, mishaps: Mishaps) -> Plan {
    let seats: Vec<_> = deeds.iter().enumerate().map(|(device, deeds)| (device, deeds.to_vec())).collect();
    Plan { drain: seats.len(), seats, opened: true, page, mishaps }
}

#[cfg(not(feature = "planted"))]
mod sound {
    use super::*;

    #[track_caller]
    fn check(name: &str, plan: &Plan) {
        let Report { states, steps, resting, fault, .. } = explore(plan);
        println!("{name}: {states} states, {steps} steps, {resting} of the states at rest");
        if let Some((what, story)) = fault {
            panic!("{name}: {what}\n{}", story.join("\n"));
        }
        assert!(resting > 1, "{name}: nothing ever happens");
    }

    #[test]
    fn one_device_rests_whatever_is_lost_doubled_and_dies() {
        check("two writes", &alone(&[F, F]));
        check("a write and a delete", &alone(&[F, DELETE]));
        check("a refused creation", &alone(&[REFUSED, G]));
        check("a refused patch", &alone(&[F, REFUSED]));
    }

    #[test]
    fn two_devices_that_write_one_field_rest_whatever_goes_wrong() {
        for (name, mishaps) in [
            ("lost", Mishaps { losses: 1, ..NONE }),
            ("doubled", Mishaps { doubles: 1, ..NONE }),
            ("dead", Mishaps { deaths: 1, ..NONE }),
        ] {
            check(name, &apart(&[&[F], &[F]], 10, mishaps));
        }
    }

    #[test]
    fn two_devices_with_two_writes_each_rest() {
        check("two and two", &apart(&[&[F, G], &[F, DELETE]], 10, NONE));
    }

    #[test]
    fn three_devices_rest() {
        check("three", &apart(&[&[F], &[F], &[G]], 10, NONE));
    }

    #[test]
    fn devices_that_pull_document_by_document_rest() {
        check("pages", &apart(&[&[F, OTHER], &[G]], 1, NONE));
    }

    #[test]
    fn two_tabs_that_both_drain_rest() {
        check("tabs", &Plan { seats: vec![(0, vec![F]), (0, vec![])], drain: 2, ..apart(&[], 10, NONE) });
    }

    #[test]
    fn two_tabs_that_write_rest_whatever_goes_wrong_while_one_of_them_drains() {
        let tabs = |deeds: [&[Deed]; 2], mishaps| Plan {
            seats: deeds.map(|deeds| (0, deeds.to_vec())).to_vec(),
            drain: 1,
            ..apart(&[], 10, mishaps)
        };
        check("tabs that write", &tabs([&[F], &[F]], NONE));
        check("lost", &tabs([&[F], &[F]], Mishaps { losses: 1, ..NONE }));
        check("doubled", &tabs([&[F], &[F]], Mishaps { doubles: 1, ..NONE }));
        check("dead", &tabs([&[F], &[F]], Mishaps { deaths: 1, ..NONE }));
    }
}

#[cfg(feature = "planted")]
#[test]
fn planted_bugs_are_found() {
    use landfall_sim::planted::{Bug, Planted, choose};

    let one = alone(&[F, F]);
    let pages = apart(&[&[F, OTHER], &[]], 1, NONE);
    for (bug, plan) in [
        (Bug::NoDedupe, &one),
        (Bug::VerdictRecomputed, &one),
        (Bug::CommitRelaxed, &one),
        (Bug::PageSkipsRestOfCommit, &pages),
    ] {
        choose(Some(Planted::Around(bug)));
        let Report { states, fault, .. } = explore(plan);
        choose(None);
        let (what, story) = fault.unwrap_or_else(|| panic!("{bug:?} is not found in {states} states"));
        println!("{bug:?} found after {states} states, {} steps from the beginning: {what}", story.len());
    }
}
