//! What a document must look like, as a JSON Schema (json-schema.org, drafts 4 to 2020-12).
//!
//! Patterns are matched in linear time, and what is not written in the schema itself is not fetched from anywhere.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use landfall_core::code::Code;
use landfall_core::json::Json;
use landfall_core::mutation::Refusal;
use landfall_core::path::Path;
use serde_json::Value;

/// A schema that can be applied.
pub(super) struct Schema(Validator);

impl Schema {
    /// Compiles a schema. `format` is checked, with one format of our own: `phone`, as in E.164.
    ///
    /// # Errors
    /// It is no schema, in words.
    pub(super) fn compile(schema: &Value) -> Result<Schema, String> {
        let options = jsonschema::options().should_validate_formats(true);
        let options = options.should_ignore_unknown_formats(false).with_format("phone", is_phone);
        let validator = options.with_pattern_options(PatternOptions::regex()).build(schema);
        validator.map(Schema).map_err(|error| {
            format!("`schema`: at `{}`: {}", error.instance_path().as_str(), first_line(&error.to_string()))
        })
    }

    /// Refuses a document that is not as the schema says, with the first field that is at fault.
    ///
    /// # Errors
    /// [`Code::ValidationFailed`]. What the field holds is not repeated.
    pub(super) fn check(&self, document: &Json) -> Result<(), Refusal> {
        let code = Code::ValidationFailed;
        let Ok(value) = serde_json::from_str::<Value>(document.text()) else {
            return Err(Refusal::new(code, "a number in it is too large"));
        };
        let Err(error) = self.0.validate(&value) else { return Ok(()) };
        let message = match error.kind() {
            // What these say has names in it that the writer chose.
            ValidationErrorKind::AdditionalProperties { .. }
            | ValidationErrorKind::UnevaluatedProperties { .. }
            | ValidationErrorKind::PropertyNames { .. } => "a field that is not known here".to_owned(),
            _ => error.masked_with("this").to_string(),
        };
        Err(match field(&error) {
            Some(field) => Refusal::at(code, &field, message),
            None => Refusal::new(code, message),
        })
    }
}

/// The field to look at: the one that is missing, or one too many, or has a wrong value.
fn field(error: &ValidationError<'_>) -> Option<Path> {
    let place: Path = error.instance_path().as_str().parse().unwrap_or_default();
    let child = match error.kind() {
        ValidationErrorKind::Required { property } => property.as_str(),
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected.first().map(String::as_str),
        _ => None,
    };
    let place = child.map_or(place.clone(), |child| place.child(child));
    (!place.keys().is_empty()).then_some(place)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A number with its country, as E.164 writes it: a plus sign and up to fifteen digits.
fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(schema: &Value, document: &Value) -> Option<(String, Option<String>)> {
        let schema = Schema::compile(schema).unwrap_or_else(|reason| panic!("{reason}"));
        let document = Json::parse(&document.to_string()).expect("JSON");
        let refusal = schema.check(&document).err()?;
        assert_eq!(refusal.code, Code::ValidationFailed);
        Some((refusal.message, refusal.field.map(|field| field.to_string())))
    }

    #[test]
    fn a_refusal_names_the_field_and_not_what_is_in_it() {
        let schema = json!({
            "type": "object",
            "required": ["title"],
            "additionalProperties": false,
            "properties": {
                "title": { "type": "string", "minLength": 1, "maxLength": 20 },
                "rating": { "type": "integer", "minimum": 1, "maximum": 5 },
                "code": { "type": "string", "pattern": "^[A-Z]{2}-[0-9]+$" },
                "address": { "type": "object", "properties": { "zip": { "type": "string" } } }
            }
        });
        let field = |document: Value| verdict(&schema, &document).map(|(_, field)| field.unwrap_or_default());
        assert_eq!(field(json!({ "title": "Roof", "rating": 5, "code": "AB-12" })), None);
        assert_eq!(field(json!({})).as_deref(), Some("/title"));
        assert_eq!(field(json!({ "title": "" })).as_deref(), Some("/title"));
        assert_eq!(field(json!({ "title": "Roof", "rating": 6 })).as_deref(), Some("/rating"));
        assert_eq!(field(json!({ "title": "Roof", "code": "x" })).as_deref(), Some("/code"));
        assert_eq!(
            field(json!({ "title": "Roof", "address": { "zip": 1 } })).as_deref(),
            Some("/address/zip")
        );
        assert_eq!(field(json!({ "title": "Roof", "other": 1 })).as_deref(), Some("/other"));
        let (message, _) = verdict(&schema, &json!({ "title": "Roof", "code": "secret" })).expect("refused");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn formats_are_checked() {
        for (format, good, bad) in [
            ("email", "ada@example.org", "ada@"),
            ("phone", "+4930123456", "030 123456"),
            ("uri", "https://example.org/a", "example"),
            ("date", "2026-12-01", "1.12.2026"),
            ("date-time", "2026-12-01T08:00:00Z", "2026-12-01"),
            ("uuid", "018bcfe5-6800-7000-8000-000000000001", "018bcfe5"),
        ] {
            let schema = json!({ "properties": { "value": { "format": format } } });
            assert_eq!(verdict(&schema, &json!({ "value": good })), None, "{format}");
            let refused = verdict(&schema, &json!({ "value": bad })).and_then(|(_, field)| field);
            assert_eq!(refused.as_deref(), Some("/value"), "{format}");
        }
    }

    #[test]
    fn what_is_no_schema_is_told_with_its_place() {
        let reason = |schema: Value| Schema::compile(&schema).err().unwrap_or_default();
        assert!(reason(json!({ "properties": { "a": { "type": "txt" } } })).contains("/properties/a"));
        assert!(reason(json!({ "properties": { "a": { "pattern": "(" } } })).contains("pattern"));
        assert!(reason(json!({ "properties": { "a": { "format": "telephone" } } })).contains("telephone"));
        let elsewhere = reason(json!({ "$ref": "https://schemas.example/visit.json" }));
        assert!(elsewhere.contains("schemas.example"), "{elsewhere}");
        // Needs more than linear time.
        assert!(!reason(json!({ "properties": { "a": { "pattern": "^(?=a)" } } })).is_empty());
    }
}
