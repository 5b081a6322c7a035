//! What a person decides about writes that are waiting: once more, in other words, or not at all.
//!
//! A refused id is closed for ever, so what goes once more is a new mutation that `replaces` the old one.
//! The place of a creation is kept, because what builds on it stands behind it; anything else goes to the
//! end, on top of what is seen now. What was sent with a need for the old creation can never be applied under its
//! old name, so it goes on under a new one too.

use super::write::within_limits;
use super::{Client, Output, Purpose, Ticket, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::document::{Document, Register};
use crate::drain::Nudge;
use crate::id::{DocumentKey, MutationId, Version, Writer};
use crate::json::Json;
use crate::map::{Map, Set};
use crate::merge;
use crate::mutation::{Change, Field, Op, Refusal};
use crate::outbox::{Item, Standing};
use crate::path::Path;
use crate::stored::{End, Entry, JournalRecord, Parked, Place, SettledMutation, Store, Urgency, void_key};
use crate::time::WallTime;
use crate::transaction::Amendment;

/// A decision about an item of the outbox; in a transaction, about all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send it once more. What was not refused is tried now.
    Retry,
    /// Send it once more, with these fields in it. Only what was refused can be edited.
    Edit(Vec<Field>),
    /// It is no longer wanted. What the server may have is taken back there, if it still can be.
    Discard,
}

impl Client {
    /// The document of an item of the outbox.
    pub fn subject(&self, id: MutationId) -> Option<DocumentKey> {
        let pending = self.outbox.get(id).map(|item| item.entry.key());
        pending.or_else(|| self.outbox.parked().find(|parked| parked.entry.id == id).map(|p| p.entry.key()))
    }

    /// The documents of an item of the outbox and of its transaction. To be loaded before [`Client::attend`].
    pub fn subjects(&self, id: MutationId) -> Vec<DocumentKey> {
        let parked = self.outbox.parked_unit(id).into_iter().map(|parked| parked.entry.key());
        parked.chain(self.outbox.unit(id).into_iter().map(|item| item.entry.key())).collect()
    }

    /// Does what a person has decided about an item. Answered by [`Output::Saved`] once that is durable, else
    /// by [`Output::Unsaved`], and then nothing has changed. Gives the writes that stand for the item
    /// from then on, if they are others.
    ///
    /// # Errors
    /// [`Code::NotFound`] where there is no such item, or the server has it already;
    /// [`Code::InvalidOperation`] for an edit of what was not refused, or of a delete; and what is wrong with
    /// the fields.
    pub fn attend(
        &mut self,
        ticket: Ticket,
        id: MutationId,
        act: Act,
        now: WallTime,
    ) -> Result<Vec<MutationId>, Refusal> {
        let unit: Vec<Parked> = self.outbox.parked_unit(id).into_iter().cloned().collect();
        let items: Vec<Item> = self.outbox.unit(id).into_iter().cloned().collect();
        if unit.is_empty() && !items.iter().any(is_open) {
            return Err(Refusal::new(Code::NotFound, "there is no such item in the outbox"));
        }
        let (minted, clock) = (self.minted, self.clock.clone());
        let amendment = match act {
            Act::Retry if unit.is_empty() => {
                self.doubts.forget(id);
                self.drain.nudge(Nudge::Asked, now);
                self.outputs.push_back(Output::Saved(ticket));
                return Ok(vec![]);
            }
            Act::Edit(_) if unit.is_empty() => {
                let message = "only what was refused can be edited; this is still on its way";
                Err(Refusal::new(Code::InvalidOperation, message))
            }
            Act::Retry => self.again(&unit, None, now),
            Act::Edit(fields) => self.again(&unit, Some((id, fields)), now),
            Act::Discard => Ok(self.without(&unit, &items)),
        };
        let amendment = amendment.inspect_err(|_| (self.minted, self.clock) = (minted, clock))?;
        let old: Set<MutationId> = unit.iter().map(|parked| parked.entry.id).collect();
        let stands_for = |entry: &&Entry| match entry.replaces {
            Some(id) => old.contains(&id),
            // What was edited on top of a draft.
            None => true,
        };
        let ids = amendment.record.entries.iter().filter(stands_for).map(|entry| entry.id).collect();
        self.amend(vec![ticket], amendment);
        Ok(ids)
    }

