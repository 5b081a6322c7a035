//! Fields that name documents of other collections.

use super::Court;
use crate::code::Code;
use crate::id::{Collection, DocumentKey};
use crate::json::{self, Json};
use crate::map::Map;
use crate::mutation::Refusal;
use crate::path::Path;

impl Court<'_> {
    /// Refuses a document that comes to name another one that is not there, or that the caller may not see: the two
    /// must look alike. What it has named before may have gone since, and whoever settles a conflict has decided.
    pub(super) fn refers(
        &self,
        references: &Map<Box<str>, Collection>,
        previous: Option<&Json>,
        document: Option<&Json>,
    ) -> Result<(), Refusal> {
        let Some(members) =
            document.filter(|_| !references.is_empty() && !self.settles).and_then(Json::members)
        else {
            return Ok(());
        };
        let before = previous.and_then(Json::members).unwrap_or_default();
        for (field, collection) in references.iter() {
            let Some(value) = members.get(field).filter(|value| value.text() != "null") else { continue };
            if before.get(field) != Some(value) && !self.is_there(collection, value) {
                let path = Path::default().child(field);
                let message = format!("there is no such document in {collection}");
                return Err(Refusal::at(Code::ValidationFailed, &path, message));
            }
        }
        Ok(())
    }

    fn is_there(&self, collection: &Collection, value: &Json) -> bool {
        let Ok(document) = json::read(value.text()) else { return false };
        let key = DocumentKey { collection: collection.clone(), document };
        let named = self.facts.documents.get(&key).and_then(|stored| stored.document.value());
        named.is_some_and(|named| self.rules.may_see(collection, &named))
    }
}
