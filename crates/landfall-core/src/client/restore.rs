//! From what is stored to a living client: at the start, and when another tab has changed it.

use super::changes::Seen;
use super::load::Then;
use super::{Client, Opened, Output, Purpose, Settled, Status, Ticket, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::id::{Collection, DocumentKey, MutationId, Writer};
use crate::ledger::Ledger;
use crate::map::{Map, Set};
use crate::outbox::{Item, Standing, uncommitted};
use crate::stored::{End, Entry, Parked, Place, Sent, SettledRecord, Store, void_key};

impl Client {
    /// Has everything read anew.
    pub(super) fn reread(&mut self) {
        self.read_stored(Set::new(), self.options.tail);
    }

    /// Has everything read but the base, and of that these documents.
    fn read_stored(&mut self, rows: Set<DocumentKey>, tail: usize) {
        // Another name each time: so every tab sees that what was stored is gone, whichever is the first.
        let name = || format!("{}-{}", self.options.writer, self.made).parse().ok();
        let client = if self.opened { name() } else { None };
        let client = client.unwrap_or_else(|| self.installation.clone());
        let after = self.seen.last();
        let open = Transaction::Open { client, after, rows: rows.clone(), tail };
        self.transact(Purpose::Open { rows, tail }, open);
    }

    /// What is stored is here. Documents that other tabs have changed are read together with everything else: a
    /// write must not leave the outbox before the document with its effect is here.
    pub(super) fn read(&mut self, mut rows: Set<DocumentKey>, tail: usize, opened: Opened) {
        if opened.sealed {
            self.outputs.push_back(Output::Unready(Code::SignedOut));
            return;
        }
        match self.ask(&opened) {
            Some(true) => return,
            Some(false) => {}
            None => return self.read_stored(rows, usize::MAX),
        }
        let same = self.opened && opened.client.as_ref() == Some(&self.installation);
        let outdated = self.outdated(&opened).filter(|_| same);
        match outdated {
            Some(outdated) if !outdated.iter().all(|key| rows.contains(key)) => {
                rows.extend(outdated);
                self.read_stored(rows, tail);
            }
            outdated => self.restore(opened, outdated),
        }
    }

    /// Builds the outbox: the journal, minus what the verdicts say has ended. Where it is not known what else has
    /// changed, everything that was read before is forgotten.
    fn restore(&mut self, opened: Opened, outdated: Option<Vec<DocumentKey>>) {
        let first = !self.opened;
        let client = opened.client.unwrap_or_else(|| self.installation.clone());
        let lost = !first && client != self.installation;
        self.installation = client;
        self.made += usize::from(lost || opened.made);
        if lost {
            self.seen = Seen::default();
        }
        self.seen.see(&opened.changes);
        self.damaged = opened.damaged;
        let parking = std::mem::take(&mut self.parking_again);
        let mut again = if lost { self.rescued() } else { parking };
        let committing = self.transactions.values().filter_map(committing);
        let parking: Vec<Parked> = committing.flat_map(|(_, parked)| parked).cloned().collect();
        self.migrations = opened.migrations;
        self.checkpoint = opened.checkpoint;
        // What was pulled and cannot be read is pulled again, with everything else.
        self.refetch(opened.staged.is_none());
        self.staged = opened.staged.unwrap_or_default();
        self.indexes = opened.indexes;
        let uncommitted = self.outbox.uncommitted();
        let unsettled = self.unsettled();
        let mut touched = self.pending();
        let successor = self.outbox.successor();
        let before = std::mem::replace(&mut self.outbox, successor);
        self.ledger = Ledger::default();
        // What a history that is no more had taken in goes again; nobody else's positions say anything of it.
        let gone = |record: &SettledRecord| record.epoch.is_some() && !self.checkpoint.is_of(record);
        let holds = |record, end| !(gone(record) && matches!(end, End::Accepted { .. } | End::Folded));
        let verdicts = opened
            .settled
            .iter()
            .flat_map(|(_, record)| record.settled.iter().filter(move |one| holds(record, one.end)));
        for parked in opened.parked {
            // A draft is seen, so what is written from now on goes above it.
            self.clock.observe(parked.entry.stamp);
            self.outbox.park(parked);
        }
        let mut name: Option<Collection> = None;
        let ends: Map<MutationId, End> = verdicts.map(|one| (one.id, one.end)).collect();
        let by = |end: &End| if let End::Replaced { by } = end { *by } else { None };
        let mut replaced: Map<_, _> = ends.iter().filter_map(|(id, end)| Some((*id, by(end)?))).collect();
        for (record, journal) in opened.journal {
            let members: Vec<_> = journal.entries.iter().map(|entry| entry.id).collect();
            let mut live = Set::new();
            for (index, mut entry) in (0..).zip(journal.entries) {
                self.clock.observe(entry.stamp);
                // Each was read with a name of its own.
                match &name {
                    Some(name) if *name == entry.collection => entry.collection = name.clone(),
                    Some(_) | None => name = Some(entry.collection.clone()),
                }
                let id = entry.id;
                // Two tabs may have saved it again, and one of them late.
                if self.has(id) {
                    continue;
                }
                if outdated.is_some() && !entry.fields.are_here() && self.replica.follows(&entry.key()) {
                    entry.fields = before.fields(&entry).cloned().expect("BUG: what is shown is not read");
                }
                replaced.extend(entry.replaces.map(|old| (old, id)));
                let (standing, stamp) = match ends.get(&id) {
                    None => (Standing::Saved, None),
                    Some(End::Accepted { position, stamp }) if *position > self.checkpoint.position => {
                        (Standing::Accepted { position: *position }, *stamp)
                    }
                    Some(
                        End::Accepted { .. }
                        | End::Folded
                        | End::Parked
                        | End::Discarded
                        | End::Replaced { .. },
                    ) => continue,
                };
                self.outbox.insert(entry.place.unwrap_or(Place { record, index }), entry, standing);
                if let Some(stamp) = stamp {
                    self.outbox.restamp(id, stamp);
                }
                live.insert(id);
            }
            self.ledger.journal(record, members, live);
        }
        for (record, sent) in opened.sent {
            // A verdict may be gone together with its write, while the bytes were another tab's to delete.
            let is_open = |sent: &Sent| {
                let item = self.outbox.get(sent.mutation.id);
                item.is_some_and(|item| item.standing == Standing::Saved)
            };
            let open: Vec<_> = sent.sent.into_iter().filter(is_open).collect();
            self.ledger.sent(record, open.iter().map(|sent| sent.mutation.id).collect());
            for sent in open {
                self.clock.observe(sent.mutation.stamp);
                self.outbox.fix(sent);
            }
        }
        // Only who drains tells the server.
        if !self.leading {
            self.untold = Set::new();
        }
        let told = std::mem::take(&mut self.told);
        for (record, settled) in opened.settled {
            let ids = settled.settled.iter().map(|one| one.id);
            if self.leading && self.checkpoint.is_of(&settled) {
                // Other tabs store verdicts too.
                for id in ids.clone() {
                    let of = if told.contains(&id) { &mut self.told } else { &mut self.untold };
                    of.insert(id);
                }
            }
            self.ledger.settled(record, &settled.settled);
        }
        for parked in parking {
            if !self.has(parked.entry.id) {
                self.outbox.park(parked);
            }
        }
        // What there was no room for when it was saved again stood before whatever was stored since.
        let waiting = if uncommitted.is_empty() { Set::new() } else { self.waiting() };
        for (place, entry) in uncommitted {
            match self.outbox.get(entry.id) {
                Some(_) => {}
                None if waiting.contains(&entry.id) => self.outbox.insert(place, entry, Standing::Saving),
                None => {
                    let place = entry.place.unwrap_or_default();
                    file(&mut again, Parked::pending(entry, place));
                }
            }
        }
        for id in opened.voids {
            match self.outbox.get(id).map(|item| item.standing) {
                Some(Standing::Saving | Standing::Saved) => self.outbox.stand(id, Standing::Discarding),
                Some(_) | None => self.ledger.stray(Store::Meta, void_key(id)),
            }
        }
        if lost {
            // In the order that they had, ahead of all that is stored from now on.
            for (index, one) in (0..).zip(&mut again) {
                one.place = Place { record: 0, index };
            }
        }
        self.save_again(again);
        self.progress.saw(self.outbox.unsettled());
        // Of a database that is gone nobody knows how anything ended.
        if !lost {
            self.tell_ended(unsettled, &ends, &replaced);
        }
        self.opened = true;
        touched.extend(self.pending());
        if let Some(outdated) = outdated {
            let mut rows: Map<_, _> = opened.rows.into_iter().collect();
            self.show(outdated.into_iter().map(|key| (key.clone(), rows.remove(&key))).collect());
            let mut packed = vec![];
            for (_, changes) in self.packed() {
                packed.extend(self.rows(changes, self.checkpoint.position));
            }
            self.show(packed);
            for key in touched.iter() {
                self.replica.replay(key, &self.outbox);
            }
            self.load_pending();
        } else {
            self.replica.clear();
            self.outputs.push_back(if first { Output::Ready } else { Output::Stale });
        }
    }

    /// Documents that somebody has written to and the base does not show it.
    pub(super) fn pending(&self) -> Set<DocumentKey> {
        let drafts = self.outbox.parked().map(|parked| parked.entry.key());
        self.outbox.documents().cloned().chain(drafts).collect()
    }

    /// What this tab remembers of writes whose effect it has not seen, and of what was refused, when what was stored is
    /// gone, in the order in which they stood. What the server has accepted goes through it all again: it gives the same
    /// verdict, unless its own history was set back meanwhile.
    fn rescued(&mut self) -> Vec<Parked> {
        let mut rescued: Vec<Parked> = Vec::new();
        // Of a transaction all is lost, or nothing.
        let first = |entry: &Entry| {
            entry.group.as_ref().and_then(|group| group.as_str().parse().ok()).unwrap_or(entry.id)
        };
        let mut torn = Set::new();
        for item in self.outbox.items() {
            if !item.entry.fields.are_here() {
                torn.insert(first(&item.entry));
            }
        }
        for item in self.outbox.items() {
            if torn.contains(&first(&item.entry)) {
                self.lost += 1;
                continue;
            }
            let mut entry = item.entry.clone();
            // Final bytes are gone. What comes after it on its document must not get the stamp that it had in them.
            if item.stamp != entry.stamp {
                let below = Stamp { ticks: item.stamp.ticks.saturating_sub(entry.id.n), writer: Writer(0) };
                entry.seen = entry.seen.max(below);
            }
            match item.standing {
                Standing::Saving | Standing::Discarding => {}
                Standing::Saved | Standing::Sending | Standing::Accepted { .. } => {
                    let place = self.outbox.place(entry.id).unwrap_or_default();
                    rescued.push(Parked::pending(entry, place));
                }
            }
        }
        for parked in self.outbox.parked() {
            // Another tab may have had a verdict stored on what this one was saving again.
            if self.outbox.get(parked.entry.id).is_none() {
                file(&mut rescued, parked.clone());
            }
        }
        rescued
    }

    /// Whether a write is pending, or refused.
    pub(super) fn has(&self, id: MutationId) -> bool {
        self.outbox.get(id).is_some() || self.outbox.is_parked(id)
    }

    /// Writes that are on their way into the journal.
    fn waiting(&self) -> Set<MutationId> {
        let running = self.transactions.values().filter_map(committing).map(|(ids, _)| ids);
        let queued = self.queue.iter().flat_map(|(_, entries)| entries).map(|entry| entry.id);
        running.flatten().copied().chain(queued).collect()
    }

    /// Saves what nobody waits for, ahead of whatever has been written since.
    fn save_again(&mut self, again: Vec<Parked>) {
        let mut entries = Vec::new();
        let from: usize = self.queue.iter().map(|(_, entries)| entries.len()).sum();
        for mut one in again {
            if self.has(one.entry.id) {
                continue;
            }
            if one.is_pending() {
                one.entry.place = Some(one.place);
                let place = uncommitted(self.commits, (from + entries.len()) as u32);
                self.outbox.insert(place, one.entry.clone(), Standing::Saving);
                entries.push(one.entry);
            } else {
                self.outbox.park(one.clone());
                self.parking_again.push(one);
            }
        }
        if entries.is_empty() && self.parking_again.is_empty() {
            return;
        }
        self.queue.push((Ticket::MAX, entries));
        self.commit();
    }

    /// Durable writes that this tab is waiting for.
    fn unsettled(&self) -> Vec<MutationId> {
        let standing = |item: &&Item| matches!(item.standing, Standing::Saved | Standing::Sending);
        self.outbox.items().filter(standing).map(|item| item.entry.id).collect()
    }

    /// Another tab has taken the answers; whoever wrote here waits for the news here.
    fn tell_ended(
        &mut self,
        unsettled: Vec<MutationId>,
        ends: &Map<MutationId, End>,
        replaced: &Map<MutationId, MutationId>,
    ) {
        let (mut pairs, mut ended) = (vec![], vec![]);
        for mut id in unsettled {
            // What was edited by hand may lead in a circle.
            for _ in 0..replaced.len() {
                let Some(next) = replaced.get(&id) else { break };
                pairs.push((id, *next));
                id = *next;
            }
            let mut one = Settled { id, status: Status::Accepted, code: None, message: None };
            if let Some(item) = self.outbox.get(id) {
                if !matches!(item.standing, Standing::Accepted { .. }) {
                    continue;
                }
            } else if let Some(parked) = self.outbox.parked().find(|parked| parked.entry.id == id) {
                one.status = Status::NeedsAttention;
                one.code = Some(parked.code.clone());
                one.message.clone_from(&parked.message);
            } else if ends.get(&id) == Some(&End::Discarded) {
                one.status = Status::Discarded;
            }
            ended.push(one);
        }
        if !pairs.is_empty() {
            self.outputs.push_back(Output::Replaced(pairs));
        }
        if !ended.is_empty() {
            self.outputs.push_back(Output::Settled(ended));
        }
    }

    /// What another tab has written to is shown where its collection is.
    fn load_pending(&mut self) {
        let keys = self.unknown(self.pending().into_iter().filter(|key| self.replica.follows(key)).collect());
        if !keys.is_empty() {
            self.read_documents(keys, Then::Answer(None));
        }
    }
}

/// The writes of a commit that is under way, and what is put aside once more with it.
fn committing(purpose: &Purpose) -> Option<(&Vec<MutationId>, &Vec<Parked>)> {
    if let Purpose::Commit { ids, parked, .. } = purpose { Some((ids, parked)) } else { None }
}

/// Puts a write where it stands among others.
fn file(all: &mut Vec<Parked>, one: Parked) {
    let at = all.partition_point(|other| other.place <= one.place);
    all.insert(at, one);
}
