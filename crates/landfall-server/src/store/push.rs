//! One push: its facts are read and its outcome is written in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{Decision, Facts, Stored};
use landfall_core::document::Register;
use landfall_core::encoding::{Encoded, Listed};
use landfall_core::id::{Collection, DocumentKey, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::wire::{PushResult, Verdict};

use super::commits::Commits;
use super::database::{Database, Statement, firsts, sql};
use super::snapshot::nonce;
use super::turns::{Joined, Turn};
use super::{Epoch, Named, Sender, StoreError, count, stored};
use crate::faults::{self, Bug, Point};
use crate::random;

/// A transaction that holds the tenant's counter. Dropped without [`Push::commit`], it changes nothing; nor does what it
/// was to be committed with.
pub struct Push {
    pub(super) joined: Joined,
    pub(super) sender: Sender,
    epoch: Epoch,
    /// The position of the commit, if it changes anything.
    pub(super) position: Position,
    /// What guarded documents were before, where there was something to see.
    before: BTreeMap<DocumentKey, String>,
    /// Collections of which earlier documents are kept.
    pub(super) wholes: BTreeSet<Collection>,
    commits: Commits,
    turn: Turn,
}

/// A row of `documents`, as far as merging needs it.
pub(super) type DocumentRow = (
    i64,
    i64,
    String,
    String,
    String,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl Push {
    pub(super) async fn begin(
        database: &dyn Database,
        sender: Sender,
        commits: Commits,
        mut turn: Turn,
    ) -> Result<Push, StoreError> {
        let mut joined = turn.begin(database, &commits).await?;
        // First of all the counter: it is what a database with row locks holds the others back with. Whatever is read
        // after it, by another statement, was there when it was had.
        let hold = sql("INSERT INTO tenants (tenant, position) VALUES ($1, 0) \
             ON CONFLICT (tenant) DO UPDATE SET position = tenants.position RETURNING position");
        let epoch = sql("SELECT value FROM meta WHERE name = 'epoch'");
        let mut answers =
            joined.tx.ask(vec![hold.bind(sender.tenant.as_str()), epoch]).await?.into_iter().flatten();
        let mut answer = || answers.next().ok_or_else(|| corrupt("the epoch".to_owned(), "none".to_owned()));
        let position: i64 = answer()?.next()?;
        let epoch: String = answer()?.next()?;
        let position = Position(count(position)).next();
        let epoch = read_epoch(&epoch)?;
        faults::pass(Point::AfterBegin);
        if faults::is(Bug::StaysBusy) && position.0 > 20 {
            return Err(StoreError::Busy("planted".to_owned()));
        }
        Ok(Push {
            joined,
            sender,
            epoch,
            position,
            before: BTreeMap::new(),
            wholes: BTreeSet::new(),
            commits,
            turn,
        })
    }

    /// The history that the commit will be part of.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Makes the writers of a batch the sender's, takes in what is settled of theirs, and reads what the decision
    /// rests on.
    ///
    /// # Errors
    /// [`StoreError::ForeignWriter`] where one of them is somebody else's.
    pub async fn load(&mut self, named: &Named) -> Result<Facts, StoreError> {
        self.claim(&named.writers).await?;
        self.take_settled(&named.settled).await?;
        let mut facts = Facts { position: self.position, ..Facts::default() };
        // None of these waits for what another one finds.
        let writers: BTreeSet<Writer> = named.receipts.iter().map(|id| id.writer).collect();
        let sent: BTreeSet<Writer> = named.sent.iter().map(|id| id.writer).collect();
        let documents = named.documents.iter().map(|key| self.sender.document(key));
        let receipts = named.receipts.iter().map(|id| self.sender.receipt(*id));
        let newest = writers.iter().map(|writer| self.sender.run_before(*writer, u64::MAX >> 1));
        let full = sent.iter().map(|writer| self.sender.last_receipt(*writer));
        let asked = documents.chain(receipts).chain(newest).chain(full).collect();
        let mut answers = self.joined.tx.ask(asked).await?.into_iter();
        let rows = firsts::<DocumentRow>(answers.by_ref().take(named.documents.len()))?;
        let receipts = firsts(answers.by_ref().take(named.receipts.len()))?;
        let newest = firsts(answers.by_ref().take(writers.len()))?;
        let full = firsts::<i64>(answers)?;
        for (key, row) in named.documents.iter().zip(rows) {
            let Some(row) = row else { continue };
            if row.10.is_some() {
                facts.erased.insert(key.clone());
            }
            let stored = read_document(row)
                .map_err(|reason| corrupt(format!("document {}/{}", key.collection, key.document), reason))?;
            if named.guarded.contains(&key.collection)
                && let Some(value) = stored.document.value()
            {
                self.before.insert(key.clone(), value.text().to_owned());
            }
            facts.documents.insert(key.clone(), stored);
        }
        let newest = writers.into_iter().zip(newest).collect();
        facts.receipts = self.receipts(&named.receipts, receipts, &newest).await?;
        facts.full = sent.into_iter().zip(full).filter_map(|(writer, last)| last.map(|_| writer)).collect();
        facts.own_writers = self.own_writers(&facts).await?;
        self.wholes = named.wholes.clone();
        self.load_pasts(&named.seen, &mut facts).await?;
        Ok(facts)
    }

    /// Writes the outcome, durably: once this returns, it survives a loss of power. Gives the newest commit then,
    /// and its nonce.
    ///
    /// # Errors
    /// Nothing was written, as far as can be known.
    pub async fn commit(
        mut self,
        decision: &Decision,
        mutations: &[Json],
    ) -> Result<(Position, u64), StoreError> {
        // What conflicts met is read before any of this is in the history.
        let conflicts = self.conflict_rows(&decision.conflicts).await?;
        let changes = !decision.documents.is_empty();
        let before = std::mem::take(&mut self.before);
        let (sender, position, wholes) = (&self.sender, self.position, &self.wholes);
        let documents = decision.documents.iter().enumerate().flat_map(|(ordinal, (key, stored))| {
            let whole = wholes.contains(&key.collection);
            let earlier = whole.then(|| sender.keep_earlier(key, stored.version)).into_iter().flatten();
            earlier.chain([sender.write_document(position, ordinal, key, stored)])
        });
        let receipts = decision.receipts.iter().map(|(id, receipt)| sender.write_receipt(*id, receipt));
        let receipts = receipts.filter(|_| !faults::is(Bug::ForgetsReceipts));
        let history = sender.write_history(position, mutations, &decision.results, before);
        let history = changes.then_some(history).into_iter().flatten();
        let new_nonce = i64::from_le_bytes(random::bytes());
        let advance = changes.then(|| sender.advance(position, new_nonce)).into_iter().flatten();
        let writes = documents.chain(receipts).chain(conflicts).chain(history).chain(advance);
        self.joined.tx.run_all(Box::new(writes)).await?;
        faults::pass(Point::AfterApply);
        let head = if changes {
            (position, new_nonce.cast_unsigned())
        } else {
            let head = Position(position.0 - 1);
            let nonce: Option<i64> = self.joined.tx.optional(nonce(&self.sender.tenant, head)).await?;
            (head, nonce.map_or(0, i64::cast_unsigned))
        };
        let Push { joined, sender, turn, commits, .. } = self;
        turn.end(joined, sender.tenant, changes.then_some(position), commits).await?;
        Ok(head)
    }

    pub(super) async fn claim(&mut self, writers: &BTreeSet<Writer>) -> Result<(), StoreError> {
        let Sender { tenant, user, client, now, said } = &self.sender;
        let is_ours = |(owner, sub): &(String, String)| owner == tenant.as_str() && sub == user.as_str();
        let seen = sql("INSERT INTO clients (client, tenant, sub, first_seen, last_seen, said, oldest) \
             VALUES ($1, $2, $3, $4, $4, $5, $6) ON CONFLICT (client) DO UPDATE SET last_seen = excluded.last_seen, \
             said = excluded.said, oldest = excluded.oldest RETURNING tenant, sub");
        let seen = seen.bind(client.as_str()).bind(tenant.as_str()).bind(user.as_str()).bind(stored(now.0));
        let oldest = said.as_ref().and_then(|said| said.device.as_ref()?.oldest_at);
        let text = said.as_ref().map(|said| serde_json::to_string(said).expect("BUG: words are always JSON"));
        let seen = seen.bind(text).bind(oldest.map(|at| stored(at.0)));
        let known = |writer: &Writer| {
            sql("SELECT tenant, sub FROM writers WHERE writer = $1").bind(writer.to_string())
        };
        let owners =
            self.joined.tx.each([seen].into_iter().chain(writers.iter().map(known)).collect()).await?;
        let new = writers.iter().zip(&owners[1..]).filter(|(_, owner)| owner.is_none());
        let claim = |writer: &Writer| {
            // Where another tenant is just claiming it, this waits and gives the other one.
            let claim = sql(
                "INSERT INTO writers (writer, tenant, sub, client, first_seen) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (writer) DO UPDATE SET writer = excluded.writer RETURNING tenant, sub",
            );
            let claim = claim.bind(writer.to_string()).bind(tenant.as_str()).bind(user.as_str());
            claim.bind(client.as_str()).bind(stored(now.0))
        };
        let claimed = self.joined.tx.each(new.map(|(writer, _)| claim(writer)).collect()).await?;
        let ours = owners.iter().chain(&claimed).flatten().all(is_ours);
        if ours { Ok(()) } else { Err(StoreError::ForeignWriter) }
    }

    /// Which of the writers that have left something in the documents at hand are the client's.
    async fn own_writers(&mut self, facts: &Facts) -> Result<BTreeSet<Writer>, StoreError> {
        let mut writers = BTreeSet::new();
        for stored in facts.documents.values() {
            stored.document.each_register(&mut |register, _| {
                writers.insert(register.stamp.writer);
            });
            let others = stored.document.deleted().into_iter().chain(stored.whole);
            writers.extend(others.map(|register| register.stamp.writer));
        }
        let is_own = |writer: &Writer| {
            let own = sql("SELECT 1 FROM writers WHERE writer = $1 AND client = $2");
            own.bind(writer.to_string()).bind(self.sender.client.as_str())
        };
        let own: Vec<Option<i64>> = self.joined.tx.each(writers.iter().map(is_own).collect()).await?;
        Ok(writers.into_iter().zip(own).filter_map(|(writer, own)| own.map(|_| writer)).collect())
    }
}

impl Sender {
    fn document(&self, key: &DocumentKey) -> Statement {
        let document =
            sql("SELECT version, position, data, stamp, stamps, versions, delete_stamp, delete_version, \
             whole_stamp, whole_version, erased FROM documents WHERE tenant = $1 AND collection = $2 \
             AND document = $3");
        document.bind(self.tenant.as_str()).bind(key.collection.as_str()).bind(key.document.as_str())
    }

    fn write_document(
        &self,
        position: Position,
        ordinal: usize,
        key: &DocumentKey,
        document: &Stored,
    ) -> Statement {
        let Encoded { data, stamps, versions, deleted } = document.document.encode();
        sql("INSERT INTO documents (tenant, collection, document, version, position, ordinal, hidden, \
             data, stamp, stamps, versions, delete_stamp, delete_version, whole_stamp, whole_version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (tenant, collection, document) DO UPDATE SET \
             version = excluded.version, position = excluded.position, ordinal = excluded.ordinal, \
             hidden = excluded.hidden, data = excluded.data, stamp = excluded.stamp, \
             stamps = excluded.stamps, versions = excluded.versions, \
             delete_stamp = excluded.delete_stamp, delete_version = excluded.delete_version, \
             whole_stamp = excluded.whole_stamp, whole_version = excluded.whole_version")
        .bind(self.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .bind(stored(document.version.0))
        .bind(stored(position.0))
        .bind(stored(ordinal as u64))
        .bind(i64::from(document.document.is_deleted()))
        .bind(data.text())
        .bind(stamps.common.to_string())
        .bind(json(&stamps.listed))
        .bind(json(&versions))
        .bind(deleted.map(|register| register.stamp.to_string()))
        .bind(deleted.map(|register| stored(register.version.0)))
        .bind(document.whole.map(|register| register.stamp.to_string()))
        .bind(document.whole.map(|register| stored(register.version.0)))
    }

    /// What the accepted ones of these mutations said, and what their documents were before.
    fn write_history(
        &self,
        position: Position,
        mutations: &[Json],
        results: &[PushResult],
        mut before: BTreeMap<DocumentKey, String>,
    ) -> impl Iterator<Item = Statement> + Send {
        let is_in = move |result: &PushResult| match result.verdict {
            Verdict::Applied | Verdict::Merged | Verdict::Conflict => {
                !result.duplicate && result.position == position
            }
            Verdict::Rejected | Verdict::Held => false,
        };
        let accepted = mutations.iter().zip(results).filter(move |(_, result)| is_in(result));
        accepted.map(move |(text, result)| {
            let key = document_of(text);
            // Only the first change in a commit needs it: nobody has seen anything in between.
            let before = before.remove(&key);
            sql("INSERT INTO history (tenant, collection, document, version, position, at, sub, client, \
                 mutation, visible_before, stamp) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(self.tenant.as_str())
            .bind(key.collection.as_str())
            .bind(key.document.as_str())
            .bind(stored(result.version.0))
            .bind(stored(position.0))
            .bind(stored(self.now.0))
            .bind(self.user.as_str())
            .bind(self.client.as_str())
            .bind(text.text())
            .bind(before)
            .bind(result.stamp.map(|stamp| stamp.to_string()))
        })
    }

    fn advance(&self, position: Position, nonce: i64) -> [Statement; 2] {
        let commit = sql("INSERT INTO commits (tenant, position, nonce, at) VALUES ($1, $2, $3, $4)")
            .bind(self.tenant.as_str())
            .bind(stored(position.0))
            .bind(nonce)
            .bind(stored(self.now.0));
        let counter = sql("UPDATE tenants SET position = $2 WHERE tenant = $1")
            .bind(self.tenant.as_str())
            .bind(stored(position.0));
        [commit, counter]
    }
}

pub(super) fn read_epoch(text: &str) -> Result<Epoch, StoreError> {
    let number = u128::from_str_radix(text, 16);
    number.map(Epoch).map_err(|error| corrupt("the epoch".to_owned(), error.to_string()))
}

pub(super) fn read_document(row: DocumentRow) -> Result<Stored, String> {
    let (version, position, data, stamp, stamps, versions, ..) = row;
    let (.., delete_stamp, delete_version, whole_stamp, whole_version, _) = row;
    let text = |error: serde_json::Error| error.to_string();
    let name = |error: landfall_core::id::InvalidName| error.to_string();
    let common = stamp.parse().map_err(name)?;
    let register = |stamp: Option<String>, version: Option<i64>| match (stamp, version) {
        (Some(stamp), Some(version)) => {
            let stamp = stamp.parse().map_err(name)?;
            Ok::<_, String>(Some(Register { stamp, version: Version(count(version)) }))
        }
        (_, _) => Ok(None),
    };
    let encoded = Encoded {
        data: Json::parse(&data).map_err(|error| error.to_string())?,
        stamps: Listed { common, listed: serde_json::from_str(&stamps).map_err(text)? },
        versions: serde_json::from_str(&versions).map_err(text)?,
        deleted: register(delete_stamp, delete_version)?,
    };
    Ok(Stored {
        version: Version(count(version)),
        position: Position(count(position)),
        document: encoded.decode(),
        whole: register(whole_stamp, whole_version)?,
    })
}

pub(super) fn corrupt(what: String, reason: String) -> StoreError {
    StoreError::Corrupt { what, reason }
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("BUG: what we store is always JSON")
}

/// The document of a mutation that was accepted, and so could be read.
fn document_of(text: &Json) -> DocumentKey {
    let mutation = serde_json::from_str::<landfall_core::mutation::Mutation>(text.text());
    mutation.expect("BUG: an unreadable mutation was accepted").key()
}
