//! How writes of an older version of the app come into the form of the declared one, before they are sent.
//!
//! Only what was never sent is changed, and what the server has refused. It is looked for whenever what is stored is
//! read: before a tab is ready, and when another tab has written something. Until the app's function has answered, and
//! the answer is stored, nothing is sent. What the server has confirmed is the server's to bring forward.

use std::vec::IntoIter;

use serde::Serialize;

use super::write::within_limits;
use super::{Client, Opened, Output, Purpose, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::document::{Document, Register};
use crate::id::{Collection, Version, Writer};
use crate::intent::Intent;
use crate::json::{self, Json};
use crate::merge;
use crate::mutation::{Change, Field, Op, Refusal};
use crate::path::Path;
use crate::stored::{Entry, Parked, Place};

/// A document, or a part of one, that the app is to bring to the version that it declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Older {
    /// Where it belongs.
    pub collection: Collection,
    /// The version that it was written under.
    pub from: u32,
    /// [`Op::Create`] for a whole document, [`Op::Patch`] for the fields that a patch writes.
    pub kind: Op,
    /// An object.
    pub data: Json,
}

impl Client {
    /// Asks the app about what is older than what it declares. Says whether there is anything; none where that is not read
    /// whole.
    pub(super) fn ask(&mut self, opened: &Opened) -> Option<bool> {
        let mut asked: Vec<Parked> = Vec::new();
        for parked in &opened.parked {
            if parked.code != Code::MigrationFailed.as_str() && self.is_older(&parked.entry) {
                asked.push(parked.clone());
            }
        }
        let mut closed = None;
        for (record, journal) in &opened.journal {
            if !journal.entries.iter().any(|entry| self.is_older(entry)) {
                continue;
            }
            if !journal.entries.iter().all(|entry| entry.fields.are_here()) && !self.migration_failed {
                return None;
            }
            let closed = closed.get_or_insert_with(|| opened.closed());
            let open = |entry: &&Entry| !closed.contains(&entry.id);
            for (index, entry) in (0..).zip(&journal.entries).filter(|(_, entry)| open(entry)) {
                // All of a transaction is asked about, if one of it is.
                let unit = |other: &&Entry| other.id == entry.id || other.is_with(entry);
                if journal.entries.iter().filter(open).filter(unit).any(|other| self.is_older(other)) {
                    let place = entry.place.unwrap_or(Place { record: *record, index });
                    asked.push(Parked::pending(entry.clone(), place));
                }
            }
        }
        if asked.is_empty() || self.migration_failed {
            return Some(false);
        }
        let mut questions = Vec::new();
        for Parked { entry, .. } in &asked {
            if self.is_older(entry) {
                for data in parts(entry) {
                    let collection = entry.collection.clone();
                    questions.push(Older { collection, from: entry.schema, kind: entry.op, data });
                }
            }
        }
        self.outputs.push_back(Output::Migrate(questions));
        self.asked = asked;
        Some(true)
    }

    /// Whether a write is of an older version, and this run has not asked about it.
    pub(super) fn is_older(&self, entry: &Entry) -> bool {
        let declared = self.options.collections.get(&entry.collection);
        declared.is_some_and(|declared| declared.migrates && entry.schema < declared.version)
            // What was saved again may have been sent before.
            && entry.place.is_none_or(|place| place.record > 0)
            && !self.migrated.contains(&entry.id)
    }

