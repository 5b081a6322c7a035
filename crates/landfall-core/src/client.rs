//! One tab's side of synchronisation: writes and answers go in, transactions and requests come out.
//!
//! Sans-IO in the shape of str0m: feed one fact with [`Client::handle_input`] or one command, then
//! drain [`Client::poll_output`], then wait for the next fact or for [`Client::wake_at`]. Every output
//! that asks for something gets exactly one answering input. Nothing here reads a clock or draws
//! randomness, so a seed replays a life.
//!
//! What the parts own: [`Outbox`] the pending writes, [`Replica`] what the app sees, [`Drain`] when to
//! do something, [`Ledger`] which stored records are still needed.

mod attend;
mod changes;
mod compact;
mod conclude;
mod doubt;
mod failure;
mod find;
mod handover;
mod hear;
mod indexing;
mod load;
mod migrate;
mod options;
mod pull;
mod push;
mod report;
mod rescue;
mod restore;
mod stage;
mod sweep;
mod write;

use std::collections::VecDeque;

use crate::backoff::Random;
use crate::clock::{Clock, Offset};
use crate::code::Code;
use crate::drain::{Drain, Next, Nudge, Step};
use crate::id::{self, Collection, DocumentKey, MutationId, Position};
use crate::json::Json;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::map::{Map, Set};
use crate::outbox::Outbox;
use crate::planted::{self, Bug};
use crate::replica::Replica;
use crate::stored::{Checkpoint, Entry, Indexed, Key, Parked, Store};
use crate::time::WallTime;
use crate::transaction::{Amendment, Opened, Outcome, Transaction};
use crate::wire::{Batch, BatchReply, PullChange, PullReply};

pub use attend::Act;
pub use failure::Failure;
pub use find::Found;
pub use migrate::Older;
pub use options::{Declared, KEPT_BYTES_MAX, Options, Remote, TAIL};
pub use report::{EntryView, Export, Exported, Phase, Settled, Status, SyncState};

pub use crate::stored::Progress;

/// Most mutations in one push, unless the server asks for fewer.
const BATCH_MUTATIONS: usize = 100;
/// Most bytes of mutations in one push: the server's limit with room for the envelope.
const BATCH_BYTES: usize = 768 << 10;

/// Names a call of the app until it is answered.
pub type Ticket = u64;

/// Names a transaction until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// A fact for the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A transaction is complete, or has failed with nothing done.
    Transacted(TransactionId, Result<Done, Code>),
    /// The answer to [`Output::Push`], and when the request was sent.
    Pushed(Result<BatchReply, Failure>, WallTime),
    /// The answer to [`Output::Pull`], and when the request was sent.
    Pulled(Result<PullReply, Failure>, WallTime),
    /// The answer to [`Output::Migrate`]: for each, in that order, the object that it becomes, or a text that says
    /// why it becomes none.
    Migrated(Vec<Json>),
    /// The answer to [`Output::Ask`]: whether there is a token.
    Token(bool),
    /// Whether this tab is the one that drains.
    Lead(bool),
    /// Whether the app wants nothing sent for now.
    Pause(bool),
    /// Whether the network is paid for by volume.
    Metered(bool),
    /// Whether somebody may be looking at the page.
    Seen(bool),
    /// What comes of [`Output::Listen`].
    Heard(Heard),
    /// It may be worth going on sooner.
    Nudge(Nudge),
    /// Another tab has changed what is stored.
    Refresh,
    /// Time has passed.
    Tick,
}

/// What is heard of a stream of hints: that it stands, hints, and its end. Nothing any more after [`Output::Mute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The stream stands.
    Open,
    /// There may be something to pull.
    Hint,
    /// The stream has ended, or there is none.
    End(Failure),
}

/// What a complete transaction has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What [`Transaction::decide`] gave.
    pub outcome: Outcome,
    /// The counted keys of added records, in the order of the writes.
    pub added: Vec<u64>,
}

/// Something for the driver to do or to pass on.
#[derive(Clone, Debug)]
pub enum Output {
    /// Run a transaction. Those whose stores overlap run in this order.
    Transact(TransactionId, Transaction),
    /// Send a batch.
    Push(Batch),
    /// Fetch a page, from the start where there is no cursor.
    Pull(Option<String>),
    /// Have the app bring these to the versions that it declares.
    Migrate(Vec<Older>),
    /// Forget the token and ask the app for another.
    Ask,
    /// Hold a stream of hints open. Not answered once: see [`Heard`].
    Listen,
    /// End that stream.
    Mute,
    /// What is stored has been read: the database can be used.
    Ready,
    /// What is stored cannot be read, or [`Code::SignedOut`]: is given up and can be deleted. The database
    /// cannot be used, or no longer.
    Unready(Code),
    /// A write is durable on this device.
    Saved(Ticket),
    /// A write was not saved, and nothing of it remains.
    Unsaved(Ticket, Code),
    /// What was asked for with [`Client::load`] is here.
    Loaded(Ticket),
    /// Reading failed.
    Unloaded(Ticket, Code),
    /// Mutations have come to an end.
    Settled(Vec<Settled>),
    /// Mutations go on under another name: the old one and the new one.
    Replaced(Vec<(MutationId, MutationId)>),
    /// Other tabs should look at what is stored.
    Hint,
    /// What was loaded has to be loaded again.
    Stale,
}

