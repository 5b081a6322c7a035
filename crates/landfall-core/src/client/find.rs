//! Queries that an index answers: only what they ask for becomes known here.
//!
//! The index is over what is confirmed. What may differ from that is in memory: pending writes, refused ones that
//! stay visible, and what was pulled and is still packed. All of it in the collection is part of every answer, and
//! from then on whatever is confirmed in it becomes known, so that nothing can come to match unseen.

use super::{Client, Output, Purpose, Ticket, Transaction};
use crate::id::{Collection, DocumentKey};
use crate::index::{self, Seek, Wanted};
use crate::stored::Key;
use crate::transaction::Rows;

/// What an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Documents to [`load`](Client::load). Once they are, what was asked for is known, and stays so.
    pub documents: Vec<DocumentKey>,
    /// The key up to which that is so; empty where it is so for all there is.
    pub through: String,
}

impl Client {
    /// Asks an index. Once [`Output::Loaded`] answers, [`Client::found`] says what it names. Whatever of the
    /// collection becomes known from now on is told by [`Client::changes`].
    pub fn find(&mut self, ticket: Ticket, collection: Collection, seek: &Seek) {
        let Some((from, to)) = seek.range(&collection) else {
            return self.outputs.push_back(Output::Loaded(ticket));
        };
        self.replica.expect(&collection);
        let (count, descending) = match seek.wanted {
            Wanted::Equal(_) => (u32::MAX, false),
            Wanted::First { count, descending } => (count.max(1), descending),
        };
        let purpose = Purpose::Seek { ticket, collection: collection.clone(), count };
        let field = seek.field.clone();
        self.transact(purpose, Transaction::Seek { collection, field, from, to, count, descending });
    }

    /// What a call that was answered has brought: nothing where no index can tell. Asked once.
    pub fn found(&mut self, ticket: Ticket) -> Option<Found> {
        let at = self.found.iter().position(|(other, _)| *other == ticket);
        at.map(|at| self.found.swap_remove(at).1)
    }

    /// An index has answered.
    pub(super) fn sought(&mut self, ticket: Ticket, collection: &Collection, count: u32, keys: Option<Rows>) {
        if let Some(keys) = keys {
            // May be seen otherwise than they are in the base.
            let mut documents: Vec<_> = self.pending().into_iter().collect();
            for change in self.packed().iter().flat_map(|(_, changes)| changes) {
                documents.push(change.key());
            }
            documents.retain(|key| key.collection == *collection);
            let mut through = String::new();
            for (key, _) in &keys {
                if let Some(document) = index::document(key) {
                    documents.push(DocumentKey { collection: collection.clone(), document });
                }
            }
            if let Some((Key::Text(last), _)) = keys.last()
                && keys.len() == count as usize
            {
                through.clone_from(last);
            }
            self.found.push((ticket, Found { documents, through }));
        }
        self.outputs.push_back(Output::Loaded(ticket));
    }
}
