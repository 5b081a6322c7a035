//! What a seed's world is like: how large, and which disasters it knows.
//!
//! Each seed draws its own mix and turns about half of the kinds of disaster off. A world with all of
//! them at once would hide most bugs: one fault mends what another one broke.

use landfall_core::client::KEPT_BYTES_MAX;
use landfall_core::conflict::Policy;
use landfall_core::time::Millis;

use crate::chance::Chance;
use crate::disaster::Disaster;
use crate::tab::Keeps;

/// The mix of one seed. Rates are in a thousand.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// How many people there are.
    pub people: usize,
    /// How many organisations they belong to.
    pub tenants: usize,
    /// Whether there is somebody else who wants to know or break what they should not.
    pub hostile: bool,
    /// How many devices there are.
    pub devices: usize,
    /// How many tabs a device may have.
    pub tabs: usize,
    /// How many server processes stand before the one store.
    pub nodes: usize,
    /// How many documents users know of.
    pub documents: usize,
    /// How many things users do, all together.
    pub acts: usize,
    /// How many documents an import writes at once; none where nobody imports.
    pub import: usize,
    /// How long a user thinks, at most.
    pub pace: Millis,
    /// Most changes on a page.
    pub page: usize,
    /// How many receipts that are not settled keep a writer waiting.
    pub receipts_max: usize,
    /// How much tabs and devices keep.
    pub keeps: Keeps,
    /// How the collection decides conflicts.
    pub policy: Policy,
    /// Whether the text of requests and answers is written and read on the way.
    pub spelled: bool,
    /// Requests that do not arrive.
    pub loss: u32,
    /// Answers that do not arrive.
    pub silence: u32,
    /// Requests that arrive twice.
    pub double: u32,
    /// Answers in whose place an earlier one to the same question comes.
    pub stale: u32,
    /// Requests that something else answers.
    pub portal: u32,
    /// Requests that the server has no time for.
    pub busy: u32,
    /// Requests whose token is refused.
    pub token: u32,
    /// Longest time that a message takes.
    pub delay: Millis,
    /// Longest time that a disk takes.
    pub disk: Millis,
    /// Hints that get lost, between tabs and from the server.
    pub deaf: u32,
    /// Transactions for which there is no room.
    pub quota: u32,
    /// Steps of a disk or of the network after which the tab is gone.
    pub crash: u32,
    /// Of these crashes, those that are power cuts.
    pub power: u32,
    /// Decisions of people right after which the power fails.
    pub rash: u32,
    /// Clocks that are wrong from the start, by which amounts.
    pub skews: Vec<i64>,
    /// Disasters of the larger kind.
    pub disasters: Vec<Disaster>,
    /// Those of them that do not happen all the same.
    pub spared: Vec<Disaster>,
    /// How long there is none, at most.
    pub calm: Millis,
    /// When there is another version of the app, if there ever is.
    pub upgrade: Option<Millis>,
    /// Writes that the server refuses.
    pub refused: u32,
    /// Writes that are no longer wanted, or are tried again, by people.
    pub attended: u32,
}

const DAY: i64 = 86_400_000;

impl Swarm {
    /// The mix of a seed.
    pub fn of(seed: u64) -> Swarm {
        let mut chance = Chance::new(seed, 1);
        let c = &mut chance;
        let devices = c.of(&[1, 1, 2, 2, 2, 3, 3, 4, 5, 8]);
        let mut swarm = Swarm {
            people: 1,
            tenants: 1,
            hostile: false,
            devices,
            tabs: c.of(&[1, 1, 1, 2, 2, 3, 4]),
            nodes: c.of(&[1, 1, 2, 3]),
            documents: c.of(&[1, 2, 3, 5, 12]),
            acts: c.of(&[20, 60, 120, 200]),
            import: 0,
            pace: Millis(c.of(&[30, 300, 3_000, 20_000])),
            page: c.of(&[1, 2, 3, 10, 1_000]),
            receipts_max: 4_000,
            keeps: Keeps {
                tail: Chance::new(seed, 23).of(&[0, 1_000, 4_000, usize::MAX]),
                kept_bytes_max: KEPT_BYTES_MAX,
            },
            policy: Policy::LastWriteWins,
            spelled: c.one_in(10),
            loss: 0,
            silence: 0,
            double: 0,
            stale: 0,
            portal: 0,
            busy: 0,
            token: 0,
            delay: Millis(c.of(&[5, 50, 500])),
            disk: Millis(c.of(&[0, 2, 20])),
            deaf: 0,
            quota: 0,
            crash: 0,
            power: 0,
            rash: 0,
            skews: vec![0],
            disasters: vec![],
            spared: vec![],
            calm: Millis(c.of(&[500, 3_000, 20_000])),
            upgrade: None,
            refused: c.of(&[0, 0, 30, 150]),
            attended: c.of(&[0, 50, 150]),
        };
        let mut own = Chance::new(seed, 10);
        if own.one_in(3) {
            swarm.import = own.of(&[10, 40, 100]);
            swarm.documents = 2 * swarm.import;
            // Every device takes in what every other one writes, so few devices make many mutations.
            (swarm.devices, swarm.tabs) = (own.of(&[1, 1, 2, 3]), own.of(&[1, 1, 2]));
            swarm.page = own.of(&[7, 30, 1_000]);
        } else if own.one_in(6) {
            // Hardly anything is written twice: what a tab has missed stays missed.
            swarm.documents = 400;
        }
        let mut own = Chance::new(seed, 11);
        if own.one_in(8) {
            swarm.receipts_max = own.of(&[20, 150]);
        }
        let mut own = Chance::new(seed, 24);
        if own.one_in(8) {
            swarm.keeps.kept_bytes_max = own.of(&[2_000, 20_000]);
        }
        // In one of ten nothing goes wrong: there, nothing may be tried twice.
        if !c.one_in(10) {
            swarm.break_things(c);
            let mut own = Chance::new(seed, 12);
            if own.one_in(6) {
                swarm.rash = own.of(&[100, 500]);
            }
            if Chance::new(seed, 13).one_in(12) {
                // Nothing else may have a tab that has slept read everything anew.
                swarm.sleep();
                return swarm;
            }
        }
        let mut own = Chance::new(seed, 15);
        if own.one_in(8) {
            let acts = swarm.acts as u64 / swarm.devices as u64;
            swarm.upgrade = Some(own.delay(Millis(swarm.pace.0 * acts)));
            swarm.tabs = swarm.tabs.max(2);
            // Two copies of a profile are two apps: one may send as it was what the other one brings to its version.
            swarm.disasters.retain(|disaster| *disaster != Disaster::Copy);
        }
        let mut own = Chance::new(seed, 20);
        if own.one_in(2) {
            swarm.have_people(&mut own);
        }
        if !swarm.is_peaceful() && Chance::new(seed, 21).one_in(6) {
            swarm.disasters.push(Disaster::Release);
        }
        swarm
    }

