//! Points at which the process can be told to die, and bugs that the crash tool must find.
//!
//! `LANDFALL_FAULT=after_commit:3` ends it there the third time, as abruptly as SIGKILL does; `LANDFALL_PLANTED` names a
//! bug. Without the feature `faults` nothing of this is compiled, and no product has it.

/// A moment between two things that must happen together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A push has its turn and the counter, and has read nothing yet.
    AfterBegin,
    /// All that a push writes is written, and nothing of it is committed.
    AfterApply,
    /// The transaction that pushes share is about to be committed.
    BeforeCommit,
    /// It is committed, and nobody has been answered.
    AfterCommit,
    /// A step of a migration is taken, or the last one is committed and not marked by anything else.
    InMigration,
    /// Old verdicts are deleted, and that is not committed or has just been.
    InPruning,
}

/// Something that the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Verdicts are given before they are durable.
    RepliesBeforeCommit,
    /// What was decided is written, and the verdicts are not.
    ForgetsReceipts,
    /// A tenant that has some commits gets no more.
    StaysBusy,
}

#[cfg(feature = "faults")]
mod told {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Bug, Point};

    impl Point {
        const fn name(self) -> &'static str {
            match self {
                Point::AfterBegin => "after_begin",
                Point::AfterApply => "after_apply",
                Point::BeforeCommit => "before_commit",
                Point::AfterCommit => "after_commit",
                Point::InMigration => "in_migration",
                Point::InPruning => "in_pruning",
            }
        }
    }

    impl Bug {
        const fn name(self) -> &'static str {
            match self {
                Bug::RepliesBeforeCommit => "replies_before_commit",
                Bug::ForgetsReceipts => "forgets_receipts",
                Bug::StaysBusy => "stays_busy",
            }
        }
    }

    /// Where to die, and how many passings are left.
    static FAULT: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let told = std::env::var("LANDFALL_FAULT").ok()?;
        let (name, count) = told.split_once(':').unwrap_or((&told, "1"));
        Some((name.to_owned(), AtomicU32::new(count.parse().unwrap_or(1))))
    });
    static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("LANDFALL_PLANTED").ok());

    pub(crate) fn pass(point: Point) {
        if let Some((name, left)) = &*FAULT
            && name == point.name()
            && left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }

    pub(crate) fn is(bug: Bug) -> bool {
        PLANTED.as_deref() == Some(bug.name())
    }
}

#[cfg(feature = "faults")]
pub(crate) use told::{is, pass};

/// Goes on.
#[cfg(not(feature = "faults"))]
pub(crate) const fn pass(_: Point) {}

/// Whether a bug is in force: never.
#[cfg(not(feature = "faults"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
