//! What a write says: it is in memory, or in the journal alone.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mutation::Field;
use crate::planted::{self, Bug};

/// The fields of a write. Of what waits behind much else they are in the journal alone, and nobody can look at them: a
/// write that were stored or sent without them would be lost, so whoever tries is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(Option<Box<[Field]>>);

impl Fields {
    /// Whether they are in memory.
    pub fn are_here(&self) -> bool {
        self.0.is_some()
    }

    /// What is in memory of them: all or nothing.
    pub fn get(&self) -> Option<&[Field]> {
        self.0.as_deref()
    }

    /// They are in memory no longer. What is nothing takes no room and stays.
    pub fn forget(&mut self) {
        if self.0.as_ref().is_some_and(|fields| !fields.is_empty()) {
            self.0 = planted::is(Bug::HeadsTakenForWhole).then(Box::default);
        }
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_some_and(|fields| fields.is_empty())
    }
}

impl Default for Fields {
    fn default() -> Fields {
        Fields(Some(Box::default()))
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        self.0.as_ref().expect("BUG: what a write says is not in memory")
    }
}

impl From<Vec<Field>> for Fields {
    fn from(fields: Vec<Field>) -> Fields {
        Fields(Some(fields.into_boxed_slice()))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        Vec::deserialize(deserializer).map(Fields::from)
    }
}
