//! Server processes over one store: the real decision, and a pull that pages by position and ordinal.
//!
//! The store and the pull are those of `landfall-server` over maps. What lies between a request and
//! [`authority::decide`] is not the product's code here, so it is kept as plain as it can be.

mod cursor;
mod database;
mod pull;
mod rules;
mod store;

use std::collections::BTreeSet;

use landfall_core::authority::{self, Facts, RECEIPTS_MAX, Stored};
use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::{MutationId, Version, Writer};
use landfall_core::mutation::{Mutation, Op};
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::{BATCH_MUTATIONS_MAX, Batch, BatchReply, Verdict};

use crate::chance::Chance;
use crate::mark::{Mark, Marks};
use crate::person::Person;
use crate::planted::{self, Bug};
use crate::version::Version as Spoken;

pub use database::Database;
pub use rules::{CallerRules, REFUSED, Rules, merges};
use store::refused;
pub use store::{Applied, Store};

/// All there is on the server's side.
#[derive(Debug)]
pub struct Server {
    /// What is stored now.
    pub data: Database,
    /// What was stored at some time.
    pub backups: Vec<Database>,
    /// How wrong each process's clock is.
    pub nodes: Vec<i64>,
    /// What version each process is of.
    pub versions: Vec<Spoken>,
    /// Whether one of them was ever wrong.
    pub unsteady: bool,
    /// What it accepts.
    pub rules: Rules,
    /// Most changes on a page.
    pub page: usize,
    /// As many receipts that are not settled keep a writer waiting.
    pub receipts_max: usize,
    /// The latest time that any process had.
    pub latest: WallTime,
    /// Mutations that it had judged once, and that a backup does not know.
    pub taken_back: BTreeSet<MutationId>,
    /// How many mutations were judged; what was judged before is not counted again.
    pub judged: u64,
    chance: Chance,
}

impl Server {
    /// An empty server.
    pub fn new(tenants: usize, nodes: usize, page: usize, policy: Policy, mut chance: Chance) -> Server {
        let data = Database::new(tenants, chance.bits());
        let rules = Rules::new(policy);
        let (nodes, versions) = (vec![0; nodes], vec![Spoken::Ours; nodes]);
        Server {
            data,
            backups: vec![],
            nodes,
            versions,
            unsteady: false,
            rules,
            page,
            receipts_max: RECEIPTS_MAX,
            latest: WallTime(0),
            taken_back: BTreeSet::new(),
            judged: 0,
            chance,
        }
    }

    /// What a tenant has.
    pub fn store(&self, tenant: usize) -> &Store {
        &self.data.stores[tenant]
    }

    /// Whether a mutation has taken effect.
    pub fn has(&self, id: MutationId) -> bool {
        self.data.stores.iter().any(|store| store.has(id))
    }

    /// Whether there is a verdict on a mutation.
    pub fn knows(&self, id: MutationId) -> bool {
        self.data.stores.iter().any(|store| store.receipts.contains_key(&id))
    }