    fn amend(&mut self, tickets: Vec<Ticket>, amendment: Amendment) {
        let purpose = Purpose::Amend { tickets, amendment: Box::new(amendment.clone()) };
        self.transact(purpose, Transaction::Amend(amendment));
    }

    /// Refused writes once more, under new names.
    fn again(
        &mut self,
        unit: &[Parked],
        edit: Option<(MutationId, Vec<Field>)>,
        now: WallTime,
    ) -> Result<Amendment, Refusal> {
        // What the app could not bring to a newer version was never sent: it goes on from where it stood.
        let unsent = |parked: &Parked| parked.code == Code::MigrationFailed.as_str();
        let in_place = unit.iter().any(|parked| parked.entry.op == Op::Create || unsent(parked));
        let mut names = Map::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(unit.len());
        let mut ended = Vec::with_capacity(unit.len());
        for Parked { entry: old, place, .. } in unit {
            let (fields, schema) = match &edit {
                Some((id, new)) if *id == old.id => {
                    let fields = merge::enter(old.op, edited(old, new)?, self.merges(&old.collection))?;
                    (fields, self.schema(old))
                }
                Some(_) | None => (old.fields.to_vec(), old.schema),
            };
            let entry = if in_place {
                Entry { fields: fields.into(), schema, ..self.renamed(old, *place, &names) }
            } else {
                let urgency = Urgency { priority: old.priority, network: old.network };
                let fresh = self.compose(&old.key(), old.op, fields, schema, urgency, now)?;
                let before = entries.iter().rfind(|entry| entry.key() == old.key());
                let after = before.map(|entry| entry.id).or(fresh.after);
                Entry { replaces: Some(old.id), after, ..fresh }
            };
            within_limits(&entry)?;
            names.insert(old.id, entry.id);
            ended.push(replaced(old.id, entry.id));
            entries.push(entry);
        }
        regroup(&mut entries);
        let mut amendment = Amendment {
            unpark: unit.iter().map(|parked| parked.entry.id).collect(),
            record: JournalRecord { entries },
            voids: vec![],
            ended,
        };
        self.rename_dependents(&mut names, &mut amendment);
        if let Some((id, fields)) = edit
            && let Some(parked) =
                unit.iter().find(|parked| parked.entry.id == id && parked.entry.op == Op::Create)
        {
            let old = &parked.entry;
            // Later writes of the same document would hide what the person has just put right.
            if self.outbox.lane(&old.key()).next().is_some() {
                let urgency = Urgency { priority: old.priority, network: old.network };
                let entry = self.compose(&old.key(), Op::Patch, fields, self.schema(old), urgency, now)?;
                amendment.record.entries.push(entry);
            }
        }
        Ok(amendment)
    }

    /// The version of a write that the app has just had in its hands.
    pub(super) fn schema(&self, entry: &Entry) -> u32 {
        let declared = self.options.collections.get(&entry.collection);
        declared.map_or(entry.schema, |declared| declared.version.max(entry.schema))
    }

