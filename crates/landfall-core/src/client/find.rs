//! Queries that an index answers: only what they ask for becomes known here.
//!
//! The index is over what is confirmed. What may differ from that is in memory: pending writes, refused ones that
//! stay visible, and what was pulled and is still packed. All of it in the collection becomes known with every
//! answer, and from then on whatever is confirmed in it does, so that nothing can come to match unseen.

use super::{Client, Output, Purpose, Ticket, Transaction};
use crate::id::{Collection, DocumentKey};
use crate::index::{self, Seek, Wanted};
use crate::json::Json;
use crate::stored::{BaseRow, Key};
use crate::transaction::Rows;

/// Most documents that are read at once: a few milliseconds of a slow phone.
const PART: usize = 400;

/// A question to an index, until it is answered.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    ticket: Ticket,
    collection: Collection,
    seek: Seek,
    round: u64,
    /// How many keys are asked for.
    count: usize,
    /// The keys that were found.
    keys: Rows,
    /// Documents that have to be read yet.
    missing: Vec<DocumentKey>,
}

impl Finding {
    /// The call that waits for it.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }
}

/// What has become known by [`Client::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The collection as a whole: there is no such index, or not yet.
    Whole,
    /// All that was asked for, or that there is of it.
    All,
    /// All up to this document, with this value.
    Through(DocumentKey, Option<Json>),
}

impl Client {
    /// Makes known what an index names, or the whole collection where it cannot tell. Whatever becomes known is
    /// told by [`Client::changes`]; once [`Output::Loaded`] answers, [`Client::found`] says how much that is.
    pub fn find(&mut self, ticket: Ticket, collection: Collection, seek: Seek) {
        let range = seek.range(&collection).filter(|_| !self.replica.is_whole(&collection));
        let Some((from, to)) = range else { return self.load_all(ticket, collection) };
        self.replica.expect(&collection);
        let (count, descending) = match seek.wanted {
            Wanted::Equal(_) => (u32::MAX, false),
            // Whatever is in memory may have left the first ones.
            Wanted::First { count, descending } => {
                (count.max(1).saturating_add(self.unconfirmed(&collection).len() as u32), descending)
            }
        };
        let transaction = Transaction::Seek {
            collection: collection.clone(),
            field: seek.field.clone(),
            from,
            to,
            count,
            descending,
        };
        let round = self.replica.round();
        let finding =
            Finding { ticket, collection, seek, round, count: count as usize, keys: vec![], missing: vec![] };
        self.transact(Purpose::Seek(Box::new(finding)), transaction);
    }

    /// How much has become known by a call that was answered. Asked once.
    pub fn found(&mut self, ticket: Ticket) -> Found {
        let at = self.bounds.iter().position(|(other, _)| *other == ticket);
        at.map_or(Found::Whole, |at| self.bounds.swap_remove(at).1)
    }

    /// Documents that may be seen otherwise than they are in the base, some of them more than once.
    fn unconfirmed(&self, collection: &Collection) -> Vec<DocumentKey> {
        let mut keys: Vec<_> = self.outbox.documents().cloned().collect();
        for parked in self.outbox.parked() {
            keys.push(parked.entry.key());
        }
        for (_, changes) in self.packed() {
            for change in changes {
                keys.push(change.key());
            }
        }
        keys.retain(|key| key.collection == *collection);
        keys
    }

    /// An index has answered.
    pub(super) fn sought(&mut self, mut finding: Finding, keys: Option<Rows>) {
        let Some(keys) = keys.filter(|keys| !keys.iter().any(|(key, _)| index::is_vague(key))) else {
            return self.load_all(finding.ticket, finding.collection);
        };
        finding.missing = self.unconfirmed(&finding.collection);
        for (key, _) in &keys {
            if let Some(document) = index::document(key) {
                finding.missing.push(DocumentKey { collection: finding.collection.clone(), document });
            }
        }
        finding.keys = keys;
        self.fetch(finding);
    }

    /// Reads the next part of what is missing.
    fn fetch(&mut self, mut finding: Finding) {
        if finding.round != self.replica.round() {
            // What was read before is forgotten.
            return self.find(finding.ticket, finding.collection, finding.seek);
        }
        finding.missing.retain(|key| !self.replica.is_loaded(key));
        let rest = finding.missing.split_off(PART.min(finding.missing.len()));
        let keys = std::mem::replace(&mut finding.missing, rest);
        if !keys.is_empty() {
            let purpose = Purpose::Fetch { keys: keys.clone(), finding: Box::new(finding) };
            return self.transact(purpose, Transaction::Load(keys));
        }
        let Finding { ticket, collection, seek: Seek { field, .. }, count, keys, .. } = finding;
        // What has moved since it was found says nothing of the others.
        let stands = |(key, _): &(Key, String)| {
            let document = DocumentKey { collection: collection.clone(), document: index::document(key)? };
            let row = self.replica.base(&document)?;
            let value = row.data.members().and_then(|mut members| members.remove(&*field));
            (index::key(&document, &field, value.as_ref()) == *key).then_some(Found::Through(document, value))
        };
        let found = if keys.len() < count { Some(Found::All) } else { keys.iter().rev().find_map(stands) };
        let Some(found) = found else { return self.load_all(ticket, collection) };
        self.bounds.push((ticket, found));
        self.outputs.push_back(Output::Loaded(ticket));
    }

    /// A part of what was missing is here.
    pub(super) fn fetched(
        &mut self,
        finding: Finding,
        keys: Vec<DocumentKey>,
        rows: Vec<(DocumentKey, BaseRow)>,
    ) {
        if finding.round == self.replica.round() {
            self.loaded(keys, None, rows);
        }
        self.fetch(finding);
    }
}
