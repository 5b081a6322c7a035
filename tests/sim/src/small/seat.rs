//! One tab and whoever sits before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use landfall_core::client::{Failure, Input, KEPT_BYTES_MAX, Output, Settled, Status, Ticket, TransactionId};
use landfall_core::id::MutationId;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::Op;
use landfall_core::stored::Urgency;
use landfall_core::time::WallTime;
use landfall_core::transaction::Transaction;
use landfall_core::wire::{Batch, BatchReply, PullReply};

use super::life::Step;
use super::{Mishaps, NOW};
use crate::person::Person;
use crate::server::REFUSED;
use crate::tab::{Asked, Keeps, Tab, collection, key};
use crate::witness::values;

/// Most that is told of one step.
const TOLD: usize = 700;
/// Names the reading of everything.
const LOAD: Ticket = 0;

/// What a user does to a document, which is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Gives a field a value that nothing else has.
    Set(&'static str, &'static str),
    /// Gives a field a value that the server refuses.
    Refused(&'static str, &'static str),
    /// Deletes it, if it is there.
    Delete(&'static str),
}

/// A request, or the answer to it, on its way.
#[derive(Clone, Debug)]
pub enum Leg {
    /// To the server.
    Push(Batch),
    /// To the server.
    Pull(Option<String>),
    /// Back.
    Pushed(Result<BatchReply, Failure>),
    /// Back.
    Pulled(Result<PullReply, Failure>),
}

/// One tab and whoever sits before it.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The tab.
    pub tab: Tab,
    /// Transactions that were asked for.
    pub waiting: VecDeque<(TransactionId, Transaction)>,
    /// The request that is under way.
    pub leg: Option<Leg>,
    /// How much of what the user wants to do is done.
    pub done: usize,
    /// Writes whose promise has resolved.
    pub saved: BTreeSet<MutationId>,
    /// Writes that the app was told are in.
    pub accepted: BTreeSet<MutationId>,
    /// Writes that go on under other names, as this user's tabs have stored it.
    pub replaced: BTreeMap<MutationId, MutationId>,
    /// Whether the tab says that something was stored.
    pub hints: bool,
    /// Whether the tabs here drain.
    drains: bool,
    /// How many tabs there were here before.
    pub lives: u8,
    /// What may still go wrong.
    pub left: Mishaps,
    /// What must not be and is.
    pub wrong: Option<String>,
}

impl Seat {
    /// A user who opens a tab.
    pub fn open(seat: usize, device: usize, drains: bool, lives: u8, left: Mishaps) -> Seat {
        let writer = 0x1_0000 * (seat as u128 + 1) + u128::from(lives);
        let keeps = Keeps { tail: 0, kept_bytes_max: KEPT_BYTES_MAX };
        let mut new = Seat {
            tab: Tab::new(
                device,
                &Person::alone(),
                vec![collection()],
                0xd0 + device as u128,
                writer,
                1,
                keeps,
            ),
            waiting: VecDeque::new(),
            leg: None,
            done: 0,
            saved: BTreeSet::new(),
            accepted: BTreeSet::new(),
            replaced: BTreeMap::new(),
            hints: false,
            drains,
            lives,
            left,
            wrong: None,
        };
        new.feed(Input::Lead(drains), NOW);
        new
    }

    /// The same user in another tab, which knows nothing.
    pub fn reborn(&self, seat: usize) -> Seat {
        let Seat { done, saved, accepted, replaced, left, .. } = self.clone();
        let left = Mishaps { deaths: left.deaths.saturating_sub(1), ..left };
        let next = Seat::open(seat, self.tab.device, self.drains, self.lives + 1, left);
        Seat { done, saved, accepted, replaced, ..next }
    }

    /// Gives the tab a fact and takes what it wants done.
    pub fn feed(&mut self, input: Input, now: WallTime) {
        self.tab.client.handle_input(input, now);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(output) = self.tab.client.poll_output() {
            match output {
                Output::Transact(id, transaction) => self.waiting.push_back((id, transaction)),
                Output::Push(batch) => self.send(Leg::Push(batch)),
                Output::Pull(cursor) => self.send(Leg::Pull(cursor)),
                Output::Ready | Output::Stale => {
                    self.tab.ready = true;
                    self.tab.client.load_all(LOAD, collection());
                }
                Output::Saved(ticket) => match self.tab.asked.remove(&ticket) {
                    Some(Asked::Write(ids)) => self.saved.extend(ids),
                    Some(Asked::Load | Asked::Seal | Asked::Decide(..)) | None => {
                        self.wrong("something is saved that nobody wrote")
                    }
                },
                Output::Settled(settled) => self.told(&settled),
                Output::Hint => self.hints = true,
                // Nobody says anything on a stream that stands, and polling has to do.
                Output::Listen | Output::Mute | Output::Loaded(_) | Output::Replaced(_) => {}
                Output::Ask
                | Output::Migrate(_)
                | Output::Unready(_)
                | Output::Unsaved(..)
                | Output::Unloaded(..) => {
                    self.wrong(&format!("{output:?} where no token and no disk fails"));
                }
            }
        }
    }

