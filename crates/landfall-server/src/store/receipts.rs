//! Verdicts, kept so that a resend gets the same one, and what is left of them once their device has stored them.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{RECEIPTS_MAX, Receipt, Run, VERDICTS_KEPT};
use landfall_core::id::{MutationId, Position, Writer};
use landfall_core::map::Map;
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::PushResult;

use super::push::{corrupt, json};
use super::{Push, Store, StoreError, count, stored};

/// A device may be wrong about when it sent something first, by as much as about the time.
const DOUBT: Millis = Millis::seconds(24 * 60 * 60);

impl Push {
    /// The verdicts on mutations, as far as there are any.
    pub(super) async fn receipts(
        &mut self,
        ids: &BTreeSet<MutationId>,
    ) -> Result<BTreeMap<MutationId, Receipt>, StoreError> {
        let mut receipts = BTreeMap::new();
        let mut settled_through = BTreeMap::new();
        for id in ids {
            if let Some(receipt) = self.receipt(*id).await? {
                receipts.insert(*id, receipt);
                continue;
            }
            // Most have none because they are new, and above all that is settled.
            let through = match settled_through.get(&id.writer) {
                Some(through) => *through,
                None => {
                    let last = self.run_before(id.writer, u64::MAX >> 1).await?;
                    *settled_through.entry(id.writer).or_insert(last.map_or(0, |run| run.last))
                }
            };
            if id.n <= through
                && let Some(run) = self.run_before(id.writer, id.n).await?
                && id.n <= run.last
            {
                receipts.insert(*id, run.receipt(*id, Position(self.position.0 - 1)));
            }
        }
        Ok(receipts)
    }

