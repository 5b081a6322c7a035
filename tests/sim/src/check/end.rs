//! What must be true once everything is mended, nobody writes and time has passed.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::client::{EntryView, Status};
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::MutationId;
use landfall_core::mutation::Op;
use landfall_core::stored::{
    BaseRow, CHECKPOINT, Checkpoint, End, JournalRecord, Key, Parked, SettledRecord, Store, read,
};

use crate::check::{Invariant, base, order, shelf, sight};
use crate::disk::Disk;
use crate::reference::Reference;
use crate::server;
use crate::tab::Tab;
use crate::world::World;

/// Most decisions that a device remembers.
const DECIDED_MAX: usize = 100;
/// So many of the newest verdicts stay, for tabs that have not seen them yet.
const NEWEST: usize = 4;

/// What is still to be done, if anything is.
pub fn unrest(world: &World) -> Option<String> {
    let visible: Vec<_> = world.server.data.stores.iter().map(server::Store::visible).collect();
    for device in 0..world.devices.len() {
        let person = &world.people[world.devices[device].person];
        let mut server = visible[person.tenant].clone();
        server.retain(|key, json| sight::may_see(person, key, json));
        let tabs = world.tabs_of(device);
        if tabs.is_empty() {
            return Some(format!("device {device} has no tab"));
        }
        for id in tabs {
            let Some(tab) = world.tab(id) else { continue };
            if let Some(what) = unrest_of(world, device, tab, &server) {
                return Some(format!("tab {id} of device {device} {what}"));
            }
        }
    }
    None
}

fn unrest_of(
    world: &World,
    device: usize,
    tab: &Tab,
    server: &BTreeMap<landfall_core::id::DocumentKey, landfall_core::json::Json>,
) -> Option<String> {
    if !tab.ready || !tab.is_whole() {
        return Some("is not ready".to_owned());
    }
    let mut entries = tab.client.entries();
    // What the server has failed over is known to the tab that drains; the others see that it is not gone yet.
    let drains = world.devices[device].leader.and_then(|leader| world.tab(leader));
    let known = drains.map(|leader| leader.client.entries()).unwrap_or_default();
    for entry in &mut entries {
        let known = known.iter().find(|other| other.id == entry.id);
        if let (Status::Saved, Some(known)) = (entry.status, known) {
            (entry.status, entry.code) = (known.status, known.code);
        }
    }
    let is_aside = |code: Option<&str>| code == Some(Code::Suspect.as_str());
    let is_open = |status, discarding| match status {
        Status::NeedsAttention => false,
        Status::Waiting => discarding,
        Status::Saved | Status::Sending | Status::Paused | Status::Accepted | Status::Discarded => true,
    };
    if let Some(open) = entries.iter().find(|entry| is_open(entry.status, entry.discarding)) {
        return Some(format!("has a pending write: {open:?}"));
    }
    // What waits is seen here and not there yet; of what was refused, that is so for creations.
    let is_draft = |entry: &EntryView<'_>| match entry.status {
        Status::NeedsAttention => entry.kind == Op::Create || is_aside(entry.code),
        _ => true,
    };
    let drafts = entries.iter().filter(|entry| is_draft(entry));
    let drafts: BTreeSet<_> = drafts.map(|entry| entry.document.clone()).collect();
    let (mut mine, mut theirs) = (tab.view(), server.clone());
    mine.retain(|key, _| !drafts.contains(&key.document));
    theirs.retain(|key, _| !drafts.contains(&key.document));
    if mine != theirs {
        return Some(format!("shows {mine:?}, the server {theirs:?}"));
    }
    // What looks alike by chance is not known to be all there is.
    if drains.is_some_and(|leader| leader.rights != world.people[leader.person].rights) {
        return Some("has not pulled since its owner's rights have changed".to_owned());
    }
    let checkpoint = base::stored(&world.devices[device].disk).unwrap_or_default();
    let store = world.store_of(device);
    let tenant = world.people[world.devices[device].person].tenant;
    if checkpoint.epoch.as_deref() != Some(&*store.name()) || !store.is_of(checkpoint.cursor.as_ref(), tenant)
    {
        return Some(format!("has come to {checkpoint:?} of another history"));
    }
    let base = world.devices[device].disk.records(Store::Base).values();
    let horizon = store.horizon;
    let forgotten = |row: &BaseRow| row.deleted.is_some() && row.position <= horizon;
    if let Some(row) = base.filter_map(|text| read::<BaseRow>(text)).find(forgotten) {
        return Some(format!(
            "remembers a delete of {:?}, and the server none up to {horizon:?}",
            row.position
        ));
    }
    let waits = entries.iter().any(|entry| entry.status == Status::Waiting || is_aside(entry.code));
    let left = left(&world.devices[device].disk).filter(|_| !waits);
    left.map(|store| format!("has records left in {store:?}"))
}

/// A store in which there is something that nobody needs. What was decided about writes is remembered for a while, and
/// the newest verdicts stay.
pub fn left(disk: &Disk) -> Option<Store> {
    let decides = |text: &String| {
        let ends = read::<SettledRecord>(text).map(|record| record.settled).unwrap_or_default();
        ends.iter().any(|one| matches!(one.end, End::Discarded | End::Replaced { .. }))
    };
    let verdicts = disk.records(Store::Settled);
    let older = verdicts.values().rev().skip(NEWEST);
    let remembered = older.clone().filter(|text| decides(text)).count();
    let others = [Store::Journal, Store::Sent, Store::Staged];
    let left = others.into_iter().find(|store| !disk.records(*store).is_empty());
    left.or((remembered < older.count() || remembered > DECIDED_MAX).then_some(Store::Settled))
}

