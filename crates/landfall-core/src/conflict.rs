//! What a mutation meets in a document, and which of those meetings a person should hear of.
//!
//! A conflict is two writers changing the same path without knowing of each other. One of them wins
//! at once, by stamp; the record keeps both, so that the losing value can be read and put back.

use crate::document::{Document, Node, Register};
use crate::id::{DocumentKey, MutationId};
use crate::json::Json;
use crate::mutation::{Change, Field, Mutation, Op};
use crate::path::Path;
use crate::time::WallTime;

/// A register that lies at, above or below a path that a mutation writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encounter {
    /// Which write it comes from.
    pub register: Register,
    /// The path that the mutation writes; the document's own for a delete.
    pub path: Path,
    /// What stands there, where it is more than a container that the path leads through.
    pub value: Option<Standing>,
}

/// A value that a mutation meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A value, or nothing where it had been unset.
    Value(Option<Json>),
    /// The whole document is deleted.
    Deleted,
}

/// Two writes of the same path that did not know of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The document.
    pub key: DocumentKey,
    /// The path; empty for the document as a whole.
    pub path: Path,
    /// The mutation that arrived later.
    pub mutation: MutationId,
    /// Its register, whose stamp names the writer and the time.
    pub register: Register,
    /// What it says; `None` is a removal.
    pub value: Option<Json>,
    /// The register that it met.
    pub met: Register,
    /// What stood there; `None` is a removal.
    pub met_value: Option<Json>,
    /// Whether the later arrival won.
    pub won: bool,
    /// When the server noticed.
    pub at: WallTime,
}

/// Everything in `document` that has to do with the paths that `mutation` writes.
pub(crate) fn meet(document: &Document, mutation: &Mutation) -> Vec<Encounter> {
    let mut met = Vec::new();
    if let Some(register) = document.deleted() {
        let value = (mutation.op != Op::Delete).then_some(Standing::Deleted);
        met.push(Encounter { register, path: Path::default(), value });
    }
    match mutation.op {
        Op::Create | Op::Patch => {
            for field in &mutation.fields {
                meet_field(document, &field.path, &mut met);
            }
        }
        Op::Delete => {
            met.push(Encounter { register: document.created(), path: Path::default(), value: None });
            document.each_register(&mut |node| {
                let value =
                    matches!(node, Node::Whole(..) | Node::Unset(_)).then(|| Standing::Value(node.value()));
                met.push(Encounter { register: node.register(), path: Path::default(), value });
            });
        }
    }
    met
}

fn meet_field(document: &Document, path: &Path, met: &mut Vec<Encounter>) {
    let standing = document.walk(path, |container| {
        let value = match container {
            // Writing into an object is no conflict with whoever made it; turning something else into one is.
            Node::Object(..) => None,
            Node::Whole(_, json) if json.is_object() => None,
            Node::Whole(..) | Node::Unset(_) => Some(Standing::Value(container.value())),
        };
        met.push(Encounter { register: container.register(), path: path.clone(), value });
    });
    let Some(standing) = standing else { return };
    let whole = standing.value();
    standing.each_register(&mut |node| {
        let value = Some(Standing::Value(whole.clone()));
        met.push(Encounter { register: node.register(), path: path.clone(), value });
    });
}

impl Conflict {
    /// The conflict between a mutation and something that its writer did not know, where there is one.
    pub(crate) fn between(
        mutation: &Mutation,
        register: Register,
        met: &Encounter,
        now: WallTime,
    ) -> Option<Conflict> {
        let won = register.stamp > met.register.stamp;
        let value = written(mutation, &met.path);
        let met_value = match (&met.value, mutation.op) {
            (Some(Standing::Value(theirs)), Op::Create | Op::Patch) if *theirs == value => return None,
            (Some(Standing::Value(theirs)), _) => theirs.clone(),
            (Some(Standing::Deleted), _) => None,
            // A newer container: whoever replaced it did away with what this mutation writes.
            (None, Op::Create | Op::Patch) if !won && met.register != Register::NONE => None,
            (None, _) => return None,
        };
        Some(Conflict {
            key: mutation.key(),
            path: met.path.clone(),
            mutation: mutation.id,
            register,
            value,
            met: met.register,
            met_value,
            won,
            at: now,
        })
    }
}

fn written(mutation: &Mutation, path: &Path) -> Option<Json> {
    let Field { change, .. } = mutation.fields.iter().find(|field| field.path == *path)?;
    match change {
        Change::Set(value) => Some(value.clone()),
        Change::Unset => None,
    }
}
