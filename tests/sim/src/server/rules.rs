//! What the server accepts, and of whom.
//!
//! `notes` are everybody's who may write. A `job` belongs to somebody and to a site; the rules are, in the words of
//! `landfall.yaml`:
//!
//! ```yaml
//! read: document.owner == user.id || document.site in user.sites || 'coordinator' in user.roles
//! create: "'worker' in user.roles"
//! update: previous.owner == user.id || 'coordinator' in user.roles
//! delete: previous.owner == user.id || 'coordinator' in user.roles
//! ```

use landfall_core::authority::{self, Proposal, Terms};
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::Collection;
use landfall_core::json::Json;
use landfall_core::merge::{Merge, Merges};
use landfall_core::mutation::{Op, Refusal};

use crate::person::Person;
use crate::planted::{self, Bug};
use crate::tab::JOBS;

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

/// The rules for one caller.
#[derive(Clone, Copy, Debug)]
pub struct CallerRules<'a> {
    rules: &'a Rules,
    caller: &'a Person,
}

impl Rules {
    /// The rules of collections with this policy.
    pub fn new(policy: Policy) -> Rules {
        Rules { terms: Terms { merges: merges(), policy, ..Terms::default() }, banned: None }
    }

    /// The rules as they apply to `caller`.
    pub fn of<'a>(&'a self, caller: &'a Person) -> CallerRules<'a> {
        CallerRules { rules: self, caller }
    }
}

/// A member that is a text.
fn member(document: &Json, name: &str) -> Option<String> {
    let members = document.members()?;
    let text = members.iter().find(|(other, _)| ***other == *name)?.1.text().to_owned();
    text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
}

impl CallerRules<'_> {
    /// Whether the caller may see a document.
    pub(super) fn sees(&self, collection: &Collection, document: &Json) -> bool {
        if collection.as_str() != JOBS || self.caller.rights.coordinator {
            return true;
        }
        let site = member(document, "site");
        self.owns(Some(document))
            || self.caller.rights.sites.iter().any(|mine| site.as_deref() == Some(&format!("s{mine}")))
    }

    fn owns(&self, document: Option<&Json>) -> bool {
        document.and_then(|document| member(document, "owner")).as_deref() == Some(self.caller.user.as_str())
    }

    /// Whether the caller may do this to what they see.
    fn may(&self, proposal: Proposal<'_>) -> bool {
        let rights = &self.caller.rights;
        let decisive = if planted::is(Bug::NewRowDecides) { proposal.document } else { proposal.previous };
        match (proposal.key.collection.as_str() == JOBS, proposal.op, proposal.previous) {
            (false, _, _) | (true, Op::Create, None) => rights.worker,
            (true, Op::Create | Op::Patch | Op::Delete, _) => rights.coordinator || self.owns(decisive),
        }
    }
}

impl authority::Rules for CallerRules<'_> {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.rules.terms)
    }

    fn may_see(&self, collection: &Collection, document: &Json) -> bool {
        self.sees(collection, document) || planted::is(Bug::NewRowDecides)
    }

    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal> {
        // What is made has to be visible to who makes it.
        let hidden = |document| !self.sees(&proposal.key.collection, document);
        let unseen = proposal.previous.is_none() && proposal.document.is_some_and(hidden);
        if unseen || !self.may(proposal) {
            return Err(Refusal::new(Code::Forbidden, "you may not do this"));
        }
        let Some(document) = proposal.document else { return Ok(()) };
        let text = document.text();
        let banned = self.rules.banned.is_some_and(|digit| text.ends_with(&format!("{digit}}}")));
        if text.contains(REFUSED) || banned {
            return Err(Refusal::new(Code::ValidationFailed, "there is something in it"));
        }
        Ok(())
    }
}
