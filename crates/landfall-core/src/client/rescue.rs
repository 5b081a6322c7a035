//! What a tab saves once more: when what was stored is gone, it may be the only one that remembers.

use super::{Client, Purpose, Ticket};
use crate::clock::Stamp;
use crate::id::{MutationId, Writer};
use crate::map::Set;
use crate::outbox::{Standing, uncommitted};
use crate::stored::{Entry, Parked};

impl Client {
    /// What this tab remembers of writes whose effect it has not seen, and of what was refused, when what was stored is
    /// gone, in the order in which they stood. What the server has accepted goes through it all again: it gives the same
    /// verdict, unless its own history was set back meanwhile.
    pub(super) fn rescued(&mut self) -> Vec<Parked> {
        let mut rescued: Vec<Parked> = Vec::new();
        // Of a transaction all is lost, or nothing.
        let first = |entry: &Entry| {
            entry.group.as_ref().and_then(|group| group.as_str().parse().ok()).unwrap_or(entry.id)
        };
        let mut torn = Set::new();
        for item in self.outbox.items() {
            if !item.entry.fields.are_here() {
                torn.insert(first(&item.entry));
            }
        }
        for item in self.outbox.items() {
            if torn.contains(&first(&item.entry)) {
                self.lost += 1;
                continue;
            }
            let mut entry = item.entry.clone();
            // Final bytes are gone. What comes after it on its document must not get the stamp that it had in them.
            if item.stamp != entry.stamp {
                let below = Stamp { ticks: item.stamp.ticks.saturating_sub(entry.id.n), writer: Writer(0) };
                entry.seen = entry.seen.max(below);
            }
            match item.standing {
                Standing::Saving | Standing::Discarding => {}
                Standing::Saved | Standing::Sending | Standing::Accepted { .. } => {
                    let place = self.outbox.place(entry.id).unwrap_or_default();
                    rescued.push(Parked::pending(entry, place));
                }
            }
        }
        for parked in self.outbox.parked() {
            // Another tab may have had a verdict stored on what this one was saving again.
            if self.outbox.get(parked.entry.id).is_none() {
                file(&mut rescued, parked.clone());
            }
        }
        rescued
    }

    /// Writes that are on their way into the journal.
    pub(super) fn waiting(&self) -> Set<MutationId> {
        let running = self.transactions.values().filter_map(committing).map(|(ids, _)| ids);
        let queued = self.queue.iter().flat_map(|(_, entries)| entries).map(|entry| entry.id);
        running.flatten().copied().chain(queued).collect()
    }

    /// Saves what nobody waits for, ahead of whatever has been written since.
    pub(super) fn save_again(&mut self, again: Vec<Parked>) {
        let mut entries = Vec::new();
        let from: usize = self.queue.iter().map(|(_, entries)| entries.len()).sum();
        for mut one in again {
            if self.has(one.entry.id) {
                continue;
            }
            if one.is_pending() {
                one.entry.place = Some(one.place);
                let place = uncommitted(self.commits, (from + entries.len()) as u32);
                self.outbox.insert(place, one.entry.clone(), Standing::Saving);
                entries.push(one.entry);
            } else {
                self.outbox.park(one.clone());
                self.parking_again.push(one);
            }
        }
        if entries.is_empty() && self.parking_again.is_empty() {
            return;
        }
        self.queue.push((Ticket::MAX, entries));
        self.commit();
    }
}

/// The writes of a commit that is under way, and what is put aside once more with it.
pub(super) fn committing(purpose: &Purpose) -> Option<(&Vec<MutationId>, &Vec<Parked>)> {
    if let Purpose::Commit { ids, parked, .. } = purpose { Some((ids, parked)) } else { None }
}

/// Puts a write where it stands among others.
pub(super) fn file(all: &mut Vec<Parked>, one: Parked) {
    let at = all.partition_point(|other| other.place <= one.place);
    all.insert(at, one);
}
