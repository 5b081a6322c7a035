//! What must have happened sometimes: a simulator proves nothing about a disaster that never came.

use landfall_core::transaction::{Outcome, Transaction};

landfall_core::listed! {
    /// Something that has to happen in some of many seeds.
    Mark:

    /// A request did not arrive.
    RequestLost,
    /// A push was committed and nobody heard of it.
    ReplyLostAfterCommit,
    /// A request arrived twice.
    RequestDoubled,
    /// An earlier answer came in the place of a new one.
    StaleReply,
    /// Something else answered.
    Portal,
    /// The server had no time.
    Busy,
    /// The server asked for a pause.
    RetryAfter,
    /// A server process was of another version than ours.
    LaterServer,
    /// It told of something of a kind that nobody knows.
    LaterKind,
    /// It had no time, and a code for it that nobody knows.
    LaterCode,
    /// It did not speak our version.
    NotSpoken,
    /// A device was of a later version than the server.
    LaterDevice,
    /// A token was refused.
    TokenRefused,
    /// The app had no token.
    TokenWithheld,
    /// An answer came when nobody waited any more.
    AnswerTooLate,
    /// The push of a tab arrived that was gone.
    OrphanArrived,
    /// A device was cut off in one direction only.
    HalfCut,
    /// A device was cut off.
    Cut,
    /// A tab was gone in the middle of something.
    Crash,
    /// A tab was gone between a commit and the first sending.
    CrashBeforePush,
    /// A tab was gone between an answer and what it says being stored.
    CrashBeforeSettle,
    /// A transaction was on disk and its tab never heard of it.
    CrashUntold,
    /// The power failed.
    PowerCut,
    /// The power failed and took something back.
    PowerCutLost,
    /// The power failed when somebody had just decided something.
    PowerCutDecided,
    /// The power failed when something was just brought to another version.
    PowerCutMigrated,
    /// There was no room for a write.
    QuotaOnWrite,
    /// There was no room for a page.
    QuotaOnPull,
    /// There was no room for verdicts.
    QuotaOnSettle,
    /// What is stored could not be read at a start.
    StorageUnreadable,
    /// A clock jumped.
    ClockJump,
    /// A clock stood still.
    ClockFrozen,
    /// A stamp was too far in the future.
    Restamped,
    /// Two tabs drained at once.
    TwoLeaders,
    /// A lock was taken away.
    Stolen,
    /// A tab hung.
    Hung,
    /// A tab forgot what it had read, and read it again.
    Forgotten,
    /// A hint between tabs was lost.
    HintLost,
    /// A stream of hints stood.
    StreamOpen,
    /// A stream of hints ended.
    StreamCut,
    /// A backup was restored and everybody told.
    Restored,
    /// A backup was restored in silence.
    RestoredSilently,
    /// A backup was restored in silence while somebody had not heard of the one before.
    RestoredAgain,
    /// Devices were told that a backup was made.
    BackupAnnounced,
    /// A device kept no longer what is in a backup.
    KeptBackedUp,
    /// A device kept no longer what was too much.
    KeptDropped,
    /// A device put back what the server had taken in and lost.
    KeptPutBack,
    /// A device went on from what the server still had.
    RestoredInPart,
    /// A rollback was noticed by the nonce of a commit.
    RollbackNoticed,
    /// A device was told of a new epoch.
    NewEpoch,
    /// A device was behind the horizon.
    ResyncRequired,
    /// Deleted documents were forgotten.
    TombstonesPurged,
    /// A device that had been there all the time forgot them too.
    TombstonesSwept,
    /// A database was copied to another device.
    ProfileCopied,
    /// A browser deleted what was stored.
    Evicted,
    /// Somebody signed out.
    SignedOut,
    /// Somebody signed out who had pending writes.
    SignedOutPending,
    /// Rules changed.
    RulesChanged,
    /// A server process had another time than the true one.
    NodeSkewed,
    /// The app paused.
    Paused,
    /// A write waited for a network that is not paid for.
    Unmetered,
    /// Two documents of one transaction were shown.
    GroupShown,
    /// A write was shown together with what its writer had seen.
    CauseShown,
    /// A write was all that was new.
    Applied,
    /// A write met others.
    Merged,
    /// A conflict was recorded.
    Conflict,
    /// A write was refused.
    Rejected,
    /// A write was held for a creation.
    Held,
    /// A verdict was given once more.
    Duplicate,
    /// A verdict was given once more of which only a run was left.
    DuplicateSettled,
    /// A device had to settle first.
    SettleFirst,
    /// A group was refused as a whole.
    GroupRefused,
    /// A patch brought a deleted document back.
    Revived,
    /// A patch met a document that was gone.
    Gone,
    /// A document was created after its delete.
    StartedOver,
    /// A page ended within a commit.
    PageWithinCommit,
    /// Pages were staged before they were visible.
    Staged,
    /// A page was asked for too early.
    PageStale,
    /// A verdict was folded into the base.
    Folded,
    /// A verdict had to wait for a pull.
    AcceptedAhead,
    /// A document was read together with what is written to it and in the journal alone.
    PendingRead,
    /// A refused write was tried once more.
    Retried,
    /// A refused write was edited.
    Edited,
    /// A write was discarded.
    Discarded,
    /// A discarded write was in already.
    DiscardedTooLate,
    /// Two tabs decided about one write.
    DecidedTwice,
    /// A record was rewritten without what had ended.
    Compacted,
    /// What was refused was put aside once more after everything had been deleted.
    ParkedAgain,
    /// A refused write changed its document's view back.
    WriteWithdrawn,
    /// Writes of an older version of the app were brought to a newer one.
    Migrated,
    /// An app could not bring a write to its version.
    MigrationFailed,
    /// A tab was gone while it did that.
    MigrationCrashed,
    /// Two tabs of a device were of different versions.
    OldAndNewTab,
    /// Somebody gave a document to somebody else.
    HandedOn,
    /// Somebody was told that they may no longer see a document.
    EvictionSent,
    /// Somebody named a document that they may not see.
    UnseenNamed,
    /// Somebody had seen a document, and may not see it any more when their write arrives.
    SightLostUnsent,
    /// Somebody wrote to what they may see and not change.
    Forbidden,
    /// Somebody's rights changed.
    RightsChanged,
    /// A device was told to start over, because its owner may see other documents now.
    SightChanged,
    /// Somebody else signed in on a device, and what was pending stayed there.
    SignedInBeside,
    /// Somebody else signed in on a device, and what was there before was deleted.
    SignedInAfter,
    /// The app had the token of somebody else.
    TokenMistaken,
    /// Somebody without a core of ours named a document that they may not see.
    HostileGuess,
    /// They used another's writer.
    HostileWriter,
    /// They used the name of another's installation.
    HostileClient,
    /// They sent again what somebody else had sent.
    HostileReplay,
    /// They sent what is no mutation.
    HostileNonsense,
    /// They wrote far in the future.
    HostileFuture,
    /// They asked with a cursor that was not theirs.
    HostileCursor,
    /// They said what others had stored.
    HostileSettled,
    /// They discarded what others had written.
    HostileVoid,
    /// They built on what others had written.
    HostileNeeds,
}