/// What a transaction was for.
#[derive(Clone, Debug)]
enum Purpose {
    Open(restore::Wanted),
    Commit { n: u64, tickets: Vec<Ticket>, ids: Vec<MutationId>, parked: Vec<Parked> },
    Load { keys: Set<DocumentKey>, then: load::Then },
    LoadPart { ticket: Ticket, collection: Collection, round: u64 },
    Seek { ticket: Ticket, collection: Collection, count: u32 },
    Index(Collection),
    Migrate,
    Fix,
    Amend { tickets: Vec<Ticket>, amendment: Box<Amendment> },
    Adopt(Ticket),
    Seal(Ticket),
    Settle { keys: Vec<DocumentKey>, garbage: Vec<(Store, Key)> },
    Store(Box<pull::Page>),
    Unpack { key: u64 },
    Compact(u64, Vec<MutationId>),
    Sweep(Position),
}

/// One tab's view of the database, and its part in synchronising it. A copy goes its own way.
#[derive(Clone, Debug)]
pub struct Client {
    options: Options,
    installation: id::Client,
    /// How often nothing was stored, or nothing any more.
    made: usize,
    damaged: Vec<String>,
    clock: Clock,
    offset: Offset,
    minted: u64,
    outbox: Outbox,
    replica: Replica,
    ledger: Ledger,
    seen: changes::Seen,
    drain: Drain,
    live: Live,
    checkpoint: Checkpoint,
    /// What was pulled and is not in the base yet, as it is stored.
    staged: Vec<(u64, Vec<PullChange>)>,
    /// What is indexed of it, as far as is known here.
    indexes: Vec<(Collection, Indexed)>,
    /// Indexing has failed, and is not tried again.
    unindexable: bool,
    /// What calls that were answered have found.
    found: Vec<(Ticket, Found)>,
    /// Mutations of the push that is under way, in the order of the batch.
    flight: Vec<MutationId>,
    /// Discarded writes that it asks about.
    voiding: Vec<MutationId>,
    /// Creations that writes are held for, and that are not known here once the stores have been read again.
    orphans: Vec<MutationId>,
    /// What the app is being asked to bring to a newer version.
    asked: Vec<Parked>,
    /// What it has answered for in this run.
    migrated: Set<MutationId>,
    /// How often anything stored here was brought to a newer version.
    migrations: u64,
    /// There was no room for the last of that: what is older stays so until something can be sent again.
    migration_failed: bool,
    /// What the verdicts that are being stored have refused.
    parking: Vec<Parked>,
    /// How many writes were lost of which only the journal knew what they say, when it was deleted.
    lost: usize,
    /// Mutations whose verdicts are stored, which the server does not know yet.
    untold: Set<MutationId>,
    /// Those that it has been told of, as far as they are still stored.
    told: Set<MutationId>,
    batch_max: usize,
    /// Whether the network is paid for by volume.
    metered: bool,
    doubts: doubt::Doubts,
    /// Whether there is something to send, as far as that depends on the outbox and the network.
    ready: doubt::Ready,
    /// Writes waiting for the commit before them.
    queue: Vec<(Ticket, Vec<Entry>)>,
    /// What was refused, and is put aside once more with the next commit.
    parking_again: Vec<Parked>,
    commits: u64,
    committing: bool,
    transactions: Map<TransactionId, Purpose>,
    transaction_count: u64,
    opened: bool,
    leading: bool,
    paused: bool,
    /// What is stored is to be read anew.
    refresh: bool,
    /// Another tab has stored something.
    hinted: bool,
    /// Verdicts are of another history than the base.
    strayed: bool,
    /// The server does not take the stored cursor: the next pull starts over.
    forget_cursor: bool,
    /// The server's history is another one, and the next pull shows where earlier ones have ended.
    shows: bool,
    /// Deletes up to here are forgotten by the server.
    horizon: Position,
    /// What the server has taken in up to here is in a backup.
    backed_up: Position,
    /// Where looking for forgotten deletes goes on.
    sweeping: String,
    /// The page that is on its way was asked for without a cursor although there is one.
    anew: bool,
    /// How many pages there were since the pull began, and the cursor behind one of them.
    lap: (u32, Option<String>),
    progress: report::Tally,
    trouble: Option<String>,
    online: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A tab that knows nothing yet; its first output reads what is stored.
    pub fn new(options: Options) -> Client {
        let mut client = Client {
            installation: options.client.clone(),
            made: 0,
            damaged: vec![],
            drain: Drain::new(Random(options.seed)),
            live: Live::new(Random(!options.seed)),
            options,
            clock: Clock::default(),
            offset: Offset::default(),
            minted: 0,
            outbox: Outbox::default(),
            replica: Replica::default(),
            ledger: Ledger::default(),
            seen: changes::Seen::default(),
            checkpoint: Checkpoint::default(),
            staged: vec![],
            indexes: vec![],
            unindexable: false,
            found: vec![],
            flight: vec![],
            voiding: vec![],
            orphans: vec![],
            asked: vec![],
            migrated: Set::new(),
            migrations: 0,
            migration_failed: false,
            parking: vec![],
            lost: 0,
            untold: Set::new(),
            told: Set::new(),
            batch_max: BATCH_MUTATIONS,
            metered: false,
            doubts: doubt::Doubts::default(),
            ready: doubt::Ready::default(),
            queue: vec![],
            parking_again: vec![],
            commits: 0,
            committing: false,
            transactions: Map::new(),
            transaction_count: 0,
            opened: false,
            leading: false,
            paused: false,
            refresh: false,
            hinted: false,
            strayed: false,
            forget_cursor: false,
            shows: false,
            horizon: Position(0),
            backed_up: Position(0),
            sweeping: String::new(),
            anew: false,
            lap: (0, None),
            progress: report::Tally::default(),
            trouble: None,
            online: true,
            outputs: VecDeque::new(),
        };
        client.reread();
        client
    }