    /// Several people use the devices, and not all of them may see everything.
    fn have_people(&mut self, c: &mut Chance) {
        self.people = c.of(&[2, 2, 3, 4, 6]);
        self.tenants = if c.one_in(6) { 2 } else { 1 };
        self.devices = self.devices.max(c.of(&[1, 2, 2, 3]));
        if !self.is_peaceful() {
            self.disasters.extend(Disaster::AMONG_PEOPLE.into_iter().filter(|_| !c.one_in(3)));
        }
        self.hostile = c.one_in(10);
    }

    fn break_things(&mut self, c: &mut Chance) {
        let mut maybe = |rates: &[u32]| if c.one_in(2) { c.of(rates) } else { 0 };
        self.loss = maybe(&[10, 50, 200, 400]);
        self.silence = maybe(&[10, 50, 200, 400]);
        self.double = maybe(&[10, 50, 200]);
        self.stale = maybe(&[10, 50, 200]);
        self.portal = maybe(&[10, 50]);
        self.busy = maybe(&[10, 50, 200]);
        self.token = maybe(&[5, 20]);
        self.deaf = maybe(&[50, 300, 1_000]);
        self.quota = maybe(&[5, 20, 100]);
        self.crash = maybe(&[1, 5, 20]);
        self.power = maybe(&[200, 500, 1_000]);
        if c.one_in(3) {
            self.delay = Millis(c.of(&[2_000, 10_000, 29_000]));
        }
        if c.one_in(2) {
            let years = 50 * 365 * DAY;
            self.skews = vec![0, -1_000, 1_000, -3_600_000, 3_600_000, -DAY, DAY, -years, years];
        }
        if c.one_in(4) {
            self.policy = c.of(&[Policy::ClientWins, Policy::ServerWins, Policy::Manual]);
        }
        self.disasters = Disaster::ALL.into_iter().filter(|_| c.one_in(2)).collect();
    }

    /// A tab hangs while others change more than is kept for it, and it is not told what it has missed: hardly
    /// anything is written twice.
    fn sleep(&mut self) {
        (self.tabs, self.documents, self.import, self.acts) = (3, 400, 0, 200);
        (self.pace, self.delay, self.page) = (Millis(1_000), Millis(5), self.page.max(10));
        (self.calm, self.disasters) = (Millis(2_000), vec![Disaster::OpenTab, Disaster::Hang]);
    }

    /// Whether nothing goes wrong.
    pub fn is_peaceful(&self) -> bool {
        let rates = [
            self.loss,
            self.silence,
            self.double,
            self.stale,
            self.portal,
            self.busy,
            self.token,
            self.deaf,
            self.quota,
            self.crash,
        ];
        let calm = rates.iter().all(|rate| *rate == 0) && self.disasters.is_empty();
        // Another version of the app closes tabs in the middle of anything.
        calm && self.delay.0 < 15_000 && self.upgrade.is_none()
    }

    /// The same world with everything healed.
    pub fn healed(&self) -> Swarm {
        Swarm {
            loss: 0,
            silence: 0,
            double: 0,
            stale: 0,
            portal: 0,
            busy: 0,
            token: 0,
            deaf: 0,
            quota: 0,
            crash: 0,
            delay: Millis(self.delay.0.min(200)),
            disasters: vec![],
            refused: 0,
            attended: 0,
            ..self.clone()
        }
    }
}
