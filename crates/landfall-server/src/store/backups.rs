//! Backups: what is known to be in one, so that devices need not keep it any more; made and put back, of SQLite's.

use std::path::Path;

use landfall_core::time::{Millis, WallTime};

use super::database::sql;
use super::sqlite::{self, copy};
use super::{Epoch, Store, StoreError, stored};
use crate::random;

/// A commit bears the time at which its request came, by the clock of the server that took it.
const MARGIN: Millis = Millis::seconds(10 * 60);

/// Why there is no copy of a database.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// PostgreSQL has programs for that.
    #[error(
        "back PostgreSQL up with its own programs (`pg_dump`, or a base backup with its log), put it back with them, and \
         say so afterwards: `landfall restored --database URL`"
    )]
    NotOurs,
    /// Nothing is where the copy should be, or what was there before.
    #[error("{0}")]
    Failed(String),
}

impl Store {
    /// Everything that was committed before a backup was begun is in it. Gives for how many tenants that is news.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn backed_up(&self, begun: WallTime) -> Result<usize, StoreError> {
        let newest = sql("INSERT INTO backups (tenant, position) \
             SELECT tenant, MAX(position) FROM commits WHERE at < $1 GROUP BY tenant \
             ON CONFLICT (tenant) DO UPDATE SET position = excluded.position \
             WHERE backups.position < excluded.position RETURNING position");
        let mut tx = self.database.write().await?;
        let news: Vec<i64> = tx.all(newest.bind(stored(begun.0.saturating_sub(MARGIN.0)))).await?;
        tx.commit().await?;
        Ok(news.len())
    }

    /// Writes all that is committed into a new file, while servers work with the database.
    ///
    /// # Errors
    /// There is something at the place, or no room; or the database is no file.
    pub async fn back_up(&self, file: &Path) -> Result<(), CopyError> {
        self.database.copy_to(file.to_owned()).await
    }

    /// Puts a backup where there is no database, with a new epoch: devices that come back hear how much of what they have
    /// is in it, and put back the rest. Whenever the process is killed, there is either all of it or nothing.
    ///
    /// # Errors
    /// There is something at the place; or the file is no backup, or damaged.
    pub async fn restore(file: &Path, url: &str) -> Result<(), CopyError> {
        if url.starts_with("postgres") {
            return Err(CopyError::NotOurs);
        }
        let failed = |error: &dyn std::error::Error| CopyError::Failed(error.to_string());
        let place = sqlite::path(url).ok_or_else(|| failed(&super::OpenError::Address(url.to_owned())))?;
        let beside = copy::bring(file, &place).map_err(CopyError::Failed)?;
        let store =
            Store::open(&format!("sqlite://{}", beside.display())).await.map_err(|error| failed(&error))?;
        let found = store.database.inspect().await.map_err(|error| failed(&error))?;
        if let Some(first) = found.first() {
            store.close().await;
            return Err(CopyError::Failed(format!("{} is damaged: {first}", file.display())));
        }
        store.restored().await.map_err(|error| failed(&error))?;
        store.close().await;
        copy::put(&beside, &place).map_err(CopyError::Failed)
    }

    /// Takes what is here for what was put back from a backup: from now on it is a history of its own.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn restored(&self) -> Result<(), StoreError> {
        let leave = sql("UPDATE meta SET value = $1 WHERE name = 'epoch'");
        let mut tx = self.database.write().await?;
        tx.run(leave.bind(Epoch(random::number()).to_string())).await?;
        tx.commit().await
    }
}
