//! Names of things, as types, so that one cannot be passed for another.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Visitor;
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
// Aligned as the numbers that stand beside it: a pending write holds half a dozen of these pairs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))]
pub struct Writer(pub u128);

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.0, 32)
    }
}

impl FromStr for Writer {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse_hex(text, 32).map(Writer).ok_or(InvalidName("writer"))
    }
}

/// Writes so many hexadecimal digits, 32 at most: what is written most often is names and stamps.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, number: u128, digits: usize) -> fmt::Result {
    let mut text = [0; 32];
    for (place, digit) in text[..digits].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
    }
    f.write_str(str::from_utf8(&text[..digits]).expect("BUG: digits that are no text"))
}

/// Reads exactly `digits` lower-case hexadecimal digits: one number has one spelling.
pub(crate) fn parse_hex(text: &str, digits: usize) -> Option<u128> {
    let digit = |number: u128, byte: u8| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    };
    if text.len() == digits { text.bytes().try_fold(0, digit) } else { None }
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

/// Reads a type from its text form, without a copy of the text.
pub(crate) struct Spelled<T>(pub(crate) PhantomData<T>);

impl<T: FromStr<Err = InvalidName>> Visitor<'_> for Spelled<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
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
                deserializer.deserialize_str($crate::id::Spelled(::std::marker::PhantomData))
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
        Position(self.0.saturating_add(1))
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