    /// `POST /api/v1/sync/batch` at one of the processes.
    pub fn push(
        &mut self,
        caller: &Person,
        batch: &Batch,
        now: WallTime,
        marks: &mut Marks,
    ) -> Result<BatchReply, Failure> {
        self.latest = self.latest.max(now);
        if batch.user != caller.user && !planted::is(Bug::SenderNotAsked) {
            return Err(refused(Code::UserMismatch));
        }
        database::checked(batch, BATCH_MUTATIONS_MAX).map_err(refused)?;
        let parsed: Vec<_> = batch.mutations.iter().map(authority::parse).collect();
        let mutations: Vec<Option<&Mutation>> = parsed.iter().map(|parsed| parsed.as_ref().ok()).collect();
        if let Some(reply) = self.remembered(caller, &mutations, now) {
            return Ok(reply);
        }
        self.data.claim(caller, batch, &mutations).map_err(refused)?;
        let rules = self.rules.of(caller);
        let store = &mut self.data.stores[caller.tenant];
        let mut facts = Facts { position: store.position.next(), ..Facts::default() };
        let mut asked: BTreeSet<MutationId> = batch.void.iter().copied().collect();
        for mutation in mutations.iter().copied().flatten() {
            // An installation whose database was deleted goes on under another name.
            store.writers.entry(mutation.id.writer).or_insert_with(|| batch.client.clone());
            asked.extend(mutation.needs.iter().copied().chain(mutation.after).chain([mutation.id]));
            let key = mutation.key();
            if let Some(row) = store.documents.get(&key) {
                facts.documents.insert(key, row.stored.clone());
            } else if planted::is(Bug::GoneRevives) && store.forgotten.contains_key(&key) {
                facts.documents.insert(key, Stored { version: Version(1), ..Stored::default() });
            }
        }
        if !planted::is(Bug::SettledIgnored) {
            store.settle(&batch.settled);
        }
        let receipts = asked.iter().filter_map(|id| Some((*id, store.receipt(*id)?)));
        facts.receipts = receipts.collect();
        let sent: BTreeSet<_> = mutations.iter().flatten().map(|mutation| mutation.id).collect();
        let is_full = |writer: &Writer| store.unsettled(*writer) >= self.receipts_max;
        let writers: BTreeSet<Writer> = sent.iter().map(|id| id.writer).collect();
        facts.full = writers.into_iter().filter(is_full).collect();
        if facts.must_settle(&sent) {
            marks.hit(Mark::SettleFirst);
            return Err(refused(Code::SettleFirst));
        }
        if planted::is(Bug::NoDedupe) {
            sent.iter().for_each(|id| _ = facts.receipts.remove(id));
        }
        if planted::is(Bug::DedupeWindow) {
            let from = store.position.0.saturating_sub(3);
            facts.receipts.retain(|_, receipt| receipt.result.position.0 >= from);
        }
        let own = store.writers.iter().filter(|(_, client)| **client == batch.client);
        facts.own_writers = own.map(|(writer, _)| *writer).collect();
        if planted::is(Bug::OwnWritersForgotten) {
            facts.own_writers.clear();
        }
        let known = batch.void.iter().filter_map(|id| Some((*id, facts.receipts.get(id)?.clone())));
        let known = known.collect();
        let is_hidden = |stored: &Stored| stored.document.is_deleted();
        let hidden_before: Vec<bool> = mutations
            .iter()
            .map(|mutation| {
                mutation.is_some_and(|one| facts.documents.get(&one.key()).is_some_and(is_hidden))
            })
            .collect();
        let unbounded = planted::is(Bug::FutureNotBounded);
        let latest = if unbounded { now.after(Millis(u64::MAX >> 20)) } else { now };
        let mut decision = authority::decide(&parsed, facts, &rules, latest);
        authority::close(&batch.void, &known, &mut decision);
        let judged = decision.results.iter().take(mutations.len());
        self.judged += judged.filter(|result| !result.duplicate).count() as u64;
        for ((mutation, result), hidden) in mutations.iter().zip(&decision.results).zip(hidden_before) {
            let Some(mutation) = mutation else { continue };
            marks.hit_if(result.duplicate, Mark::Duplicate);
            let settled = store.runs.contains_key(&mutation.id);
            marks.hit_if(result.duplicate && settled, Mark::DuplicateSettled);
            marks.hit_if(result.restamped && result.stamp < Some(mutation.stamp), Mark::Restamped);
            marks.hit(match result.verdict {
                Verdict::Applied => Mark::Applied,
                Verdict::Merged => Mark::Merged,
                Verdict::Conflict => Mark::Conflict,
                Verdict::Rejected => Mark::Rejected,
                Verdict::Held => Mark::Held,
            });
            let code = result.code.as_deref();
            marks.hit_if(code == Some(Code::GroupRefused.as_str()), Mark::GroupRefused);
            marks.hit_if(code == Some(Code::Gone.as_str()), Mark::Gone);
            let is_in = result.verdict != Verdict::Rejected && !result.duplicate;
            let visible = decision.documents.get(&mutation.key()).is_some_and(|s| !s.document.is_deleted());
            marks.hit_if(is_in && hidden && visible && mutation.op == Op::Patch, Mark::Revived);
            marks.hit_if(is_in && hidden && visible && mutation.op == Op::Create, Mark::StartedOver);
        }
        let closed = decision.results.iter().skip(mutations.len());
        closed.for_each(|result| {
            marks.hit_if(result.verdict != Verdict::Rejected, Mark::DiscardedTooLate);
        });
        let nonce = self.chance.bits();
        let lost = planted::is(Bug::AckBeforeCommit) && nonce.is_multiple_of(20);
        if !lost {
            store.commit(&batch.client, parsed.into_iter().map(Result::ok), &mut decision, nonce);
        }
        let (epoch, position) = (store.name(), store.position);
        let mut results = decision.results;
        if planted::is(Bug::VerdictRecomputed) {
            for result in results.iter_mut().filter(|result| result.duplicate) {
                result.position = position;
            }
        }
        if planted::is(Bug::ClampNotReturned) {
            results.iter_mut().filter(|result| result.restamped).for_each(|result| result.stamp = None);
        }
        Ok(BatchReply { server_time: now, epoch, head: Some(self.head(caller.tenant)), results })
    }

    /// Verdicts that there are already, whoever asks for them: with a bug.
    fn remembered(
        &self,
        caller: &Person,
        mutations: &[Option<&Mutation>],
        now: WallTime,
    ) -> Option<BatchReply> {
        let store = self.store(caller.tenant);
        let receipt = |mutation: &Option<&Mutation>| store.receipt((*mutation)?.id);
        let all = planted::is(Bug::ReceiptOfAnother) && !mutations.is_empty();
        let receipts = mutations.iter().filter(|_| all).map(receipt).collect::<Option<Vec<_>>>()?;
        let results: Vec<_> = receipts.into_iter().map(|receipt| receipt.result).collect();
        let (epoch, head) = (store.name(), Some(self.head(caller.tenant)));
        (!results.is_empty()).then_some(BatchReply { server_time: now, epoch, head, results })
    }

    /// A process's time.
    pub fn clock(&mut self, node: usize, now: WallTime) -> WallTime {
        now.shifted(self.nodes[node])
    }

    /// An earlier state is put back. Where nobody says so, the history keeps its name.
    pub fn restore(&mut self, backup: usize, silently: bool) {
        self.data = self.backups[backup].clone();
        self.backups.truncate(backup + 1);
        if !silently {
            let epoch = self.chance.bits();
            self.data.rename(epoch);
        }
    }
}
