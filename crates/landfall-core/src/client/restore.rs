//! From what is stored to a living client: at the start, and when another tab has changed it.

use super::changes::Seen;
use super::load::Then;
use super::rescue::{committing, file};
use super::{Client, Opened, Output, Purpose, Settled, Status, Transaction};
use crate::code::Code;
use crate::id::{Collection, DocumentKey, MutationId};
use crate::ledger::Ledger;
use crate::map::{Map, Set};
use crate::outbox::{Item, Outbox, Standing};
use crate::stored::{End, Entry, Parked, Place, Sent, SettledRecord, Store, void_key};
use crate::transaction::Known;

/// What of all that is stored is to be read.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Only what is behind all that is known.
    pub(super) on: bool,
    /// Of the base, these documents.
    rows: Set<DocumentKey>,
    /// Of the journal, so many bytes as a whole.
    tail: usize,
}

impl Client {
    /// Has everything read anew.
    pub(super) fn reread(&mut self) {
        self.read_stored(Wanted { on: false, rows: Set::new(), tail: self.options.tail });
    }

    /// Has read what others have stored since.
    pub(super) fn read_on(&mut self) {
        self.read_stored(Wanted { on: true, rows: Set::new(), tail: self.options.tail });
    }

    fn read_stored(&mut self, wanted: Wanted) {
        // Another name each time: so every tab sees that what was stored is gone, whichever is the first.
        let name = || format!("{}-{}", self.options.writer, self.made).parse().ok();
        let client = if self.opened { name() } else { None };
        let client = client.unwrap_or_else(|| self.installation.clone());
        let all = self.seen.known();
        let known = if wanted.on { all } else { Known { changes: all.changes, ..Known::default() } };
        let open = Transaction::Open { client, known, rows: wanted.rows.clone(), tail: wanted.tail };
        self.transact(Purpose::Open(wanted), open);
    }

    /// What is stored is here. Documents that other tabs have changed are read together with everything else: a
    /// write must not leave the outbox before the document with its effect is here.
    pub(super) fn read(&mut self, mut wanted: Wanted, opened: Opened) {
        if opened.sealed {
            self.outputs.push_back(Output::Unready(Code::SignedOut));
            return;
        }
        let same = self.opened && opened.client.as_ref() == Some(&self.installation);
        if wanted.on && !(same && self.goes_on(&opened)) {
            return self.reread();
        }
        match self.ask(&opened) {
            Some(true) => return,
            Some(false) => {}
            None => return self.read_stored(Wanted { tail: usize::MAX, ..wanted }),
        }
        let outdated = self.outdated(&opened).filter(|_| same);
        match outdated {
            Some(outdated) if !outdated.iter().all(|key| wanted.rows.contains(key)) => {
                wanted.rows.extend(outdated);
                self.read_stored(wanted);
            }
            outdated => self.restore(opened, outdated, wanted.on),
        }
    }

    /// Whether what was read is all that is new, and says nothing of what was known before but how it has ended.
    fn goes_on(&self, opened: &Opened) -> bool {
        let history = (&opened.checkpoint.epoch, opened.checkpoint.resets, opened.migrations);
        let same = history == (&self.checkpoint.epoch, self.checkpoint.resets, self.migrations);
        let whole = self.damaged.is_empty() && opened.damaged.is_empty() && opened.staged.is_some();
        // What stands in an older place, is there already or is this tab's own, because it was committed twice, may have
        // ended under another name or long ago.
        let own = self.options.writer;
        let is_new = |entry: &Entry| entry.place.is_none() && !self.has(entry.id) && entry.id.writer != own;
        let new = |entry: &Entry| is_new(entry) && !self.is_older(entry);
        // What could not be saved again has another chance with every look.
        let saved = !self.outbox.is_rescuing() && self.seen.is_fresh();
        let journal = opened.journal.iter().filter(|(record, _)| !self.ledger.knows(*record));
        same && whole
            && saved
            && self.seen.joins(opened)
            && journal.flat_map(|(_, journal)| &journal.entries).all(new)
    }

