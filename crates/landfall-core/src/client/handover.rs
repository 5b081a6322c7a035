//! How a database ends: its writes go into another one, or are on the server, and then it is sealed.
//!
//! What is sealed holds nothing, and nothing can be written to it, by whatever tab. So whoever finds a sealed
//! database may delete it, and a crash between any two steps loses nothing and doubles nothing.

use super::load::Then;
use super::{Client, Output, Purpose, Ticket, Transaction};
use crate::code::Code;
use crate::drain::Nudge;
use crate::mutation::Refusal;
use crate::outbox::Standing;
use crate::stored::{Entry, Legacy, Place};
use crate::time::WallTime;

impl Client {
    /// Takes over what was written to a database that was never synchronised, under the same ids. Once
    /// [`Output::Loaded`] answers, that is durable here; a second time, it changes nothing.
    pub fn adopt(&mut self, ticket: Ticket, legacy: Legacy) {
        self.transact(Purpose::Adopt(ticket), Transaction::Adopt(legacy));
    }

    /// Deletes everything and lets no tab write again. [`Output::Saved`] says so; [`Output::Unsaved`] with
    /// [`Code::PendingWrites`], that another tab has just written something, and then nothing has changed.
    ///
    /// Writes that the server does not have are deleted only up to the journal record `through`, where
    /// that is given: they are somewhere else, or not wanted.
    ///
    /// # Errors
    /// [`Code::PendingWrites`] for writes that the server does not have or that cannot be read, without `through`.
    pub fn seal(&mut self, ticket: Ticket, through: Option<u64>) -> Result<(), Refusal> {
        let waiting = self.outbox.unsettled() + self.outbox.failed() + self.damaged.len();
        if through.is_none() && waiting > 0 {
            let message = format!("not on the server yet: {waiting} of what was written here");
            return Err(Refusal::new(Code::PendingWrites, message));
        }
        let through = through.unwrap_or_else(|| self.ledger.last());
        let known = self.ledger.journals();
        let of = self.installation.clone();
        self.transact(Purpose::Seal(ticket), Transaction::Seal { of, through, known });
        Ok(())
    }

    /// The writes are in the journal.
    pub(super) fn adopted(&mut self, ticket: Ticket, entries: Vec<Entry>, added: &[u64], now: WallTime) {
        let keys = entries.iter().map(Entry::key).collect();
        if let Some(record) = added.first().copied() {
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            self.seen.wrote(record);
            self.ledger.journal(record, ids.clone(), ids.into_iter().collect());
            for (index, entry) in (0..).zip(entries) {
                self.clock.observe(entry.stamp);
                self.refresh |= self.is_older(&entry);
                self.outbox.insert(Place { record, index }, entry, Standing::Saved);
            }
            self.outputs.push_back(Output::Hint);
            self.progress.saw(self.outbox.unsettled());
            self.drain.nudge(Nudge::Wrote, now);
        }
        self.read_documents(keys, Then::Answer(Some(ticket)));
    }
}
