//! Fields that name documents of other collections.

use super::{Court, Terms};
use crate::code::Code;
use crate::id::DocumentKey;
use crate::json::Json;
use crate::mutation::{Change, Mutation, Refusal};

impl Court<'_> {
    /// Refuses a mutation that comes to name a document that is not there, or that the caller may not see: the two must
    /// look alike. What was named before may have gone since; whoever settles a conflict has decided; and a document may
    /// name itself.
    pub(super) fn refers(
        &self,
        mutation: &Mutation,
        terms: &Terms,
        previous: Option<&Json>,
    ) -> Result<(), Refusal> {
        if terms.references.is_empty() || self.settles {
            return Ok(());
        }
        let before = previous.and_then(Json::members).unwrap_or_default();
        for (field, collection, key) in terms.named(mutation) {
            let had = field.path.keys().first().and_then(|name| before.get(name));
            let is_old = matches!(&field.change, Change::Set(value) if had == Some(value));
            if !is_old && !key.is_some_and(|key| key == mutation.key() || self.is_seen(&key)) {
                let message = format!("there is no such document in {collection}");
                return Err(Refusal::at(Code::ValidationFailed, &field.path, message));
            }
        }
        Ok(())
    }

    fn is_seen(&self, key: &DocumentKey) -> bool {
        let value = self.facts.documents.get(key).and_then(|stored| stored.document.value());
        value.is_some_and(|value| self.rules.may_see(&key.collection, &value))
    }
}
