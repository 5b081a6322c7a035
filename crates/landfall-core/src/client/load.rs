//! Which documents are known here, and what the app sees of them.

use super::{Client, Output, Purpose, Ticket, Transaction, pull};
use crate::id::{Collection, DocumentKey};
use crate::json::Json;
use crate::map::Set;
use crate::stored::{self, BaseRow};
use crate::time::WallTime;
use crate::transaction::PART;

/// What goes on once documents are known.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// Nothing but for whoever waits for them.
    Answer(Option<Ticket>),
    /// [`Client::load_all`], of which these are a part.
    Rest(Ticket, Collection, u64),
    /// [`Client::fix`].
    Fix,
    /// [`Client::store`].
    Store(Box<pull::Page>),
    /// [`Client::unpack`].
    Unpack,
}

impl Client {
    /// Makes the confirmed state of documents known here.
    pub fn load(&mut self, ticket: Ticket, keys: Vec<DocumentKey>) {
        let keys = self.unknown(keys);
        if keys.is_empty() {
            self.outputs.push_back(Output::Loaded(ticket));
            return;
        }
        self.read_documents(keys, Then::Answer(Some(ticket)));
    }

    /// Has documents read, and what of the writes to them is in the journal alone.
    pub(super) fn read_documents(&mut self, keys: Set<DocumentKey>, then: Then) {
        let mut records = Set::new();
        for item in keys.iter().flat_map(|key| self.outbox.lane(key)) {
            if !item.entry.fields.are_here() {
                records.extend(self.ledger.records(item.entry.id));
            }
        }
        self.transact(Purpose::Load { keys: keys.clone(), then }, Transaction::Load(keys, records));
    }

    /// Those of some documents that are not known here.
    pub(super) fn unknown(&self, keys: Vec<DocumentKey>) -> Set<DocumentKey> {
        keys.into_iter().filter(|key| !self.replica.is_loaded(key)).collect()
    }

    /// Documents are known here.
    pub(super) fn go_on(&mut self, then: Then, now: WallTime) {
        match then {
            Then::Answer(Some(ticket)) => self.outputs.push_back(Output::Loaded(ticket)),
            Then::Answer(None) => {}
            Then::Rest(ticket, collection, round) => self.load_rest(ticket, collection, round),
            Then::Fix => self.fix(now),
            Then::Store(page) => self.store(*page, now),
            // What is packed may be other pages by then.
            Then::Unpack if self.is_reading() => {}
            Then::Unpack => _ = self.unpack(),
        }
    }

    /// Makes all of a collection known here, part by part. Whatever becomes known is told by
    /// [`Client::changes`].
    pub fn load_all(&mut self, ticket: Ticket, collection: Collection) {
        if self.replica.is_whole(&collection) {
            self.outputs.push_back(Output::Loaded(ticket));
            return;
        }
        self.replica.expect(&collection);
        let (from, _) = stored::base_range(&collection);
        self.load_part(ticket, collection, from);
    }

    fn load_part(&mut self, ticket: Ticket, collection: Collection, from: String) {
        let round = self.replica.round();
        let purpose = Purpose::LoadPart { ticket, collection: collection.clone(), round };
        let (_, to) = stored::base_range(&collection);
        self.transact(purpose, Transaction::LoadPart(from, to));
    }

    /// A part of a collection is here.
    pub(super) fn loaded_part(
        &mut self,
        ticket: Ticket,
        collection: Collection,
        round: u64,
        rows: Vec<(DocumentKey, BaseRow)>,
        next: Option<String>,
    ) {
        if round != self.replica.round() {
            // What was read before is forgotten.
            return self.load_all(ticket, collection);
        }
        self.loaded(Set::new(), Some(&collection), rows);
        match next {
            Some(from) => self.load_part(ticket, collection, from),
            None => self.load_rest(ticket, collection, round),
        }
    }

