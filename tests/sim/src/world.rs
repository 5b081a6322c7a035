//! Everything there is, and the loop that makes it happen.

mod storage;

use std::collections::BTreeMap;

use landfall_core::client::{Input, Output};
use landfall_core::code::Code;
use landfall_core::id::Writer;
use landfall_core::stored::Store;
use landfall_core::time::{Millis, WallTime};

use crate::chance::{Chance, Chances};
use crate::check::{self, Invariant, Violation};
use crate::clock::Clock;
use crate::device::Device;
use crate::hostile::Hostile;
use crate::mark::{Mark, Marks};
use crate::network::Network;
use crate::person::Person;
use crate::planted::{self, Bug};
use crate::queue::{Event, Queue, TabId};
use crate::server::{self, Server};
use crate::swarm::Swarm;
use crate::tab::{Asked, Tab, collection, jobs};
use crate::trace::Trace;
use crate::witness::Witness;

/// When every world begins.
pub const START: WallTime = WallTime(1_790_000_000_000);

/// Everything there is.
#[derive(Debug)]
pub struct World {
    /// What the world is like now.
    pub swarm: Swarm,
    /// What is going to happen.
    pub queue: Queue,
    /// The server's side.
    pub server: Server,
    /// Who there is.
    pub people: Vec<Person>,
    /// Somebody who has a token and no core of ours.
    pub hostile: Option<Hostile>,
    /// The devices.
    pub devices: Vec<Device>,
    /// Tabs that there were; those that are gone are empty.
    pub tabs: Vec<Option<Tab>>,
    /// What lies between.
    pub network: Network,
    /// Chance.
    pub chances: Chances,
    /// What was promised.
    pub witness: Witness,
    /// What has happened.
    pub marks: Marks,
    /// The story.
    pub trace: Trace,
    /// What must not be and is.
    pub violation: Option<Violation>,
    /// Whether nothing goes wrong any more.
    pub healed: bool,
    /// Whether the history of the server was ever set back.
    pub set_back: bool,
    /// How many things users still do.
    pub acts: usize,
    /// The last value that somebody wrote.
    pub value: u64,
    /// The version that tabs are of which are opened now.
    pub version: u32,
    names: u128,
}

impl World {
    /// The world of a seed, at its beginning.
    pub fn new(seed: u64, swarm: Swarm) -> World {
        let mut server =
            Server::new(swarm.tenants, swarm.nodes, swarm.page, swarm.policy, Chance::new(seed, 2));
        server.receipts_max = swarm.receipts_max;
        let chances = Chances::new(seed);
        let mut own = Chance::new(seed, 21);
        let people = match swarm.people {
            1 => vec![Person::alone()],
            people => Person::several(people + usize::from(swarm.hostile), swarm.tenants, &mut own),
        };
        let mut world = World {
            queue: Queue::new(Chance::new(seed, 6), START),
            server,
            people,
            hostile: None,
            devices: vec![],
            tabs: vec![],
            network: Network::new(Chance::new(seed, 7)),
            chances,
            witness: Witness::default(),
            marks: Marks::default(),
            trace: Trace::default(),
            violation: None,
            healed: false,
            set_back: false,
            acts: swarm.acts,
            value: 1_000,
            version: 1,
            names: u128::from(Chance::new(seed, 8).bits()) << 32,
            swarm,
        };
        let honest = world.swarm.people;
        for device in 0..world.swarm.devices {
            let skew = world.chances.fault.of(&world.swarm.skews.clone());
            let person = if device < honest { device } else { own.below(honest) };
            let clock = Clock::skewed(skew);
            world.devices.push(Device { person, clock, signed_in: true, ..Device::default() });
            world.open(device);
            let think = world.chances.work.delay(world.swarm.pace);
            world.queue.after(think, Event::Work(device));
        }
        if let Some(upgrade) = world.swarm.upgrade {
            world.queue.after(upgrade, Event::Upgrade);
        }
        if world.swarm.hostile {
            world.hostile = Some(Hostile::new(honest, own));
            world.queue.after(Millis(1_000), Event::Hostile);
        }
        if !world.swarm.disasters.is_empty() {
            let calm = world.chances.fault.delay(world.swarm.calm);
            world.queue.after(calm, Event::Disaster);
        }
        world
    }

