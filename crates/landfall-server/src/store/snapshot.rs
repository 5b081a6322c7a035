//! One moment of a tenant's documents, in the order in which they were changed.

use landfall_core::id::{Client, Collection, DocumentId, Position, User, Version};
use landfall_core::time::WallTime;

use super::database::{Statement, Transaction, next, sql};
use super::push::read_epoch;
use super::{Epoch, StoreError, count, stored};
use crate::caller::Tenant;

/// A read transaction: sees no commit that came after it began.
pub struct Snapshot {
    tx: Box<dyn Transaction>,
    tenant: Tenant,
    epoch: Epoch,
    head: Position,
    backed_up: Position,
    expired: Position,
}

/// A document as it was changed last. Its text is as it was stored; nobody has parsed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The collection.
    pub collection: Collection,
    /// The document.
    pub document: DocumentId,
    /// Its version.
    pub version: Version,
    /// The commit that changed it last.
    pub position: Position,
    /// Its place within that commit.
    pub ordinal: u32,
    /// The stamp of the delete that hides it.
    pub hidden_by: Option<String>,
    /// Whether it was erased: who could see it nobody knows any more.
    pub erased: bool,
    /// All fields, as JSON.
    pub data: String,
    /// The stamp of every top-level member that is not listed.
    pub stamp: String,
    /// The listed ones, as a JSON object.
    pub stamps: String,
}

/// An installation that has sent something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The tenant of its owner.
    pub tenant: String,
    /// Its owner.
    pub user: String,
    /// When it was heard of first.
    pub first: WallTime,
    /// When it was heard of last.
    pub last: WallTime,
}

/// Some changes in order.
#[derive(Debug, Default)]
pub struct Changes {
    /// Oldest first.
    pub rows: Vec<Change>,
    /// Their size on a page, roughly.
    pub bytes: usize,
    /// Whether there are others behind these.
    pub more: bool,
}

/// What a change adds to the document it is about: names, stamp and brackets.
const ENVELOPE_BYTES: usize = 200;

/// Most documents that are counted for the progress of a first sync: some hundredths of a second.
const COUNT_MAX: u64 = 500_000;

type ChangeRow = (String, String, i64, i64, i64, i64, Option<String>, String, String, String, Option<i64>);

impl Snapshot {
    pub(super) async fn take(mut tx: Box<dyn Transaction>, tenant: &Tenant) -> Result<Snapshot, StoreError> {
        let moment = sql("SELECT meta.value, tenants.position, backups.position, \
             (SELECT MAX(position) FROM expired WHERE tenant = $1) FROM meta \
             LEFT JOIN tenants ON tenants.tenant = $1 LEFT JOIN backups ON backups.tenant = $1 \
             WHERE meta.name = 'epoch'");
        let (epoch, head, backed_up, expired): (String, Option<i64>, Option<i64>, Option<i64>) =
            tx.one(moment.bind(tenant.as_str())).await?;
        let positions = [head, backed_up, expired];
        let [head, backed_up, expired] = positions.map(|position| Position(position.map_or(0, count)));
        Ok(Snapshot { tx, tenant: tenant.clone(), epoch: read_epoch(&epoch)?, head, backed_up, expired })
    }

    /// What queries of other tables need.
    pub(super) fn parts(&mut self) -> (&mut dyn Transaction, &Tenant) {
        (&mut *self.tx, &self.tenant)
    }

    /// The history that this is a moment of.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The newest commit.
    pub fn head(&self) -> Position {
        self.head
    }

    /// The newest commit that is known to be in a backup.
    pub fn backed_up(&self) -> Position {
        self.backed_up
    }

    /// The newest commit of which something is gone from the history, because it was too old.
    pub fn expired(&self) -> Position {
        self.expired
    }

