//! One tab: the real client, what it has been asked to do, and everything that it ever showed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use landfall_core::client::{
    Act, Client, Declared, Done, EntryView, Export, Heard, Input, KEPT_BYTES_MAX, Older, Options, Output,
    Remote, Settled, Status, SyncState, Ticket, TransactionId,
};
use landfall_core::code::Code;
use landfall_core::id::{Collection, DocumentKey, MutationId, Writer};
use landfall_core::index::Seek;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::Refusal;
use landfall_core::stored::{Entry, JournalRecord, Legacy, Urgency};
use landfall_core::time::WallTime;
use landfall_core::transaction::Transaction;

use crate::disk::Disk;
use crate::world::{COLLECTION, collection, merges};

/// How many entries of an outbox are looked at with every step.
const LISTED_MAX: usize = 20;

/// All documents at one moment.
pub(crate) type View = BTreeMap<DocumentKey, String>;

/// A request on its way.
#[derive(Debug)]
pub(crate) enum Call {
    Push(String),
    Pull(Option<String>),
    Ask,
}

/// What an app declares, and how it reads.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) version: u32,
    pub(crate) indexes: Vec<String>,
    /// Whether it reads nothing that it does not ask for.
    pub(crate) frugal: bool,
    /// What it makes of what is older than its version, if anything.
    pub(crate) migrate: Option<fn(&Older) -> Json>,
    /// How many bytes of the journal it keeps in memory although nobody has asked for them.
    pub(crate) tail: usize,
}

/// One tab.
pub(crate) struct Tab {
    pub(crate) client: Client,
    pub(crate) disk: Rc<RefCell<Disk>>,
    /// How far this device's clock is from the true time, in milliseconds.
    pub(crate) skew: i64,
    /// Which installation it belongs to.
    pub(crate) device: usize,
    /// Whether it is the one that drains.
    pub(crate) leads: bool,
    transactions: VecDeque<(TransactionId, Transaction)>,
    answer: Option<(TransactionId, Result<Done, Code>)>,
    pub(crate) call: Option<(Call, WallTime)>,
    pub(crate) reply: Option<Input>,
    pub(crate) hinted: bool,
    /// Another tab should hear of this.
    pub(crate) hints: bool,
    tickets: Ticket,
    writes: BTreeMap<Ticket, Vec<MutationId>>,
    /// Writes whose promise has resolved.
    pub(crate) saved: Vec<MutationId>,
    loaded: BTreeSet<Ticket>,
    pub(crate) ready: bool,
    /// Whether it wants a stream of hints. It gets none unless a case says so.
    pub(crate) listens: bool,
    /// How often the app was asked for a token.
    pub(crate) asked: usize,
    pub(crate) pushes: Vec<String>,
    pub(crate) settled: Vec<Settled>,
    pub(crate) replaced: Vec<(MutationId, MutationId)>,
    /// Decisions that could not be carried out.
    pub(crate) missed: usize,
    /// How often it had to look at everything again.
    pub(crate) stale: usize,
    /// Why writes were not saved.
    pub(crate) unsaved: Vec<Code>,
    /// Whether the tab was told that its database is given up.
    pub(crate) ended: bool,
    /// Everything that the app was shown, in order.
    pub(crate) views: Vec<View>,
    /// Whether the app reads nothing that it does not ask for.
    pub(crate) frugal: bool,
    /// The outbox as it was shown last, and the revision that goes with it.
    listed: Option<((u64, bool, usize), String)>,
    migrate: Option<fn(&Older) -> Json>,
    /// What the app is to bring to its version.
    older: Option<Vec<Older>>,
}

impl Tab {
    pub(crate) fn open(
        disk: Rc<RefCell<Disk>>,
        device: usize,
        writer: u128,
        skew: i64,
        remote: Remote,
        App { version, indexes, frugal, migrate, tail }: App,
    ) -> Tab {
        let client = Client::new(Options {
            // The name that a database gets from whoever makes it.
            client: format!("device-{device}-{writer}").parse().unwrap(),
            user: "u_17".parse().unwrap(),
            writer: Writer(writer),
            seed: writer as u64,
            remote,
            kept_bytes_max: KEPT_BYTES_MAX,
            collections: [(
                collection(),
                Declared {
                    version,
                    parents: [("parent".into(), collection())].into(),
                    fields: merges(),
                    indexes,
                    migrates: migrate.is_some(),
                },
            )]
            .into(),
            tail,
        });
        let mut tab = Tab {
            client,
            disk,
            skew,
            device,
            leads: false,
            transactions: VecDeque::new(),
            answer: None,
            call: None,
            reply: None,
            hinted: false,
            hints: false,
            tickets: 0,
            writes: BTreeMap::new(),
            saved: vec![],
            loaded: BTreeSet::new(),
            ready: false,
            listens: false,
            asked: 0,
            pushes: vec![],
            settled: vec![],
            replaced: vec![],
            missed: 0,
            stale: 0,
            unsaved: vec![],
            ended: false,
            views: vec![],
            frugal,
            listed: None,
            migrate,
            older: None,
        };
        tab.take_outputs(WallTime(0));
        tab
    }

