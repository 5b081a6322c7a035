//! `GET /api/v1/sync/pull`, as `landfall-server` answers it.

use std::sync::Arc;

use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::id::{DocumentKey, Position, User};
use landfall_core::json::Json;
use landfall_core::time::WallTime;
use landfall_core::wire::{PullReply, Reset};

use super::cursor::{Cursor, sight};
use super::store::{Row, Store, evicted, refused};
use super::{CallerRules, Server};
use crate::mark::{Mark, Marks};
use crate::person::Person;
use crate::planted::{self, Bug};

/// The place behind all documents of a commit.
pub(super) const END: u32 = u32::MAX;

impl Server {
    /// Behind everything that there is.
    pub(super) fn head(&self, tenant: usize) -> String {
        let store = self.store(tenant);
        let position = store.position;
        let nonce = store.nonces[position.0 as usize];
        let floor = Position(0);
        Cursor { epoch: store.epoch, position, nonce, ordinal: END, floor, sight: 0 }.write(tenant)
    }

    /// One page of changes, oldest first, and the cursor behind it.
    pub fn pull(
        &mut self,
        caller: &Person,
        user: &User,
        asked: Option<&str>,
        now: WallTime,
        marks: &mut Marks,
    ) -> Result<PullReply, Failure> {
        self.latest = self.latest.max(now);
        if *user != caller.user && !planted::is(Bug::PullerNotAsked) {
            return Err(refused(Code::UserMismatch));
        }
        let cursor = |text: &str| match text {
            "" => Ok(None),
            text => Cursor::read(text, caller.tenant).map(Some).map_err(refused),
        };
        let text = asked.unwrap_or_default();
        let (text, seen) = text.split_once('~').unwrap_or((text, ""));
        let read = cursor(text)?;
        let seen = seen.split('~').map(cursor).collect::<Result<Vec<_>, _>>()?;
        let store = self.store(caller.tenant);
        let is_gone = |one: &Cursor| {
            one.epoch == store.epoch && !store.has_commit(one) && !planted::is(Bug::NonceIgnored)
        };
        if read.iter().chain(seen.iter().flatten()).any(is_gone) {
            // The commit that this device has seen is not the one that is here.
            marks.hit(Mark::RollbackNoticed);
            let epoch = self.chance.bits();
            self.data.rename(epoch);
        }
        let tenant = if planted::is(Bug::TenantForgotten) { 0 } else { caller.tenant };
        let store = &self.data.stores[tenant];
        let (head, sight) = (store.position, sight(caller));
        let cold =
            Cursor { epoch: store.epoch, position: Position(0), nonce: 0, ordinal: END, floor: head, sight };
        let (mut from, mut reset) = (cold, None);
        if let Some(read) = read {
            // Who started later never had what is forgotten. Of a commit that was read in part, the rest may be.
            let horizon = store.horizon;
            let behind = (read.position, read.ordinal) < (horizon, END) && read.floor < horizon;
            let behind = behind && !planted::is(Bug::HorizonIgnored);
            // What was left out on the way may be visible now, and what was shown no longer.
            let other = read.sight != sight && !planted::is(Bug::SightNotCompared);
            let reason = match (read.epoch == store.epoch, behind || other) {
                (true, false) => None,
                (true, true) => Some("resync_required"),
                (false, _) => Some("new_epoch"),
            };
            marks.hit_if(reason.is_some() && behind, Mark::ResyncRequired);
            marks.hit_if(reason.is_some() && other, Mark::SightChanged);
            marks.hit_if(reason == Some("new_epoch"), Mark::NewEpoch);
            // What was forgotten since cannot be told, and what was left out before may be visible by now.
            let is_end = |one: &&Cursor| (one.ordinal, one.sight) == (END, sight) && one.position >= horizon;
            let is_there = |one: &&Cursor| store.has_commit(one) || planted::is(Bug::ShownBelieved);
            let ends = seen.iter().flatten().filter(|_| reason == Some("new_epoch"));
            let ends = ends.filter(is_end).filter(is_there).map(|one| one.position);
            let restored_through = ends.max().unwrap_or_default();
            reset = reason.map(|reason| Reset { reason: reason.into(), restored_through });
            from = match reset {
                Some(_) if restored_through > Position(0) && !planted::is(Bug::DeletesSinceNotTold) => {
                    Cursor { floor: restored_through, ..cold }
                }
                Some(_) => cold,
                None => Cursor { sight, ..read },
            };
        }
        let rules = self.rules.of(caller);
        let place = (from.position, from.ordinal);
        let behind = store.places.range((std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded));
        let gap = planted::is(Bug::CommitGap) && self.chance.one_in(8);
        let (mut lines, mut last, mut more) = (vec![], place, false);
        for (at, key) in behind {
            if lines.len() == self.page {
                more = true;
                break;
            }
            last = *at;
            let wrote = |key: &DocumentKey| self.data.has_changed(caller, tenant, key, from.floor);
            let line = delivered(store, &rules, key, &store.documents[key], from.floor, &wrote);
            if let Some(line) = line.filter(|_| !(gap && at.0 == head)) {
                marks.hit_if(line.contains(r#""kind":"eviction""#), Mark::EvictionSent);
                lines.push(line);
            }
        }
        let late = planted::is(Bug::OldestComesLater) && !more && lines.len() > 1 && self.chance.one_in(2);
        if late {
            lines.remove(0);
            last = place;
        }
        more &= !planted::is(Bug::PageSaysNoMore);
        if planted::is(Bug::PageSkipsRestOfCommit) && more {
            last.1 = END;
        }
        let whole = !(more || late);
        let ((position, ordinal), floor) = if whole { ((head, END), head) } else { (last, from.floor) };
        let more = more && !(planted::is(Bug::CutPageIsLast) && ordinal != END);
        marks.hit_if(more && ordinal != END, Mark::PageWithinCommit);
        let nonce = store.nonces[position.0 as usize];
        let next = Cursor { epoch: store.epoch, position, nonce, ordinal, floor, ..from };
        let remaining = (from.position == Position(0))
            .then(|| store.places.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)))
            .map(|rest| rest.count() as u64);
        Ok(PullReply {
            server_time: now,
            epoch: store.name(),
            reset,
            backed_up_through: store.backed_up,
            position: head,
            changes: Json::array(lines.iter().map(|line| &**line)),
            cursor: next.write(caller.tenant),
            more,
            forgotten_through: store.horizon,
            remaining,
        })
    }
}

