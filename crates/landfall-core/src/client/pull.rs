//! The client's half of pulling: ask, gather, store, and let go of what the base now holds.

use super::load::Then;
use super::{Client, Failure, Output, Purpose, Transaction, stage};
use crate::code::{Class, Code};
use crate::document::Register;
use crate::drain::Step;
use crate::id::{DocumentKey, Position, Version};
use crate::map::Set;
use crate::outbox::Standing;
use crate::planted::{self, Bug};
use crate::stored::{BaseRow, Checkpoint, Key, Progress, Store};
use crate::time::WallTime;
use crate::wire::{CURSORS_BYTES, PullChange, PullReply};

/// What a page brings, once it is stored.
#[derive(Clone, Debug)]
pub(super) struct Page {
    reached: Checkpoint,
    changes: Vec<PullChange>,
    /// The same as they came, where they are packed first.
    packed: Vec<String>,
    /// Up to where what was there before may stay, where everything comes anew.
    reset: Option<Position>,
    more: bool,
    horizon: Position,
    backed_up: Position,
    garbage: Vec<(Store, Key)>,
}

impl Page {
    /// Changes that were not pulled.
    pub(super) fn between(
        reached: Checkpoint,
        changes: Vec<PullChange>,
        horizon: Position,
        backed_up: Position,
    ) -> Page {
        let (packed, garbage) = (vec![], vec![]);
        Page { reached, changes, packed, reset: None, more: false, horizon, backed_up, garbage }
    }
}

impl Client {
    /// Has everything fetched once more, because something that the server has is lost here.
    pub(super) fn refetch(&mut self, lost: bool) {
        self.forget_cursor |= lost;
        if lost {
            self.drain.hint();
        }
    }

    /// Asks for the next page.
    pub(super) fn pull(&mut self) {
        let (cursor, _) = self.checkpoint.mark();
        let mut shown = cursor.filter(|_| !self.forget_cursor).cloned().unwrap_or_default();
        // What the server has answered for since is as much a part of its history as what was pulled.
        if let Some(head) = &self.checkpoint.head {
            shown.push('~');
            shown.push_str(head);
        }
        for milestone in self.checkpoint.milestones.iter().rev() {
            if self.shows && shown.len() < CURSORS_BYTES {
                shown.push_str(milestone.trim_start_matches(|c: char| c != '~'));
            }
        }
        self.anew = self.forget_cursor;
        self.drain.begin(Step::Pulling);
        self.outputs.push_back(Output::Pull(Some(shown).filter(|shown| !shown.is_empty())));
    }

