//! Recorded conflicts: written with the push that met them, read in order, settled once.

use landfall_core::clock::Stamp;
use landfall_core::conflict::{Conflict, Policy};
use landfall_core::id::{Client, DocumentKey, MutationId, Position};
use landfall_core::json::Json;
use landfall_core::mutation::Op;
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::database::{Row, Statement, next, sql};
use super::place::{ConflictId, Place};
use super::{Push, Sender, Snapshot, StoreError, audit, count, stored};
use crate::openapi::shapes;

/// A conflict as it was recorded, with what has become of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub struct Recorded {
    #[schema(value_type = String)]
    id: ConflictId,
    #[serde(flatten)]
    #[schema(inline, value_type = shapes::DocumentKey)]
    key: DocumentKey,
    #[schema(value_type = shapes::Path)]
    path: Path,
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    won: Side,
    lost: Side,
    policy: String,
    #[schema(required)]
    resolved: Option<Resolved>,
    /// The document as it is now, for deciding who may see this.
    #[serde(skip)]
    #[schema(ignore)]
    data: String,
}

/// What one of the two wrote.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Side {
    user: String,
    client: String,
    #[schema(required)]
    mutation: Option<String>,
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    /// Null where it removed or deleted, too.
    #[schema(value_type = serde_json::Value)]
    value: Option<Json>,
    removed: bool,
    deleted: bool,
}

/// How a conflict was settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resolved {
    by: String,
    #[schema(value_type = shapes::WallTime)]
    at: WallTime,
    choice: String,
    /// The value that was given, where it was neither of the two.
    #[serde(skip)]
    #[schema(ignore)]
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

/// Everything of the conflicts that meet a condition.
macro_rules! conflicts {
    ($condition:literal) => {
        sql(concat!(
            "SELECT c.position, c.ordinal, commits.nonce, c.collection, c.document, c.path, c.op, c.policy, \
             c.won, c.at, c.sub, c.client, c.mutation, c.stamp, c.value, c.met_sub, c.met_client, \
             c.met_mutation, c.met_stamp, c.met_value, documents.data, audit.sub, audit.at, audit.choice, \
             audit.value FROM conflicts c \
             JOIN commits ON commits.tenant = c.tenant AND commits.position = c.position \
             JOIN documents ON documents.tenant = c.tenant AND documents.collection = c.collection \
             AND documents.document = c.document AND documents.erased IS NULL \
             LEFT JOIN audit ON audit.tenant = c.tenant AND audit.position = c.position \
             AND audit.ordinal = c.ordinal WHERE c.tenant = $1 AND ",
            $condition
        ))
    };
}

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
        let (tx, tenant) = self.parts();
        let older = conflicts!(
            "(c.position, c.ordinal) < ($2, $3) ORDER BY c.position DESC, c.ordinal DESC LIMIT $4"
        );
        let older = older
            .bind(tenant.as_str())
            .bind(stored(behind.position.0))
            .bind(stored(behind.ordinal))
            // One more than asked for tells whether there is more.
            .bind(stored(limit as u64 + 1));
        let mut stream = tx.stream(older);
        let (mut conflicts, mut size) = (Conflicts::default(), 0);
        while let Some(row) = next(&mut stream).await? {
            if conflicts.rows.len() == limit || size >= bytes {
                conflicts.rest = conflicts.rows.last().map(|last| last.id.place);
                break;
            }
            let row = read(row)?;
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
        let (tx, tenant) = self.parts();
        let open = conflicts!(
            "(c.client = $2 OR c.met_client = $2) AND audit.sub IS NULL \
             ORDER BY c.position DESC, c.ordinal DESC LIMIT $3"
        );
        let open = open.bind(tenant.as_str()).bind(client.as_str()).bind(stored(limit as u64));
        tx.all(open).await?.into_iter().map(read).collect()
    }
}

impl Push {
    /// A conflict as it is in this transaction.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn conflict(&mut self, id: ConflictId) -> Result<Option<Recorded>, StoreError> {
        let this = conflicts!("c.position = $2 AND c.ordinal = $3")
            .bind(self.sender.tenant.as_str())
            .bind(stored(id.place.position.0))
            .bind(stored(id.place.ordinal));
        let row = self.joined.tx.optional(this).await?.map(read).transpose()?;
        Ok(row.filter(|conflict| conflict.id == id))
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
        let note = sql(
            "INSERT INTO audit (tenant, position, ordinal, at, sub, choice, value, before, after, version, entry) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (SELECT entries FROM tenants WHERE tenant = $1))",
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
        .bind(effect.version.map(stored));
        self.joined.tx.ask(vec![audit::number(&self.sender.tenant), note]).await?;
        let resolved = Resolved {
            by: self.sender.user.to_string(),
            at: self.sender.now,
            choice: choice.name().to_owned(),
            value: choice.value(),
        };
        Ok(Recorded { resolved: Some(resolved), ..conflict })
    }

