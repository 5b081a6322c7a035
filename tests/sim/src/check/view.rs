//! I5: a value that was shown and replaced by another does not come back, unless a person or a refusal
//! has brought it back.
//!
//! Every write of a field sets a value that nobody else writes, so one look tells which write is shown.

use landfall_core::conflict::Policy;
use landfall_core::id::DocumentKey;

use crate::check::{Invariant, cause, sight};
use crate::device::Device;
use crate::queue::TabId;
use crate::tab::Shown;
use crate::world::World;

/// A device starts over, and is not told of what was deleted: what it has not sent of such a document is seen once more.
pub fn reset(world: &mut World, device: usize) {
    let documents = &world.server.store(world.people[world.devices[device].person].tenant).documents;
    let is_there = |key: &DocumentKey| documents.get(key).is_some_and(|row| !row.hidden);
    for tab in world.tabs.iter_mut().flatten().filter(|tab| tab.device == device) {
        tab.shown.retain(|(key, _), _| is_there(key));
    }
}

/// Looks at everything that a tab shows anew.
pub fn shown(world: &mut World, tab: TabId) {
    let Some(device) = world.tab(tab).map(|tab| tab.device) else { return };
    // A wrong clock is corrected once it is known, and with it which of two writes is the later one.
    let Device { clock, evicted, .. } = &world.devices[device];
    let blind = world.set_back || world.server.unsteady || *evicted || !clock.is_right();
    // Where what arrives later wins, what was written here does, once it has arrived.
    let returns = blind || world.swarm.policy == Policy::ClientWins;
    let has_secrets = world.has_secrets();
    let Some(subject) = world.tabs[tab].as_mut() else { return };
    // A first sync and a reset are shown as they come.
    let partial = !subject.client.is_complete();
    let (mut found, mut fresh, mut texts) = (None, vec![], vec![]);
    for (key, json) in subject.client.changes() {
        if has_secrets && let Some(json) = &json {
            texts.push((key.clone(), json.clone()));
        }
        let Some(members) = json.and_then(|json| json.members()) else { continue };
        for (name, value) in members.iter().filter(|(name, _)| matches!(&***name, "f" | "g" | "h")) {
            let Ok(value) = value.text().parse::<u64>() else { continue };
            let shown = subject.shown.entry((key.clone(), name.clone())).or_insert_with(Shown::default);
            if shown.now == value {
                continue;
            }
            let fickle = |value: &u64| world.witness.fickle.contains(value);
            if partial {
                shown.now = value;
                continue;
            }
            if shown.before.contains(&value) && !returns && !fickle(&value) && !fickle(&shown.now) {
                let (key, now) = (key.document.as_str(), shown.now);
                found = Some(format!("tab {tab} shows {value} in {key}/{name} again, after {now}"));
            }
            shown.before.insert(shown.now);
            shown.now = value;
            fresh.push(value);
        }
    }
    if !texts.is_empty() {
        sight::shown(world, tab, &texts);
    }
    if let Some(what) = found {
        world.violate(Invariant::I5, what);
    }
    if !blind && !fresh.is_empty() {
        cause::shown(world, tab, &fresh);
    }
}
