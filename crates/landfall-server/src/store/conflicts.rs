//! Recorded conflicts: written with the push that met them, read in order, settled once.

use landfall_core::clock::Stamp;
use landfall_core::conflict::{Conflict, Policy};
use landfall_core::id::{Client, DocumentKey, MutationId, Position};
use landfall_core::json::Json;
use landfall_core::mutation::Op;
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use sqlx::{Database, Row};

use super::place::{ConflictId, Place};
use super::sqlite::Db;
use super::{Push, Snapshot, StoreError, count, next, stored};

/// A conflict as it was recorded, with what has become of it.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    id: ConflictId,
    #[serde(flatten)]
    key: DocumentKey,
    path: Path,
    at: WallTime,
    won: Side,
    lost: Side,
    policy: String,
    resolved: Option<Resolved>,
    /// The document as it is now, for deciding who may see this.
    #[serde(skip)]
    data: String,
}

/// What one of the two wrote.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    user: String,
    client: String,
    mutation: Option<String>,
    at: WallTime,
    value: Option<Json>,
    removed: bool,
    deleted: bool,
}

/// How a conflict was settled.
#[derive(Clone, Debug, Serialize)]
pub struct Resolved {
    by: String,
    at: WallTime,
    choice: String,
    /// The value that was given, where it was neither of the two.
    #[serde(skip)]
    value: Option<String>,
}

/// What a person decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What stands stays.
    Won,
    /// What lost is put back.
    Lost,
    /// Something else comes in their place.
    Value(Json),
}

impl Choice {
    /// The name of the choice.
    pub fn name(&self) -> &'static str {
        match self {
            Choice::Won => "won",
            Choice::Lost => "lost",
            Choice::Value(_) => "value",
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Choice::Won | Choice::Lost => None,
            Choice::Value(value) => Some(value.canonical().text().to_owned()),
        }
    }
}

impl Resolved {
    /// Who did it.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Whether it was settled in this way.
    pub fn is(&self, choice: &Choice) -> bool {
        self.choice == choice.name() && self.value == choice.value()
    }
}

impl Side {
    /// What it wrote; nothing where it removed or deleted.
    pub fn value(&self) -> Option<&Json> {
        self.value.as_ref()
    }

    /// Whether it deleted the document.
    pub fn deleted(&self) -> bool {
        self.deleted
    }
}

impl Recorded {
    /// The document.
    pub fn key(&self) -> &DocumentKey {
        &self.key
    }

    /// The path; empty for the document as a whole.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The document's fields as they are now, those that a delete hides too.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Whether it is about two documents as their writers had them, all of each.
    pub fn is_of_wholes(&self) -> bool {
        self.path.keys().is_empty() && self.policy == Policy::DocumentLastWriteWins.name()
    }

    /// Whose write does not stand.
    pub fn lost(&self) -> &Side {
        &self.lost
    }

    /// How it was settled, if it was.
    pub fn resolved(&self) -> Option<&Resolved> {
        self.resolved.as_ref()
    }
}

/// Some conflicts, newest first.
#[derive(Debug, Default)]
pub struct Conflicts {
    /// Newest first.
    pub rows: Vec<Recorded>,
    /// Behind the last one, where there are others.
    pub rest: Option<Place>,
}

/// What was visible where a conflict was settled.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// Before.
    pub before: Option<Json>,
    /// Afterwards.
    pub after: Option<Json>,
    /// The version that was made.
    pub version: Option<u64>,
}

/// Everything of a conflict, up to the conditions.
const SELECT: &str = "SELECT c.position, c.ordinal, commits.nonce, c.collection, c.document, c.path, c.op, \
    c.policy, c.won, c.at, c.stamp, c.sub, c.client, c.mutation, c.value, c.met_stamp, c.met_sub, \
    c.met_client, c.met_mutation, c.met_value, documents.data, audit.sub AS settled_by, \
    audit.at AS settled_at, audit.choice, audit.value AS settled_value FROM conflicts c \
    JOIN commits ON commits.tenant = c.tenant AND commits.position = c.position \
    JOIN documents ON documents.tenant = c.tenant AND documents.collection = c.collection \
    AND documents.document = c.document \
    LEFT JOIN audit ON audit.tenant = c.tenant AND audit.position = c.position AND audit.ordinal = c.ordinal \
    WHERE c.tenant = $1 AND ";