    async fn receipt(&mut self, id: MutationId) -> Result<Option<Receipt>, StoreError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT hash, result FROM receipts WHERE tenant = $1 AND writer = $2 AND n = $3")
                .bind(self.sender.tenant.as_str())
                .bind(id.writer.to_string())
                .bind(stored(id.n))
                .fetch_optional(&mut *self.tx)
                .await?;
        let Some((hash, result)) = row else { return Ok(None) };
        let hash =
            read_hash(&hash).ok_or_else(|| corrupt(format!("receipt {id}"), "not a hash".to_owned()))?;
        Ok(Some(Receipt { hash, result: read_result(id, &result)? }))
    }

    pub(super) async fn write_receipt(
        &mut self,
        id: MutationId,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO receipts (tenant, writer, n, hash, result, at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.sender.tenant.as_str())
        .bind(id.writer.to_string())
        .bind(stored(id.n))
        .bind(write_hash(receipt.hash.as_ref()))
        .bind(json(&receipt.result))
        .bind(stored(self.sender.now.0))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Those of the writers that have as many receipts as a writer may have, or more.
    pub(super) async fn full(&mut self, writers: BTreeSet<Writer>) -> Result<BTreeSet<Writer>, StoreError> {
        let mut full = BTreeSet::new();
        for writer in writers {
            let last: Option<i64> = sqlx::query_scalar(
                "SELECT n FROM receipts WHERE tenant = $1 AND writer = $2 ORDER BY n LIMIT 1 OFFSET $3",
            )
            .bind(self.sender.tenant.as_str())
            .bind(writer.to_string())
            .bind(stored(RECEIPTS_MAX as u64 - 1))
            .fetch_optional(&mut *self.tx)
            .await?;
            full.extend(last.map(|_| writer));
        }
        Ok(full)
    }

    /// Puts runs in the place of the receipts in these ranges. What has no receipt may never have been sent.
    pub(super) async fn take_settled(
        &mut self,
        settled: &Map<Writer, Vec<(u64, u64)>>,
    ) -> Result<(), StoreError> {
        for (writer, ranges) in settled.iter() {
            for range in ranges {
                let mut runs: Vec<Run> = Vec::new();
                for run in self.take_receipts(*writer, *range).await? {
                    if !runs.last_mut().is_some_and(|last| last.join(&run)) {
                        runs.push(run);
                    }
                }
                for run in runs {
                    self.write_run(*writer, run).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes the receipts of a range, and gives what is left of each.
    async fn take_receipts(
        &mut self,
        writer: Writer,
        (first, last): (u64, u64),
    ) -> Result<Vec<Run>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT n, result FROM receipts WHERE tenant = $1 AND writer = $2 AND n BETWEEN $3 AND $4 \
             ORDER BY n",
        )
        .bind(self.sender.tenant.as_str())
        .bind(writer.to_string())
        .bind(stored(first))
        .bind(stored(last))
        .fetch_all(&mut *self.tx)
        .await?;
        if rows.is_empty() {
            return Ok(vec![]);
        }
        sqlx::query("DELETE FROM receipts WHERE tenant = $1 AND writer = $2 AND n BETWEEN $3 AND $4")
            .bind(self.sender.tenant.as_str())
            .bind(writer.to_string())
            .bind(stored(first))
            .bind(stored(last))
            .execute(&mut *self.tx)
            .await?;
        let run = |(n, result): (i64, String)| {
            let n = count(n);
            Ok(Run::of(n, &read_result(MutationId { writer, n }, &result)?))
        };
        rows.into_iter().map(run).collect()
    }

    /// The last run that begins at `n` or before.
    async fn run_before(&mut self, writer: Writer, n: u64) -> Result<Option<Run>, StoreError> {
        let row: Option<(i64, i64, Option<String>)> = sqlx::query_as(
            "SELECT first, last, code FROM settled WHERE tenant = $1 AND writer = $2 AND first <= $3 \
             ORDER BY first DESC LIMIT 1",
        )
        .bind(self.sender.tenant.as_str())
        .bind(writer.to_string())
        .bind(stored(n))
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(row.map(|(first, last, code)| Run { first: count(first), last: count(last), code }))
    }

    /// Adds a run, as one with its neighbours where it can be.
    async fn write_run(&mut self, writer: Writer, mut run: Run) -> Result<(), StoreError> {
        if let Some(next) = self.run_before(writer, run.last + 1).await?
            && run.join(&next)
        {
            sqlx::query("DELETE FROM settled WHERE tenant = $1 AND writer = $2 AND first = $3")
                .bind(self.sender.tenant.as_str())
                .bind(writer.to_string())
                .bind(stored(next.first))
                .execute(&mut *self.tx)
                .await?;
        }
        if let Some(mut before) = self.run_before(writer, run.first).await?
            && before.join(&run)
        {
            run = before;
        }
        sqlx::query(
            "INSERT INTO settled (tenant, writer, first, last, code, at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, writer, first) DO UPDATE SET last = excluded.last, at = excluded.at",
        )
        .bind(self.sender.tenant.as_str())
        .bind(writer.to_string())
        .bind(stored(run.first))
        .bind(stored(run.last))
        .bind(run.code)
        .bind(stored(self.sender.now.0))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Forgets verdicts that nobody can ask for any more: what was first sent before them is answered without.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn forget_verdicts(&self, now: WallTime) -> Result<(), StoreError> {
        let before = stored(now.0.saturating_sub(VERDICTS_KEPT.0 + DOUBT.0));
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for table in ["DELETE FROM receipts WHERE at < $1", "DELETE FROM settled WHERE at < $1"] {
            sqlx::query(table).bind(before).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn read_result(id: MutationId, text: &str) -> Result<PushResult, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(format!("receipt {id}"), error.to_string()))
}

fn write_hash(hash: Option<&[u8; 32]>) -> String {
    hash.into_iter().flatten().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a hash, or that there is none.
fn read_hash(text: &str) -> Option<Option<[u8; 32]>> {
    let mut hash = [0; 32];
    if text.is_empty() {
        return Some(None);
    }
    if text.len() != 64 {
        return None;
    }
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(Some(hash))
}
