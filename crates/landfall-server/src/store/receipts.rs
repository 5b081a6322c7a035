//! Verdicts, kept so that a resend gets the same one, and what is left of them once their device has stored them.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{RECEIPTS_MAX, Receipt, Run, VERDICTS_KEPT};
use landfall_core::id::{MutationId, Position, Writer};
use landfall_core::map::Map;
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::PushResult;

use super::database::{Statement, sql};
use super::push::{corrupt, json};
use super::{Push, Sender, Store, StoreError, count, stored};
use crate::faults::{self, Point};

/// A device may be wrong about when it sent something first, by as much as about the time.
const DOUBT: Millis = Millis::seconds(24 * 60 * 60);

impl Push {
    /// The verdicts on mutations, as far as there are any: those that have receipts, and those in runs of their
    /// writers, of which the newest are at hand.
    pub(super) async fn receipts(
        &mut self,
        ids: &BTreeSet<MutationId>,
        rows: Vec<Option<ReceiptRow>>,
        newest: &BTreeMap<Writer, Option<RunRow>>,
    ) -> Result<BTreeMap<MutationId, Receipt>, StoreError> {
        let mut receipts = BTreeMap::new();
        let mut unknown = Vec::new();
        for (id, row) in ids.iter().zip(rows) {
            match row {
                Some((hash, result)) => {
                    let hash = read_hash(&hash)
                        .ok_or_else(|| corrupt(format!("receipt {id}"), "not a hash".to_owned()))?;
                    receipts.insert(*id, Receipt { hash, result: read_result(*id, &result)? });
                }
                None => unknown.push(*id),
            }
        }
        // Most have none because they are new, and above all that is settled.
        let settled =
            |id: &MutationId| newest[&id.writer].as_ref().is_some_and(|(_, last, _)| id.n <= count(*last));
        unknown.retain(settled);
        let runs = self.runs_before(unknown.iter().map(|id| (id.writer, id.n)).collect()).await?;
        for (id, run) in unknown.into_iter().zip(runs) {
            if let Some(run) = run.filter(|run| id.n <= run.last) {
                receipts.insert(id, run.receipt(id, Position(self.position.0 - 1)));
            }
        }
        Ok(receipts)
    }

