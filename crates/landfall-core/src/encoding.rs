//! A document as text and a short list of stamps, the form in which it is stored and travels.
//!
//! Most fields come from the same write, so registers are listed only where they differ: a top-level
//! member that is not listed has the `stamp` of the document, anything deeper that of its nearest
//! listed container. A listed path that is not in the text was unset. Below an array are listed the
//! elements of a set by their texts, and below a number what was counted in it.

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::document::{Document, Node, Parts, Register};
use crate::id::Version;
use crate::json::Json;
use crate::map::Map;
use crate::path::Path;

/// A document's registers, shortened. `T` is [`Stamp`] on the wire and [`Version`] beside it in the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// Of every top-level member that is not listed, and of the creation where that is newer than all of them.
    pub common: T,
    /// By path, where it differs from the place around it.
    pub listed: Map<Path, T>,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// One JSON object: every field, whether or not a delete hides the document.
    pub data: Json,
    /// Which write each path comes from.
    pub stamps: Listed<Stamp>,
    /// Which version each path comes from; same paths as `stamps`.
    pub versions: Listed<Version>,
    /// The newest delete.
    pub deleted: Option<Register>,
}

impl Document {
    /// Writes the document down. Equal documents give equal texts.
    pub fn encode(&self) -> Encoded {
        let mut shares: Map<(Stamp, Version), usize> = Map::new();
        if let Node::Object(_, members) = self.root() {
            for node in members.values() {
                let register = node.register();
                *shares.get_or_insert_with((register.stamp, register.version), || 0) += 1;
            }
        }
        let common = shares.iter().max_by_key(|(_, share)| **share).map(|(register, _)| *register);
        let (stamp, version) = match common.unwrap_or_default() {
            // Nothing else tells of a creation that is newer than every field, as of a document without any.
            _ if self.created().stamp > self.newest_field() => (self.created().stamp, self.created().version),
            common => common,
        };
        let mut listed = Vec::new();
        if self.root().register() != Register::NONE {
            listed.push((Path::default(), self.root().register()));
        }
        if let Node::Object(_, members) = self.root() {
            for (key, node) in members.iter() {
                list(node, Path::default().child(key), Register { stamp, version }, &mut listed);
            }
        }
        Encoded {
            data: self.root().value().expect("BUG: the root of a document cannot be unset"),
            stamps: Listed {
                common: stamp,
                listed: listed.iter().map(|(p, r)| (p.clone(), r.stamp)).collect(),
            },
            versions: Listed {
                common: version,
                listed: listed.into_iter().map(|(p, r)| (p, r.version)).collect(),
            },
            deleted: self.deleted(),
        }
    }
}

impl Default for Stamp {
    fn default() -> Stamp {
        Stamp::ZERO
    }
}

fn list(node: &Node, path: Path, around: Register, listed: &mut Vec<(Path, Register)>) {
    let register = node.register();
    if register != around || matches!(node, Node::Unset(_)) {
        listed.push((path.clone(), register));
    }
    match node {
        Node::Object(_, parts) | Node::Set(_, parts) => {
            for (key, node) in parts.iter() {
                list(node, path.child(key), register, listed);
            }
        }
        Node::Counter(counter) => listed.push((path.child(&counter.steps.to_string()), counter.newest)),
        Node::Whole(..) | Node::Unset(_) => {}
    }
}

