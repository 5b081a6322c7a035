//! Confirmed state with pending writes replayed on top: what the app sees, always.
//!
//! Pulled rows never touch what is visible; they replace the base, and the overlay is replayed. So an
//! own write neither flickers when the base moves nor vanishes when the server answers.

use crate::document::{Document, Register};
use crate::id::{Collection, DocumentKey, Position, Version};
use crate::json::Json;
use crate::map::{Map, Set};
use crate::mutation::Op;
use crate::outbox::{Item, Outbox, Standing};
use crate::stored::{BaseRow, Entry};

/// What is known of one document.
#[derive(Clone, Debug, Default)]
struct Row {
    base: Option<BaseRow>,
    visible: Option<Json>,
}

/// The documents that this tab has touched.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    rows: Map<DocumentKey, Row>,
    /// Collections that are here as a whole.
    whole: Set<Collection>,
    /// Collections of which parts are here; the rest is being read, or is read when somebody asks for it.
    expected: Set<Collection>,
    /// How often everything was forgotten.
    round: u64,
    /// Documents whose visible state has changed since it was last asked.
    changed: Set<DocumentKey>,
}

impl Replica {
    /// Whether the confirmed state of a document is known here, be it that there is none.
    pub fn is_loaded(&self, key: &DocumentKey) -> bool {
        self.whole.contains(&key.collection) || self.rows.contains_key(key)
    }

    /// Whether a change of a document is of interest here.
    pub fn follows(&self, key: &DocumentKey) -> bool {
        self.is_loaded(key) || self.expected.contains(&key.collection)
    }

    /// Whether all documents of a collection are known here.
    pub fn is_whole(&self, collection: &Collection) -> bool {
        self.whole.contains(collection)
    }

    /// All documents of a collection are known from now on.
    pub fn complete(&mut self, collection: Collection) {
        self.expected.remove(&collection);
        self.whole.insert(collection);
    }

    /// Somebody waits for documents of a collection: each is shown as it comes, and from now on whatever is
    /// confirmed in it is kept and shown.
    pub fn expect(&mut self, collection: &Collection) {
        if !self.expected.insert(collection.clone()) {
            return;
        }
        let known = self.rows.keys().filter(|key| key.collection == *collection).cloned();
        self.changed.extend(known);
    }

    /// Changes whenever everything is forgotten.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// Takes in what was read from the device, unless it is known already: that is at least as new.
    pub fn load(&mut self, key: DocumentKey, base: Option<BaseRow>, outbox: &Outbox) -> bool {
        if self.rows.contains_key(&key) {
            return false;
        }
        // Nobody has seen this document yet, so nothing of it has changed, unless somebody waits for it.
        if self.expected.contains(&key.collection) {
            self.changed.insert(key.clone());
        }
        let visible = overlay(base.as_ref(), &key, outbox);
        self.rows.insert(key, Row { base, visible });
        true
    }

    /// The confirmed state has changed.
    pub fn confirm(&mut self, key: DocumentKey, base: Option<BaseRow>, outbox: &Outbox) {
        // What is not read to the end is read again with what is confirmed now.
        if self.is_loaded(&key) || self.follows(&key) && !outbox.is_bare(&key) {
            self.rows.get_or_insert_with(key.clone(), Row::default).base = base;
            self.replay(&key, outbox);
        }
    }

    /// Forgets everything, so that it is read again.
    pub fn clear(&mut self) {
        *self = Replica { round: self.round + 1, ..Replica::default() };
    }

    /// Forgets the confirmed state of everything behind a commit; the pending writes stay visible.
    pub fn reset(&mut self, through: Position, outbox: &Outbox) {
        let gone = |row: &Row| row.base.as_ref().is_none_or(|base| base.position > through);
        let rows = self.rows.iter().filter(|(_, row)| gone(row));
        let keys: Vec<_> = rows.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.confirm(key, None, outbox);
        }
    }

    /// Replays a document's pending writes after one has come, gone or changed.
    pub fn replay(&mut self, key: &DocumentKey, outbox: &Outbox) {
        let known = self.is_loaded(key);
        let row = match self.rows.get_mut(key) {
            Some(row) => row,
            None if known => self.rows.get_or_insert_with(key.clone(), Row::default),
            None => return,
        };
        let visible = overlay(row.base.as_ref(), key, outbox);
        if visible != row.visible {
            row.visible = visible;
            self.changed.insert(key.clone());
        }
    }

    /// What the app sees of a document.
    pub fn visible(&self, key: &DocumentKey) -> Option<&Json> {
        self.rows.get(key).and_then(|row| row.visible.as_ref())
    }

    /// What the app sees of a collection.
    pub fn collection<'a>(
        &'a self,
        collection: &Collection,
    ) -> impl Iterator<Item = (&'a DocumentKey, &'a Json)> {
        let rows = self.rows.iter().filter(move |(key, _)| key.collection == *collection);
        rows.filter_map(|(key, row)| Some((key, row.visible.as_ref()?)))
    }

    /// The confirmed state of a document.
    pub fn base(&self, key: &DocumentKey) -> Option<&BaseRow> {
        self.rows.get(key).and_then(|row| row.base.as_ref())
    }

    /// The confirmed version of a document.
    pub fn version(&self, key: &DocumentKey) -> Version {
        self.base(key).map_or(Version(0), |row| row.version)
    }

    /// Takes the documents whose visible state has changed.
    pub fn changes(&mut self) -> Vec<(DocumentKey, Option<Json>)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|key| {
                let visible = self.visible(&key).cloned();
                (key, visible)
            })
            .collect()
    }
}

fn overlay(base: Option<&BaseRow>, key: &DocumentKey, outbox: &Outbox) -> Option<Json> {
    let draft = outbox.draft(key).map(|parked| &parked.entry);
    // What is not in the journal either has ended in another tab.
    let wanted = |item: &&Item| item.standing != Standing::Discarding && item.entry.fields.are_here();
    let mut pending = outbox.lane(key).filter(wanted).peekable();
    if pending.peek().is_none() && draft.is_none() {
        return base.filter(|row| row.deleted.is_none()).map(|row| row.data.clone());
    }
    let mut document = base.map(BaseRow::document);
    // The newest delete that the entries so far had seen.
    let mut seen = None;
    let mut apply = |entry: &Entry, stamp| {
        if let Some(row) = base.filter(|row| row.version <= entry.base) {
            seen = seen.max(row.deleted);
        }
        // A patch alone is no document: what it belongs to is not on this device.
        if document.is_some() || entry.op == Op::Create {
            let document = document.get_or_insert_with(Document::default);
            let deleted = document.deleted().filter(|_| document.is_deleted());
            if entry.op == Op::Create && deleted.is_some_and(|deleted| Some(deleted.stamp) == seen) {
                document.clear();
            }
            document.write(entry.op, &entry.fields, Register { stamp, version: Version(0) });
        }
        if entry.op == Op::Delete {
            seen = seen.max(Some(stamp));
        }
    };
    if let Some(draft) = draft {
        apply(draft, draft.stamp);
    }
    let mut before = None;
    for item in pending {
        let stamp = item.raised_above(before.max(base.and_then(|row| row.newest_before(&item.entry))));
        before = before.max(Some(stamp));
        apply(&item.entry, stamp);
    }
    document.and_then(|document| document.value())
}
