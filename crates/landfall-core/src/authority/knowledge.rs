//! What the writer of a mutation had seen.

use std::rc::Rc;

use super::{Court, Receipt};
use crate::document::Register;
use crate::id::Version;
use crate::mutation::Mutation;
use crate::wire::Verdict;

impl Court<'_> {
    /// Whether the writer of a mutation had seen a register: it is part of the version that it was
    /// based on, or the same installation made it before.
    pub(super) fn known(&self, mutation: &Mutation) -> impl Fn(Register) -> bool + use<> {
        let base = mutation.base;
        // Where the receipt of the previous mutation is at hand it says how far this installation's own
        // writes go; without it (settled long ago) all of them count, as they do on the device.
        let receipt = mutation.after.and_then(|id| self.facts.receipts.get(&id));
        let own_through = receipt.filter(|receipt| receipt.hash.is_some()).map(|r| r.result.version);
        let own = self.own(mutation);
        move |register: Register| {
            register.version <= base
                || own(register) && own_through.is_none_or(|version| register.version <= version)
        }
    }

    /// Whether the installation that sends made a register. Two of its tabs may write without having seen each
    /// other, but a device does not disagree with itself. Where its database was deleted and made anew it comes
    /// under another name, and what it had written before is still its own.
    pub(super) fn own(&self, mutation: &Mutation) -> impl Fn(Register) -> bool + use<> {
        let (own_writers, writer) = (Rc::clone(&self.own_writers), mutation.id.writer);
        move |register: Register| {
            register.stamp.writer == writer || own_writers.contains(&register.stamp.writer)
        }
    }

    /// Whether the document has changed in ways that the mutation's writer cannot have known of.
    pub(super) fn is_unaware(&self, mutation: &Mutation, previous: Version) -> bool {
        let after = mutation.after.and_then(|id| self.facts.receipts.get(&id));
        let knows = match after {
            // The one before was made on all there was: then all there was is known, and that one too.
            Some(Receipt { result, .. })
                if result.verdict == Verdict::Applied || result.previous <= mutation.base =>
            {
                result.version.max(mutation.base)
            }
            Some(_) | None => mutation.base,
        };
        previous > knows
    }
}
