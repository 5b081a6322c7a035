//! Who changed a document, when and how: what each accepted mutation said, newest first.

use landfall_core::clock::Stamp;
use landfall_core::id::{DocumentKey, Group, MutationId, Position, Version};
use landfall_core::json::Json;
use landfall_core::mutation::Op;
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conflicts::read_path;
use super::database::{Row, Statement, next, sql};
use super::place::{ConflictId, Place};
use super::push::corrupt;
use super::{Snapshot, StoreError, count, stored};
use crate::openapi::shapes;

/// One change of a document, as it was pushed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryEntry)]
pub struct Entry {
    /// The version that it made.
    #[schema(value_type = u64)]
    version: Version,
    /// The commit.
    #[schema(value_type = u64)]
    position: Position,
    /// The server's clock at that commit.
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    user: String,
    client: String,
    #[schema(value_type = shapes::MutationId)]
    mutation: MutationId,
    /// The refused mutation that it stands in for.
    #[schema(required, value_type = Option<shapes::MutationId>)]
    replaces: Option<MutationId>,
    /// The transaction that it belongs to.
    #[schema(required, value_type = Option<String>)]
    group: Option<Group>,
    #[schema(value_type = shapes::Op)]
    op: Op,
    #[schema(value_type = Vec<shapes::Field>)]
    fields: Json,
    /// The version that its writer had seen.
    #[schema(value_type = u64)]
    base: Version,
    /// The one that the server used.
    #[schema(value_type = shapes::Stamp)]
    stamp: Stamp,
    /// The conflicts that it met and that a person has settled.
    settled: Vec<Settlement>,
    /// The conflict that a person has settled by it.
    #[schema(required, value_type = Option<String>)]
    settles: Option<ConflictId>,
}

/// How a person has settled a conflict.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Settlement {
    #[schema(value_type = String)]
    conflict: ConflictId,
    #[schema(value_type = shapes::Path)]
    path: Path,
    by: String,
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    choice: String,
    /// The version that this made; null where what stood was kept.
    #[schema(required, value_type = Option<u64>)]
    version: Option<Version>,
}

/// What of a mutation is told.
#[derive(Deserialize)]
struct Said {
    id: MutationId,
    #[serde(default)]
    replaces: Option<MutationId>,
    #[serde(default)]
    group: Option<Group>,
    op: Op,
    fields: Json,
    base: Version,
    stamp: Stamp,
}

/// Some changes of one document.
#[derive(Debug, Default)]
pub struct History {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// The last of these, where there are older ones.
    pub rest: Option<Version>,
}

