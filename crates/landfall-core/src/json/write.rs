//! Writes what serde can describe as JSON, spelled as serde_json spells it.
//!
//! Into memory nothing fails, and a writer that cannot fail is half the code: serde_json's, with its errors at
//! every member, costs a page 3 KB more. It writes what a device writes: no floats, no variants with content.

use std::convert::Infallible;
use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{
    Error, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};

use super::RAW;

/// Writes a value.
pub fn write<T: Serialize + ?Sized>(value: &T) -> String {
    let mut writer = Writer::default();
    match value.serialize(&mut writer) {
        Ok(()) => writer.text,
        Err(Never(never)) => match never {},
    }
}

/// What cannot happen.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Never(Infallible);

impl Error for Never {
    fn custom<T: Display>(message: T) -> Never {
        unreachable!("BUG: a value that cannot be written down: {message}")
    }
}

/// What has been written so far.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: String,
    /// The next text is JSON already.
    raw: bool,
}

impl Writer {
    fn number(&mut self, number: impl Display) -> Result<(), Never> {
        self.spell(number)
    }

    /// Writes what a value is shown as, without a text of its own in between.
    fn spell(&mut self, value: impl Display) -> Result<(), Never> {
        // Nothing that is shown fails, and neither does this.
        _ = write!(self, "{value}");
        Ok(())
    }

    pub(super) fn quote(&mut self, text: &str) {
        self.text.push('"');
        self.escape(text);
        self.text.push('"');
    }

    fn escape(&mut self, mut text: &str) {
        while let Some(at) = text.bytes().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
            self.text += &text[..at];
            self.text.push('\\');
            let sign = match text.as_bytes()[at] {
                byte @ (b'"' | b'\\') => byte,
                0x8 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0xc => b'f',
                b'\r' => b'r',
                byte => {
                    self.text += if byte < 0x10 { "u000" } else { "u001" };
                    b"0123456789abcdef"[usize::from(byte & 15)]
                }
            };
            self.text.push(char::from(sign));
            text = &text[at + 1..];
        }
        self.text += text;
    }

    fn open(&mut self, open: char, close: char) -> Parts<'_> {
        self.text.push(open);
        Parts { writer: self, first: true, close: Some(close) }
    }
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escape(text);
        Ok(())
    }
}

/// A list or an object that is being written.
pub(super) struct Parts<'a> {
    writer: &'a mut Writer,
    first: bool,
    /// None for what stands there as it is.
    close: Option<char>,
}

impl Parts<'_> {
    fn next(&mut self) {
        if !self.first {
            self.writer.text.push(',');
        }
        self.first = false;
    }

    fn finish(self) -> Result<(), Never> {
        self.writer.text.extend(self.close);
        Ok(())
    }
}

/// Kinds of values that no device writes.
macro_rules! absent {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$result, Never> {
            unreachable!("BUG: a kind of value that is not written down")
        })*
    };
}

macro_rules! numbers {
    ($($method:ident $number:ty),*) => {
        $(fn $method(self, number: $number) -> Result<(), Never> { self.number(number) })*
    };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Impossible<(), Never>;
    type SerializeTupleVariant = Impossible<(), Never>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Impossible<(), Never>;

    absent!(
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_tuple_struct(&'static str, usize) -> Impossible<(), Never>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Never>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Never>;
    );

    numbers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64
    );

    fn serialize_bool(self, value: bool) -> Result<(), Never> {
        self.text += if value { "true" } else { "false" };
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        if std::mem::take(&mut self.raw) {
            self.text += text;
        } else {
            self.quote(text);
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        self.text += "null";
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Never> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Never> {
        unreachable!("BUG: a variant with content is not written down")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Never> {
        Ok(self.open('[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Never> {
        Ok(self.open('[', ']'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Never> {
        Ok(self.open('{', '}'))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Never> {
        if name != RAW {
            return Ok(self.open('{', '}'));
        }
        self.raw = true;
        Ok(Parts { writer: self, first: true, close: None })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Never> {
        self.text.push('"');
        self.spell(value)?;
        self.text.push('"');
        Ok(())
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.next();
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.next();
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.writer.text.push(':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Never> {
        if self.close.is_some() {
            self.next();
            self.writer.quote(name);
            self.writer.text.push(':');
        }
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Never> {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::json::Json;
    use proptest::prelude::*;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Everything {
        some_text: String,
        maybe: Option<i64>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        list: Vec<u64>,
        pair: (u32, bool),
        map: BTreeMap<String, Json>,
        name: Name,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Name {
        OneWord,
    }

    proptest! {
        #[test]
        fn every_value_is_spelled_as_serde_json_spells_it(
            some_text: String,
            control in "[\\x00-\\x20\"\\\\\\x7f]{0,8}",
            maybe: Option<i64>,
            list: Vec<u64>,
            pair: (u32, bool),
            keys: Vec<String>,
        ) {
            let json = Json::parse(r#"{"a": [1,  2.50], "b":"\u00e9"}"#).unwrap();
            let map = keys.into_iter().map(|key| (key, json.clone())).collect();
            let all = Everything { some_text: some_text + &control, maybe, list, pair, map, name: Name::OneWord };
            prop_assert_eq!(write(&all), serde_json::to_string(&all).unwrap());
        }
    }

    #[test]
    #[should_panic(expected = "BUG: a kind of value that is not written down")]
    fn a_fraction_is_nothing_that_a_device_writes() {
        write(&1.5);
    }
}
