//! A document as a tree of registers: which write each part of it comes from.
//!
//! Every path that somebody set or unset holds a [`Register`], and so does every element of a set. A register is alive while no container
//! of its path has a newer one, and a living register makes objects of all its containers. What is
//! visible is a function of the set of living registers and nothing else, and a dead one can never
//! come back to life; so dropping the dead keeps the state the same for any order of arrival.
//!
//! Invariant: no register in the tree is older than the one of its container. Containers that nobody
//! wrote take over the register of the container around them, which adds nothing to that set.

mod node;

use crate::clock::Stamp;
use crate::id::Version;
use crate::json::Json;
use crate::map::Map;
use crate::merge::Extreme;
use crate::mutation::{Change, Field, Op};
use crate::path::Path;
use crate::planted::{self, Bug};

pub(crate) use node::Parts;
pub use node::{Counter, Node};

/// Which write a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Decides against writes that did not know of this one.
    pub stamp: Stamp,
    /// The document's version that this write made; tells who knew of it. 0 on devices, which need not know.
    pub version: Version,
}

impl Register {
    /// What is below every write.
    pub const NONE: Register = Register { stamp: Stamp::ZERO, version: Version(0) };
}

/// A document with the history that merging needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    root: Node,
    /// The newest delete. It hides the document while nothing in it is newer.
    deleted: Option<Register>,
    /// The newest creation: a document without fields is a document too.
    created: Register,
}

impl Default for Document {
    fn default() -> Document {
        Document::from_parts(Node::Object(Register::NONE, Map::new()), None, Register::NONE)
    }
}

impl Document {
    /// Does what a mutation says, as far as nothing newer is in the way.
    pub fn write(&mut self, op: Op, fields: &[Field], register: Register) {
        if op == Op::Create {
            self.create(register);
        }
        match op {
            Op::Create | Op::Patch => {
                for Field { path, change } in fields {
                    self.change(path, change, register);
                }
            }
            Op::Delete => self.delete(register),
        }
    }

    /// Does one change to what is at `path`, as far as nothing newer is in the way.
    pub fn change(&mut self, path: &Path, change: &Change, register: Register) {
        let Some((last, containers)) = path.keys().split_last() else {
            unreachable!("BUG: a write to the document itself");
        };
        let mut node = &mut self.root;
        for key in containers {
            if node.register().stamp > register.stamp && !planted::is(Bug::ContainerNotAsked) {
                return;
            }
            let (around, members) = node.open();
            node = members.get_or_insert_with(key.clone(), || Node::Object(around, Map::new()));
        }
        if node.register().stamp > register.stamp {
            return;
        }
        let (around, members) = node.open();
        let blank = match change {
            Change::Set(_) | Change::Unset => Register::NONE,
            // What nobody wrote takes over the register around it.
            Change::Increment(_) | Change::Add(_) | Change::Remove(_) | Change::Max(_) | Change::Min(_) => {
                around
            }
        };
        let place = members.get_or_insert_with(last.clone(), || Node::Unset(blank));
        let whole = |value: &Json| Node::Whole(register, value.clone());
        match change {
            Change::Set(value) => place.replace(whole(value)),
            Change::Unset => place.replace(Node::Unset(register)),
            Change::Increment(by) => place.count(*by, register),
            Change::Add(value) => place.put(value, whole(value)),
            Change::Remove(value) => place.put(value, Node::Unset(register)),
            Change::Max(value) => place.keep(Extreme::Max, value, register),
            Change::Min(value) => place.keep(Extreme::Min, value, register),
        }
    }

    /// Brings the document into being, or back; its fields are written apart from that.
    pub fn create(&mut self, register: Register) {
        if self.created.stamp < register.stamp {
            self.created = register;
        }
    }

    /// Hides the document, unless something in it is newer.
    pub fn delete(&mut self, register: Register) {
        if self.deleted.is_none_or(|deleted| deleted.stamp < register.stamp) {
            self.deleted = Some(register);
        }
    }

