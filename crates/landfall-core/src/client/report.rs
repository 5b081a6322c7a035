//! What the app is told about synchronisation, in the words of the public API.

use serde::Serialize;

use super::Client;
use crate::drain::Step;
use crate::id::{Collection, DocumentId, Group, MutationId};
use crate::mutation::{Field, Op};
use crate::outbox::{Item, Standing};
use crate::path::Path;
use crate::stored::Parked;
use crate::time::WallTime;

/// Where a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// On this device; will be sent.
    Saved,
    /// On its way.
    Sending,
    /// Held back by another write; `because` names it.
    Waiting,
    /// Nothing is sent for now.
    Paused,
    /// The server has it.
    Accepted,
    /// The server refused it; kept whole.
    NeedsAttention,
}

/// What synchronisation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing, until there is something to do.
    Idle,
    /// Fetching everything for the first time.
    FirstSync,
    /// Sending writes.
    Pushing,
    /// Fetching changes.
    Pulling,
    /// Nothing is sent: the app wants it so, or there is no token.
    Paused,
    /// The server cannot be reached; tried again by itself.
    Offline,
}

/// How far something that takes time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Writes sent, or documents fetched.
    pub done: usize,
    /// Of how many; 0 where that is not known.
    pub total: usize,
    /// Bytes of JSON sent or fetched for that.
    pub bytes: usize,
}

/// The state of synchronisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncState {
    /// Whether the server answered last time.
    pub online: bool,
    /// What is going on.
    pub phase: Phase,
    /// Writes the server has not answered for.
    pub pending: usize,
    /// Writes that need attention.
    pub failed: usize,
    /// When the oldest pending write was made, by this device's clock.
    pub oldest_pending_at: Option<WallTime>,
    /// When everything was last fetched.
    pub last_synced_at: Option<WallTime>,
    /// When the next try is, after a failure.
    pub next_try_at: Option<WallTime>,
    /// How far sending or the first sync has come.
    pub progress: Progress,
    /// `open` while only probes go out.
    pub breaker: &'static str,
    /// How far this device's clock is ahead of the server's.
    pub clock_skew_ms: i64,
    /// Code of what is in the way.
    pub reason: Option<String>,
}

/// A mutation that has come to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Which.
    #[serde(rename = "mutation")]
    pub id: MutationId,
    /// [`Status::Accepted`] or [`Status::NeedsAttention`].
    pub status: Status,
    /// The server's code, for a refusal.
    pub code: Option<String>,
    /// The server's words.
    pub message: Option<String>,
}

/// One entry of the outbox, as the app sees it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryView<'a> {
    /// The mutation.
    pub id: MutationId,
    /// What was done.
    pub kind: Op,
    /// Where.
    pub collection: &'a Collection,
    /// To which document.
    pub document: &'a DocumentId,
    /// In which transaction.
    pub group: Option<&'a Group>,
    /// Where it stands.
    pub status: Status,
    /// The server's code.
    pub code: Option<&'a str>,
    /// The server's words.
    pub message: Option<&'a str>,
    /// The field at fault.
    pub field: Option<&'a Path>,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was made, by this device's clock.
    pub saved_at: WallTime,
    /// The write that holds it back or that was refused with it.
    pub because: Option<MutationId>,
    /// What it writes.
    pub fields: &'a [Field],
}

/// Counts what a person watches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    total: usize,
    done: usize,
    fetched: usize,
    sent_bytes: usize,
    fetched_bytes: usize,
}

impl Tally {
    /// So much was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes;
    }

    /// So many writes are waiting.
    pub(super) fn saw(&mut self, unsettled: usize) {
        self.total = self.total.max(self.done + unsettled);
    }

    /// So many of them were answered.
    pub(super) fn settled(&mut self, answered: usize, unsettled: usize) {
        self.done += answered;
        if unsettled == 0 {
            (self.total, self.done, self.sent_bytes) = (0, 0, 0);
        }
    }

    /// So many documents were fetched.
    pub(super) fn pulled(&mut self, rows: usize, bytes: usize, more: bool) {
        let (fetched, fetched_bytes) = (self.fetched + rows, self.fetched_bytes + bytes);
        (self.fetched, self.fetched_bytes) = if more { (fetched, fetched_bytes) } else { (0, 0) };
    }
}

