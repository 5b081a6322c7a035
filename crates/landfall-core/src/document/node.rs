//! One place in a document, and what can be done to it.

use crate::document::Register;
use crate::json::Json;
use crate::map::Map;
use crate::merge::Extreme;
use crate::planted::{self, Bug};

pub(crate) type Members = Map<Box<str>, Node>;

/// One place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A value as its writer wrote it: a scalar, an array, or an object nobody has written into since.
    Whole(Register, Json),
    /// An object whose members have registers of their own.
    Object(Register, Members),
    /// A set whose elements have registers of their own, each under its canonical text.
    Set(Register, Members),
    /// A number that is counted.
    Counter(Counter),
    /// Removed. Kept so that an older write arriving later stays removed too.
    Unset(Register),
}

/// A number and how it came about. Steps only ever add up, so that none is lost; where it starts is a
/// register of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Who said where it starts.
    pub start: Register,
    /// Where it starts.
    pub from: i64,
    /// The newest step.
    pub newest: Register,
    /// All steps together.
    pub steps: i64,
}

impl Counter {
    /// What is seen of it.
    pub fn total(self) -> i64 {
        // Wrapping adds up to the same in any order.
        self.from.wrapping_add(self.steps)
    }
}

/// What a place is taken apart into: the members of an object or the elements of a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    Members,
    Elements,
}

impl Node {
    /// The write that this place itself comes from.
    pub fn register(&self) -> Register {
        match self {
            Node::Whole(register, _)
            | Node::Object(register, _)
            | Node::Set(register, _)
            | Node::Counter(Counter { start: register, .. })
            | Node::Unset(register) => *register,
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
            Node::Set(_, elements) => {
                let present = elements.iter().filter(|(_, node)| !matches!(node, Node::Unset(_)));
                Some(Json::array(present.map(|(text, _)| &**text)))
            }
            Node::Counter(counter) => Some(Json::whole(counter.total())),
            Node::Unset(_) => None,
        }
    }

    /// Calls `visit` with every register at or below this place, and the place that it is of.
    pub fn each_register(&self, visit: &mut impl FnMut(Register, &Node)) {
        visit(self.register(), self);
        match self {
            Node::Object(_, parts) | Node::Set(_, parts) => {
                parts.values().for_each(|node| node.each_register(visit));
            }
            Node::Counter(counter) => visit(counter.newest, self),
            Node::Whole(..) | Node::Unset(_) => {}
        }
    }

    /// The members, once this place is an object: an object's text is taken apart, anything else is
    /// replaced by an empty object of the same register.
    pub(super) fn open(&mut self) -> (Register, &mut Members) {
        let register = self.register();
        (register, self.open_as(Parts::Members, register))
    }

    /// As [`Node::open`], into members or elements; those that were text until now get the register `inner`.
    pub(crate) fn open_as(&mut self, wanted: Parts, inner: Register) -> &mut Members {
        let whole = |json: Json| Node::Whole(inner, json);
        let parts = match (&mut *self, wanted) {
            (Node::Object(_, parts), Parts::Members) | (Node::Set(_, parts), Parts::Elements) => {
                std::mem::take(parts)
            }
            (Node::Whole(_, json), Parts::Members) => {
                let members = json.members().unwrap_or_default().into_iter();
                members.map(|(key, json)| (key, whole(json))).collect()
            }
            (Node::Whole(_, json), Parts::Elements) => {
                let elements = json.elements().unwrap_or_default().into_iter().map(|json| json.canonical());
                elements.map(|json| (json.text().into(), whole(json))).collect()
            }
            (Node::Object(..) | Node::Set(..) | Node::Counter(_) | Node::Unset(_), _) => Map::new(),
        };
        let register = self.register();
        *self = match wanted {
            Parts::Members => Node::Object(register, parts),
            Parts::Elements => Node::Set(register, parts),
        };
        match self {
            Node::Object(_, parts) | Node::Set(_, parts) => parts,
            Node::Whole(..) | Node::Counter(_) | Node::Unset(_) => {
                unreachable!("BUG: opened to something without parts")
            }
        }
    }

    /// Puts `new` in this place. What is newer below it stays, and so does what was counted.
    pub(super) fn replace(&mut self, new: Node) {
        let floor = new.register();
        if self.register().stamp >= floor.stamp && !planted::is(Bug::LaterArrivalWins) {
            return;
        }
        if let (Node::Counter(counter), Node::Whole(_, json)) = (&mut *self, &new)
            && let Some(from) = json.as_whole()
        {
            (counter.start, counter.from) = (floor, from);
            return;
        }
        let (wanted, parts) = match std::mem::replace(self, new) {
            Node::Object(_, parts) => (Parts::Members, parts),
            Node::Set(_, parts) => (Parts::Elements, parts),
            Node::Whole(..) | Node::Counter(_) | Node::Unset(_) => return,
        };
        let survivors = above(parts, floor);
        if !survivors.is_empty() {
            self.overlay(wanted, survivors);
        }
    }