/// Nothing is lost, nothing is doubled, and everything is what it should be.
pub fn judge(world: &mut World) {
    lost(world);
    doubled(world);
    order::kept(world);
    revived(world);
    (0..world.devices.len()).for_each(|device| base::complete(world, device));
    merged(world);
}

fn lost(world: &mut World) {
    let mut kept: BTreeSet<MutationId> = BTreeSet::new();
    for tab in world.tabs.iter().flatten() {
        kept.extend(tab.client.export().items.iter().map(|item| item.entry.id));
    }
    let mut missing = None;
    for (id, device) in &world.witness.saved {
        let is_fine = |id: &MutationId| {
            let witness = &world.witness;
            world.server.has(*id)
                || kept.contains(id)
                || witness.given_up.contains(id)
                || witness.excused.contains(id)
        };
        if !world.witness.successors(*id).iter().any(is_fine) {
            missing = Some(format!("{id} was saved on device {device} and is nowhere"));
        }
    }
    if let Some(what) = missing {
        world.violate(Invariant::I1, what);
    }
}

fn doubled(world: &mut World) {
    if let Some((invariant, what)) = world.server.data.stores.iter().find_map(twice) {
        world.violate(invariant, what);
    }
}

/// A mutation that took effect twice.
pub fn twice(store: &server::Store) -> Option<(Invariant, String)> {
    let mut seen = BTreeSet::new();
    let twice = store.log.iter().map(|applied| applied.mutation.id).find(|id| !seen.insert(*id));
    twice.map(|id| (Invariant::I2, format!("{id} took effect twice")))
}

/// I11: after the horizon nothing brings a document back but somebody who makes it anew.
fn revived(world: &mut World) {
    let stores = world.server.data.stores.iter();
    let forgotten = stores.flat_map(|store| store.forgotten.iter().map(move |one| (store, one)));
    let revived = forgotten.into_iter().find_map(|(store, (key, from))| {
        let first = store.log[*from..].iter().find(|applied| applied.mutation.key() == *key)?;
        (first.mutation.op != Op::Create).then(|| format!("{} brings {key:?} back", first.mutation.id))
    });
    if let Some(what) = revived {
        world.violate(Invariant::I11, what);
    }
}

fn merged(world: &mut World) {
    if world.swarm.policy != Policy::LastWriteWins {
        return;
    }
    if let Some((invariant, what)) = world.server.data.stores.iter().find_map(misjudged) {
        world.violate(invariant, what);
    }
}

/// I8: another merge, slow and written without a look at the product's, comes to something else.
pub fn misjudged(store: &server::Store) -> Option<(Invariant, String)> {
    let mut documents: BTreeMap<_, Reference> = BTreeMap::new();
    for (at, applied) in store.log.iter().enumerate() {
        let key = applied.mutation.key();
        if store.forgotten.get(&key).is_some_and(|from| at < *from) {
            continue;
        }
        documents.entry(key).or_default().take(applied, store);
    }
    if let Some(stamp) = documents.values().find_map(|document| document.twice) {
        return Some((Invariant::I7, format!("{stamp} was issued twice for one path")));
    }
    store.documents.iter().find_map(|(key, row)| {
        let reference = documents.get(key).and_then(Reference::value);
        let product = row.stored.document.value();
        let product =
            product.map(|json| serde_json::from_str::<serde_json::Value>(json.text()).expect("JSON"));
        let what = || format!("{key:?} is {product:?} and should be {reference:?}");
        (reference != product).then(|| (Invariant::I8, what()))
    })
}

impl World {
    /// Writes that a device's disk holds and whose effect is not in its base.
    pub fn kept(&self, device: usize) -> Vec<MutationId> {
        kept(&self.devices[device].disk)
    }

    /// The same, and those that it keeps should the server lose them.
    pub fn all_kept(&self, device: usize) -> Vec<MutationId> {
        let mut all = self.kept(device);
        all.extend(shelf::kept(&self.devices[device].disk));
        all
    }
}

/// Writes that a disk holds and whose effect is not in its base.
pub fn kept(disk: &Disk) -> Vec<MutationId> {
    let checkpoint = disk.records(Store::Meta).get(&Key::Text(CHECKPOINT.into()));
    let checkpoint = checkpoint.and_then(|text| read::<Checkpoint>(text)).unwrap_or_default();
    let settled = disk.records(Store::Settled).values().filter_map(|text| read::<SettledRecord>(text));
    let ended: BTreeSet<MutationId> = settled
        .flat_map(|record| record.settled)
        .filter(|one| match one.end {
            End::Accepted { position, .. } => position <= checkpoint.position,
            End::Folded | End::Parked | End::Discarded | End::Replaced { .. } => true,
        })
        .map(|one| one.id)
        .collect();
    let journal = disk.records(Store::Journal).values().filter_map(|text| read::<JournalRecord>(text));
    let pending = journal.flat_map(|record| record.entries).map(|entry| entry.id);
    let parked = disk.records(Store::Parked).values().filter_map(|text| read::<Parked>(text));
    pending.filter(|id| !ended.contains(id)).chain(parked.map(|parked| parked.entry.id)).collect()
}
