//! Which documents are known here, and what the app sees of them.

use super::{Client, Output, Purpose, Ticket, Transaction};
use crate::id::{Collection, DocumentKey};
use crate::json::Json;
use crate::map::Set;
use crate::stored::{self, BaseRow};

impl Client {
    /// Makes the confirmed state of documents known here.
    pub fn load(&mut self, ticket: Ticket, keys: Vec<DocumentKey>) {
        let keys: Vec<_> = keys.into_iter().filter(|key| !self.replica.is_loaded(key)).collect();
        if keys.is_empty() {
            self.outputs.push_back(Output::Loaded(ticket));
            return;
        }
        let purpose = Purpose::Load { tickets: vec![ticket], keys: keys.clone() };
        self.transact(purpose, Transaction::Load(keys));
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
        self.loaded(vec![], Some(&collection), rows);
        if let Some(from) = next {
            return self.load_part(ticket, collection, from);
        }
        // Documents that exist only as pending writes are part of the collection too.
        let pending: Vec<_> =
            self.outbox.documents().filter(|key| key.collection == collection).cloned().collect();
        let drafts = self.outbox.parked().map(|parked| parked.entry.key());
        let drafts: Vec<_> = drafts.filter(|key| key.collection == collection).collect();
        for key in pending.into_iter().chain(drafts) {
            self.replica.load(key, None, &self.outbox);
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
        keys: Vec<DocumentKey>,
        whole: Option<&Collection>,
        rows: Vec<(DocumentKey, BaseRow)>,
    ) {
        let found = rows.into_iter().map(|(key, row)| (key, Some(row)));
        let mut fresh = Set::new();
        for (key, row) in found.chain(keys.into_iter().map(|key| (key, None))) {
            if let Some(row) = &row {
                self.clock.observe(row.newest());
            }
            if self.replica.load(key.clone(), row, &self.outbox) && !self.packed().is_empty() {
                fresh.insert(key);
            }
        }
        let staged = std::mem::take(&mut self.staged);
        let visible = staged.iter().filter(|_| self.checkpoint.staged.is_none());
        for change in visible.flat_map(|(_, changes)| changes) {
            let Some((key, row)) = self.row(change, self.checkpoint.position) else { continue };
            let part = whole == Some(&key.collection);
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