    /// This device's reading of the time.
    pub(crate) fn clock(&self, now: WallTime) -> WallTime {
        now.shifted(self.skew)
    }

    pub(crate) fn input(&mut self, input: Input, now: WallTime) {
        let now = self.clock(now);
        self.listens &= !matches!(input, Input::Heard(Heard::End(_)));
        self.client.handle_input(input, now);
        self.take_outputs(now);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    fn take_outputs(&mut self, now: WallTime) {
        let mut reload = false;
        while let Some(output) = self.client.poll_output() {
            let call = match output {
                Output::Transact(id, transaction) => {
                    self.transactions.push_back((id, transaction));
                    continue;
                }
                Output::Migrate(older) => {
                    assert!(self.older.replace(older).is_none(), "two questions at once");
                    continue;
                }
                Output::Push(batch) => Call::Push(serde_json::to_string(&batch).unwrap()),
                Output::Pull(cursor) => Call::Pull(cursor),
                Output::Ask => Call::Ask,
                Output::Listen | Output::Mute => {
                    let listens = matches!(output, Output::Listen);
                    assert_ne!(self.listens, listens, "two streams at once, or the end of none");
                    self.listens = listens;
                    continue;
                }
                Output::Ready => {
                    self.ready = true;
                    reload = true;
                    continue;
                }
                Output::Stale => {
                    self.stale += 1;
                    reload = true;
                    continue;
                }
                // Nobody asked for it: what was lost is saved again.
                Output::Saved(Ticket::MAX) | Output::Unsaved(Ticket::MAX, _) => continue,
                Output::Saved(ticket) => {
                    self.saved.extend(self.writes.remove(&ticket).expect("a write or a decision"));
                    continue;
                }
                Output::Loaded(ticket) => {
                    self.loaded.insert(ticket);
                    continue;
                }
                Output::Replaced(pairs) => {
                    self.replaced.extend(pairs);
                    continue;
                }
                Output::Settled(settled) => {
                    self.settled.extend(settled);
                    continue;
                }
                Output::Hint => {
                    self.hints = true;
                    continue;
                }
                Output::Unsaved(ticket, Code::NotFound) => {
                    assert!(self.writes.remove(&ticket).is_some(), "nobody asked");
                    self.missed += 1;
                    continue;
                }
                Output::Unsaved(
                    ticket,
                    code @ (Code::SignedOut | Code::PendingWrites | Code::StorageUnavailable),
                ) => {
                    assert!(self.writes.remove(&ticket).is_some(), "nobody asked");
                    self.unsaved.push(code);
                    continue;
                }
                Output::Unready(Code::SignedOut) => {
                    self.ended = true;
                    continue;
                }
                // The app asks once more.
                Output::Unloaded(_, Code::StorageUnavailable) => {
                    reload = true;
                    continue;
                }
                Output::Unready(_) | Output::Unsaved(..) | Output::Unloaded(..) => {
                    unreachable!("this disk does not fail")
                }
            };
            assert!(self.call.is_none() && self.reply.is_none(), "two requests at once");
            self.call = Some((call, now));
        }
        if reload && !self.frugal {
            let ticket = self.ticket();
            self.client.load_all(ticket, collection());
            return self.take_outputs(now);
        }
        self.look();
    }

    /// Asks an index, and reads what it names, or everything; gives how far that is known, or nothing.
    pub(crate) fn find(&mut self, seek: &Seek, now: WallTime) -> Option<String> {
        loop {
            let stale = self.stale;
            let ticket = self.ticket();
            self.client.find(ticket, collection(), seek);
            self.wait(ticket, now);
            let found = self.client.found(ticket);
            let ticket = self.ticket();
            match &found {
                Some(found) => self.client.load(ticket, found.documents.clone()),
                None => self.client.load_all(ticket, collection()),
            }
            self.wait(ticket, now);
            // What was read is forgotten otherwise.
            if self.stale == stale {
                return found.map(|found| found.through);
            }
        }
    }

    /// Has a document read, unless it is known.
    pub(crate) fn know(&mut self, key: DocumentKey, now: WallTime) {
        let ticket = self.ticket();
        self.client.load(ticket, vec![key]);
        self.wait(ticket, now);
    }

    fn wait(&mut self, ticket: Ticket, now: WallTime) {
        self.take_outputs(self.clock(now));
        while !self.loaded.contains(&ticket) {
            assert!(self.disk_step(now), "an answer is under way");
        }
    }

    /// Whoever looks at the outbox only when its revision is another one misses nothing, and its numbers are those of
    /// what is in it.
    fn check_outbox(&mut self) {
        let SyncState { pending, failed, .. } = self.client.state();
        // Long ones are long to list.
        if pending + failed > LISTED_MAX {
            self.listed = None;
            return;
        }
        let entries = self.client.entries();
        let count =
            |counts: &dyn Fn(&EntryView<'_>) -> bool| entries.iter().filter(|one| counts(one)).count();
        assert_eq!(failed, count(&|one| one.status == Status::NeedsAttention));
        let ended = [Status::NeedsAttention, Status::Accepted];
        assert_eq!(pending, count(&|one| !one.discarding && !ended.contains(&one.status)));
        let now = (self.client.outbox_revision(), serde_json::to_string(&entries).expect("entries are JSON"));
        if let Some((revision, before)) = self.listed.replace(now.clone()) {
            assert!(revision != now.0 || before == now.1, "{before} has become {} unnoticed", now.1);
        }
    }

    /// Notes what the app sees, if that has changed.
    fn look(&mut self) {
        self.check_outbox();
        let changed = !self.client.changes().is_empty();
        let known = self.client.is_loaded(&crate::world::key("a document that nobody made"));
        if known && (changed || self.views.is_empty()) {
            self.views.push(self.view());
        }
    }

    /// What the app sees.
    pub(crate) fn view(&self) -> View {
        let name: Collection = COLLECTION.parse().unwrap();
        let documents = self.client.collection(&name);
        documents.map(|(key, json)| (key.clone(), json.text().to_owned())).collect()
    }

    /// Does one thing of what the client has asked of the device. False if there is nothing.
    pub(crate) fn disk_step(&mut self, now: WallTime) -> bool {
        if let Some((id, done)) = self.answer.take() {
            self.input(Input::Transacted(id, done), now);
            return true;
        }
        if let Some((id, transaction)) = self.transactions.pop_front() {
            let done = self.disk.borrow_mut().run(transaction);
            self.answer = Some((id, done));
            return true;
        }
        if let Some(older) = self.older.take() {
            let migrate = self.migrate.expect("an app that migrates");
            self.input(Input::Migrated(older.iter().map(migrate).collect()), now);
            return true;
        }
        if std::mem::take(&mut self.hinted) {
            self.input(Input::Refresh, now);
            return true;
        }
        false
    }

    /// Whether a document can be written to without waiting.
    pub(crate) fn can_write(&self, intent: &Intent) -> bool {
        self.ready && self.client.is_loaded(intent.key())
    }

    /// Makes a write, which is durable once the disk has done its part.
    pub(crate) fn write(&mut self, intents: &[Intent], now: WallTime) -> Option<Vec<MutationId>> {
        let now = self.clock(now);
        let intents: Vec<_> = intents.iter().map(|intent| (intent.clone(), Urgency::default())).collect();
        self.write_with(&intents, false, now)
    }

    /// As [`Tab::write`], with wishes, or as one group. The time is the device's.
    pub(crate) fn write_with(
        &mut self,
        intents: &[(Intent, Urgency)],
        grouped: bool,
        now: WallTime,
    ) -> Option<Vec<MutationId>> {
        let ticket = self.ticket();
        let ids = self.client.write(ticket, intents, grouped, now).ok()?;
        self.writes.insert(ticket, ids.clone());
        self.take_outputs(now);
        Some(ids)
    }

    /// What another tab can take over.
    pub(crate) fn legacy(&self) -> Legacy {
        let Export { client, through, unread, items, damaged: _ } = self.client.export();
        assert_eq!(unread, 0, "read before it is taken over");
        let entries = items.iter().map(|item| Entry { place: Some(item.place), ..item.entry.clone() });
        Legacy { from: client.clone(), through, record: JournalRecord { entries: entries.collect() } }
    }

    /// Takes over what another database leaves; done once it is loaded.
    pub(crate) fn adopt(&mut self, legacy: Legacy, now: WallTime) {
        let now = self.clock(now);
        let ticket = self.ticket();
        self.client.adopt(ticket, legacy);
        self.take_outputs(now);
    }

    /// Gives the database up, if that loses nothing.
    pub(crate) fn seal(&mut self, through: Option<u64>, now: WallTime) -> Result<(), Refusal> {
        let now = self.clock(now);
        let ticket = self.ticket();
        self.client.seal(ticket, through)?;
        self.writes.insert(ticket, vec![]);
        self.take_outputs(now);
        Ok(())
    }

    /// Decides about an item of the outbox; durable once the disk has done its part.
    pub(crate) fn attend(
        &mut self,
        id: MutationId,
        act: Act,
        now: WallTime,
    ) -> Result<Vec<MutationId>, Refusal> {
        let now = self.clock(now);
        let ticket = self.ticket();
        let ids = self.client.attend(ticket, id, act, now)?;
        self.writes.insert(ticket, ids.clone());
        self.take_outputs(now);
        Ok(ids)
    }
}
