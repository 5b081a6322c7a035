//! I2, I7, I13: what the server says of a mutation.

use landfall_core::authority::FUTURE_MAX;
use landfall_core::client::{Settled, Status};
use landfall_core::code::{Class, Code};
use landfall_core::mutation::Mutation;
use landfall_core::time::Millis;
use landfall_core::wire::{Batch, BatchReply, PushResult, Verdict};

use crate::check::Invariant;
use crate::mark::Mark;
use crate::queue::TabId;
use crate::witness::values;
use crate::world::World;

/// The server has judged a batch.
pub fn judged(world: &mut World, tenant: usize, batch: &Batch, reply: &BatchReply) {
    let latest = world.server.latest;
    for (i, result) in reply.results.iter().enumerate() {
        let Some(id) = result.id else { continue };
        let receipt = world.server.store(tenant).receipts.get(&id);
        let code = result.code.as_deref();
        let known = Code::ALL.iter().copied().find(|known| Some(known.as_str()) == code);
        let wrong = match result.verdict {
            Verdict::Rejected if known.is_none_or(|code| code.class() != Class::Definite) => {
                Some((Invariant::I13, format!("{id} is refused for good with {code:?}")))
            }
            Verdict::Held if receipt.is_some() => Some((Invariant::I13, format!("{id} is held for good"))),
            Verdict::Rejected if code == Some(Code::IdReused.as_str()) => {
                Some((Invariant::I2, format!("{id} was sent with other content")))
            }
            Verdict::Rejected | Verdict::Held => None,
            Verdict::Applied | Verdict::Merged | Verdict::Conflict => {
                let bound = latest.after(FUTURE_MAX).after(Millis(1));
                let ahead = result.stamp.is_some_and(|stamp| stamp.wall() > bound);
                // Of what is settled only this is known: it is in, and no later than everything else.
                let settled = world.server.store(tenant).runs.contains_key(&id);
                let same = receipt.is_some_and(|receipt| {
                    let there = receipt.result.verdict != Verdict::Rejected;
                    let exact = |of: &PushResult| (of.version, of.position, of.stamp);
                    let bound = there && receipt.result.position <= result.position;
                    if settled { bound } else { exact(&receipt.result) == exact(result) }
                });
                if !same {
                    Some((Invariant::I2, format!("{id} has another verdict than its receipt")))
                } else if ahead {
                    Some((Invariant::I7, format!("{id} is stamped in the future")))
                } else {
                    None
                }
            }
        };
        // Whatever the server does not simply take may come and go on a screen.
        if result.verdict != Verdict::Applied && result.verdict != Verdict::Merged || result.restamped {
            let text = batch.mutations.get(i).map(|text| serde_json::from_str::<Mutation>(text.text()));
            let fickle = text.and_then(Result::ok).map(|mutation| values(&mutation.fields));
            let fickle = fickle.unwrap_or_default();
            world.witness.fickle.extend(fickle);
        }
        if let Some((invariant, what)) = wrong {
            return world.violate(invariant, what);
        }
    }
}

/// A tab was told how writes have ended.
pub fn told(world: &mut World, tab: TabId, settled: &[Settled]) {
    for one in settled {
        let on_server = world.witness.successors(one.id).iter().any(|id| world.server.has(*id));
        world.marks.hit_if(one.status == Status::NeedsAttention, Mark::WriteWithdrawn);
        if one.status == Status::Accepted && !on_server && !world.set_back {
            world.violate(Invariant::I13, format!("tab {tab} was told that {} is in, and it is not", one.id));
        }
    }
}
