//! Bugs that seeds of the simulator must find: a checker that never fails proves nothing.
//!
//! One at a time is in force, and none without the feature `planted-bugs`: then nothing of them is compiled.

#[cfg(feature = "planted-bugs")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Declares an enum of names and the list of them; for the simulator too.
#[doc(hidden)]
#[macro_export]
macro_rules! listed {
    ($(#[$about:meta])* $enum:ident: $($(#[$doc:meta])* $name:ident,)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum { $($(#[$doc])* $name,)* }

        impl $enum {
            /// Every one of them.
            pub const ALL: &[$enum] = &[$($enum::$name,)*];
        }
    };
}

crate::listed! {
    /// A bug in the core.
    Bug:

    /// A verdict is taken for that on the write at the same place of the batch.
    AckByCount,
    /// A write leaves the outbox with its verdict, though its effect is not in the base.
    LeavesOnVerdict,
    /// A checkpoint lets go of writes one commit too early.
    CheckpointOffByOne,
    /// Nothing wakes a device that rests after a failure.
    RestsForEver,
    /// What the server asks for is not kept.
    RetryAfterIgnored,
    /// Two writes within one reading of a clock get one stamp.
    ClockRepeats,
    /// A clock learns nothing from the stamps that it sees.
    ClockDeaf,
    /// A delete hides what was written after it.
    DeleteIsForEver,
    /// What a delete has hidden comes back with what is created in its place.
    OldFieldsComeBack,
    /// A part is written into a container that is newer.
    ContainerNotAsked,
    /// Of two writes of one field, the one that arrives later stands.
    LaterArrivalWins,
    /// Steps of a counter that come from elsewhere are lost.
    StepsOverwritten,
    /// Of two numbers the later one is kept and not the greater one.
    GreatestForgotten,
    /// What members of a refused group have done is not undone.
    GroupNotUndone,
    /// What is held is held for good.
    HeldForGood,
    /// What is of a kind that nobody knows is taken for a document.
    LaterKindTaken,
    /// A page is stored that was asked for with another checkpoint.
    PageNotCompared,
    /// A page is let in without the last of its rows.
    PageLosesRow,
    /// A verdict is folded into any version of a document.
    FoldsAnywhere,
    /// A verdict is folded in that a pull has covered.
    FoldsLate,
    /// A resync drops the writes that are pending.
    ResyncDropsPending,
    /// A new epoch leaves writes accepted that it does not have.
    EpochNotReopened,
    /// What was kept of accepted writes is not put back where the server has lost it.
    KeptNotPutBack,
    /// What can be kept no longer is let go without being counted.
    DroppedUncounted,
    /// What the server has lost is still taken for a part of its history.
    LostStaysBase,
    /// A write goes by its own priority, ahead of what it builds on.
    PriorityNotInherited,
    /// The newest write goes first.
    NewestFirst,
    /// What is refused is not written down.
    ParkedNotStored,
    /// Verdicts of another history are taken for those of the base's.
    EpochsMixed,
    /// What is known of one database is believed of the next one under its name.
    AnyInstallation,
    /// What was refused is not written down once more after everything was deleted.
    ParkedOnce,
    /// A record of the journal is deleted when the first of its writes has ended.
    GarbageTooEarly,
    /// What is in the journal alone is taken for a write that says nothing.
    HeadsTakenForWhole,
    /// What the server has forgotten stays for ever.
    NothingSwept,
    /// A record of the journal is rewritten without the last of its writes, whether it has ended or not.
    CompactsLive,
    /// What another tab has made final is made final once more.
    BytesNotFinal,
    /// What was sent is brought to a newer version.
    MigratesSent,
    /// What was brought to a newer version can be lost with the power.
    MigratesRelaxed,
    /// What was brought to a newer version still says that it is of the older one.
    MigratesTwice,
    /// What another tab has brought to a newer version goes as it was.
    FixesOlder,
    /// A hint from another tab is forgotten when something is under way.
    RefreshForgotten,
    /// Verdicts that were deleted before a tab has seen them are not missed.
    VerdictsMissed,
    /// A tab that has slept for long believes that it has heard everything.
    RingNotChecked,
    /// Signing out does not ask for the writes of other tabs.
    SealsUnknown,
    /// A packed page is deleted, and what was in it is nowhere.
    UnpackedNowhere,
    /// A write for which there was no room is said to be saved.
    UnsavedSaidSaved,
    /// What somebody may not see is refused as what they may not change.
    UnseenForbidden,
    /// A refusal tells the version of what its reader may not see.
    UnseenVersionTold,
    /// What a delete hides is changed by whoever could not see it.
    HiddenNotAsked,
}

/// The bug that is in force, counted from one.
#[cfg(feature = "planted-bugs")]
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Puts a bug in force, or none, in the whole process.
#[cfg(feature = "planted-bugs")]
pub fn choose(bug: Option<Bug>) {
    CHOSEN.store(bug.map_or(0, |bug| bug as usize + 1), Ordering::Relaxed);
}

/// Whether a bug is in force.
#[cfg(feature = "planted-bugs")]
pub(crate) fn is(bug: Bug) -> bool {
    CHOSEN.load(Ordering::Relaxed) == bug as usize + 1
}

/// Whether a bug is in force: never.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