    /// Puts runs in the place of the receipts in these ranges. What has no receipt may never have been sent.
    pub(super) async fn take_settled(
        &mut self,
        settled: &Map<Writer, Vec<(u64, u64)>>,
    ) -> Result<(), StoreError> {
        let mut taken = Vec::new();
        let mut writers = Vec::new();
        for (writer, ranges) in settled.iter() {
            for (first, last) in ranges {
                let take =
                    sql("DELETE FROM receipts WHERE tenant = $1 AND writer = $2 AND n BETWEEN $3 AND $4 \
                     RETURNING n, result");
                taken.push(self.sender.name(take, *writer).bind(stored(*first)).bind(stored(*last)));
                writers.push(*writer);
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        for (writer, rows) in writers.into_iter().zip(self.joined.tx.ask(taken).await?) {
            let mut ends = Vec::new();
            for mut row in rows {
                let (n, result): (i64, String) = (row.next()?, row.next()?);
                let n = count(n);
                ends.push(Run::of(n, &read_result(MutationId { writer, n }, &result)?));
            }
            ends.sort_by_key(|run| run.first);
            let mut runs: Vec<Run> = Vec::new();
            for run in ends {
                if !runs.last_mut().is_some_and(|last| last.join(&run)) {
                    runs.push(run);
                }
            }
            for run in runs {
                self.write_run(writer, run).await?;
            }
        }
        Ok(())
    }

    /// For each of these the last run that begins there or before.
    async fn runs_before(&mut self, places: Vec<(Writer, u64)>) -> Result<Vec<Option<Run>>, StoreError> {
        let asked = places.into_iter().map(|(writer, n)| self.sender.run_before(writer, n));
        let rows: Vec<Option<RunRow>> = self.joined.tx.each(asked.collect()).await?;
        let run = |(first, last, code): RunRow| Run { first: count(first), last: count(last), code };
        Ok(rows.into_iter().map(|row| row.map(run)).collect())
    }

    /// Adds a run, as one with its neighbours where it can be.
    async fn write_run(&mut self, writer: Writer, mut run: Run) -> Result<(), StoreError> {
        let neighbours = self.runs_before(vec![(writer, run.last + 1), (writer, run.first)]).await?;
        let mut writes = Vec::new();
        if let Some(next) = &neighbours[0]
            && run.join(next)
        {
            let swallow = sql("DELETE FROM settled WHERE tenant = $1 AND writer = $2 AND first = $3");
            writes.push(self.sender.name(swallow, writer).bind(stored(next.first)));
        }
        if let Some(mut before) = neighbours[1].clone()
            && before.join(&run)
        {
            run = before;
        }
        let write = sql(
            "INSERT INTO settled (tenant, writer, first, last, code, at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, writer, first) DO UPDATE SET last = excluded.last, at = excluded.at",
        );
        let write = self.sender.name(write, writer).bind(stored(run.first)).bind(stored(run.last));
        writes.push(write.bind(run.code).bind(stored(self.sender.now.0)));
        self.joined.tx.ask(writes).await.map(|_| ())
    }
}

/// Hash and verdict.
pub(super) type ReceiptRow = (String, String);
/// First, last, and why they were refused.
pub(super) type RunRow = (i64, i64, Option<String>);

impl Sender {
    pub(super) fn receipt(&self, id: MutationId) -> Statement {
        let receipt = sql("SELECT hash, result FROM receipts WHERE tenant = $1 AND writer = $2 AND n = $3");
        self.name(receipt, id.writer).bind(stored(id.n))
    }

    /// Asks for the last receipt that a writer may have: one that has it has to settle first.
    pub(super) fn last_receipt(&self, writer: Writer) -> Statement {
        let last =
            sql("SELECT n FROM receipts WHERE tenant = $1 AND writer = $2 ORDER BY n LIMIT 1 OFFSET $3");
        self.name(last, writer).bind(stored(RECEIPTS_MAX as u64 - 1))
    }

    /// Asks for the last run of a writer that begins there or before.
    pub(super) fn run_before(&self, writer: Writer, n: u64) -> Statement {
        let run =
            sql("SELECT first, last, code FROM settled WHERE tenant = $1 AND writer = $2 AND first <= $3 \
             ORDER BY first DESC LIMIT 1");
        self.name(run, writer).bind(stored(n))
    }

    fn name(&self, statement: Statement, writer: Writer) -> Statement {
        statement.bind(self.tenant.as_str()).bind(writer.to_string())
    }

    pub(super) fn write_receipt(&self, id: MutationId, receipt: &Receipt) -> Statement {
        let write =
            sql("INSERT INTO receipts (tenant, writer, n, hash, result, at) VALUES ($1, $2, $3, $4, $5, $6)");
        let write = self.name(write, id.writer).bind(stored(id.n));
        let write = write.bind(write_hash(receipt.hash.as_ref())).bind(json(&receipt.result));
        write.bind(stored(self.now.0))
    }
}

impl Store {
    /// Forgets verdicts that nobody can ask for any more: what was first sent before them is answered without.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn forget_verdicts(&self, now: WallTime) -> Result<(), StoreError> {
        let before = stored(now.0.saturating_sub(VERDICTS_KEPT.0 + DOUBT.0));
        let tables = ["DELETE FROM receipts WHERE at < $1", "DELETE FROM settled WHERE at < $1"];
        let mut tx = self.database.write().await?;
        tx.ask(tables.map(|table| sql(table).bind(before)).into()).await?;
        faults::pass(Point::InPruning);
        tx.commit().await?;
        faults::pass(Point::InPruning);
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
pub(super) fn read_hash(text: &str) -> Option<Option<[u8; 32]>> {
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
