//! I3: of one tab's writes on one document, the server takes those of earlier places first.
//!
//! Tabs of one device hear of each other's writes a moment later, or not at all, so one that drains may send
//! its own before it knows of an earlier one.

use std::collections::BTreeMap;

use landfall_core::id::MutationId;
use landfall_core::stored::Place;

use crate::check::Invariant;
use crate::world::World;

/// Looks at everything that took effect.
pub fn kept(world: &mut World) {
    let mut last = BTreeMap::new();
    let mut wrong = None;
    for applied in world.server.data.stores.iter().flat_map(|store| &store.log) {
        let id = applied.mutation.id;
        // What was refused together with a creation, or could not be brought to another version, stands in its old place
        // again, and others went ahead of it.
        let witness = &world.witness;
        let elsewhere = applied.mutation.replaces.is_some() || witness.set_aside.contains(&id);
        // What was lost with its tab and its disk may still be on its way in a request.
        if elsewhere || witness.excused.contains(&id) {
            continue;
        }
        let Some((device, incarnation, place)) = world.witness.homes.get(&id).copied() else { continue };
        // A copy goes on from where it was, when the original has lost that and sent what came behind it.
        let lost = world.devices[device].evicted && world.devices[device].copied;
        if world.set_back || lost {
            continue;
        }
        let lane = (id.writer, device, applied.mutation.key());
        let before = last.insert(lane, ((incarnation, place), id));
        // Until a tab has noticed that what was stored is gone, another one may save again or send what was written
        // since, and from then on that stands first.
        let home = (incarnation, place.record);
        let too_late = |other: &MutationId, (incarnation, place): (u64, Place)| {
            let again = |id| world.witness.rescued.get(id).into_iter().flatten().copied();
            let is_late = |at: (u64, u64)| {
                let was_there = again(&id).chain([home]).any(|(n, record)| n == at.0 && record < at.1);
                !was_there && again(&id).any(|late| at < late)
            };
            again(other).chain([(incarnation, place.record)]).any(is_late)
        };
        if let Some((earlier, other)) = before
            && earlier > (incarnation, place)
            && !too_late(&other, earlier)
        {
            wrong = Some(format!("{id} at {place:?} of device {device} came after {other} at {earlier:?}"));
        }
    }
    if let Some(what) = wrong {
        world.violate(Invariant::I3, what);
    }
}