impl Client {
    /// The state of synchronisation.
    pub fn state(&self) -> SyncState {
        let oldest = self.outbox.items().find(|item| !matches!(item.standing, Standing::Accepted { .. }));
        let first_sync = !self.checkpoint.complete;
        let phase = match self.drain.step() {
            _ if self.paused || self.drain.needs_token() => Phase::Paused,
            Some(Step::Fixing | Step::Pushing | Step::Settling) => Phase::Pushing,
            Some(Step::Pulling | Step::Storing) if first_sync => Phase::FirstSync,
            Some(Step::Pulling | Step::Storing) => Phase::Pulling,
            Some(Step::Asking) => Phase::Paused,
            None if !self.online => Phase::Offline,
            None => Phase::Idle,
        };
        let Tally { total, done, fetched, sent_bytes, fetched_bytes } = self.progress;
        SyncState {
            online: self.online,
            phase,
            pending: self.outbox.unsettled(),
            failed: self.outbox.failed(),
            oldest_pending_at: oldest.map(|item| item.entry.at),
            last_synced_at: self.checkpoint.synced_at,
            next_try_at: self.drain.next_try_at().filter(|_| !self.paused),
            progress: if phase == Phase::FirstSync {
                Progress { done: fetched, total: 0, bytes: fetched_bytes }
            } else {
                Progress { done, total, bytes: sent_bytes }
            },
            breaker: if self.drain.is_open() { "open" } else { "closed" },
            clock_skew_ms: -self.offset.millis(),
            reason: self.trouble.clone(),
        }
    }

    /// Changes whenever [`Client::entries`] may have; for those who look now and then.
    pub fn outbox_revision(&self) -> (u64, bool) {
        (self.outbox.revision(), self.paused || self.drain.needs_token())
    }

    /// Pending writes in journal order, then what needs attention.
    pub fn entries(&self) -> Vec<EntryView<'_>> {
        let pending = self.outbox.items().map(|item| self.pending_view(item));
        pending.chain(self.outbox.parked().map(parked_view)).collect()
    }

    fn pending_view<'a>(&'a self, item: &'a Item) -> EntryView<'a> {
        let draft = self.outbox.draft(&item.entry.key()).map(|parked| parked.entry.id);
        let paused = self.paused || self.drain.needs_token();
        let status = match item.standing {
            Standing::Saving | Standing::Saved if draft.is_some() => Status::Waiting,
            Standing::Saving | Standing::Saved if paused => Status::Paused,
            Standing::Saving | Standing::Saved => Status::Saved,
            Standing::Sending => Status::Sending,
            Standing::Accepted { .. } => Status::Accepted,
        };
        let view = view(&item.entry, status);
        EntryView { attempts: item.attempts, because: draft, ..view }
    }
}

fn parked_view(parked: &Parked) -> EntryView<'_> {
    EntryView {
        code: Some(&parked.code),
        message: parked.message.as_deref(),
        field: parked.field.as_ref(),
        because: parked.because,
        attempts: 1,
        ..view(&parked.entry, Status::NeedsAttention)
    }
}

fn view(entry: &crate::stored::Entry, status: Status) -> EntryView<'_> {
    EntryView {
        id: entry.id,
        kind: entry.op,
        collection: &entry.collection,
        document: &entry.document,
        group: entry.group.as_ref(),
        status,
        code: None,
        message: None,
        field: None,
        attempts: 0,
        saved_at: entry.at,
        because: None,
        fields: &entry.fields,
    }
}