    /// Writes that are no longer wanted, and those that make no sense without them.
    fn without(&mut self, unit: &[Parked], items: &[Item]) -> Amendment {
        let entries = unit.iter().map(|parked| (parked.place, &parked.entry));
        let pending = items.iter().filter_map(|item| Some((self.outbox.place(item.entry.id)?, &item.entry)));
        let entries: Vec<(Place, &Entry)> = entries.chain(pending).collect();
        let mut voids: Vec<MutationId> = items.iter().map(|item| item.entry.id).collect();
        for (place, entry) in entries.iter().filter(|(_, entry)| entry.op == Op::Create) {
            let lane = self.outbox.lane(&entry.key());
            let behind = lane.filter(|item| self.outbox.place(item.entry.id) > Some(*place));
            voids.extend(behind.map(|item| item.entry.id));
        }
        let voids: Set<MutationId> = voids.into_iter().collect();
        let refused = || unit.iter().map(|parked| parked.entry.id);
        let mut amendment = Amendment {
            unpark: refused().collect(),
            record: JournalRecord { entries: vec![] },
            voids: voids.into_iter().collect(),
            ended: refused().map(|id| SettledMutation { id, end: End::Discarded }).collect(),
        };
        let mut names = refused().map(|id| (id, id)).collect();
        self.rename_dependents(&mut names, &mut amendment);
        amendment
    }

    /// These creations will never be on the server: what was sent with a need for them goes on without.
    pub(super) fn release(&mut self, closed: &[MutationId]) {
        let mut names = closed.iter().map(|id| (*id, *id)).collect();
        let empty = JournalRecord { entries: vec![] };
        let mut amendment = Amendment { record: empty, unpark: vec![], voids: vec![], ended: vec![] };
        self.rename_dependents(&mut names, &mut amendment);
        if !amendment.ended.is_empty() {
            self.amend(vec![], amendment);
        }
    }

    /// Whatever was sent with a need for one of `names` gets a name of its own there too.
    fn rename_dependents(&mut self, names: &mut Map<MutationId, MutationId>, amendment: &mut Amendment) {
        if names.is_empty() {
            return;
        }
        let waits = |item: &&Item| {
            let needs = item.sent.iter().flat_map(|sent| &sent.mutation.needs);
            item.standing == Standing::Saved && needs.into_iter().any(|need| names.contains_key(need))
        };
        let dependents: Vec<MutationId> =
            self.outbox.items().filter(waits).map(|item| item.entry.id).collect();
        let mut units: Vec<Vec<Entry>> = Vec::new();
        for id in dependents {
            if names.contains_key(&id) || amendment.voids.contains(&id) {
                continue;
            }
            let unit: Vec<Entry> = self.outbox.unit(id).into_iter().map(|item| item.entry.clone()).collect();
            let mut renamed = Vec::with_capacity(unit.len());
            for old in unit {
                let place = self.outbox.place(old.id).expect("BUG: a waiting write without a place");
                let entry = self.renamed(&old, place, names);
                names.insert(old.id, entry.id);
                amendment.ended.push(replaced(old.id, entry.id));
                renamed.push(entry);
            }
            regroup(&mut renamed);
            units.push(renamed);
        }
        amendment.record.entries.extend(units.into_iter().flatten());
    }

    /// The same write under a new name, in the same place and of the same time.
    fn renamed(&mut self, old: &Entry, place: Place, names: &Map<MutationId, MutationId>) -> Entry {
        let id = self.mint();
        let after = old.after.map(|after| names.get(&after).copied().unwrap_or(after));
        let stamp = Stamp { ticks: old.stamp.ticks, writer: id.writer };
        Entry {
            id,
            after,
            stamp,
            replaces: Some(old.id),
            place: Some(place),
            group: old.group.clone(),
            ..old.clone()
        }
    }

