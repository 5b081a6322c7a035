//! I17: the server keeps no more receipts than it has to.

use std::collections::BTreeSet;

use landfall_core::id::MutationId;
use landfall_core::wire::{Batch, BatchReply, Verdict};

use crate::check::Invariant;
use crate::world::World;

/// A batch was judged.
pub fn kept(world: &mut World, tenant: usize, batch: &Batch, reply: &BatchReply) {
    let store = world.server.store(tenant);
    let sent: BTreeSet<MutationId> = reply.results.iter().filter_map(|result| result.id).collect();
    // What is discarded always passes.
    let judged = reply.results.iter().take(batch.mutations.len());
    let new = judged.filter(|result| !result.duplicate && result.verdict != Verdict::Held);
    let mut wrong = None;
    for writer in new.filter_map(|result| Some(result.id?.writer)).collect::<BTreeSet<_>>() {
        let count = store.unsettled(writer);
        if count >= world.server.receipts_max + sent.len() {
            wrong = Some(format!("there are {count} receipts of {writer}"));
        }
    }
    // Where nothing goes wrong, a device has stored every verdict before it asks for the next ones.
    if world.swarm.is_peaceful() && !world.healed {
        let own = |id: &&MutationId| store.writers.get(&id.writer) == Some(&batch.client);
        let left = store.open.iter().filter(own).find(|id| !sent.contains(id));
        wrong = wrong.or(left.map(|id| format!("the verdict on {id} is stored, and nobody has said so")));
    }
    if let Some(what) = wrong {
        world.violate(Invariant::I17, what);
    }
}
