//! What goes wrong where several people use the devices: rights come and go, and so do those who have them.

use landfall_core::time::Millis;

use super::Disaster;
use crate::device::Device;
use crate::mark::Mark;
use crate::person::SITES;
use crate::queue::Event;
use crate::world::World;

/// Most databases of people who are away.
const AWAY: usize = 3;

impl World {
    /// The owner of a device may do something that they might not, or the other way round.
    pub(super) fn change_rights(&mut self, device: usize, span: Millis) {
        if self.healed {
            return;
        }
        let person = self.devices[device].person;
        let site = self.chances.fault.below(SITES);
        let what = self.chances.fault.below(4);
        let rights = &mut self.people[person].rights;
        match what {
            0 => rights.worker = !rights.worker,
            1 => rights.coordinator = !rights.coordinator,
            _ if rights.sites.remove(&site) => {}
            _ => _ = rights.sites.insert(site),
        }
        self.marks.hit(Mark::RightsChanged);
        self.trace.say(self.queue.now, || format!("  {:?}", self.people[person]));
        if span.0 > 0 {
            self.queue.after(span, Event::Relief(Disaster::Rights, device));
        }
    }

    /// Somebody else opens the app on a device. They have a database of their own there, which is kept as a device of
    /// its own; what was there before waits.
    pub(super) fn switch(&mut self, device: usize, span: Millis) {
        let away = self.devices.iter().filter(|device| device.away).count();
        if self.devices[device].away || away == AWAY {
            return;
        }
        let other = self.chances.fault.below(self.swarm.people);
        if other == self.devices[device].person {
            return;
        }
        self.marks.hit(Mark::SignedInBeside);
        self.tabs_of(device).into_iter().for_each(|tab| self.close(tab));
        if crate::planted::is(crate::planted::Bug::DatabaseShared) {
            self.devices[device].person = other;
            return self.queue.after(Millis(100), Event::Reopen(device));
        }
        self.devices[device].away = true;
        let clock = self.devices[device].clock.clone();
        self.devices.push(Device { person: other, clock, signed_in: true, ..Device::default() });
        let beside = self.devices.len() - 1;
        self.open(beside);
        self.queue.after(Millis(0), Event::Work(beside));
        self.queue.after(span, Event::Relief(Disaster::Switch, device));
    }

    /// Who was there before is back.
    pub(super) fn switch_back(&mut self, device: usize) {
        self.devices[device].away = false;
        self.queue.after(Millis(0), Event::Reopen(device));
    }

    /// Who has signed out leaves the device to somebody else, now and then.
    pub(super) fn sign_in_another(&mut self, device: usize) {
        if self.has_secrets() && self.chances.people.one_in(2) {
            self.devices[device].person = self.chances.people.below(self.swarm.people);
            self.marks.hit(Mark::SignedInAfter);
        }
    }
}
