//! What becomes of a conflict once a person has decided against what stands.
//!
//! The decision is a write like any other: rules, merge and limits are those of a mutation whose writer has
//! seen all there is, so devices need to know nothing of it, and whoever has not seen it yet conflicts with it.

use super::{Court, Decision, Facts, Rules, Stored};
use crate::clock::Stamp;
use crate::code::Code;
use crate::document::Register;
use crate::id::{DocumentKey, MutationId, Writer};
use crate::json::Json;
use crate::merge::Merges;
use crate::mutation::{Change, Field, Mutation, Op, Refusal};
use crate::path::Path;
use crate::time::WallTime;

/// What is put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// A value at a path.
    Value(Path, Json),
    /// That there is nothing at a path.
    Absence(Path),
    /// That the document is deleted.
    Deletion,
    /// The document that a delete has hidden, with all that is in it.
    Document,
    /// That the document is this and nothing else, apart from fields with a merge of their own.
    Whole(Json),
}

/// Writes what a person has decided for, above everything that the document has.
///
/// `writer` must never have issued a stamp, and issues none after this one. The result is the mutation as it
/// goes into the history, and what to write.
///
/// # Errors
/// What would refuse the same write to a device: the rules, the limits, [`Code::Gone`] for a part of a document
/// that is deleted, [`Code::NotFound`] where there is none.
pub fn settle(
    key: &DocumentKey,
    back: Back,
    writer: Writer,
    facts: Facts,
    rules: &dyn Rules,
    now: WallTime,
) -> Result<(Mutation, Decision), Refusal> {
    let Some(stored) = facts.documents.get(key) else {
        return Err(Refusal::new(Code::NotFound, "there is no such document"));
    };
    let part = matches!(back, Back::Value(..) | Back::Absence(_));
    let (op, fields) = match back {
        Back::Value(path, value) => (Op::Patch, vec![Field { path, change: Change::Set(value) }]),
        Back::Absence(path) => (Op::Patch, vec![Field { path, change: Change::Unset }]),
        Back::Deletion => (Op::Delete, vec![]),
        Back::Document => (Op::Create, vec![]),
        Back::Whole(value) => match replacement(stored, &value, &rules.terms(&key.collection)?.merges) {
            fields if fields.is_empty() => (Op::Create, fields),
            fields => (Op::Patch, fields),
        },
    };
    let deleted = stored.document.deleted().unwrap_or(Register::NONE);
    let newest = stored.document.newest().max(deleted.stamp);
    let mut mutation = Mutation {
        id: MutationId { writer, n: 1 },
        group: None,
        replaces: None,
        needs: vec![],
        first_sent_at: None,
        collection: key.collection.clone(),
        document: key.document.clone(),
        op,
        fields,
        base: stored.version,
        after: None,
        stamp: Stamp::at(now, writer).max(newest.raised_by(writer)),
        schema: 0,
    };
    mutation.check()?;
    if part && stored.document.is_deleted() {
        return Err(Refusal::new(Code::Gone, "this document was deleted"));
    }
    let mut court = Court { settles: true, ..Court::open(facts, rules, now) };
    let result = court.admit(&mutation)?;
    let (Some(stamp), Some(stored)) = (result.stamp, court.facts.documents.remove(key)) else {
        // A delete of what the caller may not see is said to have changed nothing.
        return Err(Refusal::new(Code::NotFound, "there is no such document"));
    };
    mutation.stamp = stamp;
    // Nobody will ask for the verdict again, so there is no receipt.
    court.decision.documents.insert(key.clone(), stored);
    court.decision.results.push(result);
    Ok((mutation, court.decision))
}

/// What makes a document out of what there is, hidden or not.
fn replacement(stored: &Stored, value: &Json, merges: &Merges) -> Vec<Field> {
    let members = value.members().unwrap_or_default();
    let path = |name: &str| Path::default().child(name);
    let old = stored
        .document
        .members()
        .filter(|(name, node)| node.value().is_some() && members.get(*name).is_none());
    let gone = old.map(|(name, _)| Field { path: path(name), change: Change::Unset }).collect::<Vec<_>>();
    let set =
        members.iter().map(|(name, value)| Field { path: path(name), change: Change::Set(value.clone()) });
    let declared = |field: &Field| field.path.keys().first().is_some_and(|name| merges.contains_key(name));
    set.chain(gone).filter(|field| !declared(field)).collect()
}
