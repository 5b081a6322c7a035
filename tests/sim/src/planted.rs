//! Bugs that are planted on purpose: a checker that never fails proves nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_core::transaction::{Durability, Transaction};

/// Declares the bugs and their list.
macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A bug that a seed has to find.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// Every bug.
            pub const ALL: &[Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// The server applies what it has a receipt for.
    NoDedupe,
    /// A resend is answered with another verdict than the stored one.
    VerdictRecomputed,
    /// A stamp that was replaced is not returned.
    ClampNotReturned,
    /// A page ends within a commit, and its cursor behind it.
    PageSkipsRestOfCommit,
    /// A rollback is not noticed.
    NonceIgnored,
    /// A device behind the horizon goes on as if nothing were.
    HorizonIgnored,
    /// A timer that lies far ahead is forgotten.
    TimerForgotten,
    /// Writes are not synced before their promise resolves.
    CommitRelaxed,
    /// Final bytes are not synced before they are sent.
    FixRelaxed,
    /// Verdicts are not synced.
    SettleRelaxed,
    /// What a person decides is not synced.
    AmendRelaxed,
}

/// The bug that is in force, counted from one.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Puts a bug in force, or none.
pub fn choose(bug: Option<Bug>) {
    CHOSEN.store(bug.map_or(0, |bug| bug as usize + 1), Ordering::Relaxed);
}

/// Whether a bug is in force.
pub fn is(bug: Bug) -> bool {
    cfg!(feature = "planted") && CHOSEN.load(Ordering::Relaxed) == bug as usize + 1
}

/// What a power cut may undo of a transaction, with the bugs that are about that.
pub fn durability(durability: Durability, transaction: &Transaction) -> Durability {
    let relaxed = match transaction {
        Transaction::Commit(_) => is(Bug::CommitRelaxed),
        Transaction::Fix(_) => is(Bug::FixRelaxed),
        Transaction::Settle { .. } => is(Bug::SettleRelaxed),
        Transaction::Amend(_) => is(Bug::AmendRelaxed),
        Transaction::Open { .. }
        | Transaction::Load(_)
        | Transaction::LoadPart(..)
        | Transaction::Seek { .. }
        | Transaction::Index { .. }
        | Transaction::Adopt(_)
        | Transaction::Seal { .. }
        | Transaction::Store { .. }
        | Transaction::Unpack { .. } => false,
    };
    if relaxed { Durability::Relaxed } else { durability }
}
