//! In which order durable entries are sent, and what makes one wait.
//!
//! Waiting is always for entries that stand earlier, so nothing can wait for itself: a lane goes in its
//! order, what names a document goes after its creation, and the writes of one transaction go together.
//! A priority moves an entry ahead of others together with everything that it waits for.

use super::{Item, Outbox, Standing};
use crate::id::{DocumentKey, MutationId};
use crate::map::{Map, Set};
use crate::mutation::Op;
use crate::planted::{self, Bug};
use crate::stored::{Entry, Network, Priority};

/// What keeps an entry from being sent for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It builds on a creation that the server has refused.
    Draft(MutationId),
    /// It, or what it builds on, is to wait for a network that is not paid for by volume.
    Unmetered,
    /// The server fails over this write.
    Suspect(MutationId),
}

/// What there is outside of the outbox to wait for.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Whether the network is paid for by volume.
    pub metered: bool,
    /// Writes that the server has failed over.
    pub suspects: Set<MutationId>,
}

impl Conditions {
    fn hold(&self, entry: &Entry) -> Option<Hold> {
        if self.suspects.contains(&entry.id) {
            return Some(Hold::Suspect(entry.id));
        }
        (self.metered && entry.network == Network::Unmetered).then_some(Hold::Unmetered)
    }
}

impl Outbox {
    /// Chooses what to send next, about `count_max` of it: a transaction is not cut.
    ///
    /// Whatever a chosen entry waits for is settled or chosen before it.
    pub fn pick(&self, count_max: usize, conditions: &Conditions) -> Vec<&Item> {
        let holds = self.holds(conditions);
        let ready = self.waiting().filter(|item| !holds.contains_key(&item.entry.id));
        if planted::is(Bug::NewestFirst) {
            return cut(ready.collect::<Vec<_>>().into_iter().rev(), count_max);
        }
        if self.wishes == 0 {
            return cut(ready, count_max);
        }
        let urgency = self.priorities();
        let ready: Vec<_> = ready.collect();
        let levels = [Priority::High, Priority::Normal, Priority::Low].into_iter();
        let sorted = levels.flat_map(|level| {
            let on_level = |item: &&&Item| urgency.get(&item.entry.id) == Some(&level);
            ready.iter().filter(on_level).copied().collect::<Vec<_>>()
        });
        cut(sorted, count_max)
    }

    /// Whether there is anything to send.
    pub fn is_ready(&self, conditions: &Conditions) -> bool {
        let mut waiting = self.waiting().peekable();
        if waiting.peek().is_none() {
            return false;
        }
        let holds = self.holds(conditions);
        waiting.any(|item| !holds.contains_key(&item.entry.id))
    }

    /// What holds durable entries back, by entry.
    pub fn holds(&self, conditions: &Conditions) -> Map<MutationId, Hold> {
        let mut holds = Map::new();
        if self.drafts.is_empty()
            && conditions.suspects.is_empty()
            && !(conditions.metered && self.wishes > 0)
        {
            return holds;
        }
        let drafts = self.drafts.iter();
        let mut lanes: Map<DocumentKey, Hold> =
            drafts.map(|(key, draft)| (key.clone(), Hold::Draft(*draft))).collect();
        let due = |item: &&Item| matches!(item.standing, Standing::Saving | Standing::Saved);
        for unit in units(self.items.values().filter(due)) {
            let hold = unit.iter().find_map(|item| {
                let mut named = [item.entry.key()].into_iter().chain(item.entry.parents.iter().cloned());
                named.find_map(|key| lanes.get(&key).copied()).or_else(|| conditions.hold(&item.entry))
            });
            let Some(hold) = hold else { continue };
            let creates = unit.iter().any(|item| item.entry.op == Op::Create);
            for item in unit {
                holds.insert(item.entry.id, hold);
                // Nobody waits for a change that the server may never take.
                if creates || !matches!(hold, Hold::Suspect(_)) {
                    lanes.get_or_insert_with(item.entry.key(), || hold);
                }
            }
        }
        holds
    }

    /// The priority of each entry: its own, or that of what waits for it if that is higher.
    fn priorities(&self) -> Map<MutationId, Priority> {
        let mut lanes: Map<DocumentKey, Priority> = Map::new();
        let mut priorities = Map::new();
        let mut units = units(self.waiting());
        units.reverse();
        for unit in units {
            let wanted = unit.iter().map(|item| {
                let lane = lanes.get(&item.entry.key()).copied();
                let lane = lane.filter(|_| !planted::is(Bug::PriorityNotInherited));
                lane.unwrap_or(Priority::Low).min(item.entry.priority)
            });
            let priority = wanted.min().expect("BUG: a unit without entries");
            for item in unit {
                priorities.insert(item.entry.id, priority);
                for key in [item.entry.key()].into_iter().chain(item.entry.parents.iter().cloned()) {
                    let lane = lanes.get_or_insert_with(key, || priority);
                    *lane = (*lane).min(priority);
                }
            }
        }
        priorities
    }

    fn waiting(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|item| item.standing == Standing::Saved)
    }
}

/// The writes of one transaction stand together.
fn units<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<Vec<&'a Item>> {
    let mut units: Vec<Vec<&Item>> = Vec::new();
    for item in items {
        match units.last_mut() {
            Some(unit) if unit[0].entry.is_with(&item.entry) => unit.push(item),
            Some(_) | None => units.push(vec![item]),
        }
    }
    units
}

/// The first entries, so many that no unit is cut, and at least one unit.
fn cut<'a>(ready: impl Iterator<Item = &'a Item>, count_max: usize) -> Vec<&'a Item> {
    let mut picked: Vec<&Item> = Vec::new();
    let mut begun = 0;
    for item in ready {
        let joins = picked.last().is_some_and(|last| last.entry.is_with(&item.entry));
        if picked.len() >= count_max && (!joins || begun > 0) {
            picked.truncate(if joins { begun } else { picked.len() });
            break;
        }
        if !joins {
            begun = picked.len();
        }
        picked.push(item);
    }
    picked
}