    /// Documents of a collection, or of all, to [`load`](Client::load), because what is written to them is in the journal
    /// alone: one for each write, and no more than so many.
    pub fn unread(&self, of: Option<&Collection>, count_max: usize) -> Vec<DocumentKey> {
        let mut keys = Vec::new();
        for item in self.outbox.items() {
            let wanted = !item.entry.fields.are_here() && of.is_none_or(|of| *of == item.entry.collection);
            if wanted && keys.len() < count_max && !self.replica.is_loaded(&item.entry.key()) {
                keys.push(item.entry.key());
            }
        }
        keys
    }

    /// All that is confirmed of a collection is here, but for documents that are to be read together with what is
    /// written to them.
    fn load_rest(&mut self, ticket: Ticket, collection: Collection, round: u64) {
        if round != self.replica.round() {
            return self.load_all(ticket, collection);
        }
        let keys = self.unknown(self.unread(Some(&collection), PART as usize));
        if !keys.is_empty() {
            return self.read_documents(keys, Then::Rest(ticket, collection, round));
        }
        // Documents that exist only as pending writes are part of the collection too.
        for key in self.pending() {
            if key.collection == collection {
                self.replica.load(key, None, &self.outbox);
            }
        }
        self.replica.complete(collection);
        self.outputs.push_back(Output::Loaded(ticket));
    }

    /// Whether all of a collection is known here.
    pub fn is_whole(&self, collection: &Collection) -> bool {
        self.replica.is_whole(collection)
    }

    /// Says that a document cannot be there, as for an id that was minted just now.
    pub fn assume_new(&mut self, key: DocumentKey) {
        self.replica.load(key, None, &self.outbox);
    }

    /// Whether a document can be written to and its visible state is known.
    pub fn is_loaded(&self, key: &DocumentKey) -> bool {
        self.replica.is_loaded(key)
    }

    /// What the app sees of a document.
    pub fn document(&self, key: &DocumentKey) -> Option<&Json> {
        self.replica.visible(key)
    }

    /// What the app sees of a collection.
    pub fn collection<'a>(&'a self, name: &Collection) -> impl Iterator<Item = (&'a DocumentKey, &'a Json)> {
        self.replica.collection(name)
    }

    /// Takes the documents whose visible state has changed.
    pub fn changes(&mut self) -> Vec<(DocumentKey, Option<Json>)> {
        self.replica.changes()
    }

    /// The stored rows are here.
    pub(super) fn loaded(
        &mut self,
        keys: Set<DocumentKey>,
        whole: Option<&Collection>,
        rows: Vec<(DocumentKey, BaseRow)>,
    ) {
        let found = rows.into_iter().map(|(key, row)| (key, Some(row)));
        let mut fresh = Set::new();
        for (key, row) in found.chain(keys.into_iter().map(|key| (key, None))) {
            if let Some(row) = &row {
                self.clock.observe(row.newest());
            }
            let bare = self.outbox.is_bare(&key);
            if bare && whole.is_some() {
                continue;
            }
            // It is not in the journal, so another tab has brought it to an end, or has written it just now.
            self.refresh |= bare;
            if !self.replica.load(key.clone(), row, &self.outbox) {
                self.replica.replay(&key, &self.outbox);
            } else if !self.packed().is_empty() {
                fresh.insert(key);
            }
        }
        let staged = std::mem::take(&mut self.staged);
        let visible = staged.iter().filter(|_| self.checkpoint.staged.is_none());
        for change in visible.flat_map(|(_, changes)| changes) {
            let Some((key, row)) = self.row(change, self.checkpoint.position) else { continue };
            let part = whole == Some(&key.collection) && !self.outbox.is_bare(&key);
            if part && self.replica.load(key.clone(), None, &self.outbox) {
                fresh.insert(key.clone());
            }
            if fresh.contains(&key) {
                self.replica.confirm(key, row, &self.outbox);
            }
        }
        self.staged = staged;
    }
}