    fn send(&mut self, leg: Leg) {
        if self.leg.replace(leg).is_some() {
            self.wrong("two requests at once");
        }
    }

    fn told(&mut self, settled: &[Settled]) {
        let accepted = settled.iter().filter(|one| one.status == Status::Accepted);
        self.accepted.extend(accepted.map(|one| one.id));
    }

    /// Says that something must not be.
    pub fn wrong(&mut self, what: &str) {
        self.wrong.get_or_insert_with(|| what.to_owned());
    }

    /// All that what happens next depends on, in words.
    pub fn looks(&self) -> String {
        let Seat {
            tab,
            waiting,
            leg,
            done,
            saved,
            accepted,
            replaced,
            hints: _,
            drains: _,
            lives,
            left,
            wrong,
        } = self;
        let Tab { client, ready, asked, .. } = tab;
        let user = format!("{done} {saved:?}{accepted:?}{replaced:?}{lives} {left:?}{wrong:?}");
        format!("{client:?}{ready}{asked:?}{waiting:?}{leg:?}{user}")
    }

    /// What a step is about, for people.
    pub fn subject(&self, step: Step) -> String {
        let text = match step {
            Step::Run(_) => format!("{:?}", self.waiting.front()),
            Step::Arrive(_) | Step::Answer(_) | Step::Lose(_) | Step::Double(_) => format!("{:?}", self.leg),
            Step::Write(_)
            | Step::Tick(_)
            | Step::Hear(_)
            | Step::Die(..)
            | Step::PowerCut(..)
            | Step::Stray(_) => String::new(),
        };
        text.chars().take(TOLD).collect()
    }

    /// Whether a request of it is on its way to the server.
    pub fn asks(&self) -> bool {
        matches!(self.leg, Some(Leg::Push(_) | Leg::Pull(_)))
    }

    /// Whether the user can do the next thing.
    pub fn can_write(&self, deeds: &[Deed]) -> bool {
        let deed = deeds.get(self.done);
        self.tab.ready && deed.is_some_and(|deed| self.tab.client.is_loaded(&key(deed.document())))
    }

    /// The user does the next thing, and sees it at once.
    pub fn write(&mut self, seat: usize, deeds: &[Deed]) {
        let deed = deeds[self.done];
        let value = 100 * (seat + 1) + self.done;
        self.done += 1;
        let document = key(deed.document());
        let shown = self.tab.client.document(&document).is_some();
        let data = match deed {
            Deed::Delete(_) => None,
            Deed::Set(_, field) => Some(format!(r#"{{"{field}":{value}}}"#)),
            Deed::Refused(_, field) => Some(format!(r#"{{"{field}":"{REFUSED} {value}"}}"#)),
        };
        let data = data.map(|data| Json::parse(&data).expect("BUG: what a user writes is JSON"));
        let intent = match (data, shown) {
            (None, false) => return,
            (None, true) => Intent::Delete(document),
            (Some(data), false) => Intent::Create(document, data),
            (Some(data), true) => Intent::Patch(document, data, vec![]),
        };
        let ticket = self.done as Ticket;
        match self.tab.client.write(ticket, &[(intent.clone(), Urgency::default())], false, NOW) {
            Ok(ids) => _ = self.tab.asked.insert(ticket, Asked::Write(ids)),
            Err(refusal) => self.wrong(&format!("{deed:?} is refused: {refusal:?}")),
        }
        let text = self.tab.client.document(intent.key()).map(|json| json.text().to_owned());
        let wanted = values(&intent.fields().unwrap_or_default());
        let seen = |value: &u64| text.as_ref().is_some_and(|text| text.contains(&value.to_string()));
        if !wanted.iter().all(seen) || intent.op() == Op::Delete && text.is_some() {
            self.wrong(&format!("after {intent:?} the document is {text:?}"));
        }
        self.perform();
    }
}

impl Deed {
    fn document(&self) -> &'static str {
        match self {
            Deed::Set(document, _) | Deed::Refused(document, _) | Deed::Delete(document) => document,
        }
    }
}
