//! History that is older than it is to be kept goes, a thousand changes at a time.
//!
//! There is no index by age: every push would pay for it. So a walk reads the whole history of the collections
//! that forget, once a day, in the order in which it lies.

use std::collections::VecDeque;

use landfall_core::id::Collection;
use landfall_core::time::{Millis, WallTime};

use super::database::{Statement, sql};
use super::{Store, StoreError, stored};
use crate::faults::{self, Point};
use crate::retention::Retention;

/// Changes that one turn looks at.
const TOGETHER: u64 = 1_000;
/// Servers may differ by less than this about the time.
const DOUBT: Millis = Millis::seconds(24 * 60 * 60);

/// A walk through what may be too old, and how far it has come.
#[derive(Debug)]
pub struct Walk {
    left: VecDeque<Part>,
    /// The last change that was looked at, by document and version.
    behind: (String, i64),
}

/// The history of one collection of one tenant.
#[derive(Debug)]
struct Part {
    tenant: String,
    collection: Collection,
    since: WallTime,
}

impl Part {
    fn of(&self, statement: Statement) -> Statement {
        statement.bind(self.tenant.as_str()).bind(self.collection.as_str())
    }
}

impl Store {
    /// Begins to forget what is too old by now.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn walk(&self, retention: &Retention, now: WallTime) -> Result<Walk, StoreError> {
        let since: Vec<_> = retention.since(now).collect();
        let mut left = VecDeque::new();
        if !since.is_empty() {
            let mut tx = self.database.read().await?;
            let tenants: Vec<String> = tx.all(sql("SELECT tenant FROM tenants ORDER BY tenant")).await?;
            for tenant in tenants {
                left.extend(since.iter().map(|(collection, since)| Part {
                    tenant: tenant.clone(),
                    collection: Collection::clone(collection),
                    since: *since,
                }));
            }
        }
        Ok(Walk { left, behind: (String::new(), 0) })
    }

    /// Takes one turn: deletes what is too old of the next changes. Gives how many; none at the end of the walk.
    ///
    /// # Errors
    /// The database does not work. The same turn may be taken again.
    pub async fn forget_some(&self, walk: &mut Walk) -> Result<Option<usize>, StoreError> {
        let Some(part) = walk.left.front() else { return Ok(None) };
        let next = part
            .of(sql("SELECT document, version, at FROM history WHERE tenant = $1 AND collection = $2 \
             AND (document, version) > ($3, $4) ORDER BY document, version LIMIT $5"));
        let next = next.bind(walk.behind.0.as_str()).bind(walk.behind.1).bind(stored(TOGETHER));
        let mut tx = self.database.read().await?;
        let changes: Vec<(String, i64, i64)> = tx.all(next).await?;
        drop(tx);
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            walk.left.pop_front();
            walk.behind = (String::new(), 0);
            return Ok(Some(0));
        };
        let is_old = |at: i64| at < stored(part.since.0);
        let mut gone = 0;
        if changes.iter().any(|(_, _, at)| is_old(*at)) {
            gone = self.forget(part, (&walk.behind, &first.0), (&last.0, last.1)).await?;
        }
        walk.behind = (last.0.clone(), last.1);
        Ok(Some(gone))
    }

    /// Deletes what is too old behind one change and up to another.
    async fn forget(
        &self,
        part: &Part,
        (behind, first): (&(String, i64), &str),
        (last, version): (&str, i64),
    ) -> Result<usize, StoreError> {
        let mut tx = self.database.write().await?;
        // A push of the tenant sees all of this or nothing.
        let hold = sql("INSERT INTO tenants (tenant, position) VALUES ($1, 0) \
             ON CONFLICT (tenant) DO UPDATE SET position = tenants.position");
        tx.run(hold.bind(part.tenant.as_str())).await?;
        // What a document that is decided as a whole was is of use only with all that was written since: so it goes
        // before that does.
        let earlier = sql("DELETE FROM earlier WHERE tenant = $1 AND collection = $2 \
             AND document BETWEEN $3 AND $4 AND at < $5");
        let earlier = part.of(earlier).bind(first).bind(last).bind(stored(part.since.after(DOUBT).0));
        let forget = sql("DELETE FROM history WHERE tenant = $1 AND collection = $2 \
             AND (document, version) > ($3, $4) AND (document, version) <= ($5, $6) AND at < $7 RETURNING position");
        let forget = part.of(forget).bind(behind.0.as_str()).bind(behind.1).bind(last).bind(version);
        tx.run(earlier).await?;
        let gone: Vec<i64> = tx.all(forget.bind(stored(part.since.0))).await?;
        if let Some(newest) = gone.iter().max() {
            let note = sql("INSERT INTO expired (tenant, collection, position) VALUES ($1, $2, $3) \
                 ON CONFLICT (tenant, collection) DO UPDATE SET position = \
                 CASE WHEN excluded.position > expired.position THEN excluded.position ELSE expired.position END");
            tx.run(part.of(note).bind(*newest)).await?;
        }
        faults::pass(Point::InPruning);
        tx.commit().await?;
        faults::pass(Point::InPruning);
        Ok(gone.len())
    }
}
