//! What a decision rests on, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Stamp;
use crate::conflict::{Conflict, Policy};
use crate::document::{Document, Register};
use crate::id::{Collection, DocumentKey, MutationId, Position, Version, Writer};
use crate::json::{self, Json};
use crate::map::Map;
use crate::merge::Merges;
use crate::mutation::{Change, Field, Mutation, Op, Refusal};
use crate::path::Path;
use crate::wire::PushResult;

use super::Receipt;

/// A document as the server holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// How often it was changed.
    pub version: Version,
    /// The commit that changed it last.
    pub position: Position,
    /// What it is.
    pub document: Document,
    /// Where documents are decided as wholes, the write that it comes from.
    pub whole: Option<Register>,
}

/// What came before a document that is decided as a whole, as far as its writers in the batch are concerned.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// What stood when its version was the one that a mutation is based on, by that version. Older than that it
    /// may be by what the client that sends has written itself since.
    pub seen: BTreeMap<Version, Stored>,
    /// What that client has written since, with the stamps that it was given, by the version that it made.
    pub own: BTreeMap<Version, (Mutation, Stamp)>,
}

/// What the decision rests on, read in the transaction that will write its outcome.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The position this commit will have.
    pub position: Position,
    /// Every document that the batch names, as far as it exists.
    pub documents: BTreeMap<DocumentKey, Stored>,
    /// Receipts of the batch's mutations and of those in their `needs` and `after`, as far as they exist, settled
    /// ones too.
    pub receipts: BTreeMap<MutationId, Receipt>,
    /// The writers that belong to the client that sends.
    pub own_writers: BTreeSet<Writer>,
    /// Those of the batch that have [`RECEIPTS_MAX`](super::RECEIPTS_MAX) receipts or more.
    pub full: BTreeSet<Writer>,
    /// Of documents that are decided as wholes and that a mutation of the batch does not know as they are, what
    /// came before.
    pub pasts: BTreeMap<DocumentKey, Past>,
    /// Documents of the batch that were erased: nothing is left of them, and nothing brings them back.
    pub erased: BTreeSet<DocumentKey>,
}

/// A mutation as it would change a document, for the rules to judge.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The document.
    pub key: &'a DocumentKey,
    /// What the user did.
    pub op: Op,
    /// The document before, if the caller may see it: all of its fields, those that a delete hides too. None for a
    /// creation that knew of the delete and begins anew.
    pub previous: Option<&'a Json>,
    /// The document after, unless it is deleted; where an earlier delete goes on hiding it, what it hides.
    pub document: Option<&'a Json>,
}

/// How the documents of a collection merge.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Fields that merge in another way than by the last write.
    pub merges: Merges,
    /// Which of two writes stands that did not know of each other.
    pub policy: Policy,
    /// Fields that name a document of another collection, which has to be there when they are written.
    pub references: Map<Box<str>, Collection>,
}

impl Terms {
    /// The fields with which a mutation names documents of other collections, and which; none where a value names none.
    pub fn named<'a>(
        &'a self,
        mutation: &'a Mutation,
    ) -> impl Iterator<Item = (&'a Field, &'a Collection, Option<DocumentKey>)> + use<'a> {
        mutation.fields.iter().filter_map(|field| {
            let ([name], Change::Set(value)) = (field.path.keys(), &field.change) else { return None };
            let collection = self.references.get(name).filter(|_| value.text() != "null")?;
            let key = |document| DocumentKey { collection: collection.clone(), document };
            Some((field, collection, json::read(value.text()).ok().map(key)))
        })
    }
}

/// Fields in the form that a collection wants for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// All fields of the mutation.
    pub fields: Vec<Field>,
    /// The first of those that were changed.
    pub first: Path,
    /// What was changed, in words.
    pub changes: String,
}

/// Who may do what, and what a document must look like. Looks at nothing but its arguments.
pub trait Rules {
    /// How a collection merges. Refuses one that does not exist.
    ///
    /// # Errors
    /// [`Code::UnknownCollection`](crate::code::Code::UnknownCollection).
    fn terms(&self, collection: &Collection) -> Result<&Terms, Refusal>;

    /// Whether the caller may see a document: all of its fields, those that a delete hides too. What they may not
    /// see is judged as if it were not there.
    fn may_see(&self, collection: &Collection, document: &Json) -> bool;

    /// Brings what a mutation writes into another form, where it is not in the form that the collection wants. The
    /// verdict says so.
    fn mend(&self, _collection: &Collection, _fields: &[Field]) -> Option<Mended> {
        None
    }

    /// Refuses what the caller may not do to what they see, or what the result must not be.
    ///
    /// # Errors
    /// The refusal is the mutation's verdict, for good.
    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal>;
}

/// What to write and what to answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per mutation, in the order of the batch.
    pub results: Vec<PushResult>,
    /// Documents as they are now.
    pub documents: BTreeMap<DocumentKey, Stored>,
    /// Receipts to add.
    pub receipts: BTreeMap<MutationId, Receipt>,
    /// Conflicts to record.
    pub conflicts: Vec<Conflict>,
}
