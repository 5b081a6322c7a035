//! What breaks, for how long, and how it ends.

mod among;

use std::collections::BTreeSet;

use landfall_core::client::{EntryView, Input, Status};
use landfall_core::id::MutationId;
use landfall_core::time::Millis;

use crate::chance::Chance;
use crate::check;
use crate::mark::Mark;
use crate::queue::{Event, TabId};
use crate::script::Kind;
use crate::server::Store;
use crate::tab::{Asked, Tab};
use crate::version::Version;
use crate::world::World;

/// A disaster of the larger kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disaster {
    /// Another tab is opened.
    OpenTab,
    /// A tab is closed.
    CloseTab,
    /// The power of a device fails.
    PowerCut,
    /// Nothing gets out of a device.
    CutOut,
    /// Nothing gets into a device.
    CutIn,
    /// Neither.
    Cut,
    /// A clock is set.
    Jump,
    /// A clock stands still.
    Freeze,
    /// There is no room on a disk.
    Full,
    /// A disk cannot be read.
    Broken,
    /// The lock is taken from the tab that has it, which hears of it later.
    Steal,
    /// A tab hangs.
    Hang,
    /// The app pauses.
    Pause,
    /// The network is paid for by volume.
    Meter,
    /// The app has no token.
    SignOff,
    /// Somebody signs out, for good.
    SignOut,
    /// A server process's clock is set.
    Node,
    /// The rules change.
    Rules,
    /// The server's data is copied.
    Backup,
    /// A copy is put back, and everybody is told.
    Restore,
    /// A copy is put back, and nobody is told.
    Silent,
    /// Old deletes are forgotten.
    Purge,
    /// A device's database is copied to another device.
    Copy,
    /// A browser deletes what is stored.
    Evict,
    /// Somebody may do more or less than before.
    Rights,
    /// The app has the token of somebody else.
    Mistake,
    /// Somebody else signs in, and what is pending stays on the device.
    Switch,
    /// A server process is replaced by one of another version.
    Release,
}

impl Disaster {
    /// Every kind that takes nobody else.
    pub const ALL: [Disaster; 24] = [
        Disaster::OpenTab,
        Disaster::CloseTab,
        Disaster::PowerCut,
        Disaster::CutOut,
        Disaster::CutIn,
        Disaster::Cut,
        Disaster::Jump,
        Disaster::Freeze,
        Disaster::Full,
        Disaster::Broken,
        Disaster::Steal,
        Disaster::Hang,
        Disaster::Pause,
        Disaster::Meter,
        Disaster::SignOff,
        Disaster::SignOut,
        Disaster::Node,
        Disaster::Rules,
        Disaster::Backup,
        Disaster::Restore,
        Disaster::Silent,
        Disaster::Purge,
        Disaster::Copy,
        Disaster::Evict,
    ];
    /// Those that take several people.
    pub const AMONG_PEOPLE: [Disaster; 3] = [Disaster::Rights, Disaster::Mistake, Disaster::Switch];
}

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

impl World {
    /// Whether the tab is gone now, in the middle of something.
    pub fn crashes(&mut self, tab: TabId) -> bool {
        if self.tab(tab).is_none() || !self.chances.fault.per_mille(self.swarm.crash) {
            return false;
        }
        self.marks.hit(Mark::Crash);
        let device = self.tab(tab).map_or(0, |tab| tab.device);
        if self.chances.fault.per_mille(self.swarm.power) {
            self.power_cut(device);
        } else {
            self.close(tab);
        }
        let delay = self.chances.fault.delay(Millis(5_000));
        self.queue.after(delay, Event::Reopen(device));
        true
    }

    /// Everything on a device that was not synced may be gone.
    pub fn power_cut(&mut self, device: usize) {
        self.tabs_of(device).into_iter().for_each(|tab| self.close(tab));
        let decided = check::decided::forgotten(self, device);
        let pending = self.devices[device].disk.pending();
        let lost = self.chances.fault.below(pending + 1);
        self.marks.hit(Mark::PowerCut);
        self.marks.hit_if(lost > 0, Mark::PowerCutLost);
        self.devices[device].disk.power_cut(lost);
        check::decided::kept(self, device, &decided);
    }

    /// A power cut by a chance of its own, so that it changes nothing else that breaks; somebody comes back after it.
    pub fn blackout(&mut self, device: usize, chance: Chance) {
        let fault = std::mem::replace(&mut self.chances.fault, chance);
        self.power_cut(device);
        let delay = self.chances.fault.delay(Millis(5_000));
        self.chances.fault = fault;
        self.queue.after(delay, Event::Reopen(device));
    }

