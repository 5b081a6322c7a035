//! I6 and I14: whoever is shown a value is shown what its writer had seen, and the rest of its transaction.
//!
//! Every write of a field sets a value that nobody else writes. So it is enough to know, of each value, what
//! stood there before the commit that brought it in: where that is shown beside something that came later, a
//! part of history is missing.

use std::collections::BTreeMap;

use landfall_core::id::DocumentKey;
use landfall_core::json::Json;
use landfall_core::map::Map;
use landfall_core::mutation::Change;

use crate::check::Invariant;
use crate::mark::Mark;
use crate::queue::TabId;
use crate::world::World;

/// What is known of values, by value.
#[derive(Debug, Default)]
pub struct Causes {
    /// Where it was put, and what stood there before.
    replaced: BTreeMap<u64, (DocumentKey, Box<str>, u64)>,
    /// Values of the same transaction in other documents.
    with: BTreeMap<u64, Vec<u64>>,
    /// Values that were shown where it was written.
    seen: BTreeMap<u64, Vec<u64>>,
}

/// The number in a field of a document.
fn number(document: Option<&Json>, field: &str) -> Option<u64> {
    number_in(&document?.members()?, field)
}

fn number_in(members: &Map<Box<str>, Json>, field: &str) -> Option<u64> {
    members.get(field)?.text().parse().ok()
}

/// There is another commit: what it has brought in stands now where something else stood.
pub fn committed(world: &mut World, tenant: usize) {
    let store = &world.server.data.stores[tenant];
    let causes = &mut world.witness.causes;
    let mut groups: BTreeMap<_, Vec<(u64, DocumentKey)>> = BTreeMap::new();
    for applied in store.log.iter().rev().take_while(|applied| applied.position == store.position) {
        let (mutation, key) = (&applied.mutation, applied.mutation.key());
        let now = store.documents.get(&key).and_then(|row| row.stored.document.value());
        let mut earlier = store.versions.range(..(key.clone(), applied.version)).rev();
        let before = earlier.find(|((_, _), (position, _))| *position < applied.position);
        let before = before.filter(|((other, _), _)| *other == key).and_then(|(_, (_, data))| data.as_ref());
        for field in &mutation.fields {
            let ([name], Change::Set(value)) = (field.path.keys(), &field.change) else { continue };
            let Ok(value) = value.text().parse::<u64>() else { continue };
            let (Some(before), true) = (number(before, name), number(now.as_ref(), name) == Some(value))
            else {
                continue;
            };
            causes.replaced.insert(value, (key.clone(), (**name).into(), before));
            if let Some(group) = &mutation.group {
                groups.entry(group.clone()).or_default().push((value, key.clone()));
            }
        }
    }
    for members in groups.values() {
        for (value, key) in members {
            let others = members.iter().filter(|(_, other)| other != key).map(|(other, _)| *other);
            causes.with.entry(*value).or_default().extend(others);
        }
    }
}

/// A tab writes values, with these on its screen.
pub fn wrote(world: &mut World, tab: TabId, values: &[u64]) {
    let Some(subject) = world.tabs[tab].as_ref() else { return };
    let causes = &mut world.witness.causes;
    let shown = subject.shown.values().map(|shown| shown.now);
    let seen: Vec<u64> = shown.filter(|value| causes.replaced.contains_key(value)).collect();
    if !seen.is_empty() {
        causes.seen.extend(values.iter().map(|value| (*value, seen.clone())));
    }
}

/// A tab shows values that it did not show before.
pub fn shown(world: &mut World, tab: TabId, values: &[u64]) {
    let Some(subject) = world.tabs[tab].as_ref() else { return };
    // A first sync and a reset are shown as they come.
    if !subject.client.is_complete() || !subject.is_whole() {
        return;
    }
    let causes = &world.witness.causes;
    let is_fickle = |value: &u64| world.witness.fickle.contains(value);
    // What a pending write brings back is what the device last had of it.
    let is_pending =
        |key: &DocumentKey| subject.client.entries().iter().any(|one| *one.document == key.document);
    // Of each document that is looked at, what is shown.
    let mut shown: BTreeMap<&DocumentKey, Map<Box<str>, Json>> = BTreeMap::new();
    let members = |key: &DocumentKey| subject.client.document(key)?.members();
    let mut found = None;
    for value in values.iter().filter(|value| !is_fickle(value)) {
        for (invariant, mark, others) in [
            (Invariant::I14, Mark::GroupShown, causes.with.get(value)),
            (Invariant::I6, Mark::CauseShown, causes.seen.get(value)),
        ] {
            for other in others.into_iter().flatten().filter(|other| !is_fickle(other)) {
                let Some((key, field, before)) = causes.replaced.get(other) else { continue };
                world.marks.hit(mark);
                let there = shown.entry(key).or_insert_with(|| members(key).unwrap_or_default());
                let is_there = number_in(there, field) == Some(*before);
                if is_there && !is_fickle(before) && !is_pending(key) {
                    let key = key.document.as_str();
                    found =
                        Some((invariant, format!("tab {tab} shows {value} with {before} in {key}/{field}")));
                }
            }
        }
    }
    if let Some((invariant, what)) = found {
        world.violate(invariant, what);
    }
}
