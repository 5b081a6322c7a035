//! The audit log: what was decided over what somebody wrote, by whom and when, newest first.
//!
//! An entry is written in the transaction of what it tells of, and nothing changes or deletes it.

use landfall_core::id::{Collection, DocumentId, Position, Version};
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::conflicts::read_path;
use super::database::{Row, Statement, next, sql};
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
    #[schema(value_type = String)]
    conflict: ConflictId,
    #[schema(value_type = String)]
    collection: Collection,
    #[schema(value_type = String)]
    document: DocumentId,
    #[schema(value_type = shapes::Path)]
    path: Path,
    choice: String,
    /// The version of the document that this made; null where what stood was kept.
    #[schema(required, value_type = Option<u64>)]
    version: Option<Version>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditEvent)]
enum Event {
    ConflictSettled,
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
        let older = sql("SELECT a.entry, a.at, a.sub, c.position, c.ordinal, commits.nonce, c.collection, \
             c.document, c.path, a.choice, a.version FROM audit a \
             JOIN conflicts c ON c.tenant = a.tenant AND c.position = a.position AND c.ordinal = a.ordinal \
             JOIN commits ON commits.tenant = a.tenant AND commits.position = a.position \
             WHERE a.tenant = $1 AND a.entry < $2 ORDER BY a.entry DESC LIMIT $3");
        let older = older.bind(tenant.as_str()).bind(stored(before));
        // One more than asked for tells whether there is more.
        let mut rows = tx.stream(older.bind(stored(limit as u64 + 1)));
        let mut audit = Audit::default();
        while let Some(row) = next::<Row>(&mut rows).await? {
            if audit.entries.len() == limit {
                audit.rest = audit.entries.last().map(|last| last.entry);
                break;
            }
            audit.entries.push(read(row)?);
        }
        Ok(audit)
    }
}

/// Takes the next number of the tenant's log. Whoever writes an entry holds the tenant's counter.
pub(super) fn number(tenant: &Tenant) -> Statement {
    sql("UPDATE tenants SET entries = entries + 1 WHERE tenant = $1").bind(tenant.as_str())
}

fn read(mut row: Row) -> Result<Audited, StoreError> {
    let entry = count(row.next()?);
    let corrupt =
        |reason: &str| corrupt(format!("entry {entry} of the audit log"), format!("{reason} is not one"));
    let (at, by) = (WallTime(count(row.next()?)), row.next()?);
    let place = Place { position: Position(count(row.next()?)), ordinal: count(row.next()?) };
    Ok(Audited {
        entry,
        at,
        by,
        event: Event::ConflictSettled,
        conflict: ConflictId { place, nonce: row.next::<i64>()?.cast_unsigned() },
        collection: row.next::<String>()?.parse().map_err(|_| corrupt("its collection"))?,
        document: row.next::<String>()?.parse().map_err(|_| corrupt("its document"))?,
        path: read_path(&row.next::<String>()?).ok_or_else(|| corrupt("its path"))?,
        choice: row.next()?,
        version: row.next::<Option<i64>>()?.map(|version| Version(count(version))),
    })
}