impl Snapshot {
    /// The fields of a document as they are now, those that a delete hides too; none where it was erased.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn fields(&mut self, key: &DocumentKey) -> Result<Option<String>, StoreError> {
        let (tx, tenant) = self.parts();
        let fields =
            sql("SELECT data FROM documents WHERE tenant = $1 AND collection = $2 AND document = $3 \
             AND erased IS NULL");
        tx.optional(of(fields.bind(tenant.as_str()), key)).await
    }

    /// Changes of a document that made it what it was before a version: at most `limit`, and `bytes` and one of them.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn history(
        &mut self,
        key: &DocumentKey,
        before: Version,
        limit: usize,
        bytes: usize,
    ) -> Result<History, StoreError> {
        let (tx, tenant) = self.parts();
        let older = sql("SELECT version, position, at, sub, client, mutation, stamp FROM history \
             WHERE tenant = $1 AND collection = $2 AND document = $3 AND version < $4 \
             ORDER BY version DESC LIMIT $5");
        let older = of(older.bind(tenant.as_str()), key).bind(stored(before.0));
        // One more than asked for tells whether there is more.
        let mut rows = tx.stream(older.bind(stored(limit as u64 + 1)));
        let (mut history, mut size) = (History::default(), 0);
        while let Some(row) = next::<EntryRow>(&mut rows).await? {
            if history.entries.len() == limit || size >= bytes {
                history.rest = history.entries.last().map(|entry| entry.version);
                break;
            }
            size += row.5.len();
            history.entries.push(read(key, row)?);
        }
        drop(rows);
        self.add_settlements(key, &mut history.entries).await?;
        Ok(history)
    }

    async fn add_settlements(&mut self, key: &DocumentKey, entries: &mut [Entry]) -> Result<(), StoreError> {
        let (Some(newest), Some(oldest)) = (entries.first(), entries.last()) else { return Ok(()) };
        let (tx, tenant) = self.parts();
        let settled = sql(
            "SELECT c.position, c.ordinal, commits.nonce, c.path, c.mutation, a.sub, a.at, a.choice, \
             a.version FROM conflicts c JOIN commits ON commits.tenant = c.tenant AND commits.position = c.position \
             JOIN audit a ON a.tenant = c.tenant AND a.position = c.position AND a.ordinal = c.ordinal \
             WHERE c.tenant = $1 AND c.collection = $2 AND c.document = $3 \
             AND (c.position BETWEEN $4 AND $5 OR a.version BETWEEN $6 AND $7) ORDER BY c.position, c.ordinal",
        );
        let settled = of(settled.bind(tenant.as_str()), key)
            .bind(stored(oldest.position.0))
            .bind(stored(newest.position.0))
            .bind(stored(oldest.version.0))
            .bind(stored(newest.version.0));
        let mut rows = tx.stream(settled);
        while let Some(row) = next::<Row>(&mut rows).await? {
            let (met_by, settlement) = read_settlement(row)?;
            for entry in &mut *entries {
                if settlement.version == Some(entry.version) {
                    entry.settles = Some(settlement.conflict);
                }
                if (entry.position, entry.mutation) == (settlement.conflict.place.position, met_by) {
                    entry.settled.push(settlement.clone());
                }
            }
        }
        Ok(())
    }
}

/// Version, position, when, whose, by which client, what it said, and the stamp that it was given.
type EntryRow = (i64, i64, i64, String, String, String, Option<String>);

fn of(statement: Statement, key: &DocumentKey) -> Statement {
    statement.bind(key.collection.as_str()).bind(key.document.as_str())
}

fn read(key: &DocumentKey, row: EntryRow) -> Result<Entry, StoreError> {
    let (version, position, at, user, client, text, given) = row;
    let what = || format!("version {version} of {}/{}", key.collection, key.document);
    let said: Said = serde_json::from_str(&text).map_err(|error| corrupt(what(), error.to_string()))?;
    let given = given.map(|given| given.parse()).transpose();
    let given = given.map_err(|_| corrupt(what(), "its stamp is not one".to_owned()))?;
    Ok(Entry {
        version: Version(count(version)),
        position: Position(count(position)),
        at: WallTime(count(at)),
        user,
        client,
        mutation: said.id,
        replaces: said.replaces,
        group: said.group,
        op: said.op,
        fields: said.fields,
        base: said.base,
        // Before version 4 of the tables it was not written down; most are what they were sent with.
        stamp: given.unwrap_or(said.stamp),
        settled: Vec::new(),
        settles: None,
    })
}

/// A settled conflict, and the mutation that met it.
fn read_settlement(mut row: Row) -> Result<(MutationId, Settlement), StoreError> {
    let position: i64 = row.next()?;
    let place = Place { position: Position(count(position)), ordinal: count(row.next()?) };
    let conflict = ConflictId { place, nonce: row.next::<i64>()?.cast_unsigned() };
    let corrupt =
        |reason: &str| corrupt(format!("a conflict of commit {position}"), format!("{reason} is not one"));
    let path = read_path(&row.next::<String>()?).ok_or_else(|| corrupt("its path"))?;
    let met_by = row.next::<String>()?.parse().map_err(|_| corrupt("its mutation"))?;
    let settlement = Settlement {
        conflict,
        path,
        by: row.next()?,
        at: WallTime(count(row.next()?)),
        choice: row.next()?,
        version: row.next::<Option<i64>>()?.map(|version| Version(count(version))),
    };
    Ok((met_by, settlement))
}
