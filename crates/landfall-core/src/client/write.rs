//! How a write comes into the world: checked, stamped, visible at once, and durable with the next commit.

use super::{Client, Purpose, Ticket, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::id::MutationId;
use crate::intent::Intent;
use crate::mutation::{Op, Refusal};
use crate::outbox::{Place, Standing};
use crate::stored::{self, Entry, JournalRecord, Priority};
use crate::time::WallTime;
use crate::wire::DOCUMENT_BYTES_MAX;

impl Client {
    /// Makes writes, all in one commit. They are visible at once, and durable when [`Output::Saved`] names
    /// the ticket; if that cannot be, [`Output::Unsaved`] does and they are gone again.
    ///
    /// # Errors
    /// Nothing is written if one of them makes no sense: [`Code::InvalidCollection`], [`Code::NotFound`],
    /// [`Code::AlreadyExists`], [`Code::DocumentTooLarge`], or what [`Mutation::check`] says.
    ///
    /// [`Mutation::check`]: crate::mutation::Mutation::check
    ///
    /// # Panics
    /// Where a document is not loaded: see [`Client::is_loaded`].
    pub fn write(
        &mut self,
        ticket: Ticket,
        intents: &[(Intent, Priority)],
        now: WallTime,
    ) -> Result<Vec<MutationId>, Refusal> {
        let (minted, clock) = (self.minted, self.clock.clone());
        let mut entries: Vec<Entry> = Vec::with_capacity(intents.len());
        let n = self.commits;
        let mut index = self.queue.iter().map(|(_, entries)| entries.len() as u32).sum();
        for (intent, priority) in intents {
            match self.prepare(intent, *priority, now) {
                Ok(entry) => {
                    self.outbox.insert(Place::uncommitted(n, index), entry.clone(), Standing::Saving);
                    self.replica.replay(intent.key(), &self.outbox);
                    entries.push(entry);
                    index += 1;
                }
                Err(refusal) => {
                    (self.minted, self.clock) = (minted, clock);
                    self.withdraw(entries.iter().map(|entry| entry.id).collect());
                    return Err(refusal);
                }
            }
        }
        let ids = entries.iter().map(|entry| entry.id).collect();
        self.queue.push((ticket, entries));
        self.commit();
        Ok(ids)
    }

    /// Gives a write its identity, its time and its place in history.
    fn prepare(&mut self, intent: &Intent, priority: Priority, now: WallTime) -> Result<Entry, Refusal> {
        let key = intent.key();
        let Some(declared) = self.options.collections.get(&key.collection) else {
            let message = format!("the collection {} was not declared at open", key.collection);
            return Err(Refusal::new(Code::InvalidCollection, message));
        };
        assert!(self.replica.is_loaded(key), "BUG: a write to a document that is not loaded");
        match (intent.op(), self.replica.visible(key).is_some()) {
            (Op::Create, true) => {
                return Err(Refusal::new(Code::AlreadyExists, "there is already a document with this id"));
            }
            (Op::Patch | Op::Delete, false) => {
                return Err(Refusal::new(Code::NotFound, "there is no such document"));
            }
            (Op::Create, false) | (Op::Patch | Op::Delete, true) => {}
        }
        let schema = declared.version;
        let last = self.outbox.lane(key).next_back();
        let seen_pending = self.outbox.lane(key).map(|item| item.stamp).max().unwrap_or(Stamp::ZERO);
        let seen = self.replica.base(key).map_or(Stamp::ZERO, |row| row.newest());
        let after = last.map(|item| item.entry.id);
        self.clock.observe(seen.max(seen_pending));
        self.minted += 1;
        let entry = Entry {
            id: MutationId { writer: self.options.writer, n: self.minted },
            group: None,
            collection: key.collection.clone(),
            document: key.document.clone(),
            op: intent.op(),
            fields: intent.fields()?,
            base: self.replica.version(key),
            after,
            at: now,
            stamp: self.clock.tick(now.shifted(self.offset.millis()), self.options.writer),
            seen,
            schema,
            priority,
        };
        entry.mutation(entry.stamp, vec![]).check()?;
        let bytes = stored::write(&entry.fields).len();
        if bytes > DOCUMENT_BYTES_MAX {
            let limit = DOCUMENT_BYTES_MAX >> 10;
            return Err(Refusal::new(Code::DocumentTooLarge, format!("a document may have {limit} KiB")));
        }
        Ok(entry)
    }

    /// Takes back writes that are not durable.
    pub(super) fn withdraw(&mut self, ids: Vec<MutationId>) {
        for id in ids.into_iter().rev() {
            if let Some(item) = self.outbox.remove(id) {
                self.replica.replay(&item.entry.key(), &self.outbox);
            }
        }
    }

    /// Starts a commit of everything that is waiting, unless one is under way: group commit.
    pub(super) fn commit(&mut self) {
        if self.committing || self.queue.is_empty() {
            return;
        }
        let (mut tickets, mut entries) = (vec![], vec![]);
        for (ticket, written) in self.queue.drain(..) {
            tickets.push(ticket);
            entries.extend(written);
        }
        let ids = entries.iter().map(|entry| entry.id).collect();
        let n = self.commits;
        self.commits += 1;
        self.committing = true;
        self.transact(Purpose::Commit { n, tickets, ids }, Transaction::Commit(JournalRecord { entries }));
    }
}