impl Snapshot {
    /// Conflicts older than a place: at most `limit`, and `bytes` and one conflict of them.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn conflicts(
        &mut self,
        behind: Place,
        limit: usize,
        bytes: usize,
    ) -> Result<Conflicts, StoreError> {
        let sql = format!(
            "{SELECT}(c.position, c.ordinal) < ($2, $3) ORDER BY c.position DESC, c.ordinal DESC LIMIT $4"
        );
        let (tx, tenant) = self.parts();
        let mut stream = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(stored(behind.position.0))
            .bind(stored(behind.ordinal))
            // One more than asked for tells whether there is more.
            .bind(stored(limit as u64 + 1))
            .fetch(&mut **tx);
        let (mut conflicts, mut size) = (Conflicts::default(), 0);
        while let Some(row) = next(&mut stream).await {
            if conflicts.rows.len() == limit || size >= bytes {
                conflicts.rest = conflicts.rows.last().map(|last| last.id.place);
                break;
            }
            let row = read(&row?)?;
            size += row.size();
            conflicts.rows.push(row);
        }
        Ok(conflicts)
    }
}

impl Snapshot {
    /// Conflicts that nobody has settled and that an installation has a part in: the newest `limit` of them.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn open_conflicts(
        &mut self,
        client: &Client,
        limit: usize,
    ) -> Result<Vec<Recorded>, StoreError> {
        let sql = format!(
            "{SELECT}(c.client = $2 OR c.met_client = $2) AND audit.sub IS NULL \
             ORDER BY c.position DESC, c.ordinal DESC LIMIT $3"
        );
        let (tx, tenant) = self.parts();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(client.as_str())
            .bind(stored(limit as u64))
            .fetch_all(&mut **tx)
            .await?;
        rows.iter().map(read).collect()
    }
}

