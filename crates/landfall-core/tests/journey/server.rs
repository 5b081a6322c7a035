//! A server in memory: the real decision over maps, and a pull that pages by position and key.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{self, Facts, Past, Proposal, Receipt, Rules, Run, Stored, Terms};
use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::conflict::{Conflict, Policy};
use landfall_core::id::{self, Collection, DocumentKey, MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::map::Map;
use landfall_core::mutation::{Mutation, Refusal};
use landfall_core::time::WallTime;
use landfall_core::wire::{Batch, BatchReply, PullChange, PullReply, Reset, Verdict};

use crate::world::merges;

/// Refuses every document that has this word in it.
pub(crate) const REFUSED: &str = "unacceptable";

/// Brings down every request that has this word in it, while the server is so weak.
pub(crate) const POISON: &str = "poison";

struct Decency(Terms);

impl Rules for Decency {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn may_see(&self, _: &Collection, _: &Json) -> bool {
        true
    }

    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal> {
        match proposal.document {
            Some(document) if document.text().contains(REFUSED) => {
                Err(Refusal::new(Code::ValidationFailed, "there is a word in it"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What one tenant has on the server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) epoch: u32,
    pub(crate) position: Position,
    /// What tells each commit from another one at its position.
    nonces: Vec<usize>,
    /// How many histories there were.
    histories: usize,
    /// What it says is in a backup.
    pub(crate) backed_up: Position,
    /// Deletes up to here are forgotten.
    horizon: Position,
    pub(crate) documents: BTreeMap<DocumentKey, Stored>,
    pub(crate) receipts: BTreeMap<MutationId, Receipt>,
    /// What is left of settled ones.
    pub(crate) runs: BTreeMap<MutationId, Run>,
    writers: BTreeMap<Writer, id::Client>,
    /// Every mutation that took effect, in order.
    pub(crate) applied: Vec<MutationId>,
    /// Mutations that others were judged instead of.
    pub(crate) replaced: BTreeSet<MutationId>,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) policy: Policy,
    /// What stood before, by its version.
    earlier: BTreeMap<(DocumentKey, Version), Stored>,
    history: BTreeMap<(DocumentKey, Version), Mutation>,
    /// Most changes in one page.
    pub(crate) limit: usize,
    /// How many receipts that are not settled keep a writer waiting.
    pub(crate) receipts_max: usize,
    /// How many cursors it will not know again.
    pub(crate) refuse_cursors: usize,
    /// Whether no page arrives: the network is too slow for one.
    pub(crate) pulls_fail: bool,
    pub(crate) poisonable: bool,
    /// Whether everything fails.
    pub(crate) down: bool,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            epoch: 1,
            position: Position(0),
            nonces: vec![0],
            histories: 0,
            backed_up: Position(0),
            horizon: Position(0),
            documents: BTreeMap::new(),
            receipts: BTreeMap::new(),
            runs: BTreeMap::new(),
            writers: BTreeMap::new(),
            applied: vec![],
            replaced: BTreeSet::new(),
            conflicts: vec![],
            policy: Policy::default(),
            earlier: BTreeMap::new(),
            history: BTreeMap::new(),
            limit: 1_000,
            receipts_max: authority::RECEIPTS_MAX,
            refuse_cursors: 0,
            pulls_fail: false,
            poisonable: true,
            down: false,
        }
    }
}

impl Server {
    /// `POST /api/v1/sync/batch`, from text to text.
    pub(crate) fn push(&mut self, body: &str, now: WallTime) -> Result<String, Failure> {
        if self.down || self.poisonable && body.contains(POISON) {
            return Err(Failure::Refused { code: Code::Internal.to_string(), retry_after: None });
        }
        let batch: Batch = serde_json::from_str(body).expect("a batch that the protocol knows");
        let parsed: Vec<_> = batch.mutations.iter().map(authority::parse).collect();
        let mutations: Vec<Mutation> = parsed.iter().flatten().cloned().collect();
        assert_eq!(mutations.len(), batch.mutations.len(), "a device sends what cannot be read");
        self.settle(&batch);
        let mut asked: BTreeSet<MutationId> = batch.void.iter().copied().collect();
        for mutation in &mutations {
            self.writers.entry(mutation.id.writer).or_insert_with(|| batch.client.clone());
            self.replaced.extend(mutation.replaces);
            asked.extend(mutation.needs.iter().copied().chain(mutation.after).chain([mutation.id]));
        }
        let receipts: BTreeMap<_, _> =
            asked.into_iter().filter_map(|id| Some((id, self.receipt(id)?))).collect();
        let facts = Facts {
            position: self.position.next(),
            documents: mutations
                .iter()
                .filter_map(|mutation| self.documents.get_key_value(&mutation.key()))
                .map(|(key, stored)| (key.clone(), stored.clone()))
                .collect(),
            receipts: receipts.clone(),
            erased: BTreeSet::new(),
            full: mutations.iter().map(|one| one.id.writer).filter(|one| self.is_full(*one)).collect(),
            own_writers: self
                .writers
                .iter()
                .filter_map(|(writer, client)| (*client == batch.client).then_some(*writer))
                .collect(),
            pasts: mutations.iter().map(|one| (one.key(), self.past(&one.key(), &batch.client))).collect(),
        };
        if facts.must_settle(&mutations.iter().map(|mutation| mutation.id).collect()) {
            return Err(Failure::Refused { code: Code::SettleFirst.to_string(), retry_after: None });
        }
        let rules = Decency(Terms { merges: merges(), policy: self.policy, ..Terms::default() });
        let mut decision = authority::decide(&parsed, facts, &rules, now);
        authority::close(&batch.void, &receipts, &mut decision);
        if !decision.documents.is_empty() {
            self.position = self.position.next();
            self.nonces.push(self.histories);
        }
        for result in decision.results.iter().filter(|result| !result.duplicate) {
            if matches!(result.verdict, Verdict::Applied | Verdict::Merged | Verdict::Conflict) {
                self.applied.push(result.id.expect("a verdict on a mutation without a name"));
            }
        }
        for (key, stored) in decision.documents {
            if let Some(earlier) = self.documents.insert(key.clone(), stored) {
                self.earlier.insert((key, earlier.version), earlier);
            }
        }
        for (mutation, result) in mutations.into_iter().zip(&decision.results) {
            if let (Some(stamp), false) = (result.stamp, result.duplicate) {
                self.history.insert((mutation.key(), result.version), Mutation { stamp, ..mutation });
            }
        }
        self.receipts.extend(decision.receipts);
        self.conflicts.extend(decision.conflicts);
        let reply =
            BatchReply { server_time: now, epoch: self.name(), head: None, results: decision.results };
        Ok(serde_json::to_string(&reply).expect("a reply is JSON"))
    }

    /// Forgets of settled mutations all but how they ended.
    fn settle(&mut self, batch: &Batch) {
        let ranges = batch.settled.iter().flat_map(|(writer, ranges)| {
            ranges.iter().map(|(first, last)| [*first, *last].map(|n| MutationId { writer: *writer, n }))
        });
        for [first, last] in ranges {
            let told: Vec<_> = self.receipts.range(first..=last).map(|(id, _)| *id).collect();
            for id in told {
                let receipt = self.receipts.remove(&id).expect("it was there");
                self.runs.insert(id, Run::of(id.n, &receipt.result));
            }
        }
    }

    fn is_full(&self, writer: Writer) -> bool {
        self.receipts.keys().filter(|id| id.writer == writer).count() >= self.receipts_max
    }

    fn receipt(&self, id: MutationId) -> Option<Receipt> {
        let run = || Some(self.runs.get(&id)?.receipt(id, self.position));
        self.receipts.get(&id).cloned().or_else(run)
    }

    /// What came before a document, all that there is of it.
    fn past(&self, key: &DocumentKey, client: &id::Client) -> Past {
        let of = |one: &DocumentKey| one == key;
        let seen = self.earlier.iter().filter(|((one, _), _)| of(one));
        let own = self.history.iter().filter(|((one, _), _)| of(one));
        let own = own.filter(|(_, one)| self.writers.get(&one.id.writer) == Some(client));
        Past {
            seen: seen.map(|((_, version), stored)| (*version, stored.clone())).collect(),
            own: own.map(|((_, version), one)| (*version, (one.clone(), one.stamp))).collect(),
        }
    }

    fn name(&self) -> String {
        format!("epoch-{}", self.epoch)
    }

    /// `GET /api/v1/sync/pull`, as text.
    pub(crate) fn pull(&mut self, cursor: Option<&str>, now: WallTime) -> Result<String, Failure> {
        let refused = || Failure::Refused { code: Code::InvalidCursor.to_string(), retry_after: None };
        if self.pulls_fail {
            return Err(Failure::Unreachable);
        }
        if self.down {
            return Err(Failure::Refused { code: Code::Internal.to_string(), retry_after: None });
        }
        let mut reset = None;
        let mut after = (Position(0), None);
        let (asked, shown) = cursor.map_or(("", ""), |text| text.split_once('~').unwrap_or((text, "")));
        if !asked.is_empty() {
            if self.refuse_cursors > 0 {
                self.refuse_cursors -= 1;
                return Err(refused());
            }
            let [epoch, place, collection, document] = parts(asked).ok_or_else(refused)?;
            let position = self.knows(place);
            if epoch == self.name() && position.is_none() {
                self.histories += 1;
                self.epoch += 100;
            }
            if let Some(position) = position.filter(|_| epoch == self.name()) {
                let key = collection.parse().ok().zip(document.parse().ok());
                let key = key.map(|(collection, document)| DocumentKey { collection, document });
                after = (position, key);
                if after.0 < self.horizon {
                    after = (Position(0), None);
                    reset = Some(Reset { reason: "resync_required".into(), restored_through: Position(0) });
                }
            } else {
                let ends = shown.split('~').filter_map(parts).filter(|parts| parts[2].is_empty());
                let restored_through =
                    ends.filter_map(|parts| self.knows(parts[1])).max().unwrap_or_default();
                reset = Some(Reset { reason: "new_epoch".into(), restored_through });
            }
        }
        let through = reset.as_ref().map_or(Position(0), |reset| reset.restored_through);
        let mut due: Vec<_> = self
            .documents
            .iter()
            // Who has nothing has nothing to forget.
            .filter(|(_, stored)| {
                let had = stored.position > through && through > Position(0);
                (cursor.is_some() && reset.is_none()) || had || !stored.document.is_deleted()
            })
            .map(|(key, stored)| ((stored.position, Some(key.clone())), stored))
            .filter(|(place, _)| match &after {
                (position, None) => place.0 > *position,
                (_, Some(_)) => *place > after,
            })
            .collect();
        due.sort_by(|(a, _), (b, _)| a.cmp(b));
        let more = due.len() > self.limit;
        let remaining = cursor.is_none().then(|| due.len().saturating_sub(self.limit) as u64);
        due.truncate(self.limit);
        let cursor = match due.last() {
            Some(((position, Some(key)), _)) if more => {
                format!("{} {} {} {}", self.name(), self.place(*position), key.collection, key.document)
            }
            Some(_) | None => format!("{} {}  ", self.name(), self.place(self.position)),
        };
        let changes = due.into_iter().filter_map(|((_, key), stored)| Some(change(key?, stored)));
        let changes = serde_json::to_string(&changes.collect::<Vec<_>>()).expect("changes are JSON");
        let changes = Json::parse(&changes).expect("changes are JSON");
        let reply = PullReply {
            server_time: now,
            epoch: self.name(),
            reset,
            backed_up_through: self.backed_up,
            position: self.position,
            changes,
            cursor,
            more,
            forgotten_through: self.horizon,
            remaining,
        };
        Ok(serde_json::to_string(&reply).expect("a reply is JSON"))
    }

    /// What was deleted up to now is forgotten.
    pub(crate) fn forget_deletes(&mut self) {
        self.documents.retain(|_, stored| !stored.document.is_deleted());
        self.horizon = self.position;
    }

    /// A backup of long ago is put back: everything is gone, and the history is another one.
    pub(crate) fn lose_everything(&mut self) {
        self.restore(Server::default());
        self.epoch = self.histories as u32 + 1;
    }

    /// A backup is put back, and nobody says so.
    pub(crate) fn restore(&mut self, backup: Server) {
        *self = Server { histories: self.histories + 1, ..backup };
    }

    fn place(&self, position: Position) -> String {
        format!("{}:{}", position.0, self.nonces[position.0 as usize])
    }

    /// The commit of that name, if it is there.
    fn knows(&self, place: &str) -> Option<Position> {
        let position = Position(place.split_once(':')?.0.parse().ok()?);
        (position <= self.position && self.place(position) == place).then_some(position)
    }

    /// What everybody should see in the end.
    pub(crate) fn visible(&self) -> BTreeMap<DocumentKey, String> {
        let value = |stored: &Stored| Some(stored.document.value()?.text().to_owned());
        self.documents.iter().filter_map(|(key, stored)| Some((key.clone(), value(stored)?))).collect()
    }

    /// How often a document was changed.
    pub(crate) fn version(&self, key: &DocumentKey) -> Version {
        self.documents.get(key).map_or(Version(0), |stored| stored.version)
    }
}

fn change(key: DocumentKey, stored: &Stored) -> PullChange {
    let encoded = stored.document.encode();
    let hidden = stored.document.is_deleted();
    PullChange {
        kind: if hidden { "tombstone" } else { "document" }.into(),
        collection: key.collection,
        document: key.document,
        version: stored.version,
        position: stored.position,
        data: (!hidden).then_some(encoded.data),
        stamp: match encoded.deleted {
            Some(deleted) if hidden => deleted.stamp,
            Some(_) | None => encoded.stamps.common,
        },
        stamps: if hidden { Map::new() } else { encoded.stamps.listed },
    }
}

fn parts(cursor: &str) -> Option<[&str; 4]> {
    cursor.splitn(4, ' ').collect::<Vec<_>>().try_into().ok()
}
