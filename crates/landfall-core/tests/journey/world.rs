//! Devices, a server and what lies between them, one step at a time and the same every time.
//!
//! A step is one transaction, one answer of a disk, one request reaching the server or one reply
//! reaching the device. Between any two of them a case can cut the power, lose the network or write.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use landfall_core::client::{Act, Failure, Input, Remote};
use landfall_core::code::Code;
use landfall_core::id::{Collection, DocumentKey, MutationId};
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::merge::{Merge, Merges};
use landfall_core::mutation::{Change, Field, Mutation, Refusal};
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::Batch;

use crate::disk::Disk;
use crate::server::Server;
use crate::tab::{App, Call, Tab};

/// The one collection of these worlds.
pub(crate) const COLLECTION: &str = "notes";
/// More steps at one moment than any case has.
const ENDLESS: usize = 20_000;
/// How long a message takes.
const LATENCY: Millis = Millis(10);

/// What becomes of one exchange with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing bad.
    None,
    /// The request does not arrive.
    LoseRequest,
    /// The server does its part, and nobody hears of it.
    LoseReply,
    /// Something on the way answers in the server's place.
    Portal,
    /// The server has no time: 503.
    Busy,
    /// The server does not accept the token: 401.
    Token,
    /// The request arrives twice; the first reply is lost.
    Twice,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: WallTime,
    pub(crate) server: Server,
    pub(crate) tabs: Vec<Tab>,
    /// What becomes of the next exchanges.
    pub(crate) faults: VecDeque<Fault>,
    /// What devices are told of the server when they are opened.
    pub(crate) remote: Remote,
    /// What the app is like when it is opened.
    pub(crate) app: App,
    /// Whether the app can give a token.
    pub(crate) signed_in: bool,
    /// Whether somebody looks at every tab now and then, which makes it look at what is stored.
    pub(crate) watched: bool,
    /// Writes whose promise has resolved, and on which device.
    pub(crate) saved: Vec<(usize, MutationId)>,
    /// Writes that somebody has discarded, and those that make no sense without them.
    pub(crate) given_up: BTreeSet<MutationId>,
    /// The form in which each mutation was first sent.
    forms: BTreeMap<MutationId, [u8; 32]>,
    writers: u128,
    /// How many pages the server has given.
    pub(crate) pages: usize,
    pub(crate) steps: usize,
    /// The step after which the power fails, and whether that takes back what was not synced.
    pub(crate) crash: Option<(usize, bool)>,
}

pub(crate) fn collection() -> Collection {
    COLLECTION.parse().unwrap()
}

pub(crate) fn key(document: &str) -> DocumentKey {
    DocumentKey { collection: collection(), document: document.parse().unwrap() }
}

pub(crate) fn create(document: &str, data: &str) -> Intent {
    Intent::Create(key(document), Json::parse(data).unwrap())
}

pub(crate) fn patch(document: &str, data: &str) -> Intent {
    Intent::Patch(key(document), Json::parse(data).unwrap(), vec![])
}

pub(crate) fn change(document: &str, path: &str, change: Change) -> Intent {
    Intent::Patch(
        key(document),
        Json::parse("{}").unwrap(),
        vec![Field { path: path.parse().unwrap(), change }],
    )
}

/// Fields that merge in another way than by the last write, for devices and server alike.
pub(crate) fn merges() -> Merges {
    let counters = [("count", Merge::Counter), ("total", Merge::Counter)];
    let names = counters.into_iter().chain([("tags", Merge::Set), ("best", Merge::Max)]);
    names.map(|(name, merge)| (name.into(), merge)).collect()
}

pub(crate) fn delete(document: &str) -> Intent {
    Intent::Delete(key(document))
}

impl World {
    /// A server, and so many devices with one open tab each.
    pub(crate) fn new(devices: usize) -> World {
        let mut world = World {
            now: WallTime(1_700_000_000_000),
            server: Server::default(),
            tabs: vec![],
            faults: VecDeque::new(),
            remote: Remote::Present,
            app: App { version: 1, indexes: vec![], frugal: false, migrate: None, tail: 0 },
            signed_in: true,
            watched: false,
            saved: vec![],
            given_up: BTreeSet::new(),
            forms: BTreeMap::new(),
            writers: 0,
            pages: 0,
            steps: 0,
            crash: None,
        };
        for device in 0..devices {
            world.add_device(device, 0);
        }
        world
    }

