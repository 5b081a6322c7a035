//! `GET /api/v1/sync/pull`, as `landfall-server` answers it.

use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::id::Position;
use landfall_core::json::Json;
use landfall_core::time::WallTime;
use landfall_core::wire::{PullReply, Reset};

use super::Server;
use super::cursor::Cursor;
use super::store::refused;
use crate::mark::{Mark, Marks};
use crate::planted::{self, Bug};

/// The place behind all documents of a commit.
const END: u32 = u32::MAX;

impl Server {
    /// Behind everything that there is.
    pub(super) fn head(&self) -> Cursor {
        let position = self.store.position;
        let nonce = self.store.nonces[position.0 as usize];
        Cursor { epoch: self.store.epoch, position, nonce, ordinal: END, floor: Position(0) }
    }

    /// One page of changes, oldest first, and the cursor behind it.
    pub fn pull(
        &mut self,
        asked: Option<&str>,
        now: WallTime,
        marks: &mut Marks,
    ) -> Result<PullReply, Failure> {
        self.latest = self.latest.max(now);
        let mut reset = None;
        let head = self.store.position;
        let cold =
            Cursor { epoch: self.store.epoch, position: Position(0), nonce: 0, ordinal: END, floor: head };
        let mut from = cold;
        let cursor = |text: &str| match Cursor::read(text) {
            None if !text.is_empty() => Err(refused(Code::InvalidCursor)),
            read => Ok(read),
        };
        let text = asked.unwrap_or_default();
        let (text, seen) = text.split_once('~').unwrap_or((text, ""));
        let read = cursor(text)?;
        let seen = seen.split('~').map(cursor).collect::<Result<Vec<_>, _>>()?;
        let is_gone = |one: &Cursor| {
            let there = self.store.nonces.get(one.position.0 as usize) == Some(&one.nonce);
            one.epoch == self.store.epoch && !there && !planted::is(Bug::NonceIgnored)
        };
        if read.iter().chain(seen.iter().flatten()).any(is_gone) {
            // The commit that this device has seen is not the one that is here.
            marks.hit(Mark::RollbackNoticed);
            self.store.epoch = self.chance.bits();
        }
        if let Some(read) = read {
            // Who started later never had what is forgotten. Of a commit that was read in part, the rest may be.
            let horizon = self.store.horizon;
            let behind = (read.position, read.ordinal) < (horizon, END) && read.floor < horizon;
            let behind = behind && !planted::is(Bug::HorizonIgnored);
            let reason = match (read.epoch == self.store.epoch, behind) {
                (true, false) => None,
                (true, true) => Some("resync_required"),
                (false, _) => Some("new_epoch"),
            };
            marks.hit_if(reason == Some("resync_required"), Mark::ResyncRequired);
            marks.hit_if(reason == Some("new_epoch"), Mark::NewEpoch);
            reset = reason.map(|reason| Reset { reason: reason.into(), restored_through: Position(0) });
            from = if reset.is_some() { Cursor { epoch: self.store.epoch, ..cold } } else { read };
        }
        let place = (from.position, from.ordinal);
        let behind = self.store.places.range((std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded));
        let gap = planted::is(Bug::CommitGap) && self.chance.one_in(8);
        let (mut lines, mut last, mut more) = (vec![], place, false);
        for (at, key) in behind {
            if lines.len() == self.page {
                more = true;
                break;
            }
            last = *at;
            let row = &self.store.documents[key];
            // Who started when it was gone already has nothing to take away.
            let untold = row.hidden && (at.0 <= from.floor || planted::is(Bug::TombstonesNotSent));
            if !(untold || gap && at.0 == head) {
                lines.push(&*row.line);
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
        let (position, ordinal) = if more || late { last } else { (head, END) };
        let more = more && !(planted::is(Bug::CutPageIsLast) && ordinal != END);
        marks.hit_if(more && ordinal != END, Mark::PageWithinCommit);
        let nonce = self.store.nonces[position.0 as usize];
        let next = Cursor { epoch: self.store.epoch, position, nonce, ordinal, floor: from.floor };
        let remaining = (from.position == Position(0))
            .then(|| self.store.places.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)))
            .map(|rest| rest.count() as u64);
        Ok(PullReply {
            server_time: now,
            epoch: self.store.name(),
            reset,
            backed_up_through: Position(0),
            position: head,
            changes: Json::array(lines.into_iter()),
            cursor: next.write(),
            more,
            forgotten_through: self.store.horizon,
            remaining,
        })
    }
}
