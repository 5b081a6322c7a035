//! Local writes in journal order, from the moment they are made until their effect is in the base.
//!
//! ```text
//!   Saving ──commit──▶ Saved ──push──▶ Sending ──verdict──▶ Accepted ──checkpoint──▶ gone
//!      │                 ▲                │ │ └────folded──────────────────────────▶ gone
//!      ▼ no room         └──unreachable───┘ └──refused──▶ parked ──retried, edited──▶ another entry
//!     gone, and the caller is told                            └──discarded──▶ gone
//!
//!   Saved, Sending ──discarded──▶ Discarding ──too late──▶ Accepted
//!                                     └──closed by the server──▶ gone
//! ```
//!
//! Invariant: an entry leaves only when the server has answered for it and that answer is stored. A
//! crash in any state costs a resend, never a write.

mod queue;

use crate::clock::Stamp;
use crate::id::{DocumentKey, MutationId, Position};
use crate::map::{Map, Set};
use crate::mutation::Op;
use crate::stored::{Entry, Fields, Network, Parked, Place, Priority, Sent};

pub use queue::{Conditions, Hold};

/// Records that are not committed yet stand behind all that are.
const UNCOMMITTED: u64 = 1 << 60;

/// Behind every place.
const END: Place = Place { record: u64::MAX, index: 0 };

/// The place of a write in the nth record that this tab will commit.
pub fn uncommitted(n: u64, index: u32) -> Place {
    Place { record: UNCOMMITTED + n, index }
}

/// How far an entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Visible, but its commit is not complete.
    Saving,
    /// Durable on this device.
    Saved,
    /// Part of the push that is under way.
    Sending,
    /// The server has it, but its effect is not in the base yet.
    Accepted {
        /// The commit that holds the effect.
        position: Position,
    },
    /// No longer wanted. It is not seen any more, and the server is asked not to take it.
    Discarding,
}

/// An entry and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The write.
    pub entry: Entry,
    /// Its stamp as far as it is known now: its own, then the one it is sent with, then the server's.
    pub stamp: Stamp,
    /// How far it has come.
    pub standing: Standing,
    /// How often it has been sent.
    pub attempts: u32,
    /// Its final bytes, once they are stored.
    pub sent: Option<Box<Sent>>,
}

impl Item {
    /// The stamp that it will have: what is not sent yet is sent above what stands before it on its document.
    pub fn raised_above(&self, before: Option<Stamp>) -> Stamp {
        let open = is_unsettled(self.standing) && self.sent.is_none();
        let above = before.filter(|_| open).map(|before| before.raised_by(self.entry.id.writer));
        above.map_or(self.stamp, |above| above.max(self.stamp))
    }
}

/// The outbox of one device, as one tab knows it.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Each apart, for they move up and down in the map whenever another one comes or goes.
    items: Map<Place, Box<Item>>,
    places: Map<MutationId, Place>,
    /// Where each document's entries stand.
    lanes: Set<(DocumentKey, Place)>,
    parked: Map<MutationId, Parked>,
    drafts: Map<DocumentKey, MutationId>,
    /// What the server has not answered for yet.
    open: Set<Place>,
    unsettled: usize,
    discarding: Set<Place>,
    /// What the push that is under way has in it.
    sending: Vec<MutationId>,
    /// How many entries do not simply go in the order of writing.
    wishes: usize,
    revision: u64,
}

impl Outbox {
    /// An empty outbox in the place of this one, for whoever watches the revision.
    pub fn successor(&self) -> Outbox {
        Outbox { revision: self.revision + 1, ..Outbox::default() }
    }

    /// Adds a write at its place, or behind what stands there: what tabs save again they count each for itself.
    pub fn insert(&mut self, place: Place, entry: Entry, standing: Standing) {
        self.revision += 1;
        let place = self.free(place);
        assert!(self.places.insert(entry.id, place).is_none(), "BUG: one write at two places");
        self.lanes.insert((entry.key(), place));
        let item = Item { stamp: entry.stamp, entry, standing, attempts: 0, sent: None };
        self.enlist(place, Some(standing));
        self.wishes += usize::from(has_wish(&item.entry));
        self.items.insert(place, Box::new(item));
    }