    /// A device whose clock is wrong by `skew` milliseconds, opened and synchronised.
    pub(crate) fn add_device(&mut self, device: usize, skew: i64) {
        self.open(Rc::default(), device, skew, self.tabs.len());
        self.lead(self.tabs.len() - 1, true);
    }

    /// Another tab on the device of `tab`, that does not drain.
    pub(crate) fn add_tab(&mut self, tab: usize) -> usize {
        let (disk, device, skew) = (self.tabs[tab].disk.clone(), self.tabs[tab].device, self.tabs[tab].skew);
        self.open(disk, device, skew, self.tabs.len());
        self.run(self.tabs.len() - 1);
        self.tabs.len() - 1
    }

    fn open(&mut self, disk: Rc<RefCell<Disk>>, device: usize, skew: i64, at: usize) {
        self.writers += 1;
        self.tabs.insert(at, Tab::open(disk, device, self.writers, skew, self.remote, self.app.clone()));
    }

    /// The tab is gone, with everything that was not on the disk, and is opened again. Where the power was
    /// cut, so are all tabs of the device.
    pub(crate) fn reopen(&mut self, tab: usize, power_cut: bool) {
        let device = self.tabs[tab].device;
        if power_cut {
            self.tabs[tab].disk.borrow_mut().power_cut();
        }
        for other in 0..self.tabs.len() {
            if other == tab || power_cut && self.tabs[other].device == device {
                let old = self.tabs.remove(other);
                self.open(old.disk, old.device, old.skew, other);
                self.lead(other, old.leads);
            }
        }
    }

    /// Whether a tab is the one that drains.
    pub(crate) fn lead(&mut self, tab: usize, leads: bool) {
        self.tabs[tab].leads = leads;
        self.tabs[tab].input(Input::Lead(leads), self.now);
    }

    fn stepped(&mut self, tab: usize) {
        let device = self.tabs[tab].device;
        self.saved.extend(std::mem::take(&mut self.tabs[tab].saved).into_iter().map(|id| (device, id)));
        if std::mem::take(&mut self.tabs[tab].hints) {
            let others = self.tabs.iter_mut().enumerate();
            others.filter(|(i, t)| *i != tab && t.device == device).for_each(|(_, t)| t.hinted = true);
        }
        self.steps += 1;
        if let Some((step, power_cut)) = self.crash
            && step == self.steps
        {
            self.reopen(tab, power_cut);
        }
    }

    /// One step of a tab's disk.
    pub(crate) fn disk_step(&mut self, tab: usize) -> bool {
        let did = self.tabs[tab].disk_step(self.now);
        if did {
            self.stepped(tab);
        }
        did
    }

    /// One step of a tab's network.
    pub(crate) fn network_step(&mut self, tab: usize) -> bool {
        if let Some(reply) = self.tabs[tab].reply.take() {
            self.now = self.now.after(LATENCY);
            self.tabs[tab].input(reply, self.now);
        } else if let Some((call, sent)) = self.tabs[tab].call.take() {
            self.now = self.now.after(LATENCY);
            let reply = self.exchange(tab, call, sent);
            self.tabs[tab].reply = Some(reply);
        } else {
            return false;
        }
        self.stepped(tab);
        true
    }