    /// What was decided is durable.
    pub(super) fn amended(&mut self, amendment: Amendment, added: &[u64], now: WallTime) {
        let Amendment { record: JournalRecord { entries }, unpark, voids, ended } = amendment;
        let mut added = added.iter().copied();
        let record = if entries.is_empty() { None } else { added.next() };
        let verdicts = if ended.is_empty() { None } else { added.next() };
        let mut touched = Set::new();
        for id in unpark {
            touched.extend(self.outbox.unpark(id).map(|parked| parked.entry.key()));
        }
        if let Some(verdicts) = verdicts {
            self.seen.settled(verdicts);
            self.ledger.settled(verdicts, &ended);
        }
        for SettledMutation { id, end } in ended {
            self.ended(id, end);
        }
        for id in voids {
            match self.outbox.get(id) {
                Some(item) if is_open(item) => {
                    touched.insert(item.entry.key());
                    self.outbox.stand(id, Standing::Discarding);
                }
                // The verdict was stored meanwhile.
                Some(_) | None => self.ledger.stray(Store::Meta, void_key(id)),
            }
        }
        if let Some(record) = record {
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            self.seen.wrote(record);
            self.ledger.journal(record, ids.clone(), ids.into_iter().collect());
            let pairs = entries.iter().filter_map(|entry| Some((entry.replaces?, entry.id)));
            self.outputs.push_back(Output::Replaced(pairs.collect()));
            for (index, entry) in (0..).zip(entries) {
                // Nothing goes before what is stored has been read again.
                self.refresh |= self.is_older(&entry);
                touched.insert(entry.key());
                let place = Place { record, index };
                self.outbox.insert(entry.place.unwrap_or(place), entry, Standing::Saved);
            }
        }
        for key in touched {
            self.replica.replay(&key, &self.outbox);
        }
        self.progress.saw(self.outbox.unsettled());
        self.outputs.push_back(Output::Hint);
        self.drain.nudge(Nudge::Asked, now);
    }
}

/// Whether it may still be decided about.
fn is_open(item: &Item) -> bool {
    match item.standing {
        Standing::Saving | Standing::Saved | Standing::Sending => true,
        Standing::Accepted { .. } | Standing::Discarding => false,
    }
}

fn replaced(id: MutationId, by: MutationId) -> SettledMutation {
    SettledMutation { id, end: End::Replaced { by: Some(by) } }
}

/// The writes of one transaction are named after the first.
fn regroup(entries: &mut [Entry]) {
    let Some(group) = entries.first().map(|first| first.id.group()) else { return };
    let alone = entries.len() == 1;
    for entry in entries {
        entry.group = (!alone).then(|| group.clone());
    }
}

/// What a refused write says with `new` in it.
fn edited(old: &Entry, new: &[Field]) -> Result<Vec<Field>, Refusal> {
    match old.op {
        Op::Create => {
            let mut document = Document::default();
            apply(&mut document, &old.fields, 1);
            apply(&mut document, new, 2);
            let members = document.value().and_then(|value| value.members()).unwrap_or_default();
            let field = |(key, value): (Box<str>, Json)| Field {
                path: Path::default().child(&key),
                change: Change::Set(value),
            };
            Ok(members.into_iter().map(field).collect())
        }
        Op::Patch => {
            let around = |field: &Field, path: &Path| {
                let (outer, inner) = (field.path.keys(), path.keys());
                outer.len() < inner.len() && inner.starts_with(outer)
            };
            let mut fields: Vec<Field> = Vec::new();
            for field in old.fields.iter() {
                if let Some(inner) = new.iter().find(|inner| around(field, &inner.path)) {
                    // A part of what was set as a whole: the whole is set again, with the part in it.
                    let mut document = Document::default();
                    apply(&mut document, std::slice::from_ref(field), 1);
                    apply(&mut document, std::slice::from_ref(inner), 2);
                    let value = document.walk(&field.path, |_| {}).and_then(|node| node.value());
                    let change = value.map_or(Change::Unset, Change::Set);
                    fields.push(Field { path: field.path.clone(), change });
                } else if !new.iter().any(|other| other.writes_over(field)) {
                    fields.push(field.clone());
                }
            }
            let is_part = |field: &&Field| !old.fields.iter().any(|outer| around(outer, &field.path));
            fields.extend(new.iter().filter(is_part).map(|field| field.clone().counted_on(&old.fields)));
            Ok(fields)
        }
        Op::Delete => Err(Refusal::new(Code::InvalidOperation, "there is nothing to edit in a delete")),
    }
}

fn apply(document: &mut Document, fields: &[Field], tick: u64) {
    let register = Register { stamp: Stamp { ticks: tick, writer: Writer(0) }, version: Version(0) };
    for Field { path, change } in fields {
        document.change(path, change, register);
    }
}
