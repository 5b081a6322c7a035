//! A device: the real core over a disk that keeps what it says it keeps, and a real network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use landfall_core::client::{
    Client, Declared, Failure, Input, KEPT_BYTES_MAX, Options, Output, Remote, Settled, Status, TAIL, Ticket,
    TransactionId,
};
use landfall_core::drain::Nudge;
use landfall_core::id::{Collection, DocumentId, DocumentKey, MutationId, Writer};
use landfall_core::intent::Intent;
use landfall_core::json::{self, Json};
use landfall_core::merge::Merge;
use landfall_core::stored::Urgency;
use landfall_core::time::{Millis, WallTime};
use landfall_core::transaction::Transaction;
use landfall_core::wire::BatchReply;
use landfall_tests::chance::Chance;
use landfall_tests::disk::Disk;
use landfall_tests::http::{self, Ask};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::history::{Event, History, Wrote};

/// The collection that everybody writes to.
pub(crate) const COLLECTION: &str = "things";
/// A device that has so much to send writes no more.
const PENDING_MAX: usize = 24;

/// Whose device it is, and where the server is.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) device: usize,
    pub(crate) tenant: String,
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) server: String,
}

/// What happens to a device.
pub(crate) enum Happening {
    /// Its user writes.
    Write,
    /// Its user asks for everything to be sent now.
    Nudge,
    /// Its tab is killed, and another one is opened over the same disk.
    Reopen,
    /// Somebody wants to know how it is.
    Tell(oneshot::Sender<Told>),
    /// An answer has come, for the tab that asked.
    Answer(u64, Box<Input>),
}

/// How a device is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Writes that the server has not answered for, and whatever else is still to be done.
    pub(crate) pending: usize,
    /// Nothing is under way and everything is read.
    pub(crate) at_rest: bool,
    /// Why it is not.
    pub(crate) state: String,
    /// What its user sees.
    pub(crate) view: BTreeMap<DocumentId, String>,
}

/// One device, with one tab.
pub(crate) struct Device {
    owner: Owner,
    client: Client,
    disk: Disk,
    chance: Chance,
    history: History,
    /// How many tabs there were.
    tabs: u64,
    transactions: VecDeque<(TransactionId, Transaction)>,
    tickets: Ticket,
    writes: BTreeMap<Ticket, Vec<Wrote>>,
    /// How many documents of its own it has begun.
    pub(crate) begun: u64,
    happenings: mpsc::WeakUnboundedSender<Happening>,
    stale: bool,
}

/// The part of an error envelope that decides what to do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    code: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

pub(crate) fn collection() -> Collection {
    COLLECTION.parse().expect("BUG: a name that is none")
}

pub(crate) fn key(document: &DocumentId) -> DocumentKey {
    DocumentKey { collection: collection(), document: document.clone() }
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(since.as_millis() as u64)
}

fn open(owner: &Owner, chance: &mut Chance) -> Client {
    let declared = Declared {
        version: 1,
        fields: [("count".into(), Merge::Counter), ("tags".into(), Merge::Set)].into(),
        ..Declared::default()
    };
    Client::new(Options {
        client: format!("device-{}", owner.device).parse().expect("BUG: a name that is none"),
        user: owner.user.parse().expect("BUG: a name that is none"),
        writer: Writer(u128::from(chance.bits()) << 64 | u128::from(chance.bits())),
        seed: chance.bits(),
        remote: Remote::Present,
        kept_bytes_max: KEPT_BYTES_MAX,
        collections: [(collection(), declared)].into(),
        tail: TAIL,
    })
}

impl Device {
    /// Starts a device; it lives for as long as what is given can be told of anything.
    pub(crate) fn start(owner: Owner, seed: u64, history: History) -> mpsc::UnboundedSender<Happening> {
        let mut chance = Chance::new(seed, 100 + owner.device as u64);
        let (happenings, mut come) = mpsc::unbounded_channel();
        let own = happenings.downgrade();
        let client = open(&owner, &mut chance);
        tokio::spawn(async move {
            let mut device = Device {
                owner,
                client,
                disk: Disk::default(),
                chance,
                history,
                tabs: 0,
                transactions: VecDeque::new(),
                tickets: 0,
                writes: BTreeMap::new(),
                begun: 0,
                happenings: own,
                stale: false,
            };
            device.begin();
            loop {
                let wait = device.client.wake_at().map_or(1_000, |at| at.since(now()).0.min(1_000));
                match tokio::time::timeout(Duration::from_millis(wait), come.recv()).await {
                    Ok(Some(Happening::Tell(tell))) => _ = tell.send(device.tell()),
                    Ok(Some(happening)) => device.meet(happening),
                    Ok(None) => return,
                    Err(_) => device.input(Input::Tick),
                }
            }
        });
        happenings
    }

    fn meet(&mut self, happening: Happening) {
        match happening {
            Happening::Write => self.write(),
            Happening::Nudge => self.input(Input::Nudge(Nudge::Asked)),
            Happening::Reopen => {
                self.tabs += 1;
                self.transactions.clear();
                self.writes.clear();
                self.client = open(&self.owner, &mut self.chance);
                self.begin();
            }
            Happening::Answer(tab, input) if tab == self.tabs => self.input(*input),
            // That tab is gone.
            Happening::Answer(..) | Happening::Tell(_) => {}
        }
    }

    fn begin(&mut self) {
        for input in [Input::Metered(false), Input::Seen(true), Input::Lead(true)] {
            self.input(input);
        }
    }

    fn input(&mut self, input: Input) {
        self.client.handle_input(input, now());
        self.perform();
    }

