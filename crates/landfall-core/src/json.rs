//! JSON as text: what nobody touched is never parsed and written again, so numbers, unknown members
//! and their order survive every hop.

mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::map::Map;
use write::Writer;

pub use read::{Unreadable, read};
pub use write::write;

/// What `serde_json` calls a value whose text is wanted, and the member that it is wrapped in. Not part of
/// its API; should it change, the tests of what reads and writes here fail.
const RAW: &str = "$serde_json::private::RawValue";

/// Deepest nesting of objects and arrays in a document.
pub const DEPTH_MAX: usize = 32;
/// Most object keys in a document.
pub const KEYS_MAX: usize = 1_000;

/// A well-formed JSON value as the text it arrived in. Cheap to clone.
#[derive(Clone)]
pub struct Json(Arc<str>);

impl Json {
    /// Takes a text that must be one JSON value.
    pub fn parse(text: &str) -> Result<Json, Unreadable> {
        read(text)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// The members, where this is an object. Of two with one name the later counts, as in JavaScript.
    pub fn members(&self) -> Option<Map<Box<str>, Json>> {
        if !self.is_object() {
            return None;
        }
        Some(read(self.text()).expect("BUG: a Json that is not JSON"))
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        self.text().starts_with('[')
    }

    /// The elements, where this is an array.
    pub fn elements(&self) -> Option<Vec<Json>> {
        self.is_array().then(|| read(self.text()).expect("BUG: a Json that is not JSON"))
    }

    /// The number, where this is a whole one without a fraction or an exponent.
    pub fn as_whole(&self) -> Option<i64> {
        self.text().parse().ok()
    }

    /// Writes `null`.
    pub(crate) fn null() -> Json {
        Json("null".into())
    }

    /// Writes a whole number.
    pub fn whole(number: i64) -> Json {
        Json(number.to_string().into())
    }

    /// The same value in the one spelling that tells it from others: without blanks, members sorted, no
    /// character escaped that need not be. Numbers stay as they were written.
    pub fn canonical(&self) -> Json {
        let text = self.text();
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: Vec<_> = self.members().unwrap_or_default().into_iter().collect();
                let members: Vec<_> = members.iter().map(|(key, value)| (key, value.canonical())).collect();
                Json::object(members.iter().map(|(key, value)| (&***key, value.text())))
            }
            Some(b'[') => {
                let elements: Vec<_> =
                    self.elements().unwrap_or_default().iter().map(Json::canonical).collect();
                Json::array(elements.iter().map(Json::text))
            }
            // Half of a surrogate pair has no other spelling.
            Some(b'"') => read::<String>(text).map_or_else(|_| self.clone(), |text| Json::string(&text)),
            Some(_) | None => self.clone(),
        }
    }

    /// Whether every string in it is Unicode text. JSON can spell halves of surrogate pairs, as
    /// `"\ud800"`, and no two parsers agree on what they are.
    pub fn is_unicode(&self) -> bool {
        let escape = |text: &str| u16::from_str_radix(text.get(2..6)?, 16).ok();
        let mut rest = self.text();
        while let Some(start) = rest.find('\\') {
            rest = &rest[start..];
            let length = match escape(rest).filter(|_| rest.starts_with("\\u")) {
                None => 2,
                Some(0xd800..=0xdbff) => {
                    let low = &rest[6..];
                    if !low.starts_with("\\u") || !matches!(escape(low), Some(0xdc00..=0xdfff)) {
                        return false;
                    }
                    12
                }
                Some(0xdc00..=0xdfff) => return false,
                Some(_) => 6,
            };
            rest = &rest[length..];
        }
        true
    }

    /// Writes a text.
    pub fn string(text: &str) -> Json {
        Json(write(text).into())
    }

    /// Writes an array of `elements`, each of them JSON.
    pub fn array<'a>(elements: impl Iterator<Item = &'a str>) -> Json {
        let mut text = String::from("[");
        for (i, element) in elements.enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(element);
        }
        text.push(']');
        Json(text.into())
    }

    /// Writes an object of `members`, each of them a name and JSON.
    pub fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Json {
        let mut writer = Writer::default();
        writer.text.push('{');
        for (i, (key, value)) in members.enumerate() {
            if i > 0 {
                writer.text.push(',');
            }
            writer.quote(key);
            writer.text.push(':');
            writer.text.push_str(value);
        }
        writer.text.push('}');
        Json(writer.text.into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wrapped = serializer.serialize_struct(RAW, 1)?;
        wrapped.serialize_field(RAW, self.text())?;
        wrapped.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, Raw)
    }
}

