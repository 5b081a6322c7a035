//! What is indexed, and how far that has come.

use super::Key;
use crate::id::Collection;

/// The keys of [`Indexed`] in [`Store::Meta`](super::Store::Meta): from the first text, up to and without the second.
pub(crate) const INDEXES: (&str, &str) = ("index/", "index0");

/// The key of a collection's [`Indexed`].
pub(crate) fn index_key(collection: &Collection) -> Key {
    Key::Text(format!("{}{collection}", INDEXES.0))
}

/// The collection whose [`Indexed`] has this key.
pub(crate) fn indexed_collection(key: &Key) -> Option<Collection> {
    match key {
        Key::Text(text) => text.strip_prefix(INDEXES.0)?.parse().ok(),
        Key::Counted(_) => None,
    }
}

/// What is indexed of a collection. Whoever changes the base keeps it so, whatever its own app has declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The app's schema version that declared the fields.
    pub version: u32,
    /// The key in the base of the last document that is indexed, while others are not.
    pub through: Option<String>,
    /// Fields of which every document has a key in the index.
    pub fields: Vec<String>,
}

impl Indexed {
    /// Reads a record: a list of texts, which takes a page no code of its own.
    pub(crate) fn read(text: &str) -> Option<Indexed> {
        let mut texts = super::read::<Vec<String>>(text)?.into_iter();
        let version = texts.next()?.parse().ok()?;
        let through = texts.next().filter(|through| !through.is_empty());
        Some(Indexed { version, through, fields: texts.collect() })
    }

    /// Writes a record.
    pub(crate) fn write(&self) -> String {
        let version = self.version.to_string();
        let mut texts = vec![&*version, self.through.as_deref().unwrap_or_default()];
        for field in &self.fields {
            texts.push(field);
        }
        super::write(&texts)
    }

    /// Whether an index can be asked for a field.
    pub(crate) fn answers(&self, field: &str) -> bool {
        self.through.is_none() && self.fields.iter().any(|other| other == field)
    }

    /// What is to be indexed where an app declares fields and `stored` is what another version of it, or the
    /// same, has left. Of two versions the later one's declaration counts, however often they take turns; what
    /// is declared twice under one version is joined.
    pub(crate) fn wanted(stored: Option<&Indexed>, version: u32, declared: &[String]) -> Vec<String> {
        match stored {
            Some(stored) if stored.version > version => stored.fields.clone(),
            Some(stored) if stored.version == version => {
                let mut fields = stored.fields.clone();
                for field in declared {
                    if !fields.contains(field) {
                        fields.push(field.clone());
                    }
                }
                fields
            }
            Some(_) | None => declared.to_vec(),
        }
    }
}
