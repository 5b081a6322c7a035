//! Merging once more, slowly and by another road: the set of all writes, judged as a set.
//!
//! Nothing of the product's document is used. A write is alive while no container of its path has a
//! newer one and nobody who knew of a delete has started over since. What is visible is every living
//! write put in place, containers before their parts.

use std::collections::BTreeMap;

use landfall_core::clock::Stamp;
use landfall_core::id::{Client, Version};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Op};
use serde_json::{Map, Value};

use crate::server::{Applied, Store};

/// All that was ever written to one document.
#[derive(Debug, Default)]
pub struct Reference {
    /// The newest write of each path; `None` is a removal.
    writes: BTreeMap<Vec<String>, (Stamp, Option<Value>)>,
    /// Everything else that happened to fields at the top.
    others: Vec<(String, Stamp, Change)>,
    deleted: Option<(Stamp, Version, Client)>,
    /// A document without fields is one too.
    created: Option<Stamp>,
    /// Nothing older counts.
    floor: Stamp,
    /// A stamp that two writes of one path have.
    pub twice: Option<Stamp>,
}

impl Reference {
    /// One more write has taken effect.
    pub fn take(&mut self, applied: &Applied, store: &Store) {
        let (mutation, stamp) = (&applied.mutation, applied.stamp);
        match mutation.op {
            Op::Create => {
                if let Some((deleted, version, client)) = &self.deleted
                    && self.value().is_none()
                {
                    let after = mutation.after.filter(|_| !applied.after_unknown);
                    let after = after.and_then(|id| store.receipts.get(&id));
                    let same = *client == applied.client || deleted.writer == mutation.id.writer;
                    let own = same && after.is_none_or(|receipt| *version <= receipt.result.version);
                    if *version <= mutation.base || own {
                        self.floor = self.floor.max(*deleted);
                    }
                }
                self.created = self.created.max(Some(stamp));
            }
            Op::Patch => {}
            Op::Delete => {
                if self.deleted.as_ref().is_none_or(|(deleted, _, _)| *deleted < stamp) {
                    self.deleted = Some((stamp, applied.version, applied.owner.clone()));
                }
            }
        }
        for field in &mutation.fields {
            let path: Vec<String> = field.path.keys().iter().map(|key| key.to_string()).collect();
            let value = match &field.change {
                Change::Set(json) => Some(parse(json)),
                Change::Unset => None,
                other => {
                    self.others.push((path[0].clone(), stamp, other.clone()));
                    continue;
                }
            };
            let other = self.writes.get(&path).map(|(other, _)| *other);
            self.twice = self.twice.or(other.filter(|other| *other == stamp));
            if other.is_none_or(|other| other < stamp) {
                self.writes.insert(path, (stamp, value));
            }
        }
    }

    fn is_alive(&self, path: &[String], stamp: Stamp) -> bool {
        let around = |n| self.writes.get(&path[..n]).is_none_or(|(around, _)| *around < stamp);
        stamp >= self.floor && (1..path.len()).all(around)
    }

    fn counted(&self, name: &str) -> impl Iterator<Item = (Stamp, &Change)> {
        let others =
            self.others.iter().filter(move |(other, stamp, _)| other == name && *stamp >= self.floor);
        others.map(|(_, stamp, change)| (*stamp, change))
    }

    /// What is visible.
    pub fn value(&self) -> Option<Value> {
        let written = self.writes.values().map(|(stamp, _)| *stamp);
        let newest = written.chain(self.others.iter().map(|(_, stamp, _)| *stamp)).max().max(self.created);
        if self.deleted.as_ref().is_some_and(|(deleted, _, _)| newest.is_none_or(|newest| newest <= *deleted))
        {
            return None;
        }
        let alive = self.writes.iter().filter(|(path, (stamp, _))| self.is_alive(path, *stamp));
        let mut alive: Vec<_> = alive.collect();
        alive.sort_by_key(|(path, _)| path.len());
        let mut document = Value::Object(Map::new());
        for (path, (_, value)) in alive {
            let (last, containers) = path.split_last().expect("BUG: a write to the document itself");
            let mut place = &mut document;
            for key in containers {
                place = object(place).entry(key.clone()).or_insert(Value::Null);
            }
            match value {
                Some(value) => object(place).insert(last.clone(), value.clone()),
                None => object(place).remove(last),
            };
        }
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                object(&mut document).insert(name.to_owned(), value);
            }
        };
        put("count", self.count());
        put("tags", self.set());
        put("best", self.greatest());
        Some(document)
    }

    fn count(&self) -> Option<Value> {
        let steps = self.counted("count").filter_map(|(_, change)| match change {
            Change::Increment(by) => Some(*by),
            _ => None,
        });
        let steps: Vec<i64> = steps.collect();
        (!steps.is_empty()).then(|| Value::from(steps.iter().sum::<i64>()))
    }

    /// Every element whose newest write put it in.
    fn set(&self) -> Option<Value> {
        let mut elements: BTreeMap<&str, (Stamp, bool)> = BTreeMap::new();
        for (stamp, change) in self.counted("tags") {
            let (element, present) = match change {
                Change::Add(element) => (element, true),
                Change::Remove(element) => (element, false),
                _ => continue,
            };
            let newest = elements.entry(element.text()).or_insert((Stamp::ZERO, false));
            if stamp > newest.0 {
                *newest = (stamp, present);
            }
        }
        let present = elements.iter().filter(|(_, (_, present))| *present);
        let values = present.map(|(text, _)| serde_json::from_str(text).expect("BUG: JSON")).collect();
        (!elements.is_empty()).then_some(Value::Array(values))
    }

    /// The greatest number: nobody writes anything else there.
    fn greatest(&self) -> Option<Value> {
        let values = self.counted("best").filter_map(|(_, change)| match change {
            Change::Max(value) => value.text().parse::<i64>().ok(),
            _ => None,
        });
        values.max().map(Value::from)
    }
}

fn parse(json: &Json) -> Value {
    serde_json::from_str(json.text()).expect("BUG: a Json that is none")
}

/// The members of a place, which becomes an object if it is none.
fn object(place: &mut Value) -> &mut Map<String, Value> {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    match place {
        Value::Object(members) => members,
        _ => unreachable!("BUG: it is an object now"),
    }
}
