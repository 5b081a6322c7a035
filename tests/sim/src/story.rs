//! One seed from its beginning to its end.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::{Invariant, Violation};
use crate::mark::Marks;
use crate::script::Script;
use crate::swarm::Swarm;
use crate::world::World;

/// What came of a seed.
#[derive(Debug)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// What must not be and is.
    pub violation: Option<Violation>,
    /// What has happened.
    pub marks: Marks,
    /// How many mutations the server has judged.
    pub mutations: u64,
    /// How many events there were.
    pub events: u64,
    /// The same for the same seed and the same code.
    pub hash: u64,
    /// What was done in it.
    pub script: Script,
    /// The story itself, where it was wanted.
    pub lines: Vec<String>,
}

/// Lives through a seed.
pub fn tell(seed: u64, traced: bool) -> Story {
    tell_in(seed, Swarm::of(seed), traced)
}

/// Lives through a seed in a world that may be another one than its own.
pub fn tell_in(seed: u64, swarm: Swarm, traced: bool) -> Story {
    tell_after(seed, swarm, Script::default(), traced)
}

/// Lives through as much of a seed as a script says.
pub fn tell_after(seed: u64, swarm: Swarm, script: Script, traced: bool) -> Story {
    let world = RefCell::new(World::new(seed, swarm));
    world.borrow_mut().chances.script = script;
    if traced {
        let mut world = world.borrow_mut();
        let swarm = format!("{:?}", world.swarm);
        world.trace.lines = Some(vec![swarm]);
    }
    let lived = catch_unwind(AssertUnwindSafe(|| world.borrow_mut().live()));
    let mut world = world.into_inner();
    if let Err(panic) = lived {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.violate(Invariant::Panic, text.unwrap_or_default());
    }
    for row in world.server.data.stores.iter().flat_map(|store| store.documents.values()) {
        world.trace.end(&row.line);
    }
    for tab in world.tabs.iter().flatten() {
        tab.view().values().for_each(|json| world.trace.end(json.text()));
    }
    Story {
        seed,
        violation: world.violation,
        marks: world.marks,
        mutations: world.server.judged,
        events: world.trace.events,
        hash: world.trace.hash(),
        script: world.chances.script,
        lines: world.trace.lines.unwrap_or_default(),
    }
}
