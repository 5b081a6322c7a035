//! What happens when: a heap of events over simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use landfall_core::client::Heard;
use landfall_core::time::{Millis, WallTime};

use crate::chance::Chance;
use crate::disaster::Disaster;

/// Names a tab for ever; one that is opened again is another.
pub type TabId = usize;

/// Something that happens at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device's disk runs one of the transactions that wait.
    Disk(usize),
    /// A tab is told how its oldest transaction that was run has ended.
    Told(TabId),
    /// A request reaches the server.
    Arrive(u64),
    /// An answer reaches the tab.
    Answer(u64),
    /// A tab has waited for an answer for long enough.
    GiveUp(u64),
    /// A tab's timer, if it is still the one that is armed.
    Timer(TabId, u64),
    /// A tab gets or loses the lock.
    Lead(TabId, bool),
    /// A tab is told that another one has changed what is stored.
    Hint(TabId),
    /// A tab reads again what it could not read.
    Load(TabId),
    /// Something is heard of a tab's stream, if it is still that one.
    Heard(TabId, u64, Heard),
    /// A user does something on a device.
    Work(usize),
    /// There is another version of the app.
    Upgrade,
    /// Something bad begins.
    Disaster,
    /// Somebody without a core of ours tries something.
    Hostile,
    /// Something bad ends.
    Relief(Disaster, usize),
    /// A tab is opened on a device, if there is none.
    Reopen(usize),
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: WallTime,
    tie: u32,
    order: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.tie, self.order).cmp(&(other.at, other.tie, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Events to come, and the true time.
#[derive(Debug)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    ties: Chance,
    count: u64,
    /// The true time, which no device knows.
    pub now: WallTime,
}

impl Queue {
    /// Nothing is to happen yet.
    pub fn new(ties: Chance, now: WallTime) -> Queue {
        Queue { heap: BinaryHeap::new(), ties, count: 0, now }
    }

    /// Something will happen. What happens at the same moment happens in any order.
    pub fn after(&mut self, delay: Millis, event: Event) {
        self.count += 1;
        let entry =
            Entry { at: self.now.after(delay), tie: self.ties.bits() as u32, order: self.count, event };
        self.heap.push(Reverse(entry));
    }

    /// The next thing that happens until `end`; time goes on to it.
    pub fn next(&mut self, end: WallTime) -> Option<Event> {
        if self.heap.peek().is_none_or(|Reverse(entry)| entry.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = self.now.max(entry.at);
        Some(entry.event)
    }
}
