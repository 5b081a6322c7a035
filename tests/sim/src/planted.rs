//! Bugs that are planted on purpose: a checker that never fails proves nothing.
//!
//! Those of the server's glue and of drivers are here, those of the core in [`landfall_core::planted`].

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_core::planted as core;
use landfall_core::transaction::{Durability, Transaction};

landfall_core::listed! {
    /// A bug that a seed has to find.
    Bug:

    /// The server applies what it has a receipt for.
    NoDedupe,
    /// Verdicts are remembered for some commits only.
    DedupeWindow,
    /// Now and then a commit is without its verdicts.
    ReceiptsLost,
    /// Now and then a commit is answered and never made.
    AckBeforeCommit,
    /// The server does not know which writers are of one device.
    OwnWritersForgotten,
    /// A stamp may be as far in the future as it likes.
    FutureNotBounded,
    /// A resend is answered with another verdict than the stored one.
    VerdictRecomputed,
    /// What devices have stored is kept all the same.
    SettledIgnored,
    /// What is settled is forgotten altogether.
    SettledForgotten,
    /// A stamp that was replaced is not returned.
    ClampNotReturned,
    /// A page ends within a commit, and its cursor behind it.
    PageSkipsRestOfCommit,
    /// A page is cut and says that there is nothing behind it.
    PageSaysNoMore,
    /// Now and then a page is without the newest commit, and its cursor behind that.
    CommitGap,
    /// Deletes are not told.
    TombstonesNotSent,
    /// A rollback is not noticed.
    NonceIgnored,
    /// A place that a device has come to is taken for one of the history that there is.
    ShownBelieved,
    /// What was deleted since the place that a restored history shares with the one before is not told.
    DeletesSinceNotTold,
    /// A device behind the horizon goes on as if nothing were.
    HorizonIgnored,
    /// A timer that lies far ahead is forgotten.
    TimerForgotten,
    /// Tabs of a device, and those that come after them, have one writer.
    WriterShared,
    /// Writes are not synced before their promise resolves.
    CommitRelaxed,
    /// What a person decides is not synced.
    AmendRelaxed,
    /// A page that ends within a commit is said to be the last.
    CutPageIsLast,
    /// The oldest change of a page comes later than the others.
    OldestComesLater,
    /// A patch brings back what is forgotten.
    GoneRevives,
    /// Who may change a document is decided by what they make of it.
    NewRowDecides,
    /// Pages have documents on them that their reader may not see.
    ReadNotAsked,
    /// Nobody is told that they may no longer see a document.
    EvictionsNotSent,
    /// Who hands on what they have just made is not told that they may no longer see it.
    GiverNotTold,
    /// Those are told, too, who never could.
    EvictionsToAll,
    /// Whoever is shown other documents than before goes on as if nothing were.
    SightNotCompared,
    /// Everybody may write under the name of any writer.
    WritersNotOwned,
    /// Everybody may say what other writers' devices have stored.
    SettledNotOwned,
    /// Everybody may close what others have not sent yet.
    VoidNotOwned,
    /// Everybody may build on what others have written.
    NeedsNotOwned,
    /// Verdicts are given to everybody who knows a mutation's name.
    ReceiptOfAnother,
    /// A batch is judged whoever's token comes with it.
    SenderNotAsked,
    /// Pages are for whoever's token comes with the question.
    PullerNotAsked,
    /// Everybody reads what the first tenant has.
    TenantForgotten,
    /// Whoever signs in on a device finds the database of who was there before.
    DatabaseShared,
}

/// A bug, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Around the core.
    Around(Bug),
    /// In it.
    Within(core::Bug),
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Planted::Around(bug) => write!(f, "{bug:?}"),
            Planted::Within(bug) => write!(f, "{bug:?}"),
        }
    }
}

impl Planted {
    /// Every bug.
    pub fn all() -> Vec<Planted> {
        let around = Bug::ALL.iter().copied().map(Planted::Around);
        around.chain(core::Bug::ALL.iter().copied().map(Planted::Within)).collect()
    }
}

/// The bug around the core that is in force, counted from one.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Puts a bug in force, or none, in the whole process.
pub fn choose(planted: Option<Planted>) {
    let (around, within) = match planted {
        None => (None, None),
        Some(Planted::Around(bug)) => (Some(bug), None),
        Some(Planted::Within(bug)) => (None, Some(bug)),
    };
    CHOSEN.store(around.map_or(0, |bug| bug as usize + 1), Ordering::Relaxed);
    #[cfg(feature = "planted")]
    core::choose(within);
    #[cfg(not(feature = "planted"))]
    assert!(within.is_none(), "nothing is planted in the core without the feature");
}

/// Whether a bug is in force.
pub fn is(bug: Bug) -> bool {
    cfg!(feature = "planted") && CHOSEN.load(Ordering::Relaxed) == bug as usize + 1
}

/// What a power cut may undo of a transaction, with the bugs that are about that.
pub fn durability(durability: Durability, transaction: &Transaction) -> Durability {
    let relaxed = match transaction {
        Transaction::Commit(..) => is(Bug::CommitRelaxed),
        Transaction::Amend(_) => is(Bug::AmendRelaxed),
        // What is lost of these is made anew: the bytes are the same but for the stamp, and the server says once more
        // what it has said.
        Transaction::Fix { .. } | Transaction::Settle { .. } => false,
        Transaction::Open { .. }
        | Transaction::Load(..)
        | Transaction::LoadPart(..)
        | Transaction::Seek { .. }
        | Transaction::Index { .. }
        | Transaction::Migrate(_)
        | Transaction::Adopt(_)
        | Transaction::Compact { .. }
        | Transaction::Seal { .. }
        | Transaction::Store { .. }
        | Transaction::Unpack { .. } => false,
    };
    if relaxed { Durability::Relaxed } else { durability }
}
