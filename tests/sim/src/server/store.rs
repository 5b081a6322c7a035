//! What one tenant has on the server, and everything that ever happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_core::authority::{Decision, Receipt, Run, Stored};
use landfall_core::client::Failure;
use landfall_core::clock::Stamp;
use landfall_core::id::{Client, DocumentKey, MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::map::Map;
use landfall_core::mutation::Mutation;
use landfall_core::wire::{PullChange, Verdict};

use crate::planted::{self, Bug};

/// A document, and its line on a page.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it is judged.
    pub stored: Stored,
    /// Its place within its commit.
    pub ordinal: u32,
    /// As it is pulled.
    pub line: Arc<str>,
    /// All fields, those that a delete hides too.
    pub data: Json,
    /// Whether a delete hides it.
    pub hidden: bool,
}

/// A mutation that took effect.
#[derive(Clone, Debug)]
pub struct Applied {
    /// As it came.
    pub mutation: Arc<Mutation>,
    /// Whose device it came from.
    pub client: Client,
    /// Whose device its writer belongs to: another one where a database was deleted in between.
    pub owner: Client,
    /// The stamp that it was given.
    pub stamp: Stamp,
    /// Whether there was no verdict on the one before it, or a settled one, which says nothing of versions.
    pub after_unknown: bool,
    /// What it made of its document.
    pub version: Version,
    /// The commit.
    pub position: Position,
}

/// What is stored.
#[derive(Clone, Debug)]
pub struct Store {
    /// Names the history.
    pub epoch: u64,
    /// The newest commit.
    pub position: Position,
    /// What tells each commit from another at its position.
    pub nonces: Vec<u64>,
    /// Everything up to here is in a backup.
    pub backed_up: Position,
    /// Deletes up to here are forgotten.
    pub horizon: Position,
    /// Documents that are forgotten, and how long the log was then.
    pub forgotten: BTreeMap<DocumentKey, usize>,
    /// Documents as they are now.
    pub documents: BTreeMap<DocumentKey, Row>,
    /// Documents by the commit that changed them last.
    pub places: BTreeMap<(Position, u32), DocumentKey>,
    /// Every verdict there ever was, for checkers.
    pub receipts: BTreeMap<MutationId, Receipt>,
    /// Those of them that the product still has as they are.
    pub open: BTreeSet<MutationId>,
    /// What it has of the others.
    pub runs: BTreeMap<MutationId, Run>,
    /// Whose the writers are.
    pub writers: BTreeMap<Writer, Client>,
    /// What took effect, in order.
    pub log: Vec<Applied>,
    /// What a document was at each version: its text, unless a delete hides it, and the commit.
    pub versions: BTreeMap<(DocumentKey, Version), (Position, Option<Json>)>,
}

impl Store {
    /// Nothing, in a history of this name.
    pub fn new(epoch: u64) -> Store {
        Store {
            epoch,
            position: Position(0),
            nonces: vec![0],
            backed_up: Position(0),
            horizon: Position(0),
            forgotten: BTreeMap::new(),
            documents: BTreeMap::new(),
            places: BTreeMap::new(),
            receipts: BTreeMap::new(),
            open: BTreeSet::new(),
            runs: BTreeMap::new(),
            writers: BTreeMap::new(),
            log: vec![],
            versions: BTreeMap::new(),
        }
    }

    /// The history's name as it is sent.
    pub fn name(&self) -> String {
        format!("{:016x}", self.epoch)
    }

    /// Stores a decision.
    pub(super) fn commit(
        &mut self,
        client: &Client,
        mutations: impl Iterator<Item = Option<Mutation>>,
        decision: &mut Decision,
        nonce: u64,
    ) {
        if !decision.documents.is_empty() {
            self.position = self.position.next();
            self.nonces.push(nonce);
        }
        let mut judged = BTreeSet::new();
        for (mutation, result) in mutations.zip(&decision.results) {
            let is_in = matches!(result.verdict, Verdict::Applied | Verdict::Merged | Verdict::Conflict);
            if let (true, false, Some(stamp), Some(mutation)) =
                (is_in, result.duplicate, result.stamp, mutation)
            {
                let (version, position) = (result.version, result.position);
                let mutation = Arc::new(mutation);
                let owner = self.writers.get(&mutation.id.writer).unwrap_or(client).clone();
                let stored = |id: &MutationId| self.receipts.contains_key(id) && !self.runs.contains_key(id);
                let known = |id: &MutationId| judged.contains(id) || stored(id);
                let after_unknown = !mutation.after.as_ref().is_some_and(known);
                self.log.push(Applied {
                    mutation,
                    client: client.clone(),
                    owner,
                    stamp,
                    after_unknown,
                    version,
                    position,
                });
            }
            judged.extend(result.id.filter(|_| !result.duplicate && result.verdict != Verdict::Held));
        }
        if !(planted::is(Bug::ReceiptsLost) && nonce.is_multiple_of(20)) {
            self.open.extend(decision.receipts.keys());
            self.receipts.extend(std::mem::take(&mut decision.receipts));
        }
        for (ordinal, (key, stored)) in (0..).zip(std::mem::take(&mut decision.documents)) {
            if let Some(old) = self.documents.get(&key) {
                self.places.remove(&(old.stored.position, old.ordinal));
            }
            let (line, data) = line(&key, &stored);
            let hidden = stored.document.is_deleted();
            let visible = (!hidden).then(|| data.clone());
            self.versions.insert((key.clone(), stored.version), (stored.position, visible));
            self.places.insert((stored.position, ordinal), key.clone());
            self.documents.insert(key, Row { stored, ordinal, line, data, hidden });
        }
    }

