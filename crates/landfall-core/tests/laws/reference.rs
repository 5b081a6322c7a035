//! Merging once more, slowly and by another road: the set of all writes, judged as a set.
//!
//! Nothing of the product's document is used. A write is alive while no container of its path has a
//! newer one. What is visible is every living write put in place, containers before their parts.

use std::collections::BTreeMap;

use landfall_core::clock::Stamp;
use landfall_core::mutation::{Change, Mutation, Op};
use serde_json::{Map, Value};

/// All that was ever written to one document.
#[derive(Default)]
pub(crate) struct Reference {
    /// The newest write of each path; `None` is a removal.
    writes: BTreeMap<Vec<String>, (Stamp, Option<Value>)>,
    deleted: Option<Stamp>,
    /// A document without fields is one too.
    created: Option<Stamp>,
}

impl Reference {
    pub(crate) fn take(&mut self, mutation: &Mutation) {
        match mutation.op {
            Op::Create => self.created = self.created.max(Some(mutation.stamp)),
            Op::Patch => {}
            Op::Delete => self.deleted = self.deleted.max(Some(mutation.stamp)),
        }
        for field in &mutation.fields {
            let path: Vec<String> = field.path.keys().iter().map(|key| key.to_string()).collect();
            let value = match &field.change {
                Change::Set(json) => Some(serde_json::from_str(json.text()).expect("JSON")),
                Change::Unset => None,
            };
            let newest = self.writes.get(&path).is_none_or(|(stamp, _)| *stamp < mutation.stamp);
            if newest {
                self.writes.insert(path, (mutation.stamp, value));
            }
        }
    }

    fn is_alive(&self, path: &[String], stamp: Stamp) -> bool {
        (1..path.len()).all(|n| self.writes.get(&path[..n]).is_none_or(|(around, _)| *around < stamp))
    }

    pub(crate) fn value(&self) -> Option<Value> {
        let newest = self.writes.values().map(|(stamp, _)| *stamp).max().max(self.created);
        if self.deleted.is_some_and(|deleted| newest.is_none_or(|newest| newest <= deleted)) {
            return None;
        }
        let mut alive: Vec<_> =
            self.writes.iter().filter(|(path, (stamp, _))| self.is_alive(path, *stamp)).collect();
        alive.sort_by_key(|(path, _)| path.len());
        let mut document = Value::Object(Map::new());
        for (path, (_, value)) in alive {
            let (last, containers) = path.split_last().expect("no write is to the document itself");
            let mut place = &mut document;
            for key in containers {
                place = object(place).entry(key.clone()).or_insert(Value::Null);
            }
            match value {
                Some(value) => object(place).insert(last.clone(), value.clone()),
                None => object(place).remove(last),
            };
        }
        Some(document)
    }
}

/// The members of a place, which becomes an object if it is none.
fn object(place: &mut Value) -> &mut Map<String, Value> {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().expect("it is an object now")
}
