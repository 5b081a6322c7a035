//! Writes that the server fails over without saying which: found by halving batches, and set aside.
//!
//! A failure tells nothing while everything fails. So a write that was alone in a batch that failed is
//! only doubted; it is tried again after the server has done anything else well, and is set aside for an
//! hour when it fails once more then. In an outage nothing is set aside.

use super::{BATCH_MUTATIONS, Client};
use crate::id::MutationId;
use crate::map::{Map, Set};
use crate::outbox::{Conditions, Item};
use crate::time::{Millis, WallTime};

/// How long a write is set aside.
const ASIDE: Millis = Millis::seconds(3_600);

#[derive(Clone, Copy, Debug)]
enum Doubt {
    /// It failed alone when the server had done so many things well.
    Doubted { successes: u64 },
    /// It failed alone, though the server does other things well.
    Suspect { until: WallTime },
}

/// What the server has failed over in this run.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    doubts: Map<MutationId, Doubt>,
    successes: u64,
}

impl Doubts {
    /// The server has done something well.
    pub(super) fn succeed(&mut self) {
        self.successes += 1;
    }

    /// A write has come through, or is to be tried like any other.
    pub(super) fn forget(&mut self, id: MutationId) {
        self.doubts.remove(&id);
    }

    /// Whether a write is set aside.
    pub(super) fn is_suspect(&self, id: MutationId) -> bool {
        matches!(self.doubts.get(&id), Some(Doubt::Suspect { .. }))
    }

    /// How many writes are set aside.
    pub(super) fn suspects(&self) -> usize {
        self.doubts.values().filter(|doubt| matches!(doubt, Doubt::Suspect { .. })).count()
    }

    fn blame(&mut self, id: MutationId, now: WallTime) {
        let doubt = match self.doubts.get(&id) {
            Some(Doubt::Doubted { successes }) if *successes == self.successes => return,
            Some(Doubt::Doubted { .. } | Doubt::Suspect { .. }) => Doubt::Suspect { until: now.after(ASIDE) },
            None => Doubt::Doubted { successes: self.successes },
        };
        self.doubts.insert(id, doubt);
    }

    fn is_due(&self, doubt: Doubt, now: WallTime) -> bool {
        match doubt {
            Doubt::Doubted { successes } => successes < self.successes,
            // A clock that was set back must not put it off for ever.
            Doubt::Suspect { until } => until <= now || until > now.after(ASIDE),
        }
    }
}

/// The last answer to whether there is something to send. It is asked for with every fact, and the whole outbox has
/// to be looked at where something holds writes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    /// The revision of the outbox and the network that the answer is of.
    of: Option<(u64, bool)>,
    is_ready: bool,
}

impl Client {
    /// What keeps writes back, beside other writes.
    pub(super) fn conditions(&self) -> Conditions {
        let suspects = self.doubts.doubts.keys().copied().collect();
        Conditions { metered: self.metered, suspects }
    }

    /// What to send now. What is doubted goes when nothing else is left, and alone.
    pub(super) fn choose(&self, count_max: usize, now: WallTime) -> Vec<&Item> {
        let mut conditions = self.conditions();
        let picked = self.outbox.pick(count_max, &conditions);
        if !picked.is_empty() || conditions.suspects.is_empty() {
            return picked;
        }
        let due: Vec<_> =
            self.doubts.doubts.iter().filter(|(_, doubt)| self.doubts.is_due(**doubt, now)).collect();
        for (id, _) in due {
            for item in self.outbox.unit(*id) {
                conditions.suspects.remove(&item.entry.id);
            }
            let picked = self.outbox.pick(1, &conditions);
            if !picked.is_empty() {
                return picked;
            }
        }
        vec![]
    }

    /// Whether there is something to say to the server.
    pub(super) fn is_ready(&mut self, now: WallTime) -> bool {
        // What is doubted becomes ready by time alone.
        let certain = self.doubts.doubts.is_empty();
        let of = certain.then(|| (self.outbox.revision(), self.metered));
        if of.is_none() || self.ready.of != of {
            let is_ready = self.outbox.discarding().next().is_some()
                || self.outbox.ready(&self.conditions()).next().is_some()
                || !certain && !self.choose(1, now).is_empty();
            self.ready = Ready { of, is_ready };
        }
        self.ready.is_ready
    }

    /// A batch has failed as a whole. Says whether a smaller one can be tried.
    pub(super) fn halve(&mut self, flight: &[MutationId]) -> bool {
        let unit = flight.first().map_or(0, |id| self.outbox.unit(*id).len());
        let is_whole = flight.len() > unit;
        if is_whole {
            self.batch_max = flight.len().div_ceil(2);
        }
        is_whole
    }

    /// A batch has failed as a whole, and it may be its own fault. Says whether a smaller one can be tried at once.
    pub(super) fn doubt(&mut self, flight: &[MutationId], now: WallTime) -> bool {
        let halved = self.halve(flight);
        if !halved {
            flight.iter().for_each(|id| self.doubts.blame(*id, now));
        }
        halved
    }

    /// There is something new in a batch, and the server has to know first which of its verdicts are stored. Those
    /// that were lost on the way it gives once more, to a batch with nothing new in it.
    pub(super) fn settle_first(&mut self, flight: &[MutationId]) {
        if !self.halve(flight) {
            // It may have heard less than it seemed, and a verdict is not kept until it was told: everything is told once
            // more, also of what came before these and is not here any more.
            for id in flight {
                self.untold.extend((1..id.n).map(|n| MutationId { n, ..*id }));
            }
            // What it has judged may stand behind this, where it was set back and this goes again. Of verdicts that are
            // settled it says once more how they ended, and of what it has not judged this says nothing.
            self.untold.extend(self.outbox.open().map(|item| item.entry.id));
            self.told = Set::new();
            self.refresh = true;
        }
    }

    /// The server has judged a batch.
    pub(super) fn believe(&mut self, judged: impl Iterator<Item = MutationId>) {
        judged.for_each(|id| self.doubts.forget(id));
        // Grows again step by step: what made a larger one fail may still be there.
        self.batch_max = (self.batch_max * 2).min(BATCH_MUTATIONS);
    }
}