    /// Forgets of settled mutations all but how they ended.
    pub(super) fn settle(&mut self, settled: &Map<Writer, Vec<(u64, u64)>>) {
        for (writer, ranges) in settled.iter() {
            let id = |n: u64| MutationId { writer: *writer, n };
            for (first, last) in ranges {
                let told: Vec<_> = self.open.range(id(*first)..=id(*last)).copied().collect();
                for id in told {
                    self.open.remove(&id);
                    self.runs.insert(id, Run::of(id.n, &self.receipts[&id].result));
                }
            }
        }
    }

    /// The verdict on a mutation, as far as the product has it.
    pub(super) fn receipt(&self, id: MutationId) -> Option<Receipt> {
        match self.runs.get(&id) {
            Some(_) if planted::is(Bug::SettledForgotten) => None,
            Some(run) => Some(run.receipt(id, self.position)),
            None => self.receipts.get(&id).cloned(),
        }
    }

    /// How many receipts a writer has that are not settled.
    pub fn unsettled(&self, writer: Writer) -> usize {
        let (first, last) = (MutationId { writer, n: 0 }, MutationId { writer, n: u64::MAX });
        self.open.range(first..=last).count()
    }

    /// Forgets documents that were deleted up to now.
    pub fn purge(&mut self) -> usize {
        let gone: Vec<_> = self.documents.iter().filter(|(_, row)| row.hidden).collect();
        let gone: Vec<_> =
            gone.into_iter().map(|(key, row)| (key.clone(), (row.stored.position, row.ordinal))).collect();
        for (key, place) in &gone {
            self.documents.remove(key);
            self.places.remove(place);
            self.forgotten.insert(key.clone(), self.log.len());
        }
        if !gone.is_empty() {
            self.horizon = self.position;
        }
        gone.len()
    }

    /// What everybody should see in the end.
    pub fn visible(&self) -> BTreeMap<DocumentKey, Json> {
        let value = |row: &Row| row.stored.document.value();
        self.documents.iter().filter_map(|(key, row)| Some((key.clone(), value(row)?))).collect()
    }

    /// What a document was at its versions, and what was visible of it.
    pub fn history(&self, key: &DocumentKey) -> impl Iterator<Item = (Position, Option<&Json>)> {
        let versions = self.versions.range((key.clone(), Version(0))..=(key.clone(), Version(u64::MAX)));
        versions.map(|(_, (position, data))| (*position, data.as_ref()))
    }

    /// What was visible of a document to whoever had come so far. What is forgotten is counted from the start again.
    pub fn before(&self, key: &DocumentKey, position: Position) -> Option<&Json> {
        let earlier = self.history(key).filter(|(at, _)| *at <= position);
        earlier.max_by_key(|(at, _)| *at).and_then(|(_, data)| data)
    }

    /// Whether a mutation has taken effect.
    pub fn has(&self, id: MutationId) -> bool {
        self.receipts.get(&id).is_some_and(|receipt| receipt.result.verdict != Verdict::Rejected)
    }
}

/// A document as it is pulled, and all of its fields.
fn line(key: &DocumentKey, stored: &Stored) -> (Arc<str>, Json) {
    let encoded = stored.document.encode();
    let hidden = stored.document.is_deleted();
    let change = PullChange {
        kind: if hidden { "tombstone" } else { "document" }.into(),
        collection: key.collection.clone(),
        document: key.document.clone(),
        version: stored.version,
        position: stored.position,
        data: (!hidden).then(|| encoded.data.clone()),
        stamp: match encoded.deleted {
            Some(deleted) if hidden => deleted.stamp,
            Some(_) | None => encoded.stamps.common,
        },
        stamps: if hidden { Map::new() } else { encoded.stamps.listed },
    };
    let text = serde_json::to_string(&change).expect("BUG: a change is JSON");
    (text.into(), encoded.data)
}

/// That somebody may no longer see a document, as it is pulled.
pub(super) fn evicted(key: &DocumentKey, row: &Row) -> String {
    let change = PullChange {
        kind: "eviction".into(),
        collection: key.collection.clone(),
        document: key.document.clone(),
        version: row.stored.version,
        position: row.stored.position,
        data: None,
        stamp: Stamp::ZERO,
        stamps: Map::new(),
    };
    serde_json::to_string(&change).expect("BUG: a change is JSON")
}

/// A refusal of a whole request.
pub(crate) fn refused(code: landfall_core::code::Code) -> Failure {
    Failure::Refused { code: code.to_string(), retry_after: None }
}
