//! What the server accepts.

use landfall_core::authority::{self, Proposal, Terms};
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::Collection;
use landfall_core::json::Json;
use landfall_core::merge::{Merge, Merges};
use landfall_core::mutation::Refusal;

/// A word that no document may have in it.
pub const REFUSED: &str = "unacceptable";

/// Fields that merge in another way than by the last write, for devices and server alike.
pub fn merges() -> Merges {
    let names =
        [("count", Merge::Counter), ("tags", Merge::Set), ("best", Merge::Max), ("least", Merge::Min)];
    names.into_iter().map(|(name, merge)| (name.into(), merge)).collect()
}

/// Rules that change now and then.
#[derive(Clone, Debug)]
pub struct Rules {
    terms: Terms,
    /// A digit that no document may have as its last value's end, while that is so.
    pub banned: Option<char>,
}

impl Rules {
    /// The rules of a collection with this policy.
    pub fn new(policy: Policy) -> Rules {
        Rules { terms: Terms { merges: merges(), policy }, banned: None }
    }
}

impl authority::Rules for Rules {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.terms)
    }

    fn may_see(&self, _: &Collection, _: &Json) -> bool {
        true
    }

    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal> {
        let Some(document) = proposal.document else { return Ok(()) };
        let text = document.text();
        let banned = self.banned.is_some_and(|digit| text.ends_with(&format!("{digit}}}")));
        if text.contains(REFUSED) || banned {
            return Err(Refusal::new(Code::ValidationFailed, "there is something in it"));
        }
        Ok(())
    }
}
