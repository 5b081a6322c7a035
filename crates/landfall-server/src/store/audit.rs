//! The audit log: what was decided over what somebody wrote, by whom and when, newest first.
//!
//! An entry is written in the transaction of what it tells of, and nothing deletes it. An erasure takes names and what was in documents out of it.

use landfall_core::id::{Collection, DocumentId, Position, Version};
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::conflicts::read_path;
use super::database::{Row, Statement, sql};
use super::place::{ConflictId, Place};
use super::push::corrupt;
use super::{Snapshot, StoreError, count, stored};
use crate::caller::Tenant;
use crate::openapi::shapes;

/// One entry of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub struct Audited {
    /// Its number: 1 for the first of the tenant.
    entry: u64,
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    /// Who did it.
    by: String,
    event: Event,
    /// The document, unless it is about a person.
    #[schema(required, value_type = Option<String>)]
    collection: Option<Collection>,
    #[schema(required, value_type = Option<String>)]
    document: Option<DocumentId>,
    /// The conflict that was settled.
    #[schema(required, value_type = Option<String>)]
    conflict: Option<ConflictId>,
    #[schema(required, value_type = Option<shapes::Path>)]
    path: Option<Path>,
    #[schema(required)]
    choice: Option<String>,
    /// The version of the document that settling made; null where what stood was kept.
    #[schema(required, value_type = Option<u64>)]
    version: Option<Version>,
    /// What the person that was erased is called since.
    #[schema(required)]
    pseudonym: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditEvent)]
enum Event {
    ConflictSettled,
    PersonErased,
    DocumentErased,
}

/// Some entries of the log.
#[derive(Debug, Default)]
pub struct Audit {
    /// Newest first.
    pub entries: Vec<Audited>,
    /// The last of these, where there are older ones.
    pub rest: Option<u64>,
}

impl Snapshot {
    /// Entries that are older than one: at most `limit`.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn audit(&mut self, before: u64, limit: usize) -> Result<Audit, StoreError> {
        let (tx, tenant) = self.parts();
        let settled =
            sql("SELECT a.entry, a.at, a.sub, c.position, c.ordinal, commits.nonce, c.collection, \
             c.document, c.path, a.choice, a.version FROM audit a \
             JOIN conflicts c ON c.tenant = a.tenant AND c.position = a.position AND c.ordinal = a.ordinal \
             JOIN commits ON commits.tenant = a.tenant AND commits.position = a.position \
             WHERE a.tenant = $1 AND a.entry < $2 ORDER BY a.entry DESC LIMIT $3");
        let erased = sql("SELECT entry, at, sub, pseudonym, collection, document FROM erasures \
             WHERE tenant = $1 AND entry < $2 ORDER BY entry DESC LIMIT $3");
        // One more than asked for tells whether there is more.
        let older =
            |sql: Statement| sql.bind(tenant.as_str()).bind(stored(before)).bind(stored(limit as u64 + 1));
        let (settled, erased) = (older(settled), older(erased));
        let mut entries = Vec::new();
        for row in tx.all(settled).await? {
            entries.push(read_settled(row)?);
        }
        for row in tx.all(erased).await? {
            entries.push(read_erased(row)?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.entry));
        let rest = if entries.len() > limit { entries.get(limit - 1).map(|last| last.entry) } else { None };
        entries.truncate(limit);
        Ok(Audit { entries, rest })
    }
}

/// Takes the next number of the tenant's log. Whoever writes an entry holds the tenant's counter.
pub(super) fn number(tenant: &Tenant) -> Statement {
    sql("UPDATE tenants SET entries = entries + 1 WHERE tenant = $1").bind(tenant.as_str())
}

fn unreadable(entry: u64, reason: &str) -> StoreError {
    corrupt(format!("entry {entry} of the audit log"), format!("{reason} is not one"))
}

fn read_settled(mut row: Row) -> Result<Audited, StoreError> {
    let entry = count(row.next()?);
    let (at, by) = (WallTime(count(row.next()?)), row.next()?);
    let place = Place { position: Position(count(row.next()?)), ordinal: count(row.next()?) };
    let conflict = ConflictId { place, nonce: row.next::<i64>()?.cast_unsigned() };
    let collection = row.next::<String>()?.parse().map_err(|_| unreadable(entry, "its collection"))?;
    let document = row.next::<String>()?.parse().map_err(|_| unreadable(entry, "its document"))?;
    let path = read_path(&row.next::<String>()?).ok_or_else(|| unreadable(entry, "its path"))?;
    Ok(Audited {
        entry,
        at,
        by,
        event: Event::ConflictSettled,
        collection: Some(collection),
        document: Some(document),
        conflict: Some(conflict),
        path: Some(path),
        choice: Some(row.next()?),
        version: row.next::<Option<i64>>()?.map(|version| Version(count(version))),
        pseudonym: None,
    })
}

fn read_erased(mut row: Row) -> Result<Audited, StoreError> {
    let entry = count(row.next()?);
    let (at, by) = (WallTime(count(row.next()?)), row.next()?);
    let pseudonym: Option<String> = row.next()?;
    let (collection, document): (Option<String>, Option<String>) = (row.next()?, row.next()?);
    let collection = collection.map(|name| name.parse()).transpose();
    let document = document.map(|name| name.parse()).transpose();
    Ok(Audited {
        entry,
        at,
        by,
        event: if pseudonym.is_some() { Event::PersonErased } else { Event::DocumentErased },
        collection: collection.map_err(|_| unreadable(entry, "its collection"))?,
        document: document.map_err(|_| unreadable(entry, "its document"))?,
        conflict: None,
        path: None,
        choice: None,
        version: None,
        pseudonym,
    })
}
