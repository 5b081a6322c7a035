//! What a mutation meets in a document, and which of those meetings a person should hear of.
//!
//! A conflict is two writers changing the same path without knowing of each other. One of them wins
//! at once, by stamp; the record keeps both, so that the losing value can be read and put back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::document::{Document, Node, Register};
use crate::id::{DocumentKey, MutationId, Version};
use crate::json::Json;
use crate::merge::Merges;
use crate::mutation::{Field, Mutation, Op};
use crate::path::Path;
use crate::time::WallTime;

/// Which of two writes of the same path stands, where neither writer knew of the other. Writes that knew of each
/// other are never decided by it, and fields that merge by themselves need none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The one with the greater stamp, in any order of arrival.
    #[default]
    LastWriteWins,
    /// The one with the greater stamp, in any order of arrival, for the document as a whole: what the other one
    /// changed is undone.
    DocumentLastWriteWins,
    /// The one that arrives later.
    ClientWins,
    /// The one that the server has already.
    ServerWins,
    /// The one that the server has already, until a person decides.
    Manual,
}

impl Policy {
    /// The name of the policy.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::LastWriteWins => "last-write-wins",
            Policy::DocumentLastWriteWins => "document-last-write-wins",
            Policy::ClientWins => "client-wins",
            Policy::ServerWins => "server-wins",
            Policy::Manual => "manual",
        }
    }

    /// Whether what arrives gives way to what stands.
    pub(crate) const fn yields(self) -> bool {
        match self {
            Policy::LastWriteWins | Policy::DocumentLastWriteWins | Policy::ClientWins => false,
            Policy::ServerWins | Policy::Manual => true,
        }
    }
}

/// A register that lies at, above or below a path that a mutation writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encounter {
    /// Which write it comes from.
    pub register: Register,
    /// The path that the mutation writes; the document's own for a delete.
    pub path: Path,
    /// What stands there.
    pub standing: Standing,
}

/// A value that a mutation meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A value, or nothing where it had been unset.
    Value(Option<Json>),
    /// The whole document is deleted.
    Deleted,
    /// A container that the path leads through.
    Container,
    /// Something that merges with what is written, so that nothing is lost.
    Merging,
}

impl Encounter {
    /// Whether only one of the two can stand.
    pub(crate) fn is_disputed(&self) -> bool {
        match self.standing {
            Standing::Value(_) | Standing::Deleted => true,
            // A newer one has done away with what is written now; an older one takes it in.
            Standing::Container => self.register != Register::NONE,
            Standing::Merging => false,
        }
    }
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
    /// What that one does.
    pub op: Op,
    /// Its register, whose stamp names the writer and the time.
    pub register: Register,
    /// What it says; `None` is a removal or the delete. Over the document as a whole, everything that it writes,
    /// and where documents are decided as wholes the document as its writer had it.
    pub value: Option<Json>,
    /// The register that it met.
    pub met: Register,
    /// What stood there; `None` is a removal or the delete. Under a delete, the members that the register is in,
    /// and where documents are decided as wholes all of it.
    pub met_value: Option<Json>,
    /// Whether the later arrival won.
    pub won: bool,
    /// What decided that.
    pub policy: Policy,
    /// When the server noticed.
    pub at: WallTime,
}

/// Everything in `document` that has to do with the paths that `mutation` writes.
pub(crate) fn meet(document: &Document, mutation: &Mutation, merges: &Merges) -> Vec<Encounter> {
    let mut met = Vec::new();
    let root = Path::default;
    if let Some(register) = document.deleted() {
        let standing = match mutation.op {
            Op::Create | Op::Patch => Standing::Deleted,
            Op::Delete => Standing::Merging,
        };
        met.push(Encounter { register, path: root(), standing });
    }
    match mutation.op {
        Op::Create | Op::Patch => {
            for field in &mutation.fields {
                meet_field(document, field, merges, &mut met);
            }
        }
        Op::Delete => {
            let standing = Standing::Container;
            met.push(Encounter { register: document.created(), path: root(), standing });
            meet_all(document, &mut met);
        }
    }
    met
}