    /// Lets everything happen that happens within a time, unless something must not be.
    pub fn run(&mut self, span: Millis, until: impl Fn(&World) -> bool) {
        let end = self.queue.now.after(span);
        while self.violation.is_none() && !until(self) {
            let Some(event) = self.queue.next(end) else { break };
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        let facts = match &event {
            Event::Disk(device) => [1, *device as u64, 0],
            Event::Told(tab) => [2, *tab as u64, 0],
            Event::Arrive(request) => [3, *request, 0],
            Event::Answer(request) => [4, *request, 0],
            Event::GiveUp(request) => [5, *request, 0],
            Event::Timer(tab, n) => [6, *tab as u64, *n],
            Event::Lead(tab, leads) => [7, *tab as u64, u64::from(*leads)],
            Event::Hint(tab) => [8, *tab as u64, 0],
            Event::Heard(tab, n, _) => [9, *tab as u64, *n],
            Event::Work(device) => [10, *device as u64, 0],
            Event::Disaster => [11, 0, 0],
            Event::Relief(disaster, device) => [12, *disaster as u64, *device as u64],
            Event::Reopen(device) => [13, *device as u64, 0],
            Event::Load(tab) => [14, *tab as u64, 0],
            Event::Upgrade => [15, 0, 0],
            Event::Hostile => [16, 0, 0],
        };
        self.trace.note(self.queue.now, facts, || format!("{event:?}"));
        let subject = match &event {
            Event::Told(tab)
            | Event::Timer(tab, _)
            | Event::Lead(tab, _)
            | Event::Hint(tab)
            | Event::Load(tab)
            | Event::Heard(tab, _, _) => Some(*tab),
            Event::Answer(request) => self.network.asker(*request),
            Event::GiveUp(request) => self.network.asker(*request),
            Event::Disk(_)
            | Event::Arrive(_)
            | Event::Work(_)
            | Event::Disaster
            | Event::Upgrade
            | Event::Hostile
            | Event::Relief(..)
            | Event::Reopen(_) => None,
        };
        let hung = subject.and_then(|tab| self.tab(tab)).map_or(WallTime(0), |tab| tab.hung);
        if hung > self.queue.now {
            return self.queue.after(hung.since(self.queue.now), event);
        }
        match event {
            Event::Disk(device) => self.disk_step(device),
            Event::Told(tab) => {
                let Some((id, result)) = self.tab_mut(tab).and_then(|tab| tab.answers.pop_front()) else {
                    return;
                };
                self.feed(tab, Input::Transacted(id, result));
            }
            Event::Arrive(request) => self.arrive(request),
            Event::Answer(request) => self.answer(request),
            Event::GiveUp(request) => self.give_up(request),
            Event::Timer(tab, n) => self.timer(tab, n),
            Event::Lead(tab, leads) => {
                // It may have got the lock back before it heard that it had lost it.
                let holds = self.devices.iter().any(|device| device.leader == Some(tab));
                if leads == holds {
                    self.feed(tab, Input::Lead(leads));
                }
            }
            Event::Hint(tab) => self.feed(tab, Input::Refresh),
            Event::Load(tab) => {
                self.load(tab);
                self.perform(tab);
            }
            Event::Heard(tab, stream, heard) => self.hear(tab, stream, heard),
            Event::Work(device) => self.work(device),
            Event::Disaster => self.disaster(),
            Event::Upgrade => self.upgrade(),
            Event::Hostile => self.attack(),
            Event::Relief(disaster, device) => self.relieve(disaster, device),
            Event::Reopen(device) => {
                if self.tabs_of(device).is_empty() && !self.devices[device].away {
                    self.open(device);
                }
            }
        }
    }

    /// What the tenant has that a device belongs to.
    pub fn store_of(&self, device: usize) -> &server::Store {
        self.server.store(self.people[self.devices[device].person].tenant)
    }

    /// A tab, if it is not gone.
    pub fn tab(&self, tab: TabId) -> Option<&Tab> {
        self.tabs.get(tab).and_then(Option::as_ref)
    }

    /// A tab to be changed, if it is not gone.
    pub fn tab_mut(&mut self, tab: TabId) -> Option<&mut Tab> {
        self.tabs.get_mut(tab).and_then(Option::as_mut)
    }

    /// The tabs of a device.
    pub fn tabs_of(&self, device: usize) -> Vec<TabId> {
        let tabs = self.tabs.iter().enumerate();
        tabs.filter(|(_, tab)| tab.as_ref().is_some_and(|tab| tab.device == device))
            .map(|(id, _)| id)
            .collect()
    }

    /// A name that nothing else has.
    pub fn name(&mut self) -> u128 {
        self.names += 1;
        self.names
    }

    /// Something must not be.
    pub fn violate(&mut self, invariant: Invariant, what: String) {
        if self.violation.is_none() {
            self.trace.say(self.queue.now, || format!("VIOLATION {invariant:?}: {what}"));
            self.violation = Some(Violation { invariant, what });
        }
    }

    /// Opens a tab on a device.
    pub fn open(&mut self, device: usize) -> TabId {
        let (installation, mut writer) = (self.name(), self.name());
        if planted::is(Bug::WriterShared) {
            writer = 1 + device as u128;
        }
        let id = self.tabs.len();
        self.trace.say(self.queue.now, || format!("  tab {id} opens on device {device}"));
        let version = self.version;
        self.marks.hit_if(self.has_older(device), Mark::OldAndNewTab);
        let person = &self.people[self.devices[device].person];
        let mut collections = vec![collection()];
        if self.has_secrets() {
            collections.push(jobs());
            self.witness.authors.insert(Writer(writer), person.id);
        }
        let keeps = self.swarm.keeps;
        let tab = Tab::new(device, person, collections, installation, writer, version, keeps);
        self.tabs.push(Some(tab));
        self.perform(id);
        self.elect(device);
        id
    }

    /// A tab is gone, with everything that was not on disk.
    pub fn close(&mut self, tab: TabId) {
        let Some(old) = self.tabs[tab].take() else { return };
        self.trace.say(self.queue.now, || format!("  tab {tab} is gone"));
        self.forget_memory(&old);
        let device = &mut self.devices[old.device];
        device.waiting.retain(|(asker, _, _)| *asker != tab);
        if device.leader == Some(tab) {
            device.leader = None;
            self.elect(old.device);
        }
    }

    /// Gives the lock to a tab, if nobody has it.
    fn elect(&mut self, device: usize) {
        if self.devices[device].leader.is_none()
            && let Some(tab) = self.tabs_of(device).first()
        {
            self.devices[device].leader = Some(*tab);
            let delay = self.chances.disk.delay(Millis(100));
            self.queue.after(delay, Event::Lead(*tab, true));
        }
    }

    /// Gives a tab a fact and does what it wants done.
    pub fn feed(&mut self, tab: TabId, input: Input) {
        let now = self.queue.now;
        let Some(Tab { device, .. }) = self.tab(tab) else { return };
        let reading = self.devices[*device].clock.read(now);
        let Some(subject) = self.tab_mut(tab) else { return };
        if !matches!(input, Input::Tick) {
            subject.idle_timers = 0;
        }
        subject.client.handle_input(input, reading);
        self.perform(tab);
    }

    /// Does what a tab wants done.
    pub fn perform(&mut self, tab: TabId) {
        loop {
            let Some(subject) = self.tab_mut(tab) else { return };
            let Some(output) = subject.client.poll_output() else { break };
            self.put_out(tab, output);
        }
        self.arm(tab);
        check::view::shown(self, tab);
    }

    fn put_out(&mut self, tab: TabId, output: Output) {
        let Some(subject) = self.tab_mut(tab) else { return };
        let device = subject.device;
        match output {
            Output::Transact(id, transaction) => {
                self.devices[device].waiting.push_back((tab, id, transaction));
                let delay = self.chances.disk.delay(self.swarm.disk);
                self.queue.after(delay, Event::Disk(device));
            }
            Output::Push(_) | Output::Pull(_) | Output::Ask => self.send(tab, output),
            Output::Listen => self.listen(tab),
            Output::Mute => subject.stream = None,
            Output::Migrate(older) => self.migrate(tab, &older),
            Output::Ready | Output::Stale => {
                let again = std::mem::replace(&mut subject.ready, true);
                self.marks.hit_if(again, Mark::Forgotten);
                self.load(tab);
            }
            Output::Unready(code) => {
                self.close(tab);
                self.marks.hit_if(code != Code::SignedOut, Mark::StorageUnreadable);
                if code == Code::SignedOut {
                    self.forget(device);
                }
                self.queue.after(Millis(1_000), Event::Reopen(device));
            }
            // Nobody asked for it: what was lost is saved again.
            Output::Saved(u64::MAX) => {}
            Output::Saved(ticket) => match subject.asked.remove(&ticket) {
                Some(Asked::Write(ids)) => {
                    let now = self.queue.now;
                    self.trace.say(now, || format!("  saved {ids:?}"));
                    self.witness.saved.extend(ids.into_iter().map(|id| (id, device)));
                }
                Some(Asked::Decide(about, ids)) => self.decided(device, about, ids),
                Some(Asked::Seal) => self.signed_out(tab, device),
                Some(Asked::Load) | None => {
                    self.violate(Invariant::Answers, format!("tab {tab} saved what nobody asked for"));
                }
            },
            Output::Unsaved(u64::MAX, _) => {}
            Output::Unsaved(ticket, code) => {
                let asked = subject.asked.remove(&ticket);
                self.marks.hit_if(code == Code::NotFound, Mark::DecidedTwice);
                if asked.is_none() {
                    self.violate(Invariant::Answers, format!("tab {tab} did not save what nobody asked for"));
                }
            }
            Output::Loaded(ticket) => _ = subject.asked.remove(&ticket),
            Output::Unloaded(ticket, _) => {
                subject.asked.remove(&ticket);
                self.queue.after(Millis(1_000), Event::Load(tab));
            }
            Output::Settled(settled) => check::verdict::told(self, tab, &settled),
            Output::Replaced(_) => {}
            Output::Hint => self.tell_siblings(tab),
        }
    }

    fn load(&mut self, tab: TabId) {
        let Some(subject) = self.tab_mut(tab) else { return };
        for name in subject.collections.clone() {
            let ticket = subject.ask(Asked::Load);
            subject.client.load_all(ticket, name);
        }
    }

    /// The other tabs of the device hear that something was stored, if they hear anything.
    fn tell_siblings(&mut self, tab: TabId) {
        let Some(Tab { device, .. }) = self.tab(tab) else { return };
        for other in self.tabs_of(*device) {
            if other == tab {
                continue;
            }
            if self.chances.fault.per_mille(self.swarm.deaf) {
                self.marks.hit(Mark::HintLost);
                continue;
            }
            let delay = self.chances.disk.delay(Millis(60));
            self.queue.after(delay, Event::Hint(other));
        }
    }

    /// Sees to it that a tab is asked again when it wants to be, as the browser's timers do.
    fn arm(&mut self, tab: TabId) {
        let now = self.queue.now;
        let Some(Tab { device, .. }) = self.tab(tab) else { return };
        let reading = self.devices[*device].clock.read(now);
        let Some(subject) = self.tab_mut(tab) else { return };
        let wake_at = subject.client.wake_at();
        if wake_at == subject.timer.map(|(at, _)| at) {
            return;
        }
        let n = subject.timer.map_or(0, |(_, n)| n) + u64::from(subject.idle_timers) + now.0;
        subject.timer = wake_at.map(|at| (at, n));
        if let Some(at) = wake_at {
            if planted::is(Bug::TimerForgotten) && at > reading.after(Millis(60_000)) {
                return;
            }
            // A browser makes a timer of nothing one of a few milliseconds.
            let wait = at.since(reading).0.clamp(4, i32::MAX as u64);
            self.queue.after(Millis(wait), Event::Timer(tab, n));
        }
    }

    fn timer(&mut self, tab: TabId, n: u64) {
        let Some(subject) = self.tab_mut(tab) else { return };
        if subject.timer.is_none_or(|(_, armed)| armed != n) {
            return;
        }
        subject.timer = None;
        subject.idle_timers += 1;
        if subject.idle_timers > 5_000 {
            let client = &subject.client;
            let what = format!("tab {tab} is woken again and again for nothing: {client:?}");
            return self.violate(Invariant::Idle, what);
        }
        self.feed(tab, Input::Tick);
    }

    /// How many records there are in a store of a device.
    pub fn count(&self, device: usize, store: Store) -> usize {
        self.devices[device].disk.records(store).len()
    }

    /// Who waits for what, for those who look at a seed.
    pub fn pending(&self) -> BTreeMap<TabId, String> {
        let tabs = self.tabs.iter().enumerate().filter_map(|(id, tab)| Some((id, tab.as_ref()?)));
        tabs.map(|(id, tab)| (id, format!("{:?}", tab.client.state()))).collect()
    }
}
