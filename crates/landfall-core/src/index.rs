//! Indexes over what is confirmed: keys whose order is that of a field's values, each naming a document.
//!
//! IndexedDB has no keys for `true`, `null` or what is absent, and its own indexes are made in an upgrade that
//! waits for every other tab. So the keys are ours, texts in a store that holds nothing else:
//! collection, NUL, field, NUL, value, NUL, document. A value is one character for its type and what orders
//! it within the type, so that the texts sort by UTF-16 units as `pkg/src/order.ts` sorts the values.

mod number;

use crate::id::{Collection, DocumentId, DocumentKey};
use crate::json::{self, Json};
use crate::stored::{BaseRow, Key};

/// What lists and objects begin with. They are all the same here: nobody looks for them, and behind
/// everything else their order is seldom asked for.
const CONTAINER: &str = "6";

/// What an index is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    /// The field that is indexed.
    pub field: String,
    /// Which documents.
    pub wanted: Wanted,
}

/// Which documents an index is to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All with this value.
    Equal(Json),
    /// The first in the order of the values.
    First {
        /// How many.
        count: u32,
        /// In the reverse order.
        descending: bool,
    },
}

impl Seek {
    /// The keys to read: from the first text, up to and without the second. None for values that nothing is told by.
    pub(crate) fn range(&self, collection: &Collection) -> Option<(String, String)> {
        let mut prefix = field_key(collection, &self.field);
        if let Wanted::Equal(value) = &self.wanted {
            let value = encoded(Some(value));
            if value == CONTAINER {
                return None;
            }
            prefix = format!("{prefix}\0{value}");
        }
        Some((format!("{prefix}\0"), format!("{prefix}\u{1}")))
    }
}

/// The keys of all fields of a collection: from the first text, up to and without the second.
pub(crate) fn collection_range(collection: &Collection) -> (String, String) {
    (format!("{collection}\0"), format!("{collection}\u{1}"))
}

/// The keys of a document as it is confirmed. What is deleted has none: nobody sees it.
pub(crate) fn keys(document: &DocumentKey, fields: &[String], row: &BaseRow) -> Vec<Key> {
    let members = row.data.members().unwrap_or_default();
    let fields = if row.deleted.is_some() { &[] } else { fields };
    fields.iter().map(|field| key(document, field, members.get(&**field))).collect()
}

/// The key of a document with a value, or without one.
pub fn key(document: &DocumentKey, field: &str, value: Option<&Json>) -> Key {
    Key::Text(format!(
        "{}\0{}\0{}",
        field_key(&document.collection, field),
        encoded(value),
        document.document
    ))
}

fn field_key(collection: &Collection, field: &str) -> String {
    format!("{collection}\0{}", escaped(field))
}

/// The document that a key names. Ids hold no control characters.
pub(crate) fn document(key: &Key) -> Option<DocumentId> {
    cut(key).1.parse().ok()
}

/// Whether a key says nothing of the document's place among those of its kind.
pub(crate) fn is_vague(key: &Key) -> bool {
    cut(key).0.ends_with(&format!("\0{CONTAINER}"))
}

/// A key without its document, and that.
fn cut(key: &Key) -> (&str, &str) {
    let Key::Text(text) = key else { return ("", "") };
    let at = text.bytes().rposition(|byte| byte == 0).unwrap_or(0);
    (&text[..at], text[at..].trim_start_matches('\0'))
}

fn encoded(value: Option<&Json>) -> String {
    let Some(text) = value.map(Json::text) else { return "0".to_owned() };
    match text.as_bytes().first() {
        Some(b'n') => "1".to_owned(),
        Some(b'f') => "2".to_owned(),
        Some(b't') => "3".to_owned(),
        Some(b'-' | b'0'..=b'9') => format!("4{:016x}", number::ordered(text)),
        // Half of a surrogate pair is no text of ours; no write brings one in.
        Some(b'"') => json::read::<String>(text)
            .map_or_else(|_| CONTAINER.to_owned(), |text| format!("5{}", escaped(&text))),
        Some(_) | None => CONTAINER.to_owned(),
    }
}

/// A text in which NUL can end it, such that a text still comes before those that it begins.
fn escaped(text: &str) -> String {
    text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}")
}

#[cfg(test)]
mod tests;
