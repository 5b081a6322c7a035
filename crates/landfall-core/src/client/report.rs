//! What the app is told about synchronisation, in the words of the public API.

use serde::Serialize;

use super::{Client, Remote};
use crate::code::Code;
use crate::drain::Step;
use crate::id::{self, Collection, DocumentId, Group, MutationId};
use crate::mutation::{Field, Mutation, Op};
use crate::outbox::{Hold, Item, Standing};
use crate::path::Path;
use crate::stored::{Entry, Parked, Place, Progress};
use crate::time::WallTime;
use crate::wire::Condition;

/// The program that speaks.
const SDK: &str = concat!("landfall ", env!("CARGO_PKG_VERSION"));

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
    /// Its user did not want it any more, and the server has not taken it.
    Discarded,
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
    /// Whether this tab is the one that drains, and ready to: how that goes, only it knows.
    pub leads: bool,
    /// Stored records that cannot be read.
    pub damaged: usize,
    /// Writes that were lost when the browser deleted what was stored, as far as is known here: this tab had only the
    /// journal to tell what they say.
    pub lost: usize,
    /// Writes that the server has taken in and that are kept here no longer, though as far as is known no backup has
    /// them: should the server lose them, only another device may have them.
    pub dropped: u64,
    /// How often nothing was stored: when this was opened, and whenever it was found to be gone since.
    pub made: usize,
}

/// A mutation that has come to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Which.
    #[serde(rename = "mutation")]
    pub id: MutationId,
    /// [`Status::Accepted`], [`Status::NeedsAttention`] or [`Status::Discarded`].
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
    /// Discarded, while the server is asked whether that came in time.
    pub discarding: bool,
    /// What it writes; none where that is in the journal alone, until its document is loaded.
    pub fields: Option<&'a [Field]>,
}

/// Everything that the server does not have.
#[derive(Clone, Debug, Serialize)]
pub struct Export<'a> {
    /// The installation.
    pub client: &'a id::Client,
    /// The last journal record that is known here.
    pub through: u64,
    /// How many pending writes are left out, because what they say is in the journal alone.
    pub unread: usize,
    /// Pending writes in journal order, then what needs attention.
    pub items: Vec<Exported<'a>>,
    /// Stored records that cannot be read, as they are.
    pub damaged: &'a [String],
}

/// One write that the server does not have, whole.
#[derive(Clone, Debug, Serialize)]
pub struct Exported<'a> {
    /// As the app sees it.
    pub item: EntryView<'a>,
    /// As it was made.
    pub entry: &'a Entry,
    /// Where it stands in the journal.
    pub place: Place,
    /// As it was sent, if it was.
    pub sent: Option<&'a Mutation>,
}

/// Counts the writes that a person watches go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally(Progress);

impl Tally {
    /// So much was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.0.bytes += bytes as u64;
    }

    /// So many writes are waiting.
    pub(super) fn saw(&mut self, unsettled: usize) {
        self.0.total = self.0.total.max(self.0.done + unsettled as u64);
    }

    /// So many of them were answered.
    pub(super) fn settled(&mut self, answered: usize, unsettled: usize) {
        self.0.done += answered as u64;
        if unsettled == 0 {
            self.0 = Progress::default();
        }
    }
}

impl Client {
    /// The state of synchronisation.
    pub fn state(&self) -> SyncState {
        let oldest = self.outbox.open().next();
        let suspects = self.doubts.suspects();
        let first_sync = !self.checkpoint.complete;
        let phase = match self.drain.step() {
            _ if self.is_paused() => Phase::Paused,
            Some(Step::Fixing | Step::Pushing | Step::Settling) => Phase::Pushing,
            Some(Step::Pulling | Step::Storing) if first_sync => Phase::FirstSync,
            Some(Step::Pulling | Step::Storing) => Phase::Pulling,
            Some(Step::Asking) => Phase::Paused,
            None if self.is_unpacking() && first_sync => Phase::FirstSync,
            None if self.is_unpacking() => Phase::Pulling,
            None if !self.online => Phase::Offline,
            None => Phase::Idle,
        };
        SyncState {
            online: self.online,
            phase,
            pending: self.outbox.unsettled() - suspects,
            failed: self.outbox.failed() + suspects,
            oldest_pending_at: oldest.map(|item| item.entry.at),
            last_synced_at: self.checkpoint.synced_at,
            next_try_at: self.drain.next_try_at().filter(|_| !self.paused),
            progress: if phase == Phase::FirstSync { self.checkpoint.progress } else { self.progress.0 },
            breaker: if self.drain.is_open() { "open" } else { "closed" },
            clock_skew_ms: -self.offset.millis(),
            reason: match self.options.remote {
                Remote::SignedOut => Some(Code::SignedOut.to_string()),
                Remote::Absent | Remote::Present => self.trouble.clone(),
            },
            // Until it has looked at what is stored, it begins nothing that it is asked for.
            leads: self.leading && !self.is_reading(),
            damaged: self.damaged.len(),
            lost: self.lost,
            dropped: self.checkpoint.dropped,
            made: self.made,
        }
    }

