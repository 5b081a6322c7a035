//! Merging once more, slowly and by another road: the set of all writes, judged as a set.
//!
//! Nothing of the product's document is used. A write is alive while no container of its path has a
//! newer one. What is visible is every living write put in place, containers before their parts.

use std::collections::BTreeMap;

use landfall_core::clock::Stamp;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Mutation, Op};
use serde_json::{Map, Value};

/// All that was ever written to one document.
#[derive(Default)]
pub(crate) struct Reference {
    /// The newest write of each path; `None` is a removal.
    writes: BTreeMap<Vec<String>, (Stamp, Option<Value>)>,
    /// Everything else that happened to fields at the top.
    others: Vec<(String, Stamp, Change)>,
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
                Change::Set(json) => Some(parse(json)),
                Change::Unset => None,
                other => {
                    self.others.push((path[0].clone(), mutation.stamp, other.clone()));
                    continue;
                }
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
        let written = self.writes.values().map(|(stamp, _)| *stamp);
        let newest = written.chain(self.others.iter().map(|(_, stamp, _)| *stamp)).max().max(self.created);
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
        let members = document.as_object_mut().expect("a document");
        members.extend(self.counter().map(|value| ("n".to_owned(), value)));
        if self.others.iter().any(|(name, _, _)| name == "s") {
            members.extend(self.set().map(|value| ("s".to_owned(), value)));
        }
        members.extend(self.extreme("max", true).map(|value| ("max".to_owned(), value)));
        members.extend(self.extreme("min", false).map(|value| ("min".to_owned(), value)));
        Some(document)
    }

    /// Where counting starts, and every step.
    fn counter(&self) -> Option<Value> {
        let start = self.writes.get(&["n".to_owned()][..]).and_then(|(_, start)| start.as_ref()?.as_i64());
        let steps: Vec<i64> = self
            .others
            .iter()
            .filter_map(|(_, _, change)| if let Change::Increment(by) = change { Some(*by) } else { None })
            .collect();
        (start.is_some() || !steps.is_empty())
            .then(|| Value::from(start.unwrap_or_default() + steps.iter().sum::<i64>()))
    }

    /// Every element whose newest write, by itself or with the whole set, put it in.
    fn set(&self) -> Option<Value> {
        let whole = self.writes.get(&["s".to_owned()][..]);
        let mut elements: BTreeMap<String, (Stamp, bool)> = BTreeMap::new();
        let floor = whole.map_or(Stamp::ZERO, |(stamp, _)| *stamp);
        for value in whole.and_then(|(_, value)| value.as_ref()?.as_array()).into_iter().flatten() {
            elements.insert(value.to_string(), (floor, true));
        }
        let mut touched = false;
        for (_, stamp, change) in &self.others {
            let (element, present) = match change {
                Change::Add(element) => (element, true),
                Change::Remove(element) => (element, false),
                _ => continue,
            };
            touched |= *stamp > floor;
            let newest = elements.get(element.text()).map_or(floor, |(stamp, _)| *stamp);
            if *stamp > newest {
                elements.insert(element.text().to_owned(), (*stamp, present));
            }
        }
        let is_unset = matches!(whole, Some((_, None))) && !touched;
        let present = elements.iter().filter(|(_, (_, present))| *present);
        let values = present.map(|(text, _)| serde_json::from_str(text).expect("JSON")).collect();
        (!is_unset).then_some(Value::Array(values))
    }

    fn extreme(&self, name: &str, greatest: bool) -> Option<Value> {
        let values = self.others.iter().filter_map(|(_, _, change)| match change {
            Change::Max(value) if name == "max" => Some(value),
            Change::Min(value) if name == "min" => Some(value),
            _ => None,
        });
        // Numbers below texts; of two spellings the text decides.
        let rank = |value: &&Json| {
            let number = value.text().parse::<f64>().ok();
            (number.is_none(), number.map_or(0, |n| (n * 16.0) as i64), value.text().to_owned())
        };
        let kept = if greatest { values.max_by_key(rank) } else { values.min_by_key(rank) };
        kept.map(parse)
    }
}

fn parse(json: &Json) -> Value {
    serde_json::from_str(json.text()).expect("JSON")
}

/// The members of a place, which becomes an object if it is none.
fn object(place: &mut Value) -> &mut Map<String, Value> {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().expect("it is an object now")
}
