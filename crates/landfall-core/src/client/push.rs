//! The client's half of pushing: choose, make final, send, store the verdicts.

use super::load::Then;
use super::{BATCH_BYTES, BATCH_MUTATIONS, Client, Failure, Output, Purpose, Settled, Status, Transaction};
use crate::clock::Stamp;
use crate::code::Code;
use crate::drain::Step;
use crate::id::{DocumentKey, MutationId, Position, Writer};
use crate::json::Json;
use crate::map::{Map, Set};
use crate::mutation::Mutation;
use crate::outbox::Standing;
use crate::planted::{self, Bug};
use crate::stored::{
    self, BaseRow, End, Entry, JournalRecord, Parked, Place, Sent, SentRecord, SettledMutation, Store,
};
use crate::time::WallTime;
use crate::transaction::{ELSEWHERE, Fold, Kept, PART};
use crate::wire::{Batch, BatchReply, PROTOCOL, PushResult, SETTLED_MAX, Verdict};

impl Client {
    /// Chooses a batch and makes its bytes final.
    pub(super) fn fix(&mut self, now: WallTime) {
        self.drain.begin(Step::Fixing);
        // The write before it on its document may be in the base already.
        let chosen = self.choose(self.batch_max, now).into_iter();
        let mut keys: Vec<DocumentKey> = chosen.map(|item| item.entry.key()).collect();
        if !keys.iter().all(|key| self.replica.is_loaded(key)) {
            // What goes next is in the same records, or in those beside them.
            keys.extend(self.unread(None, PART as usize));
            return self.read_documents(self.unknown(keys), Then::Fix);
        }
        let server_now = now.shifted(self.offset.millis());
        let mut last: Map<DocumentKey, Stamp> = Map::new();
        let (mut batch, mut bytes): (Vec<Sent>, usize) = (Vec::new(), 0);
        // Where the unit of the last one begins: a transaction is not cut.
        let mut begun = 0;
        let mut ended = false;
        for item in self.choose(self.batch_max, now) {
            // It is not in the journal: another tab has brought it to an end.
            ended |= !item.entry.fields.are_here();
            if ended {
                break;
            }
            let group = &item.entry.group;
            if group.is_none() || batch.last().is_some_and(|last| last.mutation.group != *group) {
                begun = batch.len();
            }
            let key = item.entry.key();
            let sent = item.sent.as_deref().cloned().unwrap_or_else(|| {
                let before = last.get(&key).copied().or_else(|| {
                    let lane = self.outbox.lane(&key).take_while(|other| other.entry.id != item.entry.id);
                    lane.map(|other| other.stamp).max()
                });
                let before =
                    before.max(self.replica.base(&key).and_then(|row| row.newest_before(&item.entry)));
                let stamp = self.final_stamp(&item.entry, before.unwrap_or(Stamp::ZERO), server_now);
                // A clock that was set back, and nobody has told yet, must not make it look old.
                let at = server_now.max(stamp.wall());
                Sent { mutation: item.entry.mutation(stamp, self.outbox.needs(&item.entry)), at }
            });
            bytes += stored::write(&sent.mutation).len();
            if bytes > BATCH_BYTES && begun > 0 {
                batch.truncate(begun);
                break;
            }
            last.insert(key, sent.mutation.stamp);
            batch.push(sent);
        }
        if ended {
            self.refresh = true;
            return self.drain.fail(None, now);
        }
        let (of, migrations) = (self.installation.clone(), self.migrations);
        self.transact(Purpose::Fix, Transaction::Fix { of, sent: batch, migrations });
    }