impl Push {
    /// A conflict as it is in this transaction.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn conflict(&mut self, id: ConflictId) -> Result<Option<Recorded>, StoreError> {
        let sql = format!("{SELECT}c.position = $2 AND c.ordinal = $3");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(self.sender.tenant.as_str())
            .bind(stored(id.place.position.0))
            .bind(stored(id.place.ordinal))
            .fetch_optional(&mut *self.tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(read(&row)?).filter(|conflict| conflict.id == id))
    }

    /// Notes how a conflict is settled, as part of this push. Gives it as it is then.
    ///
    /// # Errors
    /// The database does not work, or the conflict is settled already.
    pub async fn settle(
        &mut self,
        conflict: Recorded,
        choice: &Choice,
        effect: &Effect,
    ) -> Result<Recorded, StoreError> {
        let Place { position, ordinal } = conflict.id.place;
        sqlx::query(
            "INSERT INTO audit (tenant, position, ordinal, at, sub, choice, value, before, after, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(self.sender.tenant.as_str())
        .bind(stored(position.0))
        .bind(stored(ordinal))
        .bind(stored(self.sender.now.0))
        .bind(self.sender.user.as_str())
        .bind(choice.name())
        .bind(choice.value())
        .bind(effect.before.as_ref().map(Json::text))
        .bind(effect.after.as_ref().map(Json::text))
        .bind(effect.version.map(stored))
        .execute(&mut *self.tx)
        .await?;
        let resolved = Resolved {
            by: self.sender.user.to_string(),
            at: self.sender.now,
            choice: choice.name().to_owned(),
            value: choice.value(),
        };
        Ok(Recorded { resolved: Some(resolved), ..conflict })
    }

    pub(super) async fn write_conflict(
        &mut self,
        ordinal: usize,
        conflict: &Conflict,
    ) -> Result<(), StoreError> {
        let (met_sub, met_client) = self.owner_of(conflict.met.stamp).await?;
        let met_mutation = self.mutation_of(conflict).await?;
        sqlx::query(
            "INSERT INTO conflicts (tenant, position, ordinal, collection, document, path, mutation, op, \
             policy, sub, client, won, stamp, value, met_stamp, met_value, met_sub, met_client, \
             met_mutation, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        )
        .bind(self.sender.tenant.as_str())
        .bind(stored(self.position.0))
        .bind(stored(ordinal as u64))
        .bind(conflict.key.collection.as_str())
        .bind(conflict.key.document.as_str())
        .bind(conflict.path.to_string())
        .bind(conflict.mutation.to_string())
        .bind(if conflict.op == Op::Delete { DELETE } else { "patch" })
        .bind(conflict.policy.name())
        .bind(self.sender.user.as_str())
        .bind(self.sender.client.as_str())
        .bind(i64::from(conflict.won))
        .bind(conflict.register.stamp.to_string())
        .bind(conflict.value.as_ref().map(Json::text))
        .bind(conflict.met.stamp.to_string())
        .bind(conflict.met_value.as_ref().map(Json::text))
        .bind(met_sub)
        .bind(met_client)
        .bind(met_mutation.map(|id| id.to_string()))
        .bind(stored(conflict.at.0))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Who owns the writer of a stamp, and which installation it belongs to.
    async fn owner_of(&mut self, stamp: Stamp) -> Result<(String, String), StoreError> {
        let owner = sqlx::query_as("SELECT sub, client FROM writers WHERE writer = $1")
            .bind(stamp.writer.to_string())
            .fetch_optional(&mut *self.tx)
            .await?;
        Ok(owner.unwrap_or_default())
    }

    /// The mutation that was met.
    async fn mutation_of(&mut self, conflict: &Conflict) -> Result<Option<MutationId>, StoreError> {
        #[derive(Deserialize)]
        struct Named {
            id: MutationId,
        }
        let text: Option<String> = sqlx::query_scalar(
            "SELECT mutation FROM history \
             WHERE tenant = $1 AND collection = $2 AND document = $3 AND version = $4",
        )
        .bind(self.sender.tenant.as_str())
        .bind(conflict.key.collection.as_str())
        .bind(conflict.key.document.as_str())
        .bind(stored(conflict.met.version.0))
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(text.and_then(|text| serde_json::from_str::<Named>(&text).ok()).map(|named| named.id))
    }
}

/// How a delete is called in the column `op`.
const DELETE: &str = "delete";

impl Recorded {
    /// What reading it has cost, roughly.
    fn size(&self) -> usize {
        let value = |side: &Side| side.value.as_ref().map_or(0, |value| value.text().len());
        self.data.len() + value(&self.won) + value(&self.lost)
    }
}

fn read(row: &<Db as Database>::Row) -> Result<Recorded, StoreError> {
    let position: i64 = row.try_get("position")?;
    let corrupt = |reason: &str| StoreError::Corrupt {
        what: format!("a conflict of commit {position}"),
        reason: format!("{reason} is not one"),
    };
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column).map(count);
    let time = |column: &str| text(column).map(|stamp| stamp.parse::<Stamp>().map(Stamp::wall));
    let value = |column: &str| {
        let text: Option<String> = row.try_get(column)?;
        text.map(|text| Json::parse(&text)).transpose().map_err(|_| corrupt(column))
    };
    let path: Path = text("path")?.parse().map_err(|_| corrupt("its path"))?;
    let of_all = path.keys().is_empty();
    let deletes = text("op")? == DELETE;
    let side = |user: &str, client: &str, mutation: &str, stamp: &str, written: &str, deletes: bool| {
        let value = value(written)?;
        let deleted = of_all && deletes && value.is_none();
        Ok::<_, StoreError>(Side {
            user: text(user)?,
            client: text(client)?,
            mutation: row.try_get(mutation)?,
            at: time(stamp)?.map_err(|_| corrupt("a stamp"))?,
            removed: value.is_none() && !deleted,
            value,
            deleted,
        })
    };
    let later = side("sub", "client", "mutation", "stamp", "value", deletes)?;
    let met = side("met_sub", "met_client", "met_mutation", "met_stamp", "met_value", !deletes)?;
    let (won, lost) = if number("won")? != 0 { (later, met) } else { (met, later) };
    let resolved = match row.try_get::<Option<String>, _>("settled_by")? {
        Some(by) => Some(Resolved {
            by,
            at: WallTime(number("settled_at")?),
            choice: text("choice")?,
            value: row.try_get("settled_value")?,
        }),
        None => None,
    };
    let place = Place { position: Position(count(position)), ordinal: number("ordinal")? };
    let nonce = row.try_get::<i64, _>("nonce")?.cast_unsigned();
    Ok(Recorded {
        id: ConflictId { place, nonce },
        key: DocumentKey {
            collection: text("collection")?.parse().map_err(|_| corrupt("its collection"))?,
            document: text("document")?.parse().map_err(|_| corrupt("its document"))?,
        },
        path,
        at: WallTime(number("at")?),
        won,
        lost,
        policy: text("policy")?,
        resolved,
        data: text("data")?,
    })
}