    /// The nth record of this tab is durable, and stands in the place of `record` or behind what is there.
    pub fn commit(&mut self, n: u64, record: u64) {
        self.revision += 1;
        let (from, to) = (uncommitted(n, 0), uncommitted(n + 1, 0));
        let places = self.items.iter_from(&from).map(|(place, _)| *place);
        let places: Vec<Place> = places.take_while(|place| *place < to).collect();
        for old in places {
            let mut item = self.items.remove(&old).expect("BUG: a place without an item");
            let new = self.free(item.entry.place.unwrap_or(Place { record, ..old }));
            if item.standing == Standing::Saving {
                item.standing = Standing::Saved;
            }
            self.places.insert(item.entry.id, new);
            self.enlist(old, None);
            self.enlist(new, Some(item.standing));
            self.lanes.remove(&(item.entry.key(), old));
            self.lanes.insert((item.entry.key(), new));
            self.items.insert(new, item);
        }
    }

    /// Writes whose commit is not complete, so no other tab can have seen them; also those that are discarded already.
    pub fn uncommitted(&self) -> Vec<(Place, Entry)> {
        let items = self.items.iter_from(&uncommitted(0, 0));
        items.map(|(place, item)| (*place, item.entry.clone())).collect()
    }

    /// Whether there is such a write.
    pub fn has_uncommitted(&self) -> bool {
        self.items.iter_from(&uncommitted(0, 0)).next().is_some()
    }

    /// Whether some of it is saved once more, after what was stored is gone.
    pub fn is_rescuing(&self) -> bool {
        self.items.iter_from(&uncommitted(0, 0)).any(|(_, item)| item.entry.place.is_some())
    }

    /// Takes an entry out: its effect is in the base, or it never became durable.
    pub fn remove(&mut self, id: MutationId) -> Option<Item> {
        self.revision += 1;
        let place = self.places.remove(&id)?;
        let item = self.items.remove(&place).expect("BUG: a place without an item");
        self.lanes.remove(&(item.entry.key(), place));
        self.enlist(place, None);
        self.wishes -= usize::from(has_wish(&item.entry));
        Some(*item)
    }

    /// Notes how far the entry at a place has come, or that there is none: with many entries, nothing is looked for
    /// among all of them.
    fn enlist(&mut self, place: Place, standing: Option<Standing>) {
        if standing.is_some_and(is_unsettled) {
            self.unsettled += usize::from(self.open.insert(place));
        } else {
            self.unsettled -= usize::from(self.open.remove(&place));
        }
        if standing == Some(Standing::Discarding) {
            self.discarding.insert(place);
        } else {
            self.discarding.remove(&place);
        }
    }

    /// Puts a refused write aside, whole.
    pub fn park(&mut self, parked: Parked) {
        self.remove(parked.entry.id);
        if parked.entry.op == Op::Create {
            self.drafts.insert(parked.entry.key(), parked.entry.id);
        }
        self.parked.insert(parked.entry.id, parked);
    }

    /// Somebody has decided what becomes of a refused write.
    pub fn unpark(&mut self, id: MutationId) -> Option<Parked> {
        self.revision += 1;
        let parked = self.parked.remove(&id)?;
        if self.drafts.get(&parked.entry.key()) == Some(&id) {
            self.drafts.remove(&parked.entry.key());
        }
        Some(parked)
    }

    /// What was refused is about to be said anew.
    pub fn unpark_all(&mut self) {
        self.parked = Map::new();
        self.drafts = Map::new();
    }

    /// Whether a write was refused and nobody has decided about it.
    pub fn is_parked(&self, id: MutationId) -> bool {
        self.parked.contains_key(&id)
    }