    /// Something breaks, and something else will.
    pub fn disaster(&mut self) {
        if self.healed {
            return;
        }
        let begun = self.chances.script.begin(Kind::Disaster, &self.chances.fault);
        let happens = begun.is_some();
        self.chances.fault = begun.unwrap_or_else(|| self.chances.fault.clone());
        let kinds = self.swarm.disasters.clone();
        let disaster = self.chances.fault.of(&kinds);
        let device = self.chances.fault.below(self.devices.len());
        // A stream of its own, so that a disaster that is left out changes no other.
        let own = Chance::new(self.chances.fault.bits(), 9);
        if happens && !self.swarm.spared.contains(&disaster) {
            self.trace.say(self.queue.now, || format!("  {disaster:?} on device {device}"));
            let outer = std::mem::replace(&mut self.chances.fault, own);
            self.strike(disaster, device);
            self.chances.fault = outer;
        }
        let calm = self.chances.fault.delay(self.swarm.calm);
        let calm = self.chances.script.end(Kind::Disaster, calm);
        self.queue.after(calm, Event::Disaster);
    }

    fn strike(&mut self, disaster: Disaster, device: usize) {
        let tabs = self.tabs_of(device);
        let tab = if tabs.is_empty() { None } else { Some(self.chances.fault.of(&tabs)) };
        let span = self.chances.fault.delay(Millis(90_000));
        let relief = Event::Relief(disaster, device);
        match disaster {
            Disaster::OpenTab => {
                if tabs.len() < self.swarm.tabs && !self.devices[device].away {
                    self.open(device);
                }
            }
            Disaster::CloseTab => {
                tab.into_iter().for_each(|tab| self.close(tab));
                self.queue.after(span, Event::Reopen(device));
            }
            Disaster::PowerCut => {
                self.power_cut(device);
                self.queue.after(span, Event::Reopen(device));
            }
            Disaster::CutOut | Disaster::CutIn | Disaster::Cut => {
                let both = disaster == Disaster::Cut;
                self.marks.hit(if both { Mark::Cut } else { Mark::HalfCut });
                self.devices[device].cut_out |= both || disaster == Disaster::CutOut;
                self.devices[device].cut_in |= both || disaster == Disaster::CutIn;
                self.queue.after(span, relief);
            }
            Disaster::Jump => {
                let far = self.chances.fault.of(&[1_000, 60_000, HOUR, 24 * HOUR, YEAR, 50 * YEAR]);
                let by = if self.chances.fault.one_in(2) { far } else { -far };
                self.devices[device].clock.jump(by);
                self.marks.hit(Mark::ClockJump);
            }
            Disaster::Freeze => {
                let now = self.queue.now;
                self.devices[device].clock.freeze(now);
                self.marks.hit(Mark::ClockFrozen);
                self.queue.after(span, relief);
            }
            Disaster::Full => {
                self.devices[device].disk.full = true;
                self.queue.after(span, relief);
            }
            Disaster::Broken => {
                self.devices[device].disk.broken = true;
                self.queue.after(Millis(span.0 / 10), relief);
            }
            Disaster::Steal => {
                let Some(tab) = tab else { return };
                let old = self.devices[device].leader.replace(tab);
                self.queue.after(Millis(0), Event::Lead(tab, true));
                if let Some(old) = old.filter(|old| *old != tab) {
                    self.marks.hit(Mark::Stolen);
                    self.marks.hit_if(span.0 > 0, Mark::TwoLeaders);
                    self.queue.after(span, Event::Lead(old, false));
                }
            }
            Disaster::Hang => {
                let until = self.queue.now.after(span);
                if let Some(tab) = tab.and_then(|tab| self.tab_mut(tab)) {
                    // What was put off to the end of a longer one waits until then.
                    tab.hung = tab.hung.max(until);
                    self.marks.hit(Mark::Hung);
                }
            }
            Disaster::Pause => {
                self.marks.hit(Mark::Paused);
                tabs.iter().for_each(|tab| self.feed(*tab, Input::Pause(true)));
                self.queue.after(span, relief);
            }
            Disaster::Meter => {
                tabs.iter().for_each(|tab| self.feed(*tab, Input::Metered(true)));
                self.queue.after(span, relief);
            }
            Disaster::SignOff => {
                self.devices[device].signed_in = false;
                self.queue.after(span, relief);
            }
            Disaster::SignOut => tab.into_iter().for_each(|tab| self.sign_out(tab)),
            Disaster::Node => {
                let node = self.chances.fault.below(self.server.nodes.len());
                self.server.unsteady = true;
                self.server.nodes[node] =
                    self.chances.fault.of(&[0, -300, 300, -10_000, 10_000, -HOUR, HOUR]);
            }
            Disaster::Rules => {
                let digit = self.chances.fault.of(&[None, Some('0'), Some('5'), Some('7')]);
                self.server.rules.banned = digit;
                self.marks.hit(Mark::RulesChanged);
            }
            Disaster::Backup => {
                self.server.backups.push(self.server.data.clone());
                if self.chances.fault.one_in(2) {
                    for store in &mut self.server.data.stores {
                        store.backed_up = store.position;
                        self.witness.announced.extend(store.receipts.keys());
                    }
                    self.marks.hit(Mark::BackupAnnounced);
                }
            }
            Disaster::Restore | Disaster::Silent => self.restore(disaster == Disaster::Silent),
            Disaster::Purge => {
                let gone: usize = self.server.data.stores.iter_mut().map(Store::purge).sum();
                self.marks.hit_if(gone > 0, Mark::TombstonesPurged);
            }
            Disaster::Copy => self.copy(device),
            Disaster::Evict => self.evict(device),
            Disaster::Rights => self.change_rights(device, span),
            Disaster::Mistake => {
                self.devices[device].mistaken = Some(self.chances.fault.below(self.swarm.people));
                self.marks.hit(Mark::TokenMistaken);
                self.queue.after(span, relief);
            }
            Disaster::Switch => self.switch(device, span),
            Disaster::Release => {
                let node = self.chances.fault.below(self.server.nodes.len());
                self.server.versions[node] = self.chances.fault.of(&Version::ALL);
            }
        }
    }