    fn exchange(&mut self, tab: usize, call: Call, sent: WallTime) -> Input {
        if let Call::Ask = call {
            self.tabs[tab].asked += 1;
            return Input::Token(self.signed_in);
        }
        let refused = |code: Code| Failure::Refused { code: code.to_string(), retry_after: None };
        let (arrives, failure) = match self.faults.pop_front().unwrap_or(Fault::None) {
            Fault::None => (1, None),
            Fault::Twice => (2, None),
            Fault::LoseReply => (1, Some(Failure::Unreachable)),
            Fault::LoseRequest => (0, Some(Failure::Unreachable)),
            Fault::Portal => (0, Some(Failure::NotOurs)),
            Fault::Busy => (0, Some(refused(Code::Unavailable))),
            Fault::Token => (0, Some(refused(Code::InvalidToken))),
        };
        match call {
            Call::Ask => unreachable!("answered above"),
            Call::Push(body) => {
                let batch: Batch = serde_json::from_str(&body).unwrap();
                for mutation in batch.mutations {
                    let mutation: Mutation = serde_json::from_str(mutation.text()).unwrap();
                    let first = self.forms.entry(mutation.id).or_insert_with(|| mutation.hash());
                    assert_eq!(*first, mutation.hash(), "{} is sent in two forms", mutation.id);
                }
                self.tabs[tab].pushes.push(body.clone());
                let mut reply = Err(Failure::Unreachable);
                for _ in 0..arrives {
                    let text = self.server.push(&body, self.now);
                    reply = text
                        .map(|text| serde_json::from_str(&text).expect("a reply that the device can read"));
                }
                Input::Pushed(failure.map_or(reply, Err), sent)
            }
            Call::Pull(cursor) => {
                self.pages += 1;
                let reply = self.server.pull(cursor.as_deref(), self.now);
                let reply =
                    reply.map(|text| serde_json::from_str(&text).expect("a page that the device can read"));
                Input::Pulled(failure.map_or(reply, Err), sent)
            }
        }
    }

    /// Everything that a tab's disk has to do; requests wait.
    pub(crate) fn disk(&mut self, tab: usize) {
        let end = self.steps + ENDLESS;
        while self.disk_step(tab) {
            assert!(self.steps < end, "the disk of tab {tab} never comes to rest");
        }
    }

    /// Everything that a tab does without time passing.
    pub(crate) fn run(&mut self, tab: usize) {
        let end = self.steps + ENDLESS;
        while self.disk_step(tab) || self.network_step(tab) {
            assert!(self.steps < end, "tab {tab} never comes to rest");
        }
    }

    /// Runs until the tab's next request has reached the server, and its reply is on the way.
    pub(crate) fn request(&mut self, tab: usize) {
        self.disk(tab);
        while self.network_step(tab) && self.tabs[tab].reply.is_none() {
            self.disk(tab);
        }
    }

    /// Makes a write and waits until its promise resolves.
    pub(crate) fn write(&mut self, tab: usize, intent: Intent) -> MutationId {
        self.disk(tab);
        assert!(self.tabs[tab].can_write(&intent), "{intent:?} to what is not loaded");
        let ids = self.tabs[tab].write(&[intent], self.now).expect("a write that makes sense");
        self.disk(tab);
        ids[0]
    }

    /// Decides about an item of the outbox.
    pub(crate) fn attend(
        &mut self,
        tab: usize,
        id: MutationId,
        act: Act,
    ) -> Result<Vec<MutationId>, Refusal> {
        let client = &self.tabs[tab].client;
        if act == Act::Discard {
            let subjects = client.subjects(id);
            let exported = client.export().items.into_iter().map(|item| item.entry);
            let concerned = exported.filter(|entry| subjects.contains(&entry.key()));
            self.given_up.extend(concerned.map(|entry| entry.id));
        }
        self.tabs[tab].attend(id, act, self.now)
    }

    /// What a tab shows of a document.
    pub(crate) fn text(&self, tab: usize, document: &str) -> Option<String> {
        self.tabs[tab].view().remove(&key(document))
    }

    /// Everything that a tab has ever shown of a document, without repetitions.
    pub(crate) fn stream(&self, tab: usize, document: &str) -> Vec<Option<String>> {
        let mut shown: Vec<_> =
            self.tabs[tab].views.iter().map(|view| view.get(&key(document)).cloned()).collect();
        shown.dedup();
        shown
    }

    /// Lets time pass until some tab wants to do something.
    pub(crate) fn sleep(&mut self) {
        let wakes = self.tabs.iter().filter_map(|tab| {
            let wake = tab.client.wake_at()?;
            Some(wake.shifted(-tab.skew))
        });
        let next = wakes.min().expect("some tab wants to be woken");
        self.now = self.now.max(next);
        for tab in 0..self.tabs.len() {
            let due = self.tabs[tab].client.wake_at();
            if due.is_some_and(|due| due <= self.tabs[tab].clock(self.now)) {
                self.tabs[tab].input(Input::Tick, self.now);
            }
        }
    }
}