    /// Starts over: what the delete has hidden will not come back with what is written next.
    ///
    /// For a document that is created again by somebody who knew that it had been deleted.
    pub fn clear(&mut self) {
        if let Some(deleted) = self.deleted.filter(|_| !planted::is(Bug::OldFieldsComeBack)) {
            self.root.replace(Node::Object(deleted, Map::new()));
        }
    }

    /// The newest delete, whether or not it still hides the document.
    pub fn deleted(&self) -> Option<Register> {
        self.deleted
    }

    /// Whether a delete hides this document.
    pub fn is_deleted(&self) -> bool {
        self.deleted
            .is_some_and(|deleted| self.newest() <= deleted.stamp || planted::is(Bug::DeleteIsForEver))
    }

    /// What the app sees: one JSON object, or nothing.
    pub fn value(&self) -> Option<Json> {
        if self.is_deleted() { None } else { self.root.value() }
    }

    /// The newest write of all that it holds, deletes too.
    pub(crate) fn latest(&self) -> Register {
        let mut latest = self.created;
        let mut take = |register: Register| {
            if register.stamp > latest.stamp {
                latest = register;
            }
        };
        self.root.each_register(&mut |register, _| take(register));
        self.deleted.into_iter().for_each(take);
        latest
    }

    /// This document with the top-level members of `other` in place of its own, of those that are `chosen`.
    #[must_use]
    pub(crate) fn with_members(mut self, other: &Document, chosen: impl Fn(&str) -> bool) -> Document {
        let parts = other.members().filter(|(name, _)| chosen(name));
        let mut taken =
            Node::Object(Register::NONE, parts.map(|(n, node)| (n.into(), node.clone())).collect());
        // What this one has started over without does not come back.
        taken.replace(Node::Object(self.register(), Map::new()));
        let (_, mine) = self.root.open();
        let own = std::mem::take(mine).into_iter().filter(|(name, _)| !chosen(name));
        *mine = own.chain(std::mem::take(taken.open().1)).collect();
        self
    }

    /// All of its fields, whether or not a delete hides them.
    pub(crate) fn fields(&self) -> Option<Json> {
        self.root.value()
    }

    /// What a delete hides.
    pub fn hidden(&self) -> Option<Json> {
        if self.is_deleted() { self.root.value() } else { None }
    }

    /// The newest stamp in it, deletes aside.
    pub fn newest(&self) -> Stamp {
        self.created.stamp.max(self.newest_field())
    }

    pub(crate) fn newest_field(&self) -> Stamp {
        let mut newest = Stamp::ZERO;
        self.root.each_register(&mut |register, _| newest = newest.max(register.stamp));
        newest
    }

    /// Calls `visit` with every register in the document, deletes aside, and the place that it is of.
    pub fn each_register(&self, visit: &mut impl FnMut(Register, &Node)) {
        self.root.each_register(visit);
    }

    /// Walks to `path`: calls `container` for each place around it, and gives the place itself.
    pub fn walk<'a>(&'a self, path: &Path, mut container: impl FnMut(&'a Node)) -> Option<Node> {
        let mut node = &self.root;
        for (i, key) in path.keys().iter().enumerate() {
            container(node);
            match node {
                Node::Object(_, parts) | Node::Set(_, parts) => node = parts.get(key)?,
                // Below a text that was never taken apart, every part has the register of the whole.
                Node::Whole(register, json) => {
                    let mut json = json.clone();
                    for key in &path.keys()[i..] {
                        json = json.members()?.remove(key)?;
                    }
                    return Some(Node::Whole(*register, json));
                }
                Node::Counter(_) | Node::Unset(_) => return None,
            }
        }
        Some(node.clone())
    }

    /// The top-level places by name, those that were unset too.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Node)> {
        let parts = if let Node::Object(_, parts) = &self.root { Some(parts) } else { None };
        parts.into_iter().flat_map(Map::iter).map(|(name, node)| (&**name, node))
    }

    /// The write that the document as a whole comes from, where one has started it over.
    pub fn register(&self) -> Register {
        self.root.register()
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// The newest creation, as far as it is known.
    pub(crate) fn created(&self) -> Register {
        self.created
    }

    pub(crate) fn from_parts(root: Node, deleted: Option<Register>, created: Register) -> Document {
        Document { root, deleted, created }
    }
}