    /// The device's reading corrected by what is known of its clock now: not in the server's future, and
    /// above whatever the write had seen and the write before it on the same document.
    fn final_stamp(&self, entry: &Entry, before: Stamp, server_now: WallTime) -> Stamp {
        let writer = entry.id.writer;
        let reading = Stamp::at(entry.at.shifted(self.offset.millis()), writer);
        // The counter tells the writes of one millisecond apart.
        let ticks = reading.ticks | (entry.stamp.ticks & 0xffff);
        let corrected = Stamp { ticks: ticks.min(Stamp::at(server_now, writer).ticks), writer };
        // What it has sent before may be known to nobody here any more, and may have had nothing else to stand above
        // than this: so the step is another one for each of a writer's writes.
        let seen = Stamp { ticks: entry.seen.ticks.saturating_add(entry.id.n), writer };
        corrected.max(seen).max(before.raised_by(writer))
    }

    /// The bytes are final: send them.
    pub(super) fn fixed(
        &mut self,
        sent: Vec<Sent>,
        added: Vec<MutationId>,
        record: Option<u64>,
        now: WallTime,
    ) {
        if let Some(record) = record {
            self.seen.fixed(record);
            self.ledger.sent(record, added.iter().copied().collect());
        }
        let fresh: Set<_> = added.into_iter().collect();
        let mut keys = Set::new();
        let mut mutations = Vec::with_capacity(sent.len());
        self.flight = sent.iter().map(|sent| sent.mutation.id).collect();
        for sent in sent {
            let first = fresh.contains(&sent.mutation.id);
            let mutation = Mutation { first_sent_at: (!first).then_some(sent.at), ..sent.mutation.clone() };
            mutations.push(
                Json::parse(&stored::write(&mutation))
                    .unwrap_or_else(|_| unreachable!("BUG: a mutation that is not JSON")),
            );
            keys.insert(mutation.key());
            self.outbox.attempt(mutation.id);
            self.outbox.fix(sent);
        }
        for key in keys {
            self.replica.replay(&key, &self.outbox);
        }
        self.voiding = self.outbox.discarding().take(BATCH_MUTATIONS).map(|item| item.entry.id).collect();
        if mutations.is_empty() && self.voiding.is_empty() {
            return self.drain.stale(now);
        }
        self.push(mutations, now);
    }

    /// Sends a batch, which may be empty.
    pub(super) fn push(&mut self, mutations: Vec<Json>, now: WallTime) {
        self.progress.sent(mutations.iter().map(|mutation| mutation.text().len()).sum());
        self.drain.begin(Step::Pushing);
        self.outputs.push_back(Output::Push(Batch {
            protocol: PROTOCOL,
            client: self.installation.clone(),
            user: self.options.user.clone(),
            sent_at: now,
            settled: self.settlements().0,
            void: self.voiding.clone(),
            device: self.condition(mutations.len()),
            mutations,
        }));
    }

    /// Which verdicts are stored, for the server to forget what it need not know any more: ranges of n by writer.
    /// And how many verdicts these are.
    fn settlements(&self) -> (Map<Writer, Vec<(u64, u64)>>, usize) {
        let mut settled: Map<Writer, Vec<(u64, u64)>> = Map::new();
        let (mut told, mut ranges) = (0, 0);
        let mut before = None;
        for id in self.untold.iter() {
            let joins = before == Some((id.writer, id.n - 1));
            if !joins && ranges == SETTLED_MAX {
                break;
            }
            let own = settled.get_or_insert_with(id.writer, Vec::new);
            match own.last_mut() {
                Some((_, last)) if joins => *last = id.n,
                Some(_) | None => {
                    own.push((id.n, id.n));
                    ranges += 1;
                }
            }
            told += 1;
            before = Some((id.writer, id.n));
        }
        (settled, told)
    }