/// How often each thing has happened.
#[derive(Clone, Debug)]
pub struct Marks(Vec<u64>);

impl Default for Marks {
    fn default() -> Marks {
        Marks(vec![0; Mark::ALL.len()])
    }
}

impl Marks {
    /// It has happened.
    pub fn hit(&mut self, mark: Mark) {
        self.0[mark as usize] += 1;
    }

    /// It has happened, if so.
    pub fn hit_if(&mut self, happened: bool, mark: Mark) {
        self.0[mark as usize] += u64::from(happened);
    }

    /// A transaction has come to its end.
    pub fn transacted(&mut self, transaction: &Transaction, outcome: &Outcome) {
        match (transaction, outcome) {
            (Transaction::Store { reached, .. }, Outcome::Stored) => {
                self.hit_if(reached.staged.is_some(), Mark::Staged);
            }
            (_, Outcome::Stale(_)) => self.hit(Mark::PageStale),
            (Transaction::Commit(_, parked), Outcome::Committed) => {
                self.hit_if(!parked.is_empty(), Mark::ParkedAgain);
            }
            (Transaction::Load(..), Outcome::Loaded { entries, .. }) => {
                self.hit_if(!entries.is_empty(), Mark::PendingRead);
            }
            (Transaction::Compact { .. }, Outcome::Committed) => self.hit(Mark::Compacted),
            (_, _) => {}
        }
    }

    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: &Marks) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// How often each thing has happened.
    pub fn counts(&self) -> impl Iterator<Item = (Mark, u64)> {
        Mark::ALL.iter().copied().zip(self.0.iter().copied())
    }
}