/// Takes the text of a value from whoever has read it, wrapped by `serde_json` and as it is from our own reader.
struct Raw;

impl<'de> Visitor<'de> for Raw {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut wrapped: A) -> Result<Json, A::Error> {
        wrapped.next_key::<IgnoredAny>()?;
        wrapped.next_value_seed(self)
    }
}

impl<'de> DeserializeSeed<'de> for Raw {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// How large the structure of a JSON text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Objects and arrays open at the deepest place.
    pub depth: usize,
    /// Object keys in all.
    pub keys: usize,
}

impl Shape {
    /// Measures a text in one pass without recursion, so that no nesting can exhaust the stack.
    /// The text need not be well formed; what is counted is then a lower bound of no meaning.
    pub fn of(text: &[u8]) -> Shape {
        let (mut shape, mut depth, mut in_string, mut escaped) = (Shape::default(), 0usize, false, false);
        for byte in text {
            match (in_string, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_string = !in_string,
                (false, b'{' | b'[') => {
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                }
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                (false, b':') => shape.keys += 1,
                (_, _) => {}
            }
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untouched_text_stays_as_it_was() {
        let members = Json::parse(r#"{"price": 1.10, "n":12345678901234567890, "a":1, "a":2}"#)
            .unwrap()
            .members()
            .unwrap();
        let text = |key: &str| members.get(key).unwrap().text();
        assert_eq!(text("price"), "1.10");
        assert_eq!(text("n"), "12345678901234567890");
        assert_eq!(text("a"), "2");
    }

    #[test]
    fn one_value_has_one_canonical_spelling() {
        let canonical = |text: &str| Json::parse(text).unwrap().canonical().text().to_owned();
        let spelled =
            r#" { "b" : [ "\u0041\/" , { "d":1, "c" : [ ] } , 1.10 ] , "a" : null , "b2":"\u0001" } "#;
        assert_eq!(canonical(spelled), r#"{"a":null,"b":["A/",{"c":[],"d":1},1.10],"b2":"\u0001"}"#);
        assert_eq!(canonical(&canonical(spelled)), canonical(spelled));
        assert_eq!(canonical(r#"["\ud800"]"#), r#"["\ud800"]"#, "half of a pair has no other");
    }

    #[test]
    fn half_of_a_surrogate_pair_is_no_text() {
        let is_unicode = |text: &str| Json::parse(text).unwrap().is_unicode();
        for text in
            [r#""ä€😀""#, r#""\ud83d\ude00""#, r#"{"\\ud800":"\"\\\n\u00e4"}"#, r#""\uD83D\uDE00""#, "1"]
        {
            assert!(is_unicode(text), "{text}");
        }
        for text in [r#""\ud800""#, r#"{"\udc00":1}"#, r#"["\ud83d\u0041"]"#, r#""\uDBFFx""#, r#""\\\udfff""#]
        {
            assert!(!is_unicode(text), "{text}");
        }
    }

    #[test]
    fn the_shape_counts_structure_and_not_the_text_inside_strings() {
        assert_eq!(Shape::of(br#"{"a":[{"b":"}{:\"["}],"c":1}"#), Shape { depth: 3, keys: 3 });
        assert_eq!(Shape::of(&b"[".repeat(100_000)).depth, 100_000);
        assert_eq!(Shape::of(b"1"), Shape::default());
    }
}