    /// The rows of new conflicts, with what is known of the writes that were met.
    pub(super) async fn conflict_rows(
        &mut self,
        conflicts: &[Conflict],
    ) -> Result<Vec<Statement>, StoreError> {
        /// What a mutation is called.
        #[derive(Deserialize)]
        struct Named {
            id: MutationId,
        }
        let sender = &self.sender;
        let owners = conflicts.iter().map(|conflict| {
            let owner = sql("SELECT sub, client FROM writers WHERE writer = $1");
            owner.bind(conflict.met.stamp.writer.to_string())
        });
        let owners: Vec<Option<(String, String)>> = self.joined.tx.each(owners.collect()).await?;
        let texts = conflicts.iter().map(|conflict| {
            sql("SELECT mutation FROM history \
                 WHERE tenant = $1 AND collection = $2 AND document = $3 AND version = $4")
            .bind(sender.tenant.as_str())
            .bind(conflict.key.collection.as_str())
            .bind(conflict.key.document.as_str())
            .bind(stored(conflict.met.version.0))
        });
        let texts: Vec<Option<String>> = self.joined.tx.each(texts.collect()).await?;
        let met = owners.into_iter().zip(texts).enumerate();
        let rows = conflicts.iter().zip(met).map(|(conflict, (ordinal, (owner, text)))| {
            let mutation = text.and_then(|text| serde_json::from_str::<Named>(&text).ok());
            let mutation = mutation.map(|named| named.id.to_string());
            let place = Place { position: self.position, ordinal: ordinal as u64 };
            sender.write_conflict(place, conflict, owner.unwrap_or_default(), mutation)
        });
        Ok(rows.collect())
    }
}

impl Sender {
    fn write_conflict(
        &self,
        place: Place,
        conflict: &Conflict,
        (met_sub, met_client): (String, String),
        met_mutation: Option<String>,
    ) -> Statement {
        sql(
            "INSERT INTO conflicts (tenant, position, ordinal, collection, document, path, mutation, op, \
             policy, sub, client, won, stamp, value, met_stamp, met_value, met_sub, met_client, \
             met_mutation, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        )
        .bind(self.tenant.as_str())
        .bind(stored(place.position.0))
        .bind(stored(place.ordinal))
        .bind(conflict.key.collection.as_str())
        .bind(conflict.key.document.as_str())
        .bind(write_path(&conflict.path))
        .bind(conflict.mutation.to_string())
        .bind(if conflict.op == Op::Delete { DELETE } else { "patch" })
        .bind(conflict.policy.name())
        .bind(self.user.as_str())
        .bind(self.client.as_str())
        .bind(i64::from(conflict.won))
        .bind(conflict.register.stamp.to_string())
        .bind(conflict.value.as_ref().map(Json::text))
        .bind(conflict.met.stamp.to_string())
        .bind(conflict.met_value.as_ref().map(Json::text))
        .bind(met_sub)
        .bind(met_client)
        .bind(met_mutation)
        .bind(stored(conflict.at.0))
    }
}

/// A path as it is stored: not every database takes U+0000 in a text, and `~2` is no part of a path.
fn write_path(path: &Path) -> String {
    path.to_string().replace('\0', "~2")
}

pub(super) fn read_path(text: &str) -> Option<Path> {
    text.replace("~2", "\0").parse().ok()
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

fn read(mut row: Row) -> Result<Recorded, StoreError> {
    let position: i64 = row.next()?;
    let corrupt = |reason: &str| StoreError::Corrupt {
        what: format!("a conflict of commit {position}"),
        reason: format!("{reason} is not one"),
    };
    let place = Place { position: Position(count(position)), ordinal: count(row.next()?) };
    let id = ConflictId { place, nonce: row.next::<i64>()?.cast_unsigned() };
    let (collection, document): (String, String) = (row.next()?, row.next()?);
    let key = DocumentKey {
        collection: collection.parse().map_err(|_| corrupt("its collection"))?,
        document: document.parse().map_err(|_| corrupt("its document"))?,
    };
    let path = read_path(&row.next::<String>()?).ok_or_else(|| corrupt("its path"))?;
    let deletes = row.next::<String>()? == DELETE;
    let policy = row.next()?;
    let (won, at): (i64, i64) = (row.next()?, row.next()?);
    let mut side = |deletes: bool| {
        let (user, client, mutation) = (row.next()?, row.next()?, row.next()?);
        let stamp: Stamp = row.next::<String>()?.parse().map_err(|_| corrupt("a stamp"))?;
        let value: Option<String> = row.next()?;
        let value = value.map(|text| Json::parse(&text)).transpose().map_err(|_| corrupt("a value"))?;
        let deleted = path.keys().is_empty() && deletes && value.is_none();
        let removed = value.is_none() && !deleted;
        Ok::<_, StoreError>(Side { user, client, mutation, at: stamp.wall(), value, removed, deleted })
    };
    let (later, met) = (side(deletes)?, side(!deletes)?);
    let (won, lost) = if won != 0 { (later, met) } else { (met, later) };
    let data = row.next()?;
    let by: Option<String> = row.next()?;
    let resolved = match by {
        Some(by) => {
            let at = WallTime(count(row.next()?));
            Some(Resolved { by, at, choice: row.next()?, value: row.next()? })
        }
        None => None,
    };
    Ok(Recorded { id, key, path, at: WallTime(count(at)), won, lost, policy, resolved, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_what_it_was_and_has_no_nul_in_between() {
        for text in ["", "/notes", "/a~1b~0c/d", "/nul \0 in it", "/~02", "/\0~02\0"] {
            let path: Path = text.parse().unwrap();
            let stored = write_path(&path);
            assert!(!stored.contains('\0'), "{stored:?}");
            assert_eq!(read_path(&stored), Some(path));
        }
    }
}