    /// What is known of an installation, whoever it belongs to.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn client(&mut self, client: &Client) -> Result<Option<Seen>, StoreError> {
        let seen = sql("SELECT tenant, sub, first_seen, last_seen FROM clients WHERE client = $1");
        let row: Option<(String, String, i64, i64)> = self.tx.optional(seen.bind(client.as_str())).await?;
        Ok(row.map(|(tenant, user, first, last)| Seen {
            tenant,
            user,
            first: WallTime(count(first)),
            last: WallTime(count(last)),
        }))
    }

    /// The nonce of a commit; none where there is no such commit. Before the first one it is 0.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn nonce(&mut self, position: Position) -> Result<Option<u64>, StoreError> {
        if position == Position(0) {
            return Ok(Some(0));
        }
        let nonce: Option<i64> = self.tx.optional(nonce(&self.tenant, position)).await?;
        Ok(nonce.map(i64::cast_unsigned))
    }

    /// What was changed behind a place: at most `limit` documents, and `bytes` and one document of them.
    ///
    /// # Errors
    /// The database does not work, or a name in it is none.
    pub async fn changes(
        &mut self,
        behind: (Position, u32),
        limit: usize,
        bytes: usize,
    ) -> Result<Changes, StoreError> {
        let changed = sql(
            "SELECT collection, document, version, position, ordinal, hidden, delete_stamp, data, stamp, \
             stamps, erased FROM documents WHERE tenant = $1 AND (position, ordinal) > ($2, $3) \
             ORDER BY position, ordinal LIMIT $4",
        )
        .bind(self.tenant.as_str())
        .bind(stored(behind.0.0))
        .bind(i64::from(behind.1))
        // One more than asked for tells whether there is more.
        .bind(stored(limit as u64 + 1));
        let mut rows = self.tx.stream(changed);
        let mut changes = Changes::default();
        while let Some(row) = next::<ChangeRow>(&mut rows).await? {
            let change = read_change(row)?;
            if changes.rows.len() == limit || changes.bytes >= bytes {
                changes.more = true;
                break;
            }
            changes.bytes += change.data.len() + change.stamps.len() + ENVELOPE_BYTES;
            changes.rows.push(change);
        }
        Ok(changes)
    }

    /// How many documents were changed behind a place, if they are not too many to be counted in passing.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn count(&mut self, behind: (Position, u32)) -> Result<Option<u64>, StoreError> {
        let counted = sql(
            "SELECT COUNT(*) FROM (SELECT 1 FROM documents WHERE tenant = $1 AND (position, ordinal) > ($2, $3) \
             LIMIT $4) AS found",
        )
        .bind(self.tenant.as_str())
        .bind(stored(behind.0.0))
        .bind(i64::from(behind.1))
        .bind(stored(COUNT_MAX));
        let found: i64 = self.tx.one(counted).await?;
        Ok(Some(count(found)).filter(|found| *found < COUNT_MAX))
    }

    /// Whether somebody may have a guarded document that they do not see now: they have changed it since `floor`, or it
    /// was something between then and now that they see. Which of that a device has that has come to somewhere in the
    /// middle of many commits, nobody can tell.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn may_have(
        &mut self,
        user: &User,
        change: &Change,
        floor: Position,
        sees: impl Fn(&str) -> bool,
    ) -> Result<bool, StoreError> {
        let since = sql("SELECT sub, visible_before FROM history \
             WHERE tenant = $1 AND collection = $2 AND document = $3 AND position > $4 ORDER BY version")
        .bind(self.tenant.as_str())
        .bind(change.collection.as_str())
        .bind(change.document.as_str())
        .bind(stored(floor.0));
        let mut rows = self.tx.stream(since);
        while let Some((sub, before)) = next::<(String, Option<String>)>(&mut rows).await? {
            if sub == user.as_str() || before.is_some_and(|before| sees(&before)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn read_change(row: ChangeRow) -> Result<Change, StoreError> {
    let (collection, document, version, position, ordinal, hidden, delete_stamp, data, stamp, stamps, erased) =
        row;
    let corrupt = |what: &str| StoreError::Corrupt {
        what: format!("document {document}"),
        reason: format!("{what} is not one"),
    };
    Ok(Change {
        collection: collection.parse().map_err(|_| corrupt("its collection"))?,
        document: document.parse().map_err(|_| corrupt("its id"))?,
        version: Version(count(version)),
        position: Position(count(position)),
        ordinal: u32::try_from(ordinal).map_err(|_| corrupt("its place"))?,
        hidden_by: delete_stamp.filter(|_| hidden != 0),
        erased: erased.is_some(),
        data,
        stamp,
        stamps,
    })
}

/// Asks for the nonce of a commit.
pub(super) fn nonce(tenant: &Tenant, position: Position) -> Statement {
    sql("SELECT nonce FROM commits WHERE tenant = $1 AND position = $2")
        .bind(tenant.as_str())
        .bind(stored(position.0))
}
