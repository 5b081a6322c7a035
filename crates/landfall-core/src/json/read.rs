//! Reads JSON into what the protocol is made of: objects, lists, texts, whole numbers, yes, no and null.
//!
//! `serde_json` reads everything: fractions, structs written as lists, and a message with line and
//! column for whatever is wrong, which costs a page 23 KB more than all that reads here. What fits no
//! type of ours is [`Unreadable`] and nothing more: on a device nobody reads such a message. The server,
//! whose callers do, parses with `serde_json`; properties hold the two together.
//!
//! So what a device reads has no signed numbers, fractions, tuples, flattened members or variants with
//! content; a type that has reads as [`Unreadable`], always.

mod reader;

use std::fmt::Display;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::RAW;
use reader::Reader;

/// A text that is not JSON, or not of the form wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON of the form wanted")]
pub struct Unreadable;

/// Reads one value; nothing but blanks may be around it.
///
/// # Errors
/// [`Unreadable`].
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Unreadable> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

impl serde::de::Error for Unreadable {
    fn custom<T: Display>(_: T) -> Unreadable {
        Unreadable
    }

    // The default would print what was found, fractions included.
    fn invalid_type(_: Unexpected<'_>, _: &dyn serde::de::Expected) -> Unreadable {
        Unreadable
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn serde::de::Expected) -> Unreadable {
        Unreadable
    }
}

impl<'de> serde::Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    /// Nothing in the protocol may be of any type.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable)
    }

    forward_to_deserialize_any! {
        u8 u16 u128 i8 i16 i32 i64 i128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u64(self.number()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_str(&self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match name {
            RAW => visitor.visit_str(self.value()?),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.open(b'[')?;
        visitor.visit_seq(Parts { reader: self, first: true })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.open(b'{')?;
        visitor.visit_map(Parts { reader: self, first: true })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_enum(self.string()?.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.value()?;
        visitor.visit_unit()
    }
}

/// The members of an object, or the elements of a list.
struct Parts<'a, 'de> {
    reader: &'a mut Reader<'de>,
    first: bool,
}

impl Parts<'_, '_> {
    /// Goes to the next one. Visitors of ours take all there are, so the end is met exactly once.
    fn advance(&mut self, close: u8) -> Result<bool, Unreadable> {
        let first = std::mem::replace(&mut self.first, false);
        self.reader.next_part(first, close)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        if self.advance(b']')? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        if self.advance(b'}')? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        self.reader.open(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests;
