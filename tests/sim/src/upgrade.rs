//! An app that ships another version of its schema: tabs that are opened from some moment on are of that version, the
//! others go on as they are.
//!
//! The second version has a member more. So it is seen whether something was brought to it, and whether it was twice.

use landfall_core::client::{Input, Older};
use landfall_core::json::Json;
use landfall_core::time::Millis;

use crate::chance::Chance;
use crate::check::Invariant;
use crate::mark::Mark;
use crate::queue::{Event, TabId};
use crate::tab::{MIGRATED, VERSION};
use crate::world::World;

impl World {
    /// From now on, what is opened is of the second version. On some devices a tab of it is opened beside those that
    /// there are, on others all are opened anew.
    pub fn upgrade(&mut self) {
        self.version = VERSION;
        for device in 0..self.devices.len() {
            match self.chances.upgrade.below(3) {
                0 => {}
                1 if !self.tabs_of(device).is_empty() => _ = self.open(device),
                _ => {
                    self.tabs_of(device).into_iter().for_each(|tab| self.close(tab));
                    let delay = self.chances.upgrade.delay(Millis(1_000));
                    self.queue.after(delay, Event::Reopen(device));
                }
            }
        }
    }

    /// Whether a device has a tab of another version than those that are opened now.
    pub fn has_older(&self, device: usize) -> bool {
        self.tabs_of(device)
            .into_iter()
            .filter_map(|tab| self.tab(tab))
            .any(|tab| tab.version != self.version)
    }

    /// The app is asked about what is older than it.
    pub fn migrate(&mut self, tab: TabId, older: &[Older]) {
        if !self.healed && self.chances.upgrade.one_in(6) {
            // Whoever opened it has no time for that now.
            self.marks.hit(Mark::MigrationCrashed);
            let device = self.tab(tab).map_or(0, |tab| tab.device);
            self.close(tab);
            let delay = self.chances.upgrade.delay(Millis(5_000));
            return self.queue.after(delay, Event::Reopen(device));
        }
        let twice = older.iter().find(|one| one.data.text().contains(MIGRATED));
        if let Some(twice) = twice {
            self.violate(Invariant::Migration, format!("{twice:?} is brought to it twice"));
        }
        let answers = older.iter().map(renewed).collect();
        self.feed(tab, Input::Migrated(answers));
    }

    /// Whether the power fails right after something was brought to another version.
    pub fn goes_dark(&mut self, device: usize) -> bool {
        let dark = !self.healed && self.chances.upgrade.one_in(4);
        if dark {
            self.marks.hit(Mark::PowerCutMigrated);
            let chance = Chance::new(self.chances.upgrade.bits(), 9);
            self.blackout(device, chance);
        }
        dark
    }
}

/// What the second version makes of something; of one in thirteen values it can make nothing.
fn renewed(older: &Older) -> Json {
    let words = older.data.text().split(|c: char| !c.is_ascii_digit());
    let mut values = words.filter_map(|word| word.parse::<u64>().ok());
    if values.any(|value| value > 1_000 && value % 13 == 0) {
        return Json::string("it cannot be read");
    }
    let members = older.data.members().unwrap_or_default();
    let old = members.iter().map(|(name, value)| (&**name, value.text()));
    Json::object(old.chain([(MIGRATED, "true")]))
}
