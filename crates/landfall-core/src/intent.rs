//! What an app asks for, before it has identity, order and time.

use crate::code::Code;
use crate::id::DocumentKey;
use crate::json::Json;
use crate::mutation::{Change, Field, Op, Refusal};
use crate::path::Path;

/// One change of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A new document with these fields.
    Create(DocumentKey, Json),
    /// Fields to merge deeply into a document, and what else happens to fields of it.
    Patch(DocumentKey, Json, Vec<Field>),
    /// The document is no longer wanted.
    Delete(DocumentKey),
}

impl Intent {
    /// The document it is about.
    pub fn key(&self) -> &DocumentKey {
        match self {
            Intent::Create(key, _) | Intent::Patch(key, _, _) | Intent::Delete(key) => key,
        }
    }

    /// As a mutation has it.
    pub fn op(&self) -> Op {
        match self {
            Intent::Create(..) => Op::Create,
            Intent::Patch(..) => Op::Patch,
            Intent::Delete(_) => Op::Delete,
        }
    }

    /// The fields it writes.
    ///
    /// # Errors
    /// [`Code::InvalidDocument`] for what is no object.
    pub fn fields(&self) -> Result<Vec<Field>, Refusal> {
        let invalid = || Refusal::new(Code::InvalidDocument, "a document is a JSON object");
        match self {
            Intent::Create(_, data) => {
                let members = data.members().ok_or_else(invalid)?;
                let field = |(key, value): (Box<str>, Json)| Field {
                    path: Path::default().child(&key),
                    change: Change::Set(value),
                };
                Ok(members.into_iter().map(field).collect())
            }
            Intent::Patch(_, data, changes) => {
                let mut fields = Vec::new();
                flatten(data.members().ok_or_else(invalid)?.into_iter(), &Path::default(), &mut fields);
                fields.extend(changes.iter().cloned());
                Ok(fields)
            }
            Intent::Delete(_) => Ok(vec![]),
        }
    }
}

/// Objects merge member by member; everything else is a value.
fn flatten(members: impl Iterator<Item = (Box<str>, Json)>, around: &Path, fields: &mut Vec<Field>) {
    for (key, value) in members {
        let path = around.child(&key);
        match value.members() {
            Some(inner) if !inner.is_empty() => flatten(inner.into_iter(), &path, fields),
            Some(_) | None => fields.push(Field { path, change: Change::Set(value) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_writes_leaves_and_a_creation_whole_members() {
        let key = DocumentKey { collection: "visits".parse().unwrap(), document: "d".parse().unwrap() };
        let data = Json::parse(r#"{"a":{"b":1,"c":[2]},"d":{}}"#).unwrap();
        let paths = |intent: Intent| -> Vec<String> {
            intent.fields().unwrap().iter().map(|field| field.path.to_string()).collect()
        };
        assert_eq!(paths(Intent::Create(key.clone(), data.clone())), ["/a", "/d"]);
        assert_eq!(
            paths(Intent::Patch(
                key.clone(),
                data,
                vec![Field { path: "/x".parse().unwrap(), change: Change::Unset }]
            )),
            ["/a/b", "/a/c", "/d", "/x"]
        );
        assert!(Intent::Create(key, Json::parse("[1]").unwrap()).fields().is_err());
    }
}
