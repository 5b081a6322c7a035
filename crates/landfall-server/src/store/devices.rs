//! Devices as they were last heard of, for whoever looks after them.

use landfall_core::time::WallTime;
use landfall_core::wire::Condition;
use serde::{Deserialize, Serialize};

use super::database::sql;
use super::{Snapshot, Store, StoreError, count, stored};

/// What a device said with its last push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// How it is, if it said so.
    pub device: Option<Condition>,
}

/// A device of the tenant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name.
    pub client: String,
    /// Whose it is.
    pub user: String,
    /// Its first push.
    pub first: WallTime,
    /// Its last push.
    pub last: WallTime,
    /// What it said then.
    pub said: Option<Said>,
}

/// All devices of a server together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many there are.
    pub devices: u64,
    /// When the oldest write was made that waits on one of them.
    pub oldest: Option<WallTime>,
}

impl Snapshot {
    /// So many of the tenant's devices, in the order of their names, behind one.
    ///
    /// # Errors
    /// The database does not work, or holds something else than was written.
    pub async fn devices(&mut self, behind: &str, limit: usize) -> Result<Vec<Heard>, StoreError> {
        let (tx, tenant) = self.parts();
        let devices = sql("SELECT client, sub, first_seen, last_seen, said FROM clients \
             WHERE tenant = $1 AND client > $2 ORDER BY client LIMIT $3");
        let devices = devices.bind(tenant.as_str()).bind(behind).bind(stored(limit as u64));
        let rows: Vec<(String, String, i64, i64, Option<String>)> = tx.all(devices).await?;
        let read = |(client, user, first, last, said): (String, String, i64, i64, Option<String>)| {
            let said = said.map(|text| serde_json::from_str(&text)).transpose();
            let said = said.map_err(|error| StoreError::Corrupt {
                what: format!("client {client}"),
                reason: error.to_string(),
            })?;
            Ok(Heard { client, user, first: WallTime(count(first)), last: WallTime(count(last)), said })
        };
        rows.into_iter().map(read).collect()
    }
}

impl Store {
    /// The devices of all tenants that were heard of since.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn census(&self, since: WallTime) -> Result<Census, StoreError> {
        let all = sql("SELECT COUNT(*), MIN(oldest) FROM clients WHERE last_seen >= $1 AND said IS NOT NULL");
        let mut tx = self.database.read().await?;
        let (devices, oldest): (i64, Option<i64>) = tx.one(all.bind(stored(since.0))).await?;
        Ok(Census { devices: count(devices), oldest: oldest.map(|at| WallTime(count(at))) })
    }
}