/// What a delete meets: of every write that is left in the document, the members that it has changed.
fn meet_all(document: &Document, met: &mut Vec<Encounter>) {
    type Changed<'a> = Vec<(&'a str, Option<Json>)>;
    let mut writes: BTreeMap<(Stamp, Version), Changed<'_>> = BTreeMap::new();
    for (name, member) in document.members() {
        member.each_register(&mut |register, node| {
            let changed = writes.entry((register.stamp, register.version)).or_default();
            let is_value = matches!(node, Node::Whole(..) | Node::Counter(_) | Node::Unset(_));
            if is_value && changed.last().is_none_or(|(last, _)| *last != name) {
                changed.push((name, member.value()));
            }
        });
    }
    let root = document.register();
    met.push(Encounter { register: root, path: Path::default(), standing: Standing::Container });
    for ((stamp, version), changed) in writes {
        let standing = if changed.is_empty() {
            Standing::Container
        } else {
            let present = changed.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.text())));
            Standing::Value(Some(Json::object(present)))
        };
        met.push(Encounter { register: Register { stamp, version }, path: Path::default(), standing });
    }
}

fn meet_field(document: &Document, field: &Field, merges: &Merges, met: &mut Vec<Encounter>) {
    let Field { path, change } = field;
    let declared = path.keys().first().is_some_and(|name| merges.contains_key(name));
    let mut push = |register, standing| met.push(Encounter { register, path: path.clone(), standing });
    // An element is a place of its own, below its set.
    let place = change.element().map(|element| path.child(element));
    let standing = document.walk(place.as_ref().unwrap_or(path), |container| {
        let standing = match container {
            _ if declared => Standing::Merging,
            // Writing into an object is no conflict with whoever made it; turning something else into one is.
            Node::Object(..) | Node::Set(..) => Standing::Container,
            Node::Whole(_, json) if json.is_object() => Standing::Container,
            Node::Whole(..) | Node::Counter(_) | Node::Unset(_) => Standing::Value(container.value()),
        };
        push(container.register(), standing);
    });
    let Some(node) = standing else { return };
    let whole = node.value();
    node.each_register(&mut |register, _| {
        push(register, if declared { Standing::Merging } else { Standing::Value(whole.clone()) });
    });
}

impl Conflict {
    /// The conflict between a mutation and something that its writer did not know, where there is one.
    pub(crate) fn between(
        mutation: &Mutation,
        register: Register,
        met: &Encounter,
        now: WallTime,
        policy: Policy,
    ) -> Option<Conflict> {
        let newer = register.stamp > met.register.stamp;
        let won = newer && (!policy.yields() || met.standing == Standing::Container);
        let value = written(mutation, register, &met.path);
        let met_value = match (&met.standing, mutation.op) {
            (Standing::Value(theirs), Op::Create | Op::Patch) if *theirs == value => return None,
            (Standing::Value(theirs), _) => theirs.clone(),
            (Standing::Deleted, _) => None,
            // A newer container: whoever replaced it did away with what this mutation writes.
            (Standing::Container, Op::Create | Op::Patch) if !won && met.register != Register::NONE => None,
            (Standing::Container | Standing::Merging, _) => return None,
        };
        Some(Conflict {
            key: mutation.key(),
            path: met.path.clone(),
            mutation: mutation.id,
            op: mutation.op,
            register,
            value,
            met: met.register,
            met_value,
            won,
            policy,
            at: now,
        })
    }
}

/// What a mutation says of a path; of the document as a whole, everything that it writes.
fn written(mutation: &Mutation, register: Register, path: &Path) -> Option<Json> {
    if path.keys().is_empty() && mutation.op != Op::Delete {
        let mut document = Document::default();
        mutation.apply(&mut document, register);
        return document.value();
    }
    mutation.fields.iter().find(|field| field.path == *path)?.change.value()
}