    /// A refused write and those that were refused with it, in the order of writing.
    pub fn parked_unit(&self, id: MutationId) -> Vec<&Parked> {
        let Some(parked) = self.parked.get(&id) else { return vec![] };
        let with = |other: &&Parked| other.entry.id == id || other.entry.is_with(&parked.entry);
        let mut unit: Vec<&Parked> = Vec::new();
        for parked in self.parked.values().filter(with) {
            let at = unit.partition_point(|other| other.place <= parked.place);
            unit.insert(at, parked);
        }
        unit
    }

    /// A pending write and those of the same transaction, in the order of writing.
    pub fn unit(&self, id: MutationId) -> Vec<&Item> {
        let Some(item) = self.get(id) else { return vec![] };
        let with = |other: &&Item| other.entry.id == id || other.entry.is_with(&item.entry);
        if item.entry.group.is_none() { vec![item] } else { self.items().filter(with).collect() }
    }

    /// Changes how far an entry has come.
    pub fn stand(&mut self, id: MutationId, standing: Standing) {
        self.revision += 1;
        let Some(place) = self.places.get(&id).copied() else { return };
        if let Some(item) = self.items.get_mut(&place) {
            item.standing = standing;
            if let Standing::Accepted { .. } = standing {
                // It is stored as settled, and so the bytes are not kept on disk either.
                item.sent = None;
            }
            self.enlist(place, Some(standing));
        }
    }

    /// The bytes of an entry are final.
    pub fn fix(&mut self, sent: Sent) {
        let (id, stamp) = (sent.mutation.id, sent.mutation.stamp);
        if let Some(item) = self.places.get(&id).and_then(|place| self.items.get_mut(place)) {
            item.sent = Some(Box::new(sent));
        }
        self.restamp(id, stamp);
    }

    /// This stamp is used for an entry. Later ones of its lane that may still change stay above it: they
    /// were made with it on the screen.
    pub fn restamp(&mut self, id: MutationId, mut stamp: Stamp) {
        let Some(place) = self.places.get(&id).copied() else { return };
        let key = self.items[&place].entry.key();
        for (_, later) in self.lanes.range(&(key.clone(), place), &(key, END)) {
            let item = self.items.get_mut(later).expect("BUG: a place without an item");
            if *later == place {
                item.stamp = stamp;
            } else {
                item.stamp = item.raised_above(Some(stamp));
                stamp = stamp.max(item.stamp);
            }
        }
    }

    /// An entry is being sent once more.
    pub fn attempt(&mut self, id: MutationId) {
        self.stand(id, Standing::Sending);
        self.sending.push(id);
        if let Some(item) = self.places.get(&id).and_then(|place| self.items.get_mut(place)) {
            item.attempts += 1;
        }
    }

    /// The push that was under way has failed.
    pub fn recall(&mut self) {
        for id in std::mem::take(&mut self.sending) {
            if self.get(id).is_some_and(|item| item.standing == Standing::Sending) {
                self.stand(id, Standing::Saved);
            }
        }
    }

    /// The history that had taken entries in is no more: they go again, and a server that has them says so.
    pub fn reopen(&mut self) {
        let accepted = |item: &&Item| matches!(item.standing, Standing::Accepted { .. });
        let ids: Vec<MutationId> = self.items().filter(accepted).map(|item| item.entry.id).collect();
        ids.into_iter().for_each(|id| self.stand(id, Standing::Saved));
    }

    /// What these say is in memory from now on, of those of which it is not. One that says something else by now was
    /// brought to a newer version, and is read again with everything else.
    pub fn fill(&mut self, entries: Vec<Entry>) {
        for Entry { id, schema, fields, .. } in entries {
            let place = self.places.get(&id);
            if let Some(item) = place.and_then(|place| self.items.get_mut(place))
                && !item.entry.fields.are_here()
                && item.entry.schema == schema
            {
                self.revision += 1;
                item.entry.fields = fields;
            }
        }
    }

