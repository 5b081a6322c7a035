//! How a write comes into the world: checked, stamped, visible at once, and durable with the next commit.

use super::{Client, Purpose, Ticket, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::id::{Collection, DocumentId, DocumentKey, MutationId};
use crate::intent::Intent;
use crate::json;
use crate::merge::{self, Merges};
use crate::mutation::{Change, Field, Op, Refusal};
use crate::outbox::{self, Standing};
use crate::stored::{self, Entry, JournalRecord, Urgency};
use crate::time::WallTime;
use crate::wire::{DOCUMENT_BYTES_MAX, GROUP_BYTES_MAX, GROUP_MUTATIONS_MAX};

impl Client {
    /// Makes writes, all in one commit; `grouped`, they are one item, for the server too: all of them are
    /// applied, or none. They are visible at once, and durable when [`Output::Saved`] names
    /// the ticket; if that cannot be, [`Output::Unsaved`] does and they are gone again.
    ///
    /// # Errors
    /// Nothing is written if one of them makes no sense: [`Code::InvalidCollection`], [`Code::NotFound`],
    /// [`Code::AlreadyExists`], [`Code::DocumentTooLarge`], [`Code::GroupTooLarge`], or what
    /// [`Mutation::check`] says.
    ///
    /// [`Mutation::check`]: crate::mutation::Mutation::check
    ///
    /// # Panics
    /// Where a document is not loaded: see [`Client::is_loaded`].
    pub fn write(
        &mut self,
        ticket: Ticket,
        intents: &[(Intent, Urgency)],
        grouped: bool,
        now: WallTime,
    ) -> Result<Vec<MutationId>, Refusal> {
        let group = (grouped && intents.len() > 1).then(|| self.next_id().group());
        let mut bytes = 0;
        let (minted, clock) = (self.minted, self.clock.clone());
        let mut entries: Vec<Entry> = Vec::with_capacity(intents.len());
        let n = self.commits;
        let mut index = self.queue.iter().map(|(_, entries)| entries.len() as u32).sum();
        for (intent, urgency) in intents {
            let prepared = self.prepare(intent, *urgency, now).and_then(|entry| {
                bytes += if group.is_some() { stored::write(&entry).len() } else { 0 };
                if group.is_some() && (intents.len() > GROUP_MUTATIONS_MAX || bytes > GROUP_BYTES_MAX) {
                    let limit = GROUP_BYTES_MAX >> 10;
                    let message =
                        format!("a transaction may have {GROUP_MUTATIONS_MAX} writes and {limit} KiB");
                    return Err(Refusal::new(Code::GroupTooLarge, message));
                }
                Ok(Entry { group: group.clone(), ..entry })
            });
            match prepared {
                Ok(entry) => {
                    self.outbox.insert(outbox::uncommitted(n, index), entry.clone(), Standing::Saving);
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

    /// The name that the next write gets.
    fn next_id(&self) -> MutationId {
        MutationId { writer: self.options.writer, n: self.minted + 1 }
    }

    /// Names one more write.
    pub(super) fn mint(&mut self) -> MutationId {
        let id = self.next_id();
        self.minted = id.n;
        id
    }

    /// Gives a write its identity, its time and its place in history.
    fn prepare(&mut self, intent: &Intent, urgency: Urgency, now: WallTime) -> Result<Entry, Refusal> {
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
        self.compose(key, intent.op(), intent.fields()?, schema, urgency, now)
    }

    /// A write on top of what is seen of a document now.
    pub(super) fn compose(
        &mut self,
        key: &DocumentKey,
        op: Op,
        fields: Vec<Field>,
        schema: u32,
        urgency: Urgency,
        now: WallTime,
    ) -> Result<Entry, Refusal> {
        let fields = merge::enter(op, fields, self.merges(&key.collection))?;
        let wanted = |item: &&outbox::Item| item.standing != Standing::Discarding;
        let last = self.outbox.lane(key).rfind(wanted);
        let pending = self.outbox.lane(key).map(|item| item.stamp);
        let drafted = self.outbox.draft(key).map(|parked| parked.entry.stamp);
        let seen_pending = pending.chain(drafted).max().unwrap_or(Stamp::ZERO);
        let seen = self.replica.base(key).map_or(Stamp::ZERO, |row| row.newest());
        let after = last.map(|item| item.entry.id);
        self.clock.observe(seen.max(seen_pending));
        let entry = Entry {
            id: self.mint(),
            group: None,
            collection: key.collection.clone(),
            document: key.document.clone(),
            op,
            parents: self.parents(key, &fields),
            fields: fields.into(),
            base: self.replica.version(key),
            after,
            at: now,
            stamp: self.clock.tick(now.shifted(self.offset.millis()), self.options.writer),
            seen,
            schema,
            priority: urgency.priority,
            network: urgency.network,
            replaces: None,
            place: None,
        };
        within_limits(&entry)?;
        Ok(entry)
    }

    /// Documents that a write names in declared fields and whose creation the server does not have.
    fn parents(&self, key: &DocumentKey, fields: &[Field]) -> Vec<DocumentKey> {
        let declared = self.options.collections.get(&key.collection);
        let Some(declared) = declared.filter(|declared| !declared.parents.is_empty()) else { return vec![] };
        let mut parents = vec![];
        for Field { path, change } in fields {
            if let ([field], Change::Set(value)) = (path.keys(), change)
                && let Some(collection) = declared.parents.get(&**field)
                && let Ok(document) = json::read::<DocumentId>(value.text())
            {
                let parent = DocumentKey { collection: collection.clone(), document };
                if parent != *key && self.outbox.is_coming(&parent) {
                    parents.push(parent);
                }
            }
        }
        parents
    }

    /// How the app has declared that fields of a collection merge.
    pub(super) fn merges(&self, collection: &Collection) -> &Merges {
        const NONE: &Merges = &Merges::new();
        self.options.collections.get(collection).map_or(NONE, |declared| &declared.fields)
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
        let parked = std::mem::take(&mut self.parking_again);
        let commit = Transaction::Commit(JournalRecord { entries }, parked.clone());
        self.transact(Purpose::Commit { n, tickets, ids, parked }, commit);
    }
}

/// Refuses what the server would refuse whatever its rules are.
pub(super) fn within_limits(entry: &Entry) -> Result<(), Refusal> {
    entry.mutation(entry.stamp, vec![]).check()?;
    if stored::write(&entry.fields).len() > DOCUMENT_BYTES_MAX {
        let limit = DOCUMENT_BYTES_MAX >> 10;
        return Err(Refusal::new(Code::DocumentTooLarge, format!("a document may have {limit} KiB")));
    }
    Ok(())
}