    fn write(&mut self) {
        if !self.client.is_whole(&collection()) || self.client.state().pending >= PENDING_MAX {
            return;
        }
        let (intents, deeds, grouped) = crate::user::choose(self, &mut self.chance.clone());
        // What is drawn next is drawn from behind this.
        self.chance.bits();
        self.tickets += 1;
        let intents: Vec<(Intent, Urgency)> =
            intents.into_iter().map(|intent| (intent, Urgency::default())).collect();
        let ids = self.client.write(self.tickets, &intents, grouped, now());
        let ids = ids.unwrap_or_else(|refusal| panic!("{intents:?} is refused here: {refusal:?}"));
        let writes = ids.into_iter().zip(deeds);
        let writes = writes.map(|(id, (document, deed))| Wrote { id, document, deed });
        self.writes.insert(self.tickets, writes.collect());
        self.perform();
    }

    /// Which device it is.
    pub(crate) fn number(&self) -> usize {
        self.owner.device
    }

    /// What its user sees of a document.
    pub(crate) fn sees(&self, document: &DocumentId) -> Option<&Json> {
        self.client.document(&key(document))
    }

    fn tell(&mut self) -> Told {
        let entries = self.client.entries();
        let (refused, open): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.status == Status::NeedsAttention);
        // What was refused is kept, and shown to nobody else.
        let refused: BTreeSet<&DocumentId> = refused.iter().map(|entry| entry.document).collect();
        let name = collection();
        let view = self.client.collection(&name).filter(|(key, _)| !refused.contains(&key.document));
        let view = view.map(|(key, data)| (key.document.clone(), data.canonical().text().to_owned()));
        let at_rest = open.is_empty() && self.client.is_complete() && self.client.is_whole(&name);
        Told {
            pending: open.len(),
            at_rest,
            state: format!("{:?}", self.client.state()),
            view: view.collect(),
        }
    }

    fn perform(&mut self) {
        loop {
            while let Some(output) = self.client.poll_output() {
                self.take(output);
            }
            if std::mem::take(&mut self.stale) {
                self.tickets += 1;
                self.client.load_all(self.tickets, collection());
            } else if let Some((id, transaction)) = self.transactions.pop_front() {
                let done = self.disk.run(&transaction);
                self.client.handle_input(Input::Transacted(id, Ok(done)), now());
            } else {
                return;
            }
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Transact(id, transaction) => self.transactions.push_back((id, transaction)),
            Output::Push(batch) => {
                let body = json::write(&batch);
                let (history, device) = (self.history.clone(), self.owner.device);
                self.exchange(move |owner, sent| async move {
                    let ask = Ask::post("/api/v1/sync/batch", &owner.token, body);
                    let reply = read(http::ask(&owner.server, ask).await);
                    if let Ok(reply) = &reply {
                        note(&history, device, reply);
                    }
                    Input::Pushed(reply, sent)
                });
            }
            Output::Pull(cursor) => self.exchange(move |owner, sent| async move {
                let cursor = cursor.unwrap_or_default();
                let path = format!("/api/v1/sync/pull?user={}&cursor={cursor}", owner.user);
                Input::Pulled(read(http::ask(&owner.server, Ask::get(&path, &owner.token)).await), sent)
            }),
            Output::Ask => self.exchange(async |_, _| Input::Token(true)),
            Output::Ready | Output::Stale => self.stale = true,
            Output::Saved(ticket) => {
                if let Some(writes) = self.writes.remove(&ticket) {
                    self.history.note(&Event::Saved { device: self.owner.device, writes });
                }
            }
            Output::Settled(settled) => {
                for Settled { id, code, .. } in settled {
                    self.history.note(&Event::Settled { device: self.owner.device, id, code });
                }
            }
            Output::Unready(code) | Output::Unsaved(_, code) | Output::Unloaded(_, code) => {
                panic!("this disk does not fail: {code}")
            }
            Output::Migrate(_) => unreachable!("there is one version of the app"),
            // Nobody else has the database open, and the stream of hints stays silent.
            Output::Listen | Output::Mute | Output::Loaded(_) | Output::Replaced(_) | Output::Hint => {}
        }
    }

    /// Asks the server, and has the answer come to the tab that is open now.
    fn exchange<F: Future<Output = Input> + Send>(
        &self,
        ask: impl FnOnce(Owner, WallTime) -> F + Send + 'static,
    ) {
        let (tab, owner, happenings) = (self.tabs, self.owner.clone(), self.happenings.clone());
        tokio::spawn(async move {
            let input = ask(owner, now()).await;
            if let Some(happenings) = happenings.upgrade() {
                happenings.send(Happening::Answer(tab, Box::new(input))).ok();
            }
        });
    }
}

fn note(history: &History, device: usize, reply: &BatchReply) {
    for result in &reply.results {
        let named = |id: MutationId| Event::Answered {
            device,
            id,
            verdict: result.verdict,
            position: result.position,
            duplicate: result.duplicate,
        };
        if let Some(id) = result.id {
            history.note(&named(id));
        }
    }
}

fn read<T: DeserializeOwned>(answer: Option<http::Answer>) -> Result<T, Failure> {
    let answer = answer.ok_or(Failure::Unreachable)?;
    let text = str::from_utf8(&answer.body).map_err(|_| Failure::NotOurs)?;
    if answer.status == 200 {
        return json::read(text).map_err(|_| Failure::NotOurs);
    }
    let problem = json::read::<Problem>(text).ok();
    let (code, asked) = match (problem, answer.status) {
        (Some(Problem { code, retry_after_ms }), _) => (code, retry_after_ms),
        (None, 503) => ("unavailable".to_owned(), None),
        (None, _) => return Err(Failure::NotOurs),
    };
    Err(Failure::Refused { code, retry_after: asked.map(Millis) })
}