    /// What is in memory of what an entry says that was read without it.
    pub fn fields(&self, entry: &Entry) -> Option<&Fields> {
        let known = self.get(entry.id).map(|item| &item.entry).filter(|known| known.schema == entry.schema);
        known.map(|known| &known.fields).filter(|fields| fields.are_here())
    }

    /// Whether what some entry of a document says is not in memory.
    pub fn is_bare(&self, key: &DocumentKey) -> bool {
        self.lane(key).any(|item| !item.entry.fields.are_here())
    }

    /// An entry, if it is here.
    pub fn get(&self, id: MutationId) -> Option<&Item> {
        self.places.get(&id).and_then(|place| self.items.get(place)).map(Box::as_ref)
    }

    /// The first place from there on where no entry stands.
    fn free(&self, mut place: Place) -> Place {
        while self.items.contains_key(&place) {
            place.index += 1;
        }
        place
    }

    /// Where an entry stands in the journal.
    pub fn place(&self, id: MutationId) -> Option<Place> {
        self.places.get(&id).copied()
    }

    /// All entries, in journal order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values().map(Box::as_ref)
    }

    /// The entries of one document, in journal order.
    pub fn lane(&self, key: &DocumentKey) -> impl DoubleEndedIterator<Item = &Item> + use<'_> {
        let places = self.lanes.range(&(key.clone(), Place::default()), &(key.clone(), END));
        places.map(|(_, place)| &*self.items[place])
    }

    /// Documents with entries.
    pub fn documents(&self) -> impl Iterator<Item = &DocumentKey> {
        let mut last = None;
        self.lanes.iter().map(|(key, _)| key).filter(move |key| last.replace(*key) != Some(*key))
    }

    /// Refused writes.
    pub fn parked(&self) -> impl Iterator<Item = &Parked> {
        self.parked.values()
    }

    /// The refused creation of a document: it stays visible as a draft and holds back what builds on it.
    pub fn draft(&self, key: &DocumentKey) -> Option<&Parked> {
        self.parked.get(self.drafts.get(key)?)
    }

    /// Counts changes, so that one who looks now and then knows whether to look closer.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What the server has not answered for yet.
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// How many writes need attention.
    pub fn failed(&self) -> usize {
        self.parked.len()
    }

    /// Discarded writes that the server has not answered for.
    pub fn discarding(&self) -> impl Iterator<Item = &Item> {
        self.discarding.iter().map(|place| &*self.items[place])
    }

    /// What the server has not answered for yet, in journal order.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.open.iter().map(|place| &*self.items[place])
    }

    /// The creations that the server has not answered for and that an entry builds on: of its document, and
    /// of those that it names.
    pub fn needs(&self, entry: &Entry) -> Vec<MutationId> {
        let place = self.place(entry.id);
        let lanes = [entry.key()].into_iter().chain(entry.parents.iter().cloned());
        let mut needs = Vec::new();
        for lane in lanes {
            let before = self.lane(&lane).filter(|item| self.place(item.entry.id) < place);
            let creations = before.filter(|item| item.entry.op == Op::Create && is_unsettled(item.standing));
            needs.extend(creations.map(|item| item.entry.id));
        }
        needs
    }

    /// Whether the creation of a document is here and the server does not have it.
    pub fn is_coming(&self, key: &DocumentKey) -> bool {
        let creation = |item: &Item| item.entry.op == Op::Create && is_unsettled(item.standing);
        self.drafts.contains_key(key) || self.lane(key).any(creation)
    }
}

fn has_wish(entry: &Entry) -> bool {
    entry.priority != Priority::Normal || entry.network != Network::Any
}

fn is_unsettled(standing: Standing) -> bool {
    match standing {
        Standing::Saving | Standing::Saved | Standing::Sending => true,
        Standing::Accepted { .. } | Standing::Discarding => false,
    }
}

#[cfg(test)]
mod tests;
