//! What a user did to one document.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Stamp;
use crate::code::Code;
use crate::document::{Document, Register};
use crate::id::{Collection, DocumentId, DocumentKey, Group, MutationId, Version};
use crate::json::{DEPTH_MAX, Json, KEYS_MAX, Shape};
use crate::path::Path;
use crate::time::WallTime;

/// The kinds of mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Brings a document into being: one `set` for each top-level key.
    Create,
    /// Changes fields of a document.
    Patch,
    /// Hides a document.
    Delete,
}

/// What happens to one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The field has this value from now on.
    Set(Json),
    /// The field is no longer there.
    Unset,
    /// A counter goes up by this, or down.
    Increment(i64),
    /// A set has this element from now on.
    Add(Json),
    /// A set does not have this element any more.
    Remove(Json),
    /// The field has this value, unless it has a greater one.
    Max(Json),
    /// The field has this value, unless it has a smaller one.
    Min(Json),
}

/// Largest step of a counter: what every language counts exactly.
pub const STEP_MAX: u64 = (1 << 53) - 1;

impl Change {
    /// The name of the operation.
    pub const fn name(&self) -> &'static str {
        match self {
            Change::Set(_) => "set",
            Change::Unset => "unset",
            Change::Increment(_) => "increment",
            Change::Add(_) => "add",
            Change::Remove(_) => "remove",
            Change::Max(_) => "max",
            Change::Min(_) => "min",
        }
    }

    /// What goes with it.
    pub fn value(&self) -> Option<Json> {
        match self {
            Change::Unset => None,
            Change::Increment(by) => Some(Json::whole(*by)),
            Change::Set(value)
            | Change::Add(value)
            | Change::Remove(value)
            | Change::Max(value)
            | Change::Min(value) => Some(value.clone()),
        }
    }

    /// Reads an operation by its name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn named(name: &str, value: Option<Json>) -> Result<Change, &'static str> {
        Ok(match (name, value) {
            ("set", Some(value)) => Change::Set(value),
            ("unset", None) => Change::Unset,
            ("increment", Some(value)) => match value.as_whole() {
                Some(by) if by.unsigned_abs() <= STEP_MAX => Change::Increment(by),
                Some(_) | None => return Err("an increment takes a whole number below 2^53"),
            },
            ("add", Some(value)) => Change::Add(value),
            ("remove", Some(value)) => Change::Remove(value),
            ("max", Some(value)) => Change::Max(value),
            ("min", Some(value)) => Change::Min(value),
            (_, _) => return Err("an operation that this version does not know"),
        })
    }

    /// The element of a set that this is about.
    pub(crate) fn element(&self) -> Option<&str> {
        match self {
            Change::Add(element) | Change::Remove(element) => Some(element.text()),
            Change::Set(_) | Change::Unset | Change::Increment(_) | Change::Max(_) | Change::Min(_) => None,
        }
    }
}

/// One field of a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FieldText", into = "FieldText")]
pub struct Field {
    /// Where it is.
    pub path: Path,
    /// What happens to it.
    pub change: Change,
}

impl Field {
    /// Whether nothing is left of `older` once this was written after it.
    pub(crate) fn writes_over(&self, older: &Field) -> bool {
        let apart = match (self.change.element(), older.change.element()) {
            (Some(mine), Some(theirs)) => mine != theirs,
            (_, _) => false,
        };
        self.path.overlaps(&older.path) && !apart
    }

    /// A step together with the one that it is written over.
    pub(crate) fn counted_on(mut self, older: &[Field]) -> Field {
        if let Change::Increment(by) = &mut self.change {
            let steps = older
                .iter()
                .filter(|field| field.path == self.path)
                .map(|field| if let Change::Increment(by) = field.change { by } else { 0 });
            *by = steps.fold(*by, i64::saturating_add);
        }
        self
    }
}

/// [`Field`] as it is written: `{"path":"/notes","op":"set","value":"x"}`.
#[derive(Clone, Serialize, Deserialize)]
struct FieldText {
    path: Path,
    op: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    value: Option<Json>,
}

/// Keeps `null` apart from nothing.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl TryFrom<FieldText> for Field {
    type Error = &'static str;

    fn try_from(text: FieldText) -> Result<Field, &'static str> {
        let change = Change::named(&text.op, text.value)?;
        Ok(Field { path: text.path, change })
    }
}

impl From<Field> for FieldText {
    fn from(field: Field) -> FieldText {
        FieldText { op: field.change.name().into(), value: field.change.value(), path: field.path }
    }
}

