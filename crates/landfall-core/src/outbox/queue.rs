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
        let ready = self.ready(conditions);
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

    /// What nothing holds back, in journal order.
    pub fn ready<'a>(&'a self, conditions: &Conditions) -> impl Iterator<Item = &'a Item> {
        let mut holding = Holding::of(self, conditions);
        let ready = units(self.due()).filter(move |unit| holding.hold(unit).is_none()).flatten();
        ready.filter(|item| item.standing == Standing::Saved)
    }

    /// What holds durable entries back, by entry.
    pub fn holds(&self, conditions: &Conditions) -> Map<MutationId, Hold> {
        let mut holds = Map::new();
        let mut holding = Holding::of(self, conditions);
        for unit in units(self.due()) {
            let Some(hold) = holding.hold(&unit) else { continue };
            holds.extend(unit.iter().map(|item| (item.entry.id, hold)));
        }
        holds
    }

    fn due(&self) -> impl Iterator<Item = &Item> {
        self.open().filter(|item| item.standing != Standing::Sending)
    }

    /// The priority of each entry: its own, or that of what waits for it if that is higher.
    fn priorities(&self) -> Map<MutationId, Priority> {
        let mut lanes: Map<DocumentKey, Priority> = Map::new();
        let mut priorities = Map::new();
        let mut units: Vec<_> = units(self.due()).collect();
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
}

/// Says what holds entries back, one unit after the other in journal order.
struct Holding<'a> {
    conditions: &'a Conditions,
    /// What holds back whatever builds on these documents.
    lanes: Map<DocumentKey, Hold>,
    nothing: bool,
}

impl Holding<'_> {
    fn of<'a>(outbox: &Outbox, conditions: &'a Conditions) -> Holding<'a> {
        let wishes = conditions.metered && outbox.wishes > 0;
        let free = conditions.suspects.is_empty() && !wishes;
        let nothing = outbox.drafts.is_empty() && free;
        let drafts = outbox.drafts.iter();
        let lanes = drafts.map(|(key, draft)| (key.clone(), Hold::Draft(*draft))).collect();
        Holding { conditions, lanes, nothing }
    }

    fn hold(&mut self, unit: &[&Item]) -> Option<Hold> {
        if self.nothing {
            return None;
        }
        let hold = unit.iter().find_map(|item| {
            let mut named = [item.entry.key()].into_iter().chain(item.entry.parents.iter().cloned());
            let lane = named.find_map(|key| self.lanes.get(&key).copied());
            lane.or_else(|| self.conditions.hold(&item.entry))
        })?;
        let creates = unit.iter().any(|item| item.entry.op == Op::Create);
        // Nobody waits for a change that the server may never take.
        if creates || !matches!(hold, Hold::Suspect(_)) {
            for item in unit {
                self.lanes.get_or_insert_with(item.entry.key(), || hold);
            }
        }
        Some(hold)
    }
}

/// The writes of one transaction stand together.
fn units<'a>(items: impl Iterator<Item = &'a Item>) -> impl Iterator<Item = Vec<&'a Item>> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        let first = items.next()?;
        let mut unit = vec![first];
        while let Some(next) = items.next_if(|next| first.entry.is_with(&next.entry)) {
            unit.push(next);
        }
        Some(unit)
    })
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

#[cfg(test)]
mod tests;