/// A change in the form in which the caller may have it, if they may hear of it at all.
fn delivered(
    store: &Store,
    rules: &CallerRules<'_>,
    key: &DocumentKey,
    row: &Row,
    floor: Position,
    wrote: &dyn Fn(&DocumentKey) -> bool,
) -> Option<Arc<str>> {
    let may_read = |data: &Json| rules.sees(&key.collection, data);
    let visible = may_read(&row.data) || planted::is(Bug::ReadNotAsked);
    // Who started when it was gone already has nothing to take away.
    let had_nothing = row.stored.position <= floor;
    match (row.hidden, visible) {
        (false, true) => Some(row.line.clone()),
        (true, _) | (false, false) if had_nothing => None,
        (true, true) => Some(row.line.clone()).filter(|_| !planted::is(Bug::TombstonesNotSent)),
        (true | false, false) => {
            // Which of them a device has that has come to somewhere in the middle of many commits, nobody can tell.
            let later = store.history(key).filter(|(at, _)| *at > floor).filter_map(|(_, data)| data);
            let mut since = store.before(key, floor).into_iter().chain(later);
            let told = since.any(may_read) || planted::is(Bug::EvictionsToAll);
            // What somebody has made and handed on since is in the base that they have made by themselves.
            let told = told || wrote(key) && !planted::is(Bug::GiverNotTold);
            (told && !planted::is(Bug::EvictionsNotSent)).then(|| evicted(key, row).into())
        }
    }
}