    /// The server has answered a push, or has not.
    pub(super) fn pushed(&mut self, result: Result<BatchReply, Failure>, sent: WallTime, now: WallTime) {
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => return self.failed(&failure, now),
        };
        self.reached(reply.server_time, sent, now);
        // Positions of another history than the base's can be compared with nothing here. The next page says which counts.
        self.strayed |= self.checkpoint.epoch.as_ref().is_some_and(|epoch| *epoch != reply.epoch)
            && !planted::is(Bug::EpochsMixed);
        let asked = std::mem::take(&mut self.flight).into_iter().chain(std::mem::take(&mut self.voiding));
        let asked: Set<_> = asked.collect();
        if asked.is_empty() {
            return self.drain.settled(now);
        }
        let (mut settled, mut folds, mut parked, mut keys, mut strays) =
            (vec![], vec![], vec![], vec![], vec![]);
        let (mut entries, mut sent, mut newest) = (vec![], vec![], Position(0));
        let mut answered = Set::new();
        // Creations that are held for and that nobody here knows.
        let mut unknown = Vec::new();
        for (i, result) in reply.results.iter().enumerate() {
            // Results that were not asked for are somebody else's: a swapped or repeated answer.
            let named = if planted::is(Bug::AckByCount) { asked.iter().nth(i).copied() } else { result.id };
            let Some(id) = named.filter(|id| asked.contains(id) && answered.insert(*id)) else {
                continue;
            };
            // Another tab that drains too may have stored a verdict already.
            let Some(item) = self.outbox.get(id) else { continue };
            let discarding = item.standing == Standing::Discarding;
            if discarding && result.verdict != Verdict::Held {
                strays.push((Store::Meta, stored::void_key(id)));
            }
            match result.verdict {
                Verdict::Applied | Verdict::Merged | Verdict::Conflict => {
                    settled.push(SettledMutation { id, end: accepted(result) });
                    let bytes = item.sent.as_deref();
                    folds.extend(bytes.and_then(|bytes| fold(&bytes.mutation, result)));
                    if let Some(bytes) = bytes.filter(|_| !discarding) {
                        let place = self.outbox.place(id);
                        entries.push(Entry { place, ..item.entry.clone() });
                        sent.push(bytes.clone());
                        newest = newest.max(self.kept_at(result));
                    }
                }
                Verdict::Rejected if discarding => settled.push(SettledMutation { id, end: End::Discarded }),
                Verdict::Rejected => {
                    settled.push(SettledMutation { id, end: End::Parked });
                    let place = self.outbox.place(id).expect("BUG: a pending write without a place");
                    parked.push(refused(&item.entry, place, result));
                }
                Verdict::Held => {
                    unknown.extend(result.because.filter(|because| !self.has(*because)));
                    continue;
                }
            }
            keys.push(item.entry.key());
        }
        self.outbox.recall();
        // Another tab may have made one or have brought it to an end just now. So only what was unknown when the
        // stores were last read will never be there.
        self.orphans.retain(|id| unknown.contains(id));
        let orphans = std::mem::replace(&mut self.orphans, unknown);
        self.refresh |= self.orphans.len() > orphans.len();
        self.release(&orphans);
        if settled.is_empty() {
            self.trouble = Some(Code::ProtocolViolation.to_string());
            return self.drain.stall(now);
        }
        self.drain.succeed();
        // Where that answer is another one's, the server keeps some receipts for longer.
        let (_, told) = self.settlements();
        let mut untold = std::mem::take(&mut self.untold).into_iter();
        self.told.extend(untold.by_ref().take(told));
        self.untold = untold.collect();
        self.believe(settled.iter().map(|one| one.id));
        self.parking = parked.clone();
        let mut garbage = self.garbage();
        garbage.extend(strays);
        self.drain.begin(Step::Settling);
        let purpose = Purpose::Settle { keys, garbage: garbage.clone() };
        let BatchReply { epoch, head, server_time, .. } = reply;
        let kept = Kept {
            position: newest,
            at: server_time,
            count: sent.len(),
            text: format!(
                "{}\n{}",
                stored::write(&JournalRecord { entries }),
                stored::write(&SentRecord { sent })
            ),
            bytes_max: self.options.kept_bytes_max,
        };
        let of = self.installation.clone();
        self.transact(
            purpose,
            Transaction::Settle { of, epoch, head, settled, folds, parked, kept, garbage },
        );
    }

    /// Of which commit something is kept. Where that has been passed already, the server was set back behind it, and may
    /// come back to the other one that was there. Nobody knows which one it is where nothing was changed.
    fn kept_at(&self, result: &PushResult) -> Position {
        let unknown = result.position <= self.checkpoint.position && !result.duplicate;
        if unknown || result.position == Position(0) { ELSEWHERE } else { result.position }
    }

    /// The verdicts are stored.
    pub(super) fn settled(
        &mut self,
        record: u64,
        settled: Vec<SettledMutation>,
        rows: Vec<(DocumentKey, Option<BaseRow>)>,
        keys: Vec<DocumentKey>,
        now: WallTime,
    ) {
        self.ledger.settled(record, &settled);
        let parking = std::mem::take(&mut self.parking).into_iter();
        let mut parked: Map<_, _> = parking.map(|parked| (parked.entry.id, parked)).collect();
        let mut told = Vec::with_capacity(settled.len());
        let mut closed = Vec::new();
        for SettledMutation { id, end } in settled {
            self.untold.insert(id);
            let mut one = Settled { id, status: Status::Accepted, code: None, message: None };
            match end {
                End::Accepted { .. } | End::Folded => {}
                End::Parked => {
                    let refused = parked.remove(&id).expect("BUG: parked without a reason");
                    one.status = Status::NeedsAttention;
                    one.code = Some(refused.code.clone());
                    one.message = refused.message.clone();
                    self.outbox.park(refused);
                }
                End::Discarded => {
                    one.status = Status::Discarded;
                    closed.push(id);
                }
                End::Replaced { .. } => unreachable!("BUG: a verdict that no server gives"),
            }
            self.ended(id, end);
            told.push(one);
        }
        for (key, row) in rows {
            self.replica.confirm(key, row, &self.outbox);
        }
        for key in keys {
            self.replica.replay(&key, &self.outbox);
        }
        self.release(&closed);
        self.progress.settled(told.len(), self.outbox.unsettled());
        self.outputs.push_back(Output::Settled(told));
        self.outputs.push_back(Output::Hint);
        self.drain.settled(now);
    }

    /// A verdict is stored: what has its effect in the base, or none, leaves the outbox.
    pub(super) fn ended(&mut self, id: MutationId, end: End) {
        let leaves = match end {
            // A copy of this device has settled it, and what has come of it was pulled. Nobody knows any more which
            // stamp it has, so it must not stand above what the server has of what was written later.
            End::Accepted { position, stamp: None } if position <= self.checkpoint.position => true,
            End::Accepted { position, stamp } => {
                self.outbox.stand(id, Standing::Accepted { position });
                if let Some(stamp) = stamp {
                    self.clock.observe(stamp);
                    self.outbox.restamp(id, stamp);
                }
                planted::is(Bug::LeavesOnVerdict)
            }
            End::Folded | End::Parked | End::Discarded | End::Replaced { .. } => true,
        };
        if leaves {
            self.outbox.remove(id);
            self.ledger.end(id);
        }
        self.ledger.settle(id);
    }
}

fn accepted(result: &PushResult) -> End {
    match result.position {
        // Nothing was changed, so there is nothing to wait for.
        Position(0) => End::Folded,
        position => End::Accepted { position, stamp: result.stamp },
    }
}

fn refused(entry: &Entry, place: Place, result: &PushResult) -> Parked {
    Parked {
        entry: entry.clone(),
        place,
        code: result.code.clone().unwrap_or_else(|| Code::ProtocolViolation.to_string()),
        message: result.message.clone(),
        field: result.field.clone(),
        because: result.because,
    }
}

/// The step that takes the base from `previous` to `version`, where the server did nothing else.
fn fold(mutation: &Mutation, result: &PushResult) -> Option<Fold> {
    let stamp = result.stamp.filter(|_| result.verdict == Verdict::Applied)?;
    Some(Fold {
        previous: result.previous,
        version: result.version,
        position: result.position,
        mutation: mutation.clone(),
        stamp,
    })
}
