//! Confirmed documents, as they are stored.

use serde::{Deserialize, Serialize};

use super::{Entry, Key};
use crate::clock::Stamp;
use crate::document::{Document, Register};
use crate::encoding::{Encoded, Listed};
use crate::id::{Collection, DocumentKey, Position, Version};
use crate::json::Json;
use crate::map::Map;
use crate::path::Path;

/// A document as the server confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRow {
    /// The document's version.
    #[serde(rename = "v")]
    pub version: Version,
    /// The commit that made it.
    #[serde(rename = "p")]
    pub position: Position,
    /// All fields.
    #[serde(rename = "d")]
    pub data: Json,
    /// Stamp of every top-level member that is not listed.
    #[serde(rename = "s")]
    pub stamp: Stamp,
    /// Stamps by path, where they differ.
    #[serde(rename = "l", default, skip_serializing_if = "Map::is_empty")]
    pub stamps: Map<Path, Stamp>,
    /// The delete that hides it. Without the row, a creation after it would look like one that did not
    /// know of it, and bring back what was deleted.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Stamp>,
}

impl BaseRow {
    /// The document, ready for pending writes on top.
    pub fn document(&self) -> Document {
        let encoded = Encoded {
            data: self.data.clone(),
            stamps: Listed { common: self.stamp, listed: self.stamps.clone() },
            versions: Listed::default(),
            deleted: self.deleted.map(|stamp| Register { stamp, version: Version(0) }),
        };
        encoded.decode()
    }

    /// A document of which nothing is left but that it was deleted.
    pub fn tombstone(deleted: Stamp, version: Version, position: Position) -> BaseRow {
        BaseRow { deleted: Some(deleted), ..BaseRow::of(&Document::default(), version, position) }
    }

    /// A document written down.
    pub fn of(document: &Document, version: Version, position: Position) -> BaseRow {
        let Encoded { data, stamps, deleted, versions: _ } = document.encode();
        BaseRow {
            version,
            position,
            data,
            stamp: stamps.common,
            stamps: stamps.listed,
            deleted: deleted.map(|register| register.stamp),
        }
    }

    /// The newest stamp in it.
    pub fn newest(&self) -> Stamp {
        self.all_stamps().max().unwrap_or(self.stamp)
    }

    /// The newest stamp of the writer of an entry's predecessor in it: that one may be in it already, with a stamp that
    /// the entry has not seen.
    pub fn newest_before(&self, entry: &Entry) -> Option<Stamp> {
        let writer = entry.after?.writer;
        self.all_stamps().filter(|stamp| stamp.writer == writer).max()
    }

    fn all_stamps(&self) -> impl Iterator<Item = Stamp> {
        self.stamps.values().copied().chain(self.deleted).chain([self.stamp])
    }
}

/// The key of a document's [`BaseRow`]. Names hold no control characters, so NUL separates.
pub fn base_key(key: &DocumentKey) -> Key {
    Key::Text(format!("{}\0{}", key.collection, key.document))
}

/// The document whose [`BaseRow`] has this key.
pub fn base_document(key: &str) -> Option<DocumentKey> {
    let (collection, document) = key.split_once('\0')?;
    Some(DocumentKey { collection: collection.parse().ok()?, document: document.parse().ok()? })
}

/// The keys of all documents of a collection: from the first text, up to and without the second.
pub fn base_range(collection: &Collection) -> (String, String) {
    (format!("{collection}\0"), format!("{collection}\u{1}"))
}