    /// Builds the outbox: the journal, minus what the verdicts say has ended; `on`, it goes on from what is there. Where
    /// it is not known what else has changed, all documents that were read before are forgotten.
    fn restore(&mut self, opened: Opened, outdated: Option<Vec<DocumentKey>>, on: bool) {
        let first = !self.opened;
        let client = opened.client.clone().unwrap_or_else(|| self.installation.clone());
        let lost = !first && client != self.installation;
        self.installation = client;
        self.made += usize::from(lost || opened.made);
        if lost {
            self.seen = Seen::default();
        }
        self.seen.see(&opened, on);
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
        // What a history that is no more had taken in goes again; nobody else's positions say anything of it.
        let gone = |record: &SettledRecord| record.epoch.is_some() && !self.checkpoint.is_of(record);
        let holds = |record, end| !(gone(record) && matches!(end, End::Accepted { .. } | End::Folded));
        let verdicts = opened
            .settled
            .iter()
            .flat_map(|(_, record)| record.settled.iter().filter(move |one| holds(record, one.end)));
        let ends: Map<MutationId, End> = verdicts.map(|one| (one.id, one.end)).collect();
        let waits = |item: &&Item| matches!(item.standing, Standing::Saved | Standing::Sending);
        let items = self.outbox.items().filter(|item| !on || ends.contains_key(&item.entry.id));
        let unsettled: Vec<_> = items.filter(waits).map(|item| item.entry.id).collect();
        let (mut touched, mut uncommitted, mut before) = (Set::new(), vec![], Outbox::default());
        if !on {
            touched = self.pending();
            uncommitted = self.outbox.uncommitted();
            let successor = self.outbox.successor();
            before = std::mem::replace(&mut self.outbox, successor);
            self.ledger = Ledger::default();
        }
        touched.extend(self.outbox.parked().map(|parked| parked.entry.key()));
        self.outbox.unpark_all();
        for parked in opened.parked {
            // A draft is seen, so what is written from now on goes above it.
            self.clock.observe(parked.entry.stamp);
            touched.insert(parked.entry.key());
            self.outbox.park(parked);
        }
        let mut name: Option<Collection> = None;
        let by = |end: &End| if let End::Replaced { by } = end { *by } else { None };
        let mut replaced: Map<_, _> = ends.iter().filter_map(|(id, end)| Some((*id, by(end)?))).collect();
        for (record, journal) in opened.journal {
            if self.ledger.knows(record) {
                continue;
            }
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
                touched.insert(entry.key());
                let place = entry.place.unwrap_or(Place { record, index });
                self.outbox.insert(place, entry, Standing::Saved);
                live.insert(id);
            }
            self.ledger.journal(record, members, live);
        }
        // Only who drains tells the server.
        if !self.leading {
            self.untold = Set::new();
        }
        let told = if on { Set::new() } else { std::mem::take(&mut self.told) };
        for (record, settled) in opened.settled {
            let ids = settled.settled.iter().map(|one| one.id);
            if self.leading && self.checkpoint.is_of(&settled) {
                // Other tabs store verdicts too.
                for id in ids.clone() {
                    let known = told.contains(&id) || self.told.contains(&id);
                    let of = if known { &mut self.told } else { &mut self.untold };
                    of.insert(id);
                }
            }
            self.ledger.settled(record, &settled.settled);
        }
        for (id, end) in ends.iter() {
            touched.extend(self.outbox.get(*id).map(|item| item.entry.key()));
            self.ended(*id, *end);
        }
        touched.extend(self.leave(self.checkpoint.position));
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
                touched.insert(sent.mutation.key());
                self.outbox.fix(sent);
            }
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
                Some(Standing::Saving | Standing::Saved) => {
                    touched.extend(self.outbox.get(id).map(|item| item.entry.key()));
                    self.outbox.stand(id, Standing::Discarding);
                }
                Some(Standing::Discarding) => {}
                Some(Standing::Sending | Standing::Accepted { .. }) | None => {
                    self.ledger.stray(Store::Meta, void_key(id));
                }
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
            self.load_pending(touched);
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

    /// Whether a write is pending, or refused.
    pub(super) fn has(&self, id: MutationId) -> bool {
        self.outbox.get(id).is_some() || self.outbox.is_parked(id)
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

    /// What another tab has written to, or what became of that, is shown where its collection is.
    fn load_pending(&mut self, touched: Set<DocumentKey>) {
        let keys = self.unknown(touched.into_iter().filter(|key| self.replica.follows(key)).collect());
        if !keys.is_empty() {
            self.read_documents(keys, Then::Answer(None));
        }
    }
}