    /// Puts `parts`, all of them newer than this place, back on top of it.
    fn overlay(&mut self, wanted: Parts, parts: Members) {
        let floor = self.register();
        let mine = self.open_as(wanted, floor);
        for (key, theirs) in parts {
            match (mine.get_mut(&key), theirs) {
                // Only a container that nobody wrote has the floor's own register: its parts count.
                (Some(node), Node::Object(register, parts)) if register == floor => {
                    node.overlay(Parts::Members, parts);
                }
                (_, theirs) => {
                    mine.insert(key, theirs);
                }
            }
        }
    }

    /// Puts `new` in the place of an element, unless this set was put here as a whole after that.
    pub(super) fn put(&mut self, element: &Json, new: Node) {
        let set = self.register();
        if set.stamp <= new.register().stamp {
            let elements = self.open_as(Parts::Elements, set);
            elements.get_or_insert_with(element.text().into(), || Node::Unset(Register::NONE)).replace(new);
        }
    }

    /// Counts a step.
    pub(super) fn count(&mut self, by: i64, step: Register) {
        let counter = match self {
            Node::Counter(counter) => *counter,
            Node::Whole(start, json) => {
                let from = json.as_whole().unwrap_or_default();
                Counter { start: *start, from, newest: step, steps: 0 }
            }
            Node::Object(start, _) | Node::Set(start, _) | Node::Unset(start) => {
                Counter { start: *start, from: 0, newest: step, steps: 0 }
            }
        };
        let newest = if counter.newest.stamp < step.stamp { step } else { counter.newest };
        let known = if planted::is(Bug::StepsOverwritten) { 0 } else { counter.steps };
        *self = Node::Counter(Counter { newest, steps: known.wrapping_add(by), ..counter });
    }

    /// Keeps the greater of two values, or the smaller, and the newer of two registers: each by itself,
    /// so that neither depends on which came first.
    pub(super) fn keep(&mut self, extreme: Extreme, value: &Json, register: Register) {
        let newest = if self.register().stamp < register.stamp { register } else { self.register() };
        let kept = match self {
            Node::Whole(_, json) if extreme.prefers(json, value) && !planted::is(Bug::GreatestForgotten) => {
                json.clone()
            }
            Node::Whole(..) | Node::Object(..) | Node::Set(..) | Node::Counter(_) | Node::Unset(_) => {
                value.clone()
            }
        };
        *self = Node::Whole(newest, kept);
    }

    /// The place at `keys` below this one, taken apart as far as that takes.
    pub(crate) fn at(&mut self, keys: &[Box<str>]) -> Option<&mut Node> {
        match keys {
            [] => Some(self),
            [key, rest @ ..] => self.open().1.get_mut(key)?.at(rest),
        }
    }

    /// Says which write a part of this place comes from, as it was written down: of an object a member, of
    /// an array an element of a set, of a number the steps that were counted.
    pub(crate) fn mark(&mut self, key: &str, register: Register) {
        let start = self.register();
        let wanted = match self {
            Node::Whole(_, json) => match (json.as_whole(), key.parse::<i64>()) {
                (Some(total), Ok(steps)) => {
                    let from = total.wrapping_sub(steps);
                    *self = Node::Counter(Counter { start, from, newest: register, steps });
                    return;
                }
                (_, _) if json.is_array() => Parts::Elements,
                (_, _) => Parts::Members,
            },
            Node::Set(..) => Parts::Elements,
            Node::Object(..) | Node::Counter(_) | Node::Unset(_) => Parts::Members,
        };
        let parts = self.open_as(wanted, start);
        match parts.get_mut(key) {
            Some(node) => node.set_register(register),
            None => {
                parts.insert(key.into(), Node::Unset(register));
            }
        }
    }

    pub(crate) fn set_register(&mut self, new: Register) {
        match self {
            Node::Whole(register, _)
            | Node::Object(register, _)
            | Node::Set(register, _)
            | Node::Counter(Counter { start: register, .. })
            | Node::Unset(register) => *register = new,
        }
    }
}

/// What of `parts` is newer than `floor`; places that hold such a part take the floor's register.
fn above(parts: Members, floor: Register) -> Members {
    let newer = parts.into_iter().filter_map(|(key, node)| {
        if node.register().stamp > floor.stamp {
            return Some((key, node));
        }
        let node = match node {
            Node::Object(_, parts) => Node::Object(floor, above_some(parts, floor)?),
            Node::Set(_, parts) => Node::Set(floor, above_some(parts, floor)?),
            Node::Counter(counter) if counter.newest.stamp > floor.stamp => {
                Node::Counter(Counter { start: floor, from: 0, ..counter })
            }
            Node::Whole(..) | Node::Counter(_) | Node::Unset(_) => return None,
        };
        Some((key, node))
    });
    newer.collect()
}

fn above_some(parts: Members, floor: Register) -> Option<Members> {
    Some(above(parts, floor)).filter(|parts| !parts.is_empty())
}
