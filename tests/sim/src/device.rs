//! One installation: a disk, a clock, and the tabs that share them.

use std::collections::VecDeque;

use landfall_core::client::TransactionId;
use landfall_core::transaction::Transaction;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::person::PersonId;
use crate::queue::TabId;

/// One device, or what one person has on a device that several use.
#[derive(Debug, Default)]
pub struct Device {
    /// Whose it is.
    pub person: PersonId,
    /// Whose token the app has, where that is another's.
    pub mistaken: Option<PersonId>,
    /// Whether somebody else uses it now.
    pub away: bool,
    /// What is stored.
    pub disk: Disk,
    /// Its clock.
    pub clock: Clock,
    /// Transactions that wait for the disk, in the order in which they were asked for.
    pub waiting: VecDeque<(TabId, TransactionId, Transaction)>,
    /// The tab that holds the lock.
    pub leader: Option<TabId>,
    /// Whether nothing gets out.
    pub cut_out: bool,
    /// Whether nothing gets in.
    pub cut_in: bool,
    /// Whether the app has a token.
    pub signed_in: bool,
    /// What it has may be from a history that is no more, so it is not compared with the one that is.
    pub tainted: bool,
    /// Whether a browser ever deleted what was stored: what tabs save again stands behind what was written since.
    pub evicted: bool,
    /// Whether what it had stored was ever copied onto another device, which sends it too.
    pub copied: bool,
}

impl Device {
    /// Which waiting transactions may run now: none that overlaps an earlier one.
    pub fn runnable(&self) -> Vec<usize> {
        let overlaps = |one: &Transaction, other: &Transaction| {
            let stores = other.stores();
            one.stores().iter().any(|store| stores.contains(store))
        };
        let free = |i: &usize| {
            let (_, _, transaction) = &self.waiting[*i];
            !self.waiting.iter().take(*i).any(|(_, _, earlier)| overlaps(earlier, transaction))
        };
        (0..self.waiting.len()).filter(free).collect()
    }
}
