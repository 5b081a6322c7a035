//! Fields that name documents of other collections.

use super::Court;
use crate::code::Code;
use crate::id::{Collection, DocumentKey};
use crate::json::{self, Json};
use crate::map::Map;
use crate::mutation::{Change, Mutation, Refusal};

impl Court<'_> {
    /// Refuses a mutation that comes to name a document that is not there, or that the caller may not see: the two must
    /// look alike. What was named before may have gone since; whoever settles a conflict has decided; and a document may
    /// name itself.
    pub(super) fn refers(
        &self,
        mutation: &Mutation,
        references: &Map<Box<str>, Collection>,
        previous: Option<&Json>,
    ) -> Result<(), Refusal> {
        if references.is_empty() || self.settles {
            return Ok(());
        }
        let before = previous.and_then(Json::members).unwrap_or_default();
        for field in &mutation.fields {
            if let ([name], Change::Set(value)) = (field.path.keys(), &field.change)
                && let Some(collection) = references.get(name)
                && value.text() != "null"
                && before.get(name) != Some(value)
                && !self.is_there(mutation, collection, value)
            {
                let message = format!("there is no such document in {collection}");
                return Err(Refusal::at(Code::ValidationFailed, &field.path, message));
            }
        }
        Ok(())
    }

    fn is_there(&self, mutation: &Mutation, collection: &Collection, value: &Json) -> bool {
        let Ok(document) = json::read(value.text()) else { return false };
        let key = DocumentKey { collection: collection.clone(), document };
        let named = self.facts.documents.get(&key).and_then(|stored| stored.document.value());
        key == mutation.key() || named.is_some_and(|named| self.rules.may_see(collection, &named))
    }
}