    /// Takes in one fact.
    pub fn handle_input(&mut self, input: Input, now: WallTime) {
        match input {
            Input::Transacted(id, result) => {
                let purpose = self.transactions.remove(&id).expect("BUG: an answer to no transaction");
                self.conclude(purpose, result, now);
            }
            Input::Pushed(result, sent) => self.pushed(result, sent, now),
            Input::Pulled(result, sent) => self.pulled(result, sent, now),
            Input::Migrated(answers) => self.answered(answers),
            Input::Token(given) => self.drain.token(given, now),
            Input::Lead(leading) => {
                self.leading = leading;
                // The tab that drained before may have died before it could say what it had stored.
                self.refresh |= leading && self.opened;
            }
            Input::Pause(paused) => self.paused = paused,
            Input::Metered(metered) => self.metered = metered,
            Input::Seen(seen) => self.live.see(seen, now),
            Input::Heard(heard) => self.heard(&heard, now),
            Input::Nudge(nudge) => self.drain.nudge(nudge, now),
            Input::Refresh if planted::is(Bug::RefreshForgotten) && self.drain.step().is_some() => {}
            Input::Refresh => self.hinted = true,
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// Takes the next thing to do. Call until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is wanted, if nothing else comes before.
    pub fn wake_at(&self) -> Option<WallTime> {
        if !self.may_sync() {
            return None;
        }
        self.drain.wake_at().into_iter().chain(self.hear_at()).min()
    }

    fn may_sync(&self) -> bool {
        self.opened && self.leading && !self.paused && self.options.remote == Remote::Present
    }

    /// Does whatever is due.
    fn advance(&mut self, now: WallTime) {
        self.listen(now);
        let looks = self.refresh || self.hinted;
        if looks && self.opened && self.drain.step().is_none() && !self.is_reading() {
            self.hinted = false;
            if std::mem::take(&mut self.refresh) { self.reread() } else { self.read_on() }
        }
        // A step begun on what is about to be replaced would go by an old checkpoint and old writes.
        let busy = self.drain.step().is_some() || self.is_reading() || self.is_unpacking();
        if busy || !self.may_sync() {
            return;
        }
        // What is being saved again goes ahead of what was written since.
        let ready = self.is_ready(now) && !(self.committing && self.outbox.is_rescuing());
        match self.drain.next(ready, now) {
            Some(Next::Push) if std::mem::take(&mut self.migration_failed) => self.reread(),
            // A stamp is made final once, so how wrong the clock is must be known before: any answer tells, and
            // that to nothing at all is the shortest.
            Some(Next::Push) if !self.offset.is_known() => self.push(vec![], now),
            Some(Next::Push) => self.fix(now),
            Some(Next::Pull) if self.unpack() => {}
            None if self.drain.is_idle() && self.tidy() => {}
            Some(Next::Pull) => self.pull(),
            Some(Next::Ask) => {
                self.drain.begin(Step::Asking);
                self.outputs.push_back(Output::Ask);
            }
            None => {}
        }
    }

    /// Begins what is done when there is nothing better to do.
    fn tidy(&mut self) -> bool {
        self.unpack() || self.compact() || self.sweep() || self.index()
    }

    /// Whether what is stored is being read.
    fn is_reading(&self) -> bool {
        let reads = |purpose: &Purpose| matches!(purpose, Purpose::Open(_) | Purpose::Migrate);
        !self.asked.is_empty() || self.transactions.values().any(reads)
    }

    /// Whether a part of what was pulled is on its way into the base, or one of the base is looked through.
    fn is_unpacking(&self) -> bool {
        let unpacks = |purpose: &Purpose| {
            matches!(
                purpose,
                Purpose::Unpack { .. } | Purpose::Sweep(_) | Purpose::Load { then: load::Then::Unpack, .. }
            )
        };
        self.transactions.values().any(unpacks)
    }

    fn transact(&mut self, purpose: Purpose, transaction: Transaction) {
        let id = TransactionId(self.transaction_count);
        self.transaction_count += 1;
        self.transactions.insert(id, purpose);
        self.outputs.push_back(Output::Transact(id, transaction));
    }
}