/// One change of one document by one user, with all that merging needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mutation {
    /// Its name, for ever.
    pub id: MutationId,
    /// The transaction it belongs to.
    #[serde(default)]
    pub group: Option<Group>,
    /// The refused mutation that this one stands in for.
    #[serde(default)]
    pub replaces: Option<MutationId>,
    /// Unsettled creations that this one makes no sense without.
    #[serde(default)]
    pub needs: Vec<MutationId>,
    /// Server time at which it was first sent; null on the first sending.
    #[serde(default)]
    pub first_sent_at: Option<WallTime>,
    /// The collection of the document.
    pub collection: Collection,
    /// The document.
    pub document: DocumentId,
    /// What was done.
    pub op: Op,
    /// To which fields.
    pub fields: Vec<Field>,
    /// The version of the document that the writer had seen.
    pub base: Version,
    /// The previous mutation of this installation on this document.
    #[serde(default)]
    pub after: Option<MutationId>,
    /// When, for deciding against writes that did not know of this one.
    pub stamp: Stamp,
    /// The app's schema version it was written under.
    pub schema: u32,
}

/// Why one mutation is refused. The rest of its batch goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable name.
    pub code: Code,
    /// For a person: what is wrong and, where possible, what to do.
    pub message: String,
    /// The field at fault, where it is one.
    pub field: Option<Path>,
}

impl Refusal {
    /// A refusal of the whole mutation.
    pub fn new(code: Code, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), field: None }
    }

    /// A refusal because of one field.
    pub fn at(code: Code, field: &Path, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), field: Some(field.clone()) }
    }
}

impl Mutation {
    /// The document it is about.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { collection: self.collection.clone(), document: self.document.clone() }
    }

    /// Refuses what no server could make sense of, whatever its rules are.
    pub fn check(&self) -> Result<(), Refusal> {
        let fields_fit = match self.op {
            Op::Create => self.fields.iter().all(|field| match field.change {
                Change::Set(_) | Change::Max(_) | Change::Min(_) => field.path.keys().len() == 1,
                Change::Unset | Change::Increment(_) | Change::Add(_) | Change::Remove(_) => false,
            }),
            Op::Patch => !self.fields.is_empty() && self.fields.iter().all(|f| !f.path.keys().is_empty()),
            Op::Delete => self.fields.is_empty(),
        };
        if !fields_fit {
            return Err(Refusal::new(Code::InvalidMutation, "these fields do not go with this operation"));
        }
        let mut writes: Vec<(&Path, Option<&str>)> = Vec::with_capacity(self.fields.len());
        for Field { path, change } in &self.fields {
            let write = (path, change.element());
            writes.insert(writes.partition_point(|other| *other < write), write);
        }
        // Sorted, a path that overlaps others overlaps its neighbour. Two elements of a set are two places.
        let clash = |pair: &&[(&Path, Option<&str>)]| match (pair[0], pair[1]) {
            ((one, Some(_)), (other, Some(_))) if one == other => pair[0] == pair[1],
            ((one, _), (other, _)) => one.overlaps(other),
        };
        if let Some([_, (path, _)]) = writes.windows(2).find(clash) {
            return Err(Refusal::at(Code::InvalidPath, path, "written twice in one mutation"));
        }
        for Field { path, change } in &self.fields {
            let first = &path.keys()[0];
            if **first == *"id" || first.starts_with('_') {
                return Err(Refusal::at(Code::ReservedField, path, "names of this form are reserved"));
            }
            check_change(path, change)?;
        }
        Ok(())
    }

    /// Does to `document` what this mutation says, as far as nothing newer is in the way.
    ///
    /// The same on the device and on the server, and in any order with mutations that did not know of it.
    pub fn apply(&self, document: &mut Document, register: Register) {
        document.write(self.op, &self.fields, register);
    }

    /// What tells a resend from another mutation under the same id.
    ///
    /// Leaves out what may differ between sendings: stamp, `needs`, `firstSentAt`.
    pub fn hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        // Every part with its length in front, so that no two lists of parts look alike.
        let mut part = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
        };
        let optional = |id: &Option<MutationId>| id.map(|id| id.to_string()).unwrap_or_default();
        part(self.collection.as_str());
        part(self.document.as_str());
        part(match self.op {
            Op::Create => "create",
            Op::Patch => "patch",
            Op::Delete => "delete",
        });
        part(self.group.as_ref().map(Group::as_str).unwrap_or_default());
        part(&optional(&self.replaces));
        part(&optional(&self.after));
        part(&format!("{} {}", self.base.0, self.schema));
        for Field { path, change } in &self.fields {
            part(&path.to_string());
            match change {
                Change::Set(value) => part(value.text()),
                Change::Unset => part(""),
                Change::Increment(_)
                | Change::Add(_)
                | Change::Remove(_)
                | Change::Max(_)
                | Change::Min(_) => {
                    // No name is JSON, so this looks like no value that is set.
                    part(change.name());
                    part(change.value().as_ref().map_or("", Json::text));
                }
            }
        }
        digest.finalize().into()
    }
}