    /// The app has answered.
    pub(super) fn answered(&mut self, answers: Vec<Json>) {
        let asked = std::mem::take(&mut self.asked);
        let mut answers = answers.into_iter();
        let mut migrated = asked.clone();
        for one in &mut migrated {
            if self.is_older(&one.entry) {
                match self.renewed(&one.entry, &mut answers) {
                    Ok(newer) => {
                        one.code = String::new();
                        one.entry = newer;
                    }
                    // What was refused stays as it is.
                    Err(_) if !one.is_pending() => {}
                    Err(refusal) => {
                        one.code = Code::MigrationFailed.to_string();
                        one.message = Some(refusal.message);
                        one.field = refusal.field;
                    }
                }
            }
            self.migrated.insert(one.entry.id);
        }
        for at in 0..migrated.len() {
            if migrated[at].code != Code::MigrationFailed.as_str() {
                continue;
            }
            let failed = &asked[at].entry;
            for (one, old) in migrated.iter_mut().zip(&asked) {
                if one.is_pending() && one.entry.is_with(failed) {
                    one.code = Code::GroupRefused.to_string();
                    one.because = Some(failed.id);
                    one.entry = old.entry.clone();
                }
            }
        }
        self.transact(Purpose::Migrate, Transaction::Migrate(migrated));
    }

    /// A write in the form that the app has given it.
    fn renewed(&self, entry: &Entry, answers: &mut IntoIter<Json>) -> Result<Entry, Refusal> {
        let key = entry.key();
        let flat = |data| Intent::Patch(key.clone(), data, vec![]).fields();
        let mut document = Ok(vec![]);
        let mut asked = parts(entry).into_iter();
        if has_document(entry) {
            asked.next();
            let new = answers.next().unwrap_or_else(Json::null);
            document = match json::read::<String>(new.text()) {
                Ok(message) => Err(Refusal::new(Code::MigrationFailed, message)),
                Err(_) if entry.op == Op::Create => Intent::Create(key.clone(), new).fields(),
                Err(_) => flat(new),
            };
        }
        let mut others = Vec::new();
        // All answers are taken, whatever is in the first.
        for field in entry.fields.iter() {
            if value(&field.change).is_some() {
                continue;
            }
            let (old, new) = (asked.next().and_then(|old| flat(old).ok()), answers.next());
            let mut path = field.path.clone();
            if let (Some(old), Some(new)) = (old, new.and_then(|new| flat(new).ok()))
                && let ([was], [is]) = (&*old, &*new)
                && let (Change::Set(was), Change::Set(value)) = (&was.change, &is.change)
                && was.canonical() == value.canonical()
            {
                path = is.path.clone();
            }
            others.push(Field { path, change: field.change.clone() });
        }
        let mut fields = document?;
        fields.extend(others);
        let fields = merge::enter(entry.op, fields, self.merges(&key.collection))?;
        let entry = Entry { fields: fields.into(), schema: self.schema(entry), ..entry.clone() };
        within_limits(&entry)?;
        Ok(entry)
    }
}

fn has_document(entry: &Entry) -> bool {
    entry.op == Op::Create || entry.fields.iter().any(|field| value(&field.change).is_some())
}

/// What the app is asked about a write: the document that the values make which it sets, where there is one, then each of
/// its other changes by itself, as if it were the only one.
fn parts(entry: &Entry) -> Vec<Json> {
    let mut whole = Document::default();
    let mut parts = Vec::new();
    for Field { path, change } in entry.fields.iter() {
        if let Some(value) = value(change) {
            set(&mut whole, path, value.clone());
            continue;
        }
        let stand_in = match (change.element(), change.value()) {
            (Some(element), _) => Json::array([element].into_iter()),
            (None, Some(step)) => step,
            (None, None) => Json::null(),
        };
        let mut alone = Document::default();
        set(&mut alone, path, stand_in);
        parts.extend(alone.fields());
    }
    if has_document(entry) {
        parts.insert(0, whole.fields().unwrap_or_else(|| Json::object([].into_iter())));
    }
    parts
}

fn set(document: &mut Document, path: &Path, value: Json) {
    let register = Register { stamp: Stamp { ticks: 1, writer: Writer(0) }, version: Version(0) };
    document.change(path, &Change::Set(value), register);
}

/// What a field becomes by a change, where that is what it says.
fn value(change: &Change) -> Option<&Json> {
    match change {
        Change::Set(value) | Change::Max(value) | Change::Min(value) => Some(value),
        Change::Unset | Change::Increment(_) | Change::Add(_) | Change::Remove(_) => None,
    }
}
