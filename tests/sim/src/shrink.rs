//! From a world in which something must not be and is, to a smaller one in which it still is.
//!
//! Greedy: what can be left out without mending it is left out, until nothing can. Every concern has
//! its own stream of chance, so most of the story stays what it was.

use landfall_core::conflict::Policy;
use landfall_core::time::Millis;

use crate::script::Script;
use crate::story::{Story, tell_after, tell_in};
use crate::swarm::Swarm;

type Cut = fn(&mut Swarm);

const CUTS: [Cut; 32] = [
    |swarm| swarm.hostile = false,
    |swarm| swarm.tenants = 1,
    |swarm| swarm.people = (swarm.people - 1).max(1),
    |swarm| swarm.devices = 1,
    |swarm| swarm.devices = (swarm.devices / 2).max(1),
    |swarm| swarm.devices = (swarm.devices - 1).max(1),
    |swarm| swarm.tabs = 1,
    |swarm| swarm.nodes = 1,
    |swarm| swarm.documents = 1,
    |swarm| swarm.acts /= 2,
    |swarm| swarm.acts = swarm.acts * 9 / 10,
    |swarm| swarm.acts = swarm.acts.saturating_sub(1),
    |swarm| swarm.page = 1_000,
    |swarm| swarm.policy = Policy::LastWriteWins,
    |swarm| swarm.spelled = false,
    |swarm| swarm.loss = 0,
    |swarm| swarm.silence = 0,
    |swarm| swarm.double = 0,
    |swarm| swarm.stale = 0,
    |swarm| swarm.portal = 0,
    |swarm| swarm.busy = 0,
    |swarm| swarm.token = 0,
    |swarm| swarm.deaf = 0,
    |swarm| swarm.quota = 0,
    |swarm| swarm.crash = 0,
    |swarm| swarm.rash = 0,
    |swarm| swarm.delay = Millis(5),
    |swarm| swarm.disk = Millis(0),
    |swarm| swarm.skews = vec![0],
    |swarm| swarm.receipts_max = 4_000,
    |swarm| swarm.refused = 0,
    |swarm| swarm.attended = 0,
];

/// The shortest list of deeds in the smallest world of a seed that was found to break the same invariant.
pub fn shrink(seed: u64, story: &Story) -> (Swarm, Script) {
    let swarm = smallest_world(seed, story);
    let wanted = story.violation.as_ref().map(|violation| violation.invariant);
    let after = |script: &Script| {
        let story = tell_after(seed, swarm.clone(), script.clone(), false);
        let breaks = story.violation.as_ref().map(|violation| violation.invariant) == wanted;
        breaks.then_some(story.script)
    };
    let mut shortest = tell_in(seed, swarm.clone(), false).script;
    let mut size = shortest.deeds().len().div_ceil(2);
    while size > 0 {
        let deeds = shortest.deeds();
        let shorter = deeds.chunks(size).rev().find_map(|part| after(&shortest.without(part)));
        match shorter {
            Some(script) => shortest = script,
            None if size == 1 => break,
            None => size = size.div_ceil(2),
        }
    }
    (swarm, shortest.without(&[]))
}

fn smallest_world(seed: u64, story: &Story) -> Swarm {
    let mut smallest = Swarm::of(seed);
    let wanted = story.violation.as_ref().map(|violation| violation.invariant);
    let breaks = |swarm: &Swarm| {
        let story = tell_in(seed, swarm.clone(), false);
        story.violation.map(|violation| violation.invariant) == wanted
    };
    loop {
        let mut candidates: Vec<Swarm> = Vec::new();
        for kind in smallest.disasters.iter().filter(|kind| !smallest.spared.contains(kind)) {
            let spared = smallest.spared.iter().chain([kind]).copied().collect();
            candidates.push(Swarm { spared, ..smallest.clone() });
        }
        for cut in CUTS {
            let mut candidate = smallest.clone();
            cut(&mut candidate);
            candidates.push(candidate);
        }
        let smaller = |candidate: &Swarm| format!("{candidate:?}") != format!("{smallest:?}");
        match candidates.into_iter().find(|candidate| smaller(candidate) && breaks(candidate)) {
            Some(candidate) => smallest = candidate,
            None => return smallest,
        }
    }
}
