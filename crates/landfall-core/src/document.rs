//! A document as a tree of registers: which write each part of it comes from.
//!
//! Every path that somebody set or unset holds a [`Register`]. A register is alive while no container
//! of its path has a newer one, and a living register makes objects of all its containers. What is
//! visible is a function of the set of living registers and nothing else, and a dead one can never
//! come back to life; so dropping the dead keeps the state the same for any order of arrival.
//!
//! Invariant: no register in the tree is older than the one of its container. Containers that nobody
//! wrote take over the register of the container around them, which adds nothing to that set.

use crate::clock::Stamp;
use crate::id::Version;
use crate::json::Json;
use crate::map::Map;
use crate::path::Path;

pub(crate) type Members = Map<Box<str>, Node>;

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

/// One place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A value as its writer wrote it: a scalar, an array, or an object nobody has written into since.
    Whole(Register, Json),
    /// An object whose members have registers of their own.
    Object(Register, Members),
    /// Removed. Kept so that an older write arriving later stays removed too.
    Unset(Register),
}

impl Node {
    /// The write that this place itself comes from.
    pub fn register(&self) -> Register {
        match self {
            Node::Whole(register, _) | Node::Object(register, _) | Node::Unset(register) => *register,
        }
    }

    /// What is visible here.
    pub fn value(&self) -> Option<Json> {
        match self {
            Node::Whole(_, json) => Some(json.clone()),
            Node::Object(_, members) => {
                let visible: Vec<_> =
                    members.iter().filter_map(|(key, node)| node.value().map(|value| (key, value))).collect();
                Some(Json::object(visible.iter().map(|(key, value)| (&***key, value.text()))))
            }
            Node::Unset(_) => None,
        }
    }

    /// Calls `visit` with every register at or below this place.
    pub fn each_register(&self, visit: &mut impl FnMut(&Node)) {
        visit(self);
        match self {
            Node::Object(_, members) => members.values().for_each(|node| node.each_register(visit)),
            Node::Whole(..) | Node::Unset(_) => {}
        }
    }

    /// The members, once this place is an object: an object's text is taken apart, anything else is
    /// replaced by an empty object of the same register.
    fn open(&mut self) -> (Register, &mut Members) {
        let register = self.register();
        (register, self.open_as(register))
    }

    /// As [`Node::open`], with another register for members that were text until now.
    pub(crate) fn open_as(&mut self, inner: Register) -> &mut Members {
        let members = match self {
            Node::Object(_, members) => std::mem::take(members),
            Node::Whole(_, json) => {
                let parts = json.members().unwrap_or_default().into_iter();
                parts.map(|(key, json)| (key, Node::Whole(inner, json))).collect()
            }
            Node::Unset(_) => Map::new(),
        };
        *self = Node::Object(self.register(), members);
        match self {
            Node::Object(_, members) => members,
            Node::Whole(..) | Node::Unset(_) => unreachable!("BUG: opened to something else than an object"),
        }
    }

    /// Puts `new` in this place. What is newer below it stays.
    fn replace(&mut self, new: Node) {
        let floor = new.register();
        if self.register().stamp >= floor.stamp {
            return;
        }
        let old = std::mem::replace(self, new);
        if let Node::Object(_, members) = old {
            let survivors = above(members, floor);
            if !survivors.is_empty() {
                self.overlay(survivors);
            }
        }
    }

    /// Puts `members`, all of them newer than this place, back on top of it.
    fn overlay(&mut self, members: Members) {
        let (floor, mine) = self.open();
        for (key, theirs) in members {
            match (mine.get_mut(&key), theirs) {
                // Only a container that nobody wrote has the floor's own register: its parts count.
                (Some(node), Node::Object(register, parts)) if register == floor => node.overlay(parts),
                (_, theirs) => {
                    mine.insert(key, theirs);
                }
            }
        }
    }
}

/// What of `members` is newer than `floor`; containers that hold such a part take the floor's register.
fn above(members: Members, floor: Register) -> Members {
    let newer = members.into_iter().filter_map(|(key, node)| {
        if node.register().stamp > floor.stamp {
            return Some((key, node));
        }
        match node {
            Node::Object(_, parts) => {
                let parts = above(parts, floor);
                (!parts.is_empty()).then_some((key, Node::Object(floor, parts)))
            }
            Node::Whole(..) | Node::Unset(_) => None,
        }
    });
    newer.collect()
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
    /// Sets (`Some`) or removes (`None`) what is at `path`, unless something newer is there.
    pub fn write(&mut self, path: &Path, value: Option<Json>, register: Register) {
        let Some((last, containers)) = path.keys().split_last() else {
            unreachable!("BUG: a write to the document itself");
        };
        let mut node = &mut self.root;
        for key in containers {
            if node.register().stamp > register.stamp {
                return;
            }
            let (around, members) = node.open();
            node = members.get_or_insert_with(key.clone(), || Node::Object(around, Map::new()));
        }
        if node.register().stamp > register.stamp {
            return;
        }
        let new = match value {
            Some(json) => Node::Whole(register, json),
            None => Node::Unset(register),
        };
        let (_, members) = node.open();
        match members.get_mut(last) {
            Some(node) => node.replace(new),
            None => {
                members.insert(last.clone(), new);
            }
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
        if let Some(deleted) = self.deleted {
            self.root.replace(Node::Object(deleted, Map::new()));
        }
    }

    /// The newest delete, whether or not it still hides the document.
    pub fn deleted(&self) -> Option<Register> {
        self.deleted
    }

    /// Whether a delete hides this document.
    pub fn is_deleted(&self) -> bool {
        self.deleted.is_some_and(|deleted| self.newest() <= deleted.stamp)
    }

    /// What the app sees: one JSON object, or nothing.
    pub fn value(&self) -> Option<Json> {
        if self.is_deleted() { None } else { self.root.value() }
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
        self.root.each_register(&mut |node| newest = newest.max(node.register().stamp));
        newest
    }

    /// Calls `visit` with everything in the document, deletes aside.
    pub fn each_register(&self, visit: &mut impl FnMut(&Node)) {
        self.root.each_register(visit);
    }

    /// Walks to `path`: calls `container` for each place around it, and gives the place itself.
    pub fn walk<'a>(&'a self, path: &Path, mut container: impl FnMut(&'a Node)) -> Option<Node> {
        let mut node = &self.root;
        for (i, key) in path.keys().iter().enumerate() {
            container(node);
            match node {
                Node::Object(_, members) => node = members.get(key)?,
                // Below a text that was never taken apart, every part has the register of the whole.
                Node::Whole(register, json) => {
                    let mut json = json.clone();
                    for key in &path.keys()[i..] {
                        json = json.members()?.remove(key)?;
                    }
                    return Some(Node::Whole(*register, json));
                }
                Node::Unset(_) => return None,
            }
        }
        Some(node.clone())
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

impl Node {
    /// The members at `keys` below this place, taken apart as far as that takes.
    pub(crate) fn members_at(&mut self, keys: &[Box<str>]) -> Option<&mut Members> {
        let (_, members) = self.open();
        match keys {
            [] => Some(members),
            [key, rest @ ..] => members.get_mut(key)?.members_at(rest),
        }
    }

    pub(crate) fn set_register(&mut self, new: Register) {
        match self {
            Node::Whole(register, _) | Node::Object(register, _) | Node::Unset(register) => *register = new,
        }
    }
}