    /// Something that was broken works again.
    pub fn relieve(&mut self, disaster: Disaster, device: usize) {
        let tabs = self.tabs_of(device);
        let subject = &mut self.devices[device];
        match disaster {
            Disaster::CutOut | Disaster::CutIn | Disaster::Cut => {
                subject.cut_out &= disaster == Disaster::CutIn;
                subject.cut_in &= disaster == Disaster::CutOut;
            }
            Disaster::Freeze => subject.clock.thaw(),
            Disaster::Full => subject.disk.full = false,
            Disaster::Broken => subject.disk.broken = false,
            Disaster::SignOff => subject.signed_in = true,
            Disaster::Pause => tabs.iter().for_each(|tab| self.feed(*tab, Input::Pause(false))),
            Disaster::Meter => tabs.iter().for_each(|tab| self.feed(*tab, Input::Metered(false))),
            Disaster::OpenTab
            | Disaster::CloseTab
            | Disaster::PowerCut
            | Disaster::Jump
            | Disaster::Steal
            | Disaster::Hang
            | Disaster::SignOut
            | Disaster::Node
            | Disaster::Release
            | Disaster::Rules
            | Disaster::Backup
            | Disaster::Restore
            | Disaster::Silent
            | Disaster::Purge
            | Disaster::Copy
            | Disaster::Evict => {}
            Disaster::Mistake => subject.mistaken = None,
            Disaster::Rights => self.change_rights(device, Millis(0)),
            Disaster::Switch => self.switch_back(device),
        }
    }

    fn sign_out(&mut self, tab: usize) {
        let discard = self.chances.fault.one_in(3);
        let Some(subject) = self.tab_mut(tab) else { return };
        if !subject.ready {
            return;
        }
        let entries = subject.client.entries().into_iter();
        let ids: Vec<_> =
            entries.filter(|one| one.status != Status::Accepted).map(|entry| entry.id).collect();
        let through = discard.then(|| subject.client.export().through);
        let ticket = subject.ask(Asked::Seal);
        match subject.client.seal(ticket, through) {
            Ok(()) => {
                self.marks.hit_if(discard && !ids.is_empty(), Mark::SignedOutPending);
                if discard {
                    self.witness.excused.extend(ids);
                }
                self.perform(tab);
            }
            Err(_) => _ = subject.asked.remove(&ticket),
        }
    }

    /// A database is given up, and its tab knows.
    pub fn signed_out(&mut self, tab: TabId, device: usize) {
        self.marks.hit(Mark::SignedOut);
        self.close(tab);
        self.forget(device);
        self.sign_in_another(device);
        self.queue.after(Millis(1_000), Event::Reopen(device));
    }

    /// Nobody waits with signing out for what the server has taken in. Where a backup has taken it back and the
    /// device has not heard of that, it is lost together with the base, which is all that the device had of it.
    pub fn excuse_taken_back(&mut self, accepted: Vec<MutationId>) {
        self.witness.unkept.extend(&accepted);
        let is_lost = |id: &MutationId| self.server.taken_back.contains(id) && !self.server.knows(*id);
        let lost = accepted.into_iter().filter(is_lost);
        self.witness.excused.extend(lost);
    }