impl Encoded {
    /// Reads the document back.
    pub fn decode(&self) -> Document {
        let register = |path: &Path, stamp: Stamp| Register {
            stamp,
            version: self.versions.listed.get(path).copied().unwrap_or_default(),
        };
        let mut root = Node::Whole(Register::NONE, self.data.clone());
        root.open_as(Parts::Members, Register { stamp: self.stamps.common, version: self.versions.common });
        // Sorted by path, so every container comes before its parts.
        for (path, stamp) in self.stamps.listed.iter() {
            let register = register(path, *stamp);
            match path.keys().split_last() {
                None => root.set_register(register),
                // A path whose container is missing was not written by us; there is nothing to place.
                Some((last, containers)) => {
                    if let Some(node) = root.at(containers) {
                        node.mark(last, register);
                    }
                }
            }
        }
        // Where it is a field's stamp, the creation adds nothing to it.
        let created = Register { stamp: self.stamps.common, version: self.versions.common };
        Document::from_parts(root, self.deleted, created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Writer;
    use crate::mutation::Change;

    fn register(n: u64) -> Register {
        Register { stamp: Stamp { ticks: n, writer: Writer(u128::from(n)) }, version: Version(n) }
    }

    fn write(document: &mut Document, path: &str, value: Option<&str>, n: u64) {
        let change = value.map_or(Change::Unset, |value| Change::Set(Json::parse(value).unwrap()));
        document.change(&path.parse().unwrap(), &change, register(n));
    }

    #[test]
    fn a_fresh_document_lists_no_stamps() {
        let mut document = Document::default();
        write(&mut document, "/a", Some("1"), 5);
        write(&mut document, "/b", Some(r#"{"c":{"d":2}}"#), 5);
        let encoded = document.encode();
        assert_eq!(encoded.data.text(), r#"{"a":1,"b":{"c":{"d":2}}}"#);
        assert_eq!(encoded.stamps.common, register(5).stamp);
        assert!(encoded.stamps.listed.is_empty());
    }

    #[test]
    fn a_document_without_fields_keeps_the_stamp_of_its_creation() {
        let mut document = Document::default();
        write(&mut document, "/a", None, 5);
        document.create(register(10));
        document.delete(register(7));
        assert_eq!(document.value(), Json::parse("{}").ok());
        assert_eq!(document.encode().decode().encode(), document.encode());
        assert_eq!(document.encode().decode().value(), document.value());
    }

    #[test]
    fn what_differs_is_listed_and_reads_back() {
        let mut document = Document::default();
        for (path, value, n) in [
            ("/a", Some("1"), 5),
            ("/b", Some(r#"{"c":{"d":2,"e":3}}"#), 5),
            ("/b/c/d", Some("4"), 7),
            ("/b/c/e", None, 8),
            ("/gone", None, 5),
            ("/new/deep", Some("[1]"), 9),
        ] {
            write(&mut document, path, value, n);
        }
        let encoded = document.encode();
        assert_eq!(encoded.data.text(), r#"{"a":1,"b":{"c":{"d":4}},"new":{"deep":[1]}}"#);
        let listed: Vec<_> = encoded.stamps.listed.keys().map(Path::to_string).collect();
        assert_eq!(listed, ["/b/c/d", "/b/c/e", "/gone", "/new", "/new/deep"]);
        assert_eq!(encoded.decode().encode(), encoded);
    }

    #[test]
    fn elements_and_steps_are_listed_below_their_fields() {
        let mut document = Document::default();
        write(&mut document, "/tags", Some(r#"["b","c"]"#), 5);
        write(&mut document, "/photos", Some("3"), 5);
        let json = |text: &str| Json::parse(text).unwrap();
        for (path, change, n) in [
            ("/tags", Change::Add(json(r#""a/b""#)), 7),
            ("/tags", Change::Remove(json(r#""b""#)), 8),
            ("/tags", Change::Add(json(r#"{"x":1}"#)), 6),
            ("/photos", Change::Increment(4), 6),
            ("/photos", Change::Increment(-6), 9),
            ("/fresh", Change::Increment(2), 9),
            ("/bare", Change::Remove(json("1")), 4),
        ] {
            document.change(&path.parse().unwrap(), &change, register(n));
        }
        let encoded = document.encode();
        let data = r#"{"bare":[],"fresh":2,"photos":1,"tags":["a/b","c",{"x":1}]}"#;
        assert_eq!(encoded.data.text(), data);
        let listed: Vec<_> = encoded.stamps.listed.iter().map(|(p, s)| format!("{p} {}", s.ticks)).collect();
        assert_eq!(
            listed,
            [
                "/bare 0",
                "/bare/1 4",
                "/fresh 0",
                "/fresh/2 9",
                "/photos/-2 9",
                r#"/tags/"a~1b" 7"#,
                r#"/tags/"b" 8"#,
                r#"/tags/{"x":1} 6"#
            ]
        );
        assert_eq!(encoded.decode().root(), document.root());

        // An older creation of the same id says where counting starts, and takes no step away.
        write(&mut document, "/photos", Some("10"), 7);
        assert_eq!(document.walk(&"/photos".parse().unwrap(), |_| {}).unwrap().value(), Some(json("8")));
    }
}
