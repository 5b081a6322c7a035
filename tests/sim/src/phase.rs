//! The life of a world: everything breaks, everything is mended, everything has to come right by itself.

use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::stored::Urgency;
use landfall_core::time::Millis;

use crate::check::{Invariant, end};
use crate::tab::key;
use crate::version::Version;
use crate::world::World;

/// How long everything may take that has to come right by itself.
const PATIENCE: Millis = Millis(600_000);
/// How often somebody looks whether it has.
const LOOK: Millis = Millis(10_000);
/// The longest story.
const STORY: Millis = Millis(3_600_000);

impl World {
    /// Lives through all of it.
    pub fn live(&mut self) {
        self.run(STORY, |world| world.acts == 0);
        let hung = self.tabs.iter().flatten().map(|tab| tab.hung).max().unwrap_or_default();
        self.run(hung.since(self.queue.now), |_| false);
        self.heal();
        self.drain(Invariant::Stuck);
        end::judge(self);
        if self.violation.is_none() {
            self.one_more();
        }
    }

    /// Whatever can go wrong stops going wrong; nobody writes.
    fn heal(&mut self) {
        self.healed = true;
        self.swarm = self.swarm.healed();
        // Whoever is later stays so; nobody leaves devices behind for ever.
        let foreign = self.server.versions.iter_mut().filter(|version| **version == Version::Foreign);
        foreign.for_each(|version| *version = Version::Later);
        self.trace.say(self.queue.now, || "everything is mended".to_owned());
        for device in 0..self.devices.len() {
            let subject = &mut self.devices[device];
            (subject.cut_out, subject.cut_in, subject.signed_in) = (false, false, true);
            (subject.mistaken, subject.away) = (None, false);
            (subject.disk.full, subject.disk.broken) = (false, false);
            subject.clock.thaw();
            if self.tabs_of(device).is_empty() {
                self.open(device);
            }
            for tab in self.tabs_of(device) {
                // Somebody looks at it.
                for input in [
                    Input::Pause(false),
                    Input::Metered(false),
                    Input::Seen(true),
                    Input::Refresh,
                    Input::Nudge(Nudge::Woke),
                ] {
                    self.feed(tab, input);
                }
            }
        }
    }

    fn drain(&mut self, invariant: Invariant) {
        let mut spent = Millis(0);
        while self.violation.is_none() {
            let Some(what) = end::unrest(self) else { return };
            if spent >= PATIENCE {
                let states = self.pending();
                return self.violate(invariant, format!("{what}\n    {states:?}"));
            }
            self.run(LOOK, |_| false);
            spent = Millis(spent.0 + LOOK.0);
        }
    }

    /// Everybody writes once more, and what is stored is read by a tab that knows nothing.
    fn one_more(&mut self) {
        let value = self.fresh();
        for device in 0..self.devices.len() {
            let Some(tab) = self.tabs_of(device).first().copied() else { continue };
            let data = Json::parse(&format!(r#"{{"f":{value}}}"#)).expect("BUG: JSON");
            let document = key(&format!("last-{device}"));
            let written = self.write_all(tab, &[(Intent::Create(document, data), Urgency::default())], false);
            if !written {
                return self.violate(Invariant::OneMore, format!("tab {tab} cannot write"));
            }
            self.open(device);
        }
        self.drain(Invariant::OneMore);
        end::judge(self);
        let is_absent = |n: &usize| {
            let may = self.people[self.devices[*n].person].rights.worker;
            may && !self.store_of(*n).visible().contains_key(&key(&format!("last-{n}")))
        };
        let absent = (0..self.devices.len()).find(is_absent);
        // A rule or the app's next version may be against it, and then it is shown as what it is.
        let fickle = self.server.rules.banned.is_some() || self.witness.fickle.contains(&value);
        if let Some(device) = absent.filter(|_| !fickle) {
            self.violate(Invariant::OneMore, format!("the last write of device {device} is not there"));
        }
    }
}
