//! Names of things, as types, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// Longest collection name, document id and object key, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// A name that is not one: empty, longer than [`NAME_BYTES_MAX`], or of another form than its type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidName(pub &'static str);

/// 128 random bits made in memory by each tab or worker at its first write.
///
/// Never stored to mint more ids with, so tabs and copied profiles cannot mint the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer(pub u128);

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Writer {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse_hex(text, 32).map(Writer).ok_or(InvalidName("writer"))
    }
}

/// Reads exactly `digits` lower-case hexadecimal digits: one number has one spelling.
pub(crate) fn parse_hex(text: &str, digits: usize) -> Option<u128> {
    let plain = text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Names one mutation for ever: the writer that made it and that writer's count.
///
/// The count says nothing about order; the server accepts any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationId {
    /// Who made it.
    pub writer: Writer,
    /// 1, 2, 3 … within that writer.
    pub n: u64,
}

impl fmt::Display for MutationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.writer, self.n)
    }
}

impl MutationId {
    /// The name of the group that this mutation begins.
    pub fn group(self) -> Group {
        Group(self.to_string().into())
    }
}

impl FromStr for MutationId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parse = || {
            let (writer, n) = text.split_once(':')?;
            let canonical = n.bytes().all(|b| b.is_ascii_digit()) && !n.starts_with('0');
            let n = if canonical { n.parse().ok()? } else { return None };
            // Beyond 2^53 the number would not survive a trip through JavaScript.
            (n < 1 << 53).then_some(MutationId { writer: writer.parse().ok()?, n })
        };
        parse().ok_or(InvalidName("mutation id"))
    }
}

/// Serialises a type by its text form.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use as_text;

as_text!(Writer, MutationId);

/// A short text with a bound, cheap to clone.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let bounded = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
                let printable = !text.chars().any(char::is_control);
                if bounded && printable { Ok(Self(text.into())) } else { Err(InvalidName($what)) }
            }
        }
        as_text!($type);
    };
}

name!(
    /// Names a set of documents with one schema and one set of rules.
    Collection, "collection name"
);
name!(
    /// Names a document within its collection; a UUIDv7 unless the app chose another.
    DocumentId, "document id"
);
name!(
    /// One installation: one database in one browser profile. Names the device to people.
    Client, "client id"
);
name!(
    /// A person, as the token's `sub` claim names them.
    User, "user id"
);
name!(
    /// Ties the mutations of one transaction together.
    Group, "group id"
);

impl DocumentId {
    /// Mints a UUIDv7: sorts by creation time, which keeps an index of new documents at its end.
    pub fn mint(now: WallTime, random: [u8; 10]) -> DocumentId {
        let id = uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid();
        DocumentId(id.hyphenated().to_string().into())
    }
}

/// Names one document in the whole database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentKey {
    /// Where it is.
    pub collection: Collection,
    /// Which it is there.
    pub document: DocumentId,
}

/// How often the server has changed a document; 0 is a document it has never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version that the next change gives.
    pub const fn next(self) -> Version {
        Version(self.0 + 1)
    }
}

/// A commit of the server, counted per tenant; orders everything that a client pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The position of the next commit.
    pub const fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_id_has_one_spelling() {
        let id = MutationId { writer: Writer(0xab), n: 17 };
        assert_eq!(id.to_string().parse(), Ok(id));
        let writer = "000000000000000000000000000000ab";
        for bad in ["", ":1", &format!("{writer}:0"), &format!("{writer}:01"), &format!("{writer}:+1")] {
            assert!(bad.parse::<MutationId>().is_err(), "{bad}");
        }
        assert!(format!("{}:1", writer.to_uppercase()).parse::<MutationId>().is_err());
        assert!(format!("{writer}:{}", 1u64 << 53).parse::<MutationId>().is_err());
    }

    #[test]
    fn a_name_is_neither_empty_nor_endless() {
        assert!("".parse::<DocumentId>().is_err());
        assert!("x".repeat(257).parse::<DocumentId>().is_err());
        assert!("a\nb".parse::<DocumentId>().is_err());
        assert!("A1 – Hütte".parse::<DocumentId>().is_ok());
    }

    #[test]
    fn minted_ids_sort_by_time() {
        let earlier = DocumentId::mint(WallTime(1_000), [255; 10]);
        let later = DocumentId::mint(WallTime(1_001), [0; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.as_str().len(), 36);
    }
}
