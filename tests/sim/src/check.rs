//! What must never be, one checker for each.

pub mod base;
pub mod cause;
pub mod decided;
pub mod end;
pub mod migration;
pub mod order;
pub mod receipts;
pub mod sending;
pub mod shelf;
pub mod sight;
pub mod verdict;
pub mod view;

/// A rule that holds in every world. The numbers are those of the reliability programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A write whose promise resolved is on the device, at the server, or shown as needing attention.
    I1,
    /// A mutation takes effect at most once, and a resend gets the verdict that there is.
    I2,
    /// The writes of one tab on one document take effect in the order of its journal.
    I3,
    /// What was written is shown at once.
    I4,
    /// What was shown and replaced is not shown again.
    I5,
    /// Who is shown a write is shown what its writer had seen.
    I6,
    /// No writer issues a stamp twice, and no accepted stamp is far in the future.
    I7,
    /// The state is what a slow and independent merge makes of the same writes.
    I8,
    /// A device's base is what the server had at that version, and lacks nothing up to its checkpoint.
    I9,
    /// A checkpoint never moves back, except where the server has announced it.
    I10,
    /// What was deleted and is forgotten comes back only by a creation.
    I11,
    /// Nobody is shown or told what the rules do not let them know, and nothing of one tenant comes to another.
    I12,
    /// What is refused has a definite code, and what is held has no receipt.
    I13,
    /// Nobody is shown a part of a transaction.
    I14,
    /// At most one request of a tab is under way.
    I15,
    /// Nobody comes sooner than it was asked to, and where nothing fails nothing is tried twice.
    I16,
    /// Nothing is left over once everything has come to an end.
    I17,
    /// Another version of the app changes what was never sent, for good and once, and nothing else.
    Migration,
    /// What is told to an app was asked for.
    Answers,
    /// Nobody is busy doing nothing.
    Idle,
    /// Everything drains and everybody sees the same, within ten minutes after everything is mended.
    Stuck,
    /// One more write passes.
    OneMore,
    /// The product panicked.
    Panic,
}

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found.
    pub what: String,
}
