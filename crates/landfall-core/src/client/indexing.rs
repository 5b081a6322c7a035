//! Makes the indexes that the app declares, part by part, when there is nothing better to do.
//!
//! Not during a first sync: it would take twice as long, and until it is complete every query reads everything.

use super::{Client, Purpose, Transaction};
use crate::code::Code;
use crate::id::{Collection, DocumentKey};
use crate::stored::{BaseRow, Indexed};
use crate::transaction::Outcome;

impl Client {
    /// Indexes the next part of a collection, if there is one that is not indexed as declared.
    pub(super) fn index(&mut self) -> bool {
        let busy = self.transactions.values().any(|purpose| matches!(purpose, Purpose::Index(_)));
        if busy || self.unindexable || !self.checkpoint.complete || !self.staged.is_empty() {
            return false;
        }
        let next = self.options.collections.iter().find_map(|(collection, declared)| {
            let known = self.indexed(collection);
            let fields = Indexed::wanted(known, declared.version, &declared.indexes);
            let done = match known {
                Some(known) => known.through.is_none() && known.fields == fields,
                None => fields.is_empty(),
            };
            let transaction = || Transaction::Index {
                collection: collection.clone(),
                expected: known.cloned(),
                version: declared.version,
                fields,
            };
            (!done).then(|| (collection.clone(), transaction()))
        });
        let Some((collection, transaction)) = next else { return false };
        self.transact(Purpose::Index(collection), transaction);
        true
    }

    /// What is indexed of a collection, as far as is known here.
    pub fn indexed(&self, collection: &Collection) -> Option<&Indexed> {
        self.indexes.iter().find(|(other, _)| other == collection).map(|(_, indexed)| indexed)
    }

    /// Those of the documents that may be indexed: what they were has to be read before they change.
    pub(super) fn indexed_of(&self, rows: &[(DocumentKey, Option<BaseRow>)]) -> Vec<DocumentKey> {
        let keys = rows.iter().map(|(key, _)| key).filter(|key| self.indexed(&key.collection).is_some());
        keys.cloned().collect()
    }

    /// A part is indexed, or is not.
    pub(super) fn has_indexed(&mut self, collection: Collection, result: Result<Outcome, Code>) {
        match result {
            Ok(Outcome::Indexed(indexed, damaged)) => {
                self.refetch(damaged);
                self.indexes.retain(|(other, _)| *other != collection);
                self.indexes.extend(indexed.map(|indexed| (collection, indexed)));
            }
            Ok(_) => unreachable!("BUG: another outcome than the transaction has"),
            // Without it queries are slower, and that is all.
            Err(_) => self.unindexable = true,
        }
    }
}