    /// The server has answered a pull, or has not.
    pub(super) fn pulled(&mut self, result: Result<PullReply, Failure>, sent: WallTime, now: WallTime) {
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => return self.failed(&failure, now),
        };
        self.reached(reply.server_time, sent, now);
        // A first page may be of another history than the verdicts before it.
        let moved = self.checkpoint.epoch.as_ref().is_some_and(|epoch| *epoch != reply.epoch);
        // Only what was asked for without a cursor can take the place of everything.
        let reset = self.anew || moved || reply.reset.is_some();
        let through = reply.reset.as_ref().map_or(Position(0), |reset| reset.restored_through);
        // How much of it the server still has it can only say of what it is shown.
        let unsure = moved && through == Position(0) && !self.checkpoint.milestones.is_empty();
        if unsure && !std::mem::replace(&mut self.shows, true) {
            return self.drain.stale(now);
        }
        // A server that leads in a circle would keep this going for ever (R. P. Brent, 1980), and a page that is older
        // than what is known here is the answer to something else.
        let repeats = reply.more && self.lap.1.as_ref() == Some(&reply.cursor);
        let returns = !reset && reply.position < self.checkpoint.position;
        self.lap.0 = if reply.more && !repeats { self.lap.0 + 1 } else { 0 };
        if self.lap.0 == 0 {
            self.lap.1 = None;
        } else if self.lap.0.is_power_of_two() {
            self.lap.1 = Some(reply.cursor.clone());
        }
        let Some(changes) = reply.read().filter(|_| !repeats && !returns) else {
            self.trouble = Some(Code::ProtocolViolation.to_string());
            return self.drain.fail(None, now);
        };
        if !reply.more || !changes.is_empty() {
            self.drain.arrive();
        }
        self.forget_cursor &= !reset;
        self.shows = false;
        // What was never complete may be shown as it comes; after that, reads are causal.
        let early = reset || !self.checkpoint.complete;
        let hidden = reply.more && !early;
        let mut reached = self.checkpoint.clone();
        reached.resets += u64::from(moved);
        let horizon = reply.forgotten_through;
        if reset {
            reached.forget_milestones(through.next());
            // The newest commit that an answer has named is still to be shown.
            (reached.cursor, reached.staged) = (None, None);
            (reached.position, reached.complete) = (Position(0), false);
            reached.progress = Progress::default();
            reached.swept = reached.swept.min(through);
        }
        let begins = reset || self.checkpoint.cursor.is_none();
        if begins && through == Position(0) {
            // Whoever begins is told of no delete.
            reached.swept = horizon;
        }
        reached.epoch = Some(reply.epoch);
        if !reply.more {
            reached.set_milestone(reply.position, &reply.cursor);
        }
        if hidden {
            reached.staged = Some(reply.cursor);
        } else {
            reached.cursor = Some(reply.cursor);
            reached.staged = None;
        }
        if early {
            let progress = &mut reached.progress;
            progress.done += changes.len() as u64;
            progress.bytes += reply.changes.text().len() as u64;
            progress.total = reply.remaining.map_or(progress.total, |remaining| progress.done + remaining);
        }
        if !reply.more {
            reached.position = reply.position;
            reached.head = None;
            reached.complete = true;
            reached.synced_at = Some(now);
        }
        // What is staged already comes before this page.
        let direct = !hidden && stage::is_small(&changes) && (reset || self.staged.is_empty());
        let packed = if direct { vec![] } else { stage::pack(&reply.changes) };
        let (more, backed_up, garbage) = (reply.more, reply.backed_up_through, self.garbage());
        let reset = reset.then_some(through);
        self.store(Page { reached, changes, packed, reset, more, horizon, backed_up, garbage }, now);
    }

    /// Documents that changes delete, that somebody here has written to and that are not known here. What was in them may
    /// come back.
    pub(super) fn revivable(&self, changes: &[PullChange]) -> Set<DocumentKey> {
        let mut keys = Vec::new();
        for change in changes {
            if change.kind == "tombstone" && self.outbox.lane(&change.key()).next().is_some() {
                keys.push(change.key());
            }
        }
        self.unknown(keys)
    }

    /// Puts changes into the base and lets go of what it now holds, unless something else has moved the checkpoint.
    pub(super) fn store(&mut self, page: Page, now: WallTime) {
        let Page { reached, changes, packed, reset, backed_up, garbage, .. } = &page;
        let same = reached.mark() == self.checkpoint.mark() && reached.complete == self.checkpoint.complete;
        let same = same && *backed_up == self.backed_up;
        if same && changes.is_empty() && garbage.is_empty() && reset.is_none() {
            return self.stored(page, &[], now);
        }
        self.drain.begin(Step::Storing);
        let unknown = self.revivable(changes);
        if !unknown.is_empty() {
            return self.read_documents(unknown, Then::Store(Box::new(page)));
        }
        let mut rows = if packed.is_empty() { self.rows(changes, reached.position) } else { vec![] };
        if planted::is(Bug::PageLosesRow) && rows.len() > 1 {
            rows.pop();
        }
        let transaction = Transaction::Store {
            asked: Box::new(self.checkpoint.clone()),
            reached: Box::new(reached.clone()),
            indexed: self.indexed_of(&rows),
            rows,
            staged: packed.clone(),
            reset: *reset,
            backed_up: *backed_up,
            garbage: garbage.clone(),
        };
        self.transact(Purpose::Store(Box::new(page)), transaction);
    }

    /// What a change makes of a document's confirmed state.
    pub(super) fn row(
        &self,
        change: &PullChange,
        reached: Position,
    ) -> Option<(DocumentKey, Option<BaseRow>)> {
        let key = change.key();
        match (change.kind.as_str(), &change.data) {
            (kind, Some(data)) if kind == "document" || planted::is(Bug::LaterKindTaken) => {
                let row = BaseRow {
                    version: change.version,
                    position: change.position,
                    data: data.clone(),
                    stamp: change.stamp,
                    stamps: change.stamps.clone(),
                    deleted: None,
                };
                Some((key, Some(row)))
            }
            // A device that had nothing has nothing to remember.
            ("tombstone", _) if !self.checkpoint.complete && !self.is_pending(&key, reached) => {
                Some((key, None))
            }
            ("tombstone", _) => {
                let row = BaseRow::tombstone(change.stamp, change.version, change.position);
                // A pending write that did not know of the delete may bring back all that was in it.
                let own = self.outbox.lane(&key).any(|item| item.stamp == change.stamp);
                let kept = self.replica.base(&key).filter(|_| !own && self.is_pending(&key, reached));
                let Some(kept) = kept else { return Some((key, Some(row))) };
                let mut document = kept.document();
                for item in self.outbox.lane(&key).filter(|item| passed(item.standing, reached)) {
                    let register = Register { stamp: item.stamp, version: Version(0) };
                    document.write(item.entry.op, &item.entry.fields, register);
                }
                let kept = BaseRow::of(&document, row.version, row.position);
                Some((key, Some(BaseRow { deleted: row.deleted, ..kept })))
            }
            ("eviction", _) => Some((key, None)),
            // A later version's kind of change: not ours to understand, and no reason to stop.
            (_, _) => None,
        }
    }

    /// Whether a document has writes whose effect is not part of everything up to `reached`.
    fn is_pending(&self, key: &DocumentKey, reached: Position) -> bool {
        self.outbox.lane(key).any(|item| match item.standing {
            Standing::Saving | Standing::Saved | Standing::Sending => true,
            Standing::Accepted { position } => position > reached,
            Standing::Discarding => true,
        })
    }

    /// A page is stored, or brought nothing to store.
    pub(super) fn stored(&mut self, page: Page, added: &[u64], now: WallTime) {
        self.collected(&page.garbage);
        self.horizon = page.horizon;
        self.backed_up = page.backed_up;
        let (staged, made) = added.split_at(page.packed.len());
        self.seen.changed(made.first().copied());
        let mut rows = vec![];
        if page.reset.is_some() {
            self.staged.clear();
            self.indexes.clear();
        }
        // What comes early is shown step by step, as it goes into the base.
        let later = !page.reached.complete && !page.packed.is_empty();
        if page.reached.staged.is_none() && !later {
            for (_, changes) in &self.staged {
                rows.extend(self.rows(changes, page.reached.position));
            }
            rows.extend(self.rows(&page.changes, page.reached.position));
        }
        self.stage(staged, page.changes);
        let strayed = std::mem::take(&mut self.strayed);
        let moved = page.reached.resets != self.checkpoint.resets && !planted::is(Bug::EpochNotReopened);
        if moved || strayed {
            self.outbox.reopen();
            // What goes once more is not settled any more.
            (self.told, self.untold) = Default::default();
            // Of what the other history had taken in, all that the journal still has goes again.
            self.refresh = true;
        }
        self.checkpoint = page.reached;
        let mut through = self.checkpoint.position;
        if planted::is(Bug::CheckpointOffByOne) {
            through = through.next();
        }
        if planted::is(Bug::ResyncDropsPending) && page.reset.is_some() {
            self.outbox = self.outbox.successor();
        }
        let touched = self.leave(through);
        if let Some(through) = page.reset {
            self.replica.reset(through, &self.outbox);
        }
        let changed = later || page.reset.is_some() || !rows.is_empty() || !touched.is_empty();
        self.show(rows);
        for key in touched {
            self.replica.replay(&key, &self.outbox);
        }
        if changed {
            self.outputs.push_back(Output::Hint);
        }
        self.drain.pulled(page.more, now);
    }

    /// What has its effect in everything up to `through` leaves the outbox. Gives its documents.
    pub(super) fn leave(&mut self, through: Position) -> Set<DocumentKey> {
        let ended = self.outbox.items().filter(|item| passed(item.standing, through));
        let ended: Vec<_> = ended.map(|item| item.entry.id).collect();
        let mut touched = Set::new();
        for id in ended {
            touched.extend(self.outbox.remove(id).map(|item| item.entry.key()));
            self.ledger.end(id);
        }
        touched
    }

    /// The server has been heard from.
    pub(super) fn reached(&mut self, server_time: WallTime, sent: WallTime, now: WallTime) {
        self.offset.observe(sent, server_time, now);
        self.online = true;
        if !self.drain.is_stalled() {
            self.trouble = None;
        }
        // There may be room again for what could not be saved again.
        self.refresh |= !self.committing && self.outbox.has_uncommitted();
        self.doubts.succeed();
    }

    /// There is no answer to a request, or none that says anything of the mutations.
    pub(super) fn failed(&mut self, failure: &Failure, now: WallTime) {
        self.outbox.recall();
        let flight = std::mem::take(&mut self.flight);
        self.voiding.clear();
        let retry_after = failure.retry_after();
        self.trouble = Some(failure.code().to_owned());
        self.online = !matches!(failure, Failure::Unreachable | Failure::NotOurs);
        match failure.known() {
            Some(code) if is_about_a_batch(code) && self.doubt(&flight, now) => self.drain.stale(now),
            // Trouble that lasts may be the batch's own.
            Some(Code::Unavailable | Code::RequestTimeout) if self.drain.is_open() => {
                self.doubt(&flight, now);
                self.drain.fail(retry_after, now);
            }
            Some(Code::SettleFirst) => {
                self.settle_first(&flight);
                self.drain.fail(retry_after, now);
            }
            Some(code) if code.class() == Class::Auth => self.drain.refuse_token(now),
            // A cursor that the server does not take is worth nothing: start over, keeping every write.
            Some(Code::InvalidCursor) if self.checkpoint.cursor.is_some() => {
                self.forget_cursor = true;
                self.checkpoint.head = None;
                self.drain.fail(retry_after, now);
            }
            Some(_) | None => self.drain.fail(retry_after, now),
        }
    }
}

/// Whether what a write has done is part of everything up to `through`.
fn passed(standing: Standing, through: Position) -> bool {
    matches!(standing, Standing::Accepted { position } if position <= through)
}

/// Whether a server that answers so may do well with another batch.
fn is_about_a_batch(code: Code) -> bool {
    matches!(
        code,
        Code::PayloadTooLarge
            | Code::BatchTooLarge
            | Code::Internal
            | Code::InvalidRequest
            | Code::MalformedJson
            | Code::TooDeep
    )
}
