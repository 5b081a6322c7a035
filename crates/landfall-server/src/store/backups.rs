//! What is known to be in a backup: devices need not keep it any more.

use landfall_core::time::{Millis, WallTime};

use super::database::sql;
use super::{Store, StoreError, stored};

/// A commit bears the time at which its request came, by the clock of the server that took it.
const MARGIN: Millis = Millis::seconds(10 * 60);

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
}
