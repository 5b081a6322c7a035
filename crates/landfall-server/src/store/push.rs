//! One push: its facts are read and its outcome is written in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{Decision, Facts, Stored};
use landfall_core::document::Register;
use landfall_core::encoding::{Encoded, Listed};
use landfall_core::id::{Collection, DocumentKey, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::wire::{PushResult, Verdict};
use sqlx::Transaction;

use super::commits::Commits;
use super::sqlite::Db;
use super::{Epoch, Named, Sender, StoreError, count, stored};
use crate::random;

/// A transaction that holds the tenant's counter. Dropped without [`Push::commit`], it changes nothing.
pub struct Push {
    pub(super) tx: Transaction<'static, Db>,
    pub(super) sender: Sender,
    epoch: Epoch,
    /// The position of the commit, if it changes anything.
    pub(super) position: Position,
    /// What guarded documents were before, where there was something to see.
    before: BTreeMap<DocumentKey, String>,
    /// Collections of which earlier documents are kept.
    pub(super) wholes: BTreeSet<Collection>,
    commits: Commits,
}

/// A row of `documents`, as far as merging needs it.
pub(super) type DocumentRow =
    (i64, i64, String, String, String, String, Option<String>, Option<i64>, Option<String>, Option<i64>);

impl Push {
    pub(super) async fn begin(
        mut tx: Transaction<'static, Db>,
        sender: Sender,
        commits: Commits,
    ) -> Result<Push, StoreError> {
        // First of all the counter: it is what a database with row locks holds the others back with.
        sqlx::query("INSERT INTO tenants (tenant, position) VALUES ($1, 0) ON CONFLICT (tenant) DO NOTHING")
            .bind(sender.tenant.as_str())
            .execute(&mut *tx)
            .await?;
        let (position, epoch): (i64, String) = sqlx::query_as(
            "SELECT tenants.position, meta.value FROM tenants CROSS JOIN meta \
             WHERE tenants.tenant = $1 AND meta.name = 'epoch'",
        )
        .bind(sender.tenant.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let position = Position(count(position)).next();
        let epoch = read_epoch(&epoch)?;
        Ok(Push { tx, sender, epoch, position, before: BTreeMap::new(), wholes: BTreeSet::new(), commits })
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
        for key in &named.documents {
            if let Some(stored) = self.document(key).await? {
                if named.guarded.contains(&key.collection)
                    && let Some(value) = stored.document.value()
                {
                    self.before.insert(key.clone(), value.text().to_owned());
                }
                facts.documents.insert(key.clone(), stored);
            }
        }
        facts.receipts = self.receipts(&named.receipts).await?;
        facts.full = self.full(named.sent.iter().map(|id| id.writer).collect()).await?;
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
        for (ordinal, (key, stored)) in decision.documents.iter().enumerate() {
            if self.wholes.contains(&key.collection) {
                self.keep_earlier(key, stored.version).await?;
            }
            self.write_document(ordinal, key, stored).await?;
        }
        for (id, receipt) in &decision.receipts {
            self.write_receipt(*id, receipt).await?;
        }
        for (ordinal, conflict) in decision.conflicts.iter().enumerate() {
            self.write_conflict(ordinal, conflict).await?;
        }
        let changes = !decision.documents.is_empty();
        let head = if changes {
            for (mutation, result) in mutations.iter().zip(&decision.results) {
                self.write_history(mutation, result).await?;
            }
            (self.position, self.advance().await?)
        } else {
            let head = Position(self.position.0 - 1);
            let nonce = sqlx::query_scalar("SELECT nonce FROM commits WHERE tenant = $1 AND position = $2")
                .bind(self.sender.tenant.as_str())
                .bind(stored(head.0))
                .fetch_optional(&mut *self.tx)
                .await?;
            (head, nonce.map_or(0, i64::cast_unsigned))
        };
        self.tx.commit().await?;
        if changes {
            self.commits.announce(&self.sender.tenant);
        }
        Ok(head)
    }

    async fn claim(&mut self, writers: &BTreeSet<Writer>) -> Result<(), StoreError> {
        let (tenant, sub) = (self.sender.tenant.as_str(), self.sender.user.as_str());
        let (client, now) = (self.sender.client.as_str(), stored(self.sender.now.0));
        let owner: (String, String) = sqlx::query_as(
            "INSERT INTO clients (client, tenant, sub, first_seen, last_seen) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (client) DO UPDATE SET last_seen = excluded.last_seen RETURNING tenant, sub",
        )
        .bind(client)
        .bind(tenant)
        .bind(sub)
        .bind(now)
        .fetch_one(&mut *self.tx)
        .await?;
        if (owner.0.as_str(), owner.1.as_str()) != (tenant, sub) {
            return Err(StoreError::ForeignWriter);
        }
        for writer in writers.iter().map(Writer::to_string) {
            let owner: Option<(String, String)> =
                sqlx::query_as("SELECT tenant, sub FROM writers WHERE writer = $1")
                    .bind(&writer)
                    .fetch_optional(&mut *self.tx)
                    .await?;
            match owner {
                Some((owner_tenant, owner_sub)) if (&*owner_tenant, &*owner_sub) == (tenant, sub) => {}
                Some(_) => return Err(StoreError::ForeignWriter),
                None => {
                    sqlx::query(
                        "INSERT INTO writers (writer, tenant, sub, client, first_seen) \
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(&writer)
                    .bind(tenant)
                    .bind(sub)
                    .bind(client)
                    .bind(now)
                    .execute(&mut *self.tx)
                    .await?;
                }
            }
        }
        Ok(())
    }

    async fn document(&mut self, key: &DocumentKey) -> Result<Option<Stored>, StoreError> {
        let row: Option<DocumentRow> = sqlx::query_as(
            "SELECT version, position, data, stamp, stamps, versions, delete_stamp, delete_version, \
             whole_stamp, whole_version FROM documents WHERE tenant = $1 AND collection = $2 AND document = $3",
        )
        .bind(self.sender.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let read = read_document(row)
            .map_err(|reason| corrupt(format!("document {}/{}", key.collection, key.document), reason))?;
        Ok(Some(read))
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
        let mut own = BTreeSet::new();
        for writer in writers {
            let is_own: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM writers WHERE writer = $1 AND client = $2")
                    .bind(writer.to_string())
                    .bind(self.sender.client.as_str())
                    .fetch_optional(&mut *self.tx)
                    .await?;
            own.extend(is_own.map(|_| writer));
        }
        Ok(own)
    }

    async fn write_document(
        &mut self,
        ordinal: usize,
        key: &DocumentKey,
        document: &Stored,
    ) -> Result<(), StoreError> {
        let Encoded { data, stamps, versions, deleted } = document.document.encode();
        sqlx::query(
            "INSERT INTO documents (tenant, collection, document, version, position, ordinal, hidden, \
             data, stamp, stamps, versions, delete_stamp, delete_version, whole_stamp, whole_version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (tenant, collection, document) DO UPDATE SET \
             version = excluded.version, position = excluded.position, ordinal = excluded.ordinal, \
             hidden = excluded.hidden, data = excluded.data, stamp = excluded.stamp, \
             stamps = excluded.stamps, versions = excluded.versions, \
             delete_stamp = excluded.delete_stamp, delete_version = excluded.delete_version, \
             whole_stamp = excluded.whole_stamp, whole_version = excluded.whole_version",
        )
        .bind(self.sender.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .bind(stored(document.version.0))
        .bind(stored(self.position.0))
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
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn write_history(&mut self, text: &Json, result: &PushResult) -> Result<(), StoreError> {
        let is_in = match result.verdict {
            Verdict::Applied | Verdict::Merged | Verdict::Conflict => !result.duplicate,
            Verdict::Rejected | Verdict::Held => false,
        };
        if !is_in || result.position != self.position {
            return Ok(());
        }
        let key = document_of(text);
        // Only the first change in a commit needs it: nobody has seen anything in between.
        let before = self.before.remove(&key);
        sqlx::query(
            "INSERT INTO history (tenant, collection, document, version, position, at, sub, client, \
             mutation, visible_before, stamp) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(self.sender.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .bind(stored(result.version.0))
        .bind(stored(self.position.0))
        .bind(stored(self.sender.now.0))
        .bind(self.sender.user.as_str())
        .bind(self.sender.client.as_str())
        .bind(text.text())
        .bind(before)
        .bind(result.stamp.map(|stamp| stamp.to_string()))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn advance(&mut self) -> Result<u64, StoreError> {
        let nonce = i64::from_le_bytes(random::bytes());
        sqlx::query("INSERT INTO commits (tenant, position, nonce, at) VALUES ($1, $2, $3, $4)")
            .bind(self.sender.tenant.as_str())
            .bind(stored(self.position.0))
            .bind(nonce)
            .bind(stored(self.sender.now.0))
            .execute(&mut *self.tx)
            .await?;
        sqlx::query("UPDATE tenants SET position = $2 WHERE tenant = $1")
            .bind(self.sender.tenant.as_str())
            .bind(stored(self.position.0))
            .execute(&mut *self.tx)
            .await?;
        Ok(nonce.cast_unsigned())
    }
}

pub(super) fn read_epoch(text: &str) -> Result<Epoch, StoreError> {
    let number = u128::from_str_radix(text, 16);
    number.map(Epoch).map_err(|error| corrupt("the epoch".to_owned(), error.to_string()))
}

pub(super) fn read_document(row: DocumentRow) -> Result<Stored, String> {
    let (version, position, data, stamp, stamps, versions, ..) = row;
    let (.., delete_stamp, delete_version, whole_stamp, whole_version) = row;
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