    /// The server has an earlier state. What devices still keep must go in again.
    fn restore(&mut self, silently: bool) {
        if self.server.backups.is_empty() {
            return;
        }
        let backup = self.chances.fault.below(self.server.backups.len());
        let stores = &self.server.data.stores;
        let old = stores.iter().flat_map(|store| &store.log).map(|applied| applied.mutation.id);
        let refused = stores.iter().flat_map(|store| store.receipts.keys()).copied();
        let judged: Vec<_> = old.chain(refused).collect();
        self.server.restore(backup, silently);
        // Some are still where the last one has left them.
        let again = self.devices.iter().any(|device| device.tainted);
        self.marks.hit_if(again && silently, Mark::RestoredAgain);
        self.set_back = true;
        self.marks.hit(if silently { Mark::RestoredSilently } else { Mark::Restored });
        let lost = judged.into_iter().filter(|id| !self.server.knows(*id));
        let lost: Vec<_> = lost.collect();
        let excused = check::shelf::excused(self, &lost);
        self.witness.excused.extend(excused);
        self.server.taken_back.extend(lost);
        self.devices.iter_mut().for_each(|device| device.tainted = true);
    }

    /// A device's database comes to another device, in the place of what was there.
    fn copy(&mut self, from: usize) {
        let to = self.chances.fault.below(self.devices.len());
        if from == to || self.chances.fault.one_in(2) {
            return;
        }
        let lost = self.excused_by_loss(to);
        self.witness.excused.extend(lost);
        self.forget(to);
        let incarnation = self.devices[to].disk.incarnation;
        let mut disk = self.devices[from].disk.clone();
        disk.sync();
        disk.incarnation = incarnation;
        (disk.full, disk.broken) = (false, false);
        self.devices[to].disk = disk;
        self.devices[to].tainted |= self.devices[from].tainted;
        self.devices[to].person = self.devices[from].person;
        self.devices[from].copied = true;
        self.marks.hit(Mark::ProfileCopied);
        self.queue.after(Millis(100), Event::Reopen(to));
    }

    /// A device's database is deleted.
    pub fn forget(&mut self, device: usize) {
        self.tabs_of(device).into_iter().for_each(|tab| self.close(tab));
        self.wipe(device);
    }

    /// Nothing of what was stored is there any more.
    fn wipe(&mut self, device: usize) {
        let saved = self.witness.saved.iter().filter(|(_, at)| **at == device).map(|(id, _)| *id);
        let unkept: Vec<_> = saved.chain(self.all_kept(device)).collect();
        self.witness.unkept.extend(unkept);
        // What a tab remembers it may still save again, and that is not what was kept beside it.
        let (pending, kept) = (self.kept(device), check::shelf::kept(&self.devices[device].disk));
        let lost = kept.into_iter().filter(|id| !pending.contains(id) && !self.server.knows(*id));
        let lost: Vec<_> = lost.collect();
        self.devices[device].disk.wipe();
        let excused = check::shelf::excused(self, &lost);
        self.witness.excused.extend(excused);
    }

    fn evict(&mut self, device: usize) {
        let excused = self.excused_by_loss(device);
        let tabs = self.tabs_of(device);
        // What a tab remembers it has to save again.
        let known =
            tabs.iter().filter_map(|tab| self.tab(*tab)).flat_map(remembered).collect::<BTreeSet<_>>();
        self.witness.excused.extend(excused.into_iter().filter(|id| !known.contains(id)));
        self.wipe(device);
        self.devices[device].evicted = true;
        self.marks.hit(Mark::Evicted);
        tabs.into_iter().for_each(|tab| self.feed(tab, Input::Refresh));
    }

    /// What a tab alone remembered of a database that was deleted goes with it.
    pub fn forget_memory(&mut self, tab: &Tab) {
        if self.devices[tab.device].evicted {
            let kept = self.kept(tab.device);
            let lost = remembered(tab).into_iter();
            let lost = lost.filter(|id| !kept.contains(id) && !self.server.has(*id));
            self.witness.excused.extend(lost);
        }
    }

    /// What only this device has is somebody else's fault if it is lost.
    fn excused_by_loss(&self, device: usize) -> Vec<MutationId> {
        let mine = self.witness.saved.iter().filter(|(_, at)| **at == device).map(|(id, _)| *id);
        let lost = mine.filter(|id| !self.server.has(*id));
        lost.chain(self.kept(device)).collect()
    }
}

/// What a tab saves again when what was stored is gone: of a transaction all, or nothing.
fn remembered(tab: &Tab) -> Vec<MutationId> {
    let entries = tab.client.entries();
    let torn = |one: &&EntryView<'_>| one.fields.is_none() && one.group.is_some();
    let torn: BTreeSet<_> = entries.iter().filter(torn).map(|one| one.group).collect();
    let items = tab.client.export().items.into_iter().map(|item| item.entry);
    items.filter(|entry| !torn.contains(&entry.group.as_ref())).map(|entry| entry.id).collect()
}