/// Refuses a change that no server could make sense of.
fn check_change(path: &Path, change: &Change) -> Result<(), Refusal> {
    let deep = match change {
        Change::Set(_) | Change::Unset => false,
        Change::Increment(_) | Change::Add(_) | Change::Remove(_) | Change::Max(_) | Change::Min(_) => {
            path.keys().len() > 1
        }
    };
    if deep {
        return Err(Refusal::at(Code::InvalidPath, path, "only a member of the document itself merges so"));
    }
    if matches!(change, Change::Increment(by) if by.unsigned_abs() > STEP_MAX) {
        return Err(Refusal::at(Code::InvalidOperation, path, "a step larger than can be counted exactly"));
    }
    let Some(value) = change.value() else { return Ok(()) };
    if !value.is_unicode() {
        return Err(Refusal::at(Code::InvalidMutation, path, "a text with half of a surrogate pair in it"));
    }
    let shape = Shape::of(value.text().as_bytes());
    if shape.depth + path.keys().len() + usize::from(change.element().is_some()) > DEPTH_MAX {
        return Err(Refusal::at(Code::TooDeep, path, format!("nested deeper than {DEPTH_MAX}")));
    }
    if shape.keys > KEYS_MAX {
        return Err(Refusal::at(Code::TooManyKeys, path, format!("more than {KEYS_MAX} keys")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &str, op: &str) -> Mutation {
        let writer = "0".repeat(31);
        serde_json::from_str(&format!(
            r#"{{"id":"{writer}1:1","collection":"visits","document":"d","op":"{op}","fields":{fields},"base":0,
                "stamp":"000000000001-0000-{writer}1","schema":1}}"#
        ))
        .unwrap()
    }

    fn code(fields: &str, op: &str) -> Option<Code> {
        parse(fields, op).check().err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_field() {
        let set = |path: &str| format!(r#"{{"path":"{path}","op":"set","value":1}}"#);
        assert_eq!(code(&format!("[{}]", set("/a")), "create"), None);
        assert_eq!(code("[]", "create"), None, "an empty document is a document");
        assert_eq!(code("[]", "patch"), Some(Code::InvalidMutation));
        assert_eq!(code(&format!("[{}]", set("/a")), "delete"), Some(Code::InvalidMutation));
        assert_eq!(code(&format!("[{}]", set("/a/b")), "create"), Some(Code::InvalidMutation));
        assert_eq!(code(&format!("[{}]", set("")), "patch"), Some(Code::InvalidMutation));
        assert_eq!(
            code(&format!("[{},{},{}]", set("/a/b"), set("/c"), set("/a")), "patch"),
            Some(Code::InvalidPath)
        );
        assert_eq!(code(&format!("[{}]", set("/_owner")), "patch"), Some(Code::ReservedField));
        assert_eq!(code(&format!("[{}]", set("/id")), "patch"), Some(Code::ReservedField));
        let deep = format!(r#"[{{"path":"/a","op":"set","value":{}1{}}}]"#, "[".repeat(32), "]".repeat(32));
        assert_eq!(code(&deep, "patch"), Some(Code::TooDeep));
    }

    #[test]
    fn an_unknown_field_operation_is_not_a_mutation() {
        for field in [
            r#"{"path":"/a","op":"increment","value":0.5}"#,
            r#"{"path":"/a","op":"increment","value":9007199254740992}"#,
            r#"{"path":"/a","op":"add"}"#,
            r#"{"path":"/a","op":"explode"}"#,
            r#"{"path":"/a","op":"set"}"#,
            r#"{"path":"a","op":"unset"}"#,
        ] {
            assert!(serde_json::from_str::<Field>(field).is_err(), "{field}");
        }
        let null = serde_json::from_str::<Field>(r#"{"path":"/a","op":"set","value":null}"#).unwrap();
        assert_eq!(null.change, Change::Set(Json::parse("null").unwrap()));
    }

    #[test]
    fn the_hash_tells_a_resend_from_another_mutation() {
        let first = parse(r#"[{"path":"/a","op":"set","value":1}]"#, "patch");
        let mut resend = first.clone();
        resend.stamp = resend.stamp.raised_by(resend.id.writer);
        resend.first_sent_at = Some(WallTime(9));
        assert_eq!(first.hash(), resend.hash());
        assert_ne!(first.hash(), parse(r#"[{"path":"/a","op":"set","value":2}]"#, "patch").hash());
        assert_ne!(first.hash(), parse(r#"[{"path":"/a","op":"unset"}]"#, "patch").hash());
        let one = |op: &str| parse(&format!(r#"[{{"path":"/a","op":"{op}","value":1}}]"#), "patch").hash();
        let operations = ["set", "increment", "add", "remove", "max", "min"];
        let hashes: std::collections::BTreeSet<_> = operations.into_iter().map(one).collect();
        assert_eq!(hashes.len(), operations.len());
    }
}