    /// How the device is beside the mutations of a batch that goes now, for whoever looks after it; nothing where all is
    /// well.
    pub(super) fn condition(&self, going: usize) -> Option<Condition> {
        let state = self.state();
        let condition = Condition {
            sdk: Some(SDK.to_owned()),
            open: state.pending.saturating_sub(going) as u64,
            oldest_at: state.oldest_pending_at,
            attention: state.failed as u64,
            reason: state.reason,
        };
        let is_well = condition.open == 0 && condition.attention == 0 && condition.reason.is_none();
        (!is_well).then_some(condition)
    }

    /// Whether everything was pulled once, so that what is shown hangs together.
    pub fn is_complete(&self) -> bool {
        self.checkpoint.complete
    }

    /// Changes whenever [`Client::entries`] may have; for those who look now and then.
    pub fn outbox_revision(&self) -> (u64, bool, usize) {
        (self.outbox.revision(), self.is_paused(), 2 * self.doubts.suspects() + usize::from(self.metered))
    }

    /// Whether nothing is sent until a person does something.
    fn is_paused(&self) -> bool {
        self.paused || self.drain.needs_token() || self.options.remote == Remote::SignedOut
    }

    /// Pending writes in journal order, then what needs attention.
    pub fn entries(&self) -> Vec<EntryView<'_>> {
        let holds = self.outbox.holds(&self.conditions());
        // What the server never saw is gone as soon as nobody wants it.
        let listed = |item: &Item| item.standing != Standing::Discarding || item.sent.is_some();
        let mut entries = vec![];
        for item in self.outbox.items() {
            if listed(item) {
                entries.push(self.pending_view(item, holds.get(&item.entry.id).copied()));
            }
        }
        for parked in self.outbox.parked() {
            entries.push(parked_view(parked));
        }
        entries
    }

    /// Everything that the server does not have, whole, once nothing is [`unread`](Client::unread): for support, when
    /// nothing else works any more.
    pub fn export(&self) -> Export<'_> {
        let (mut items, mut unread) = (vec![], 0);
        for item in self.outbox.items() {
            if !item.entry.fields.are_here() {
                unread += usize::from(!self.replica.is_loaded(&item.entry.key()));
            } else if !matches!(item.standing, Standing::Accepted { .. }) {
                items.push(Exported {
                    item: self.pending_view(item, None),
                    entry: &item.entry,
                    place: self.outbox.place(item.entry.id).unwrap_or_default(),
                    sent: item.sent.as_ref().map(|sent| &sent.mutation),
                });
            }
        }
        for parked in self.outbox.parked() {
            let (item, place) = (parked_view(parked), parked.place);
            items.push(Exported { item, entry: &parked.entry, place, sent: None });
        }
        Export {
            client: &self.installation,
            through: self.ledger.last(),
            unread,
            items,
            damaged: &self.damaged,
        }
    }

    fn pending_view<'a>(&'a self, item: &'a Item, hold: Option<Hold>) -> EntryView<'a> {
        let (waits, because) = match hold {
            Some(Hold::Draft(draft)) => (true, Some(draft)),
            Some(Hold::Suspect(id)) => (id != item.entry.id, Some(id).filter(|id| *id != item.entry.id)),
            Some(Hold::Unmetered) => (true, None),
            None => (false, None),
        };
        let unmetered = hold == Some(Hold::Unmetered);
        let suspect = self.doubts.is_suspect(item.entry.id);
        let paused = self.is_paused();
        let status = match item.standing {
            Standing::Saving | Standing::Saved | Standing::Sending if suspect => Status::NeedsAttention,
            Standing::Saving | Standing::Saved if waits => Status::Waiting,
            Standing::Saving | Standing::Saved if paused => Status::Paused,
            Standing::Saving | Standing::Saved => Status::Saved,
            Standing::Sending => Status::Sending,
            Standing::Accepted { .. } => Status::Accepted,
            Standing::Discarding => Status::Waiting,
        };
        let code = match (suspect, unmetered) {
            (true, _) => Some(Code::Suspect.as_str()),
            (false, true) => Some(Code::Unmetered.as_str()),
            (false, false) => None,
        };
        let message = suspect.then_some("the server fails whenever it gets this write");
        let discarding = item.standing == Standing::Discarding;
        let view = view(&item.entry, status);
        EntryView { attempts: item.attempts, because, code, message, discarding, ..view }
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

fn view(entry: &Entry, status: Status) -> EntryView<'_> {
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
        discarding: false,
        fields: entry.fields.get(),
    }
}
