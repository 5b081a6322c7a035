//! What follows from the end of each transaction.

use super::load::Then;
use super::{Client, Done, Outcome, Output, Purpose, Ticket};
use crate::code::Code;
use crate::drain::Nudge;
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::time::WallTime;

impl Client {
    /// A transaction is complete, or has failed with nothing done.
    pub(super) fn conclude(&mut self, purpose: Purpose, result: Result<Done, Code>, now: WallTime) {
        match (purpose, result) {
            (Purpose::Open(wanted), Ok(Done { outcome: Outcome::Opened(opened), .. })) => {
                self.read(wanted, *opened);
            }
            (Purpose::Commit { n, tickets, ids, .. }, Ok(Done { added, .. })) => {
                self.committing = false;
                let record = *added.first().expect("BUG: a commit that added no record");
                // Where the browser has deleted what was stored, keys are counted from the start again. Until this tab
                // has looked, what it remembers of before stands first. What is saved again may have ended before, in
                // another tab.
                let last = self.ledger.last();
                self.refresh |= record <= last || self.outbox.is_rescuing();
                self.outbox.commit(n, record.max(last));
                self.seen.wrote(record);
                self.ledger.journal(record, ids.clone(), ids.into_iter().collect());
                self.answer(tickets, &Output::Saved);
                self.outputs.push_back(Output::Hint);
                self.progress.saw(self.outbox.unsettled());
                self.drain.nudge(Nudge::Wrote, now);
                self.commit();
            }
            (Purpose::Commit { tickets, mut ids, parked, .. }, Err(code)) => {
                self.committing = false;
                // What was saved again is nowhere else: it stays, and is tried once more with the next look.
                let all = ids.len() + parked.len();
                self.parking_again.extend(parked);
                ids.retain(|id| self.outbox.get(*id).is_none_or(|item| item.entry.place.is_none()));
                if ids.len() < all {
                    self.trouble = Some(code.to_string());
                }
                self.withdraw(ids);
                if planted::is(Bug::UnsavedSaidSaved) {
                    self.answer(tickets, &Output::Saved);
                    return self.commit();
                }
                self.answer(tickets, &|ticket| Output::Unsaved(ticket, code));
                self.commit();
            }
            (
                Purpose::Load { keys, then },
                Ok(Done { outcome: Outcome::Loaded { rows, damaged, entries, .. }, .. }),
            ) => {
                self.refetch(damaged);
                self.outbox.fill(entries);
                self.loaded(keys, None, rows);
                self.go_on(then, now);
            }
            (
                Purpose::LoadPart { ticket, collection, round },
                Ok(Done { outcome: Outcome::Loaded { rows, damaged, next, .. }, .. }),
            ) => {
                // The server has what cannot be read, so everything is fetched once more.
                self.refetch(damaged);
                self.loaded_part(ticket, collection, round, rows, next);
            }
            (
                Purpose::Seek { ticket, collection, count },
                Ok(Done { outcome: Outcome::Sought(keys), .. }),
            ) => self.sought(ticket, &collection, count, keys),
            (Purpose::Index(collection), result) => {
                self.has_indexed(collection, result.map(|done| done.outcome))
            }
            (Purpose::LoadPart { ticket, .. } | Purpose::Seek { ticket, .. }, Err(code)) => {
                self.outputs.push_back(Output::Unloaded(ticket, code));
            }
            (Purpose::Load { then, .. }, Err(code)) => match then {
                Then::Answer(None) => {}
                Then::Answer(Some(ticket)) | Then::Rest(ticket, ..) => {
                    self.outputs.push_back(Output::Unloaded(ticket, code))
                }
                Then::Fix | Then::Store(_) | Then::Unpack => {
                    self.trouble = Some(code.to_string());
                    self.drain.fail(None, now);
                }
            },
            (Purpose::Migrate, Ok(_)) => {
                self.outputs.push_back(Output::Hint);
                self.reread();
            }
            (Purpose::Migrate, Err(code)) => {
                self.migration_failed = true;
                self.migrated = Set::new();
                self.trouble = Some(code.to_string());
                self.drain.fail(None, now);
                self.reread();
            }
            (
                Purpose::Fix,
                Ok(Done { outcome: Outcome::Fixed { sent, added, outdated }, added: records }),
            ) => {
                // Another tab has discarded something that is still wanted here, or given it another form.
                self.refresh |= outdated;
                self.fixed(sent, added, records.first().copied(), now);
            }
            (Purpose::Amend { tickets, amendment }, Ok(Done { outcome: Outcome::Amended, added })) => {
                self.amended(*amendment, &added, now);
                self.answer(tickets, &Output::Saved);
            }
            (Purpose::Amend { tickets, .. }, Ok(Done { outcome: Outcome::Missed, .. })) => {
                self.refresh = true;
                self.answer(tickets, &|ticket| Output::Unsaved(ticket, Code::NotFound));
            }
            (Purpose::Amend { tickets, .. }, Err(code)) => {
                self.answer(tickets, &|ticket| Output::Unsaved(ticket, code));
            }
            (Purpose::Adopt(ticket), Ok(Done { outcome: Outcome::Adopted(entries), added })) => {
                self.adopted(ticket, entries, &added, now);
            }
            (Purpose::Seal(ticket), Ok(Done { outcome: Outcome::Sealed, .. })) => {
                self.outputs.push_back(Output::Saved(ticket));
            }
            (Purpose::Seal(ticket), Ok(Done { outcome: Outcome::Missed, .. })) => {
                self.refresh = true;
                self.outputs.push_back(Output::Unsaved(ticket, Code::PendingWrites));
            }
            (Purpose::Adopt(ticket) | Purpose::Seal(ticket), Err(code)) => {
                self.outputs.push_back(Output::Unsaved(ticket, code));
            }
            (Purpose::Fix | Purpose::Settle { .. }, Ok(Done { outcome: Outcome::Missed, .. })) => {
                // What is saved again is sent again, and answered as before.
                self.outbox.recall();
                self.refresh = true;
                self.drain.stale(now);
            }
            (Purpose::Settle { keys, garbage }, Ok(Done { outcome, added })) => {
                let Outcome::Settled { settled, rows, checkpoint } = outcome else {
                    unreachable!("BUG: another outcome than the transaction has")
                };
                let record = *added.first().expect("BUG: verdicts that added no record");
                self.collected(&garbage);
                self.seen.settled(record);
                self.seen.changed(added.get(1).copied());
                // Another tab has pulled or folded in meanwhile: its rows are not known here.
                let (cursor, folds) = self.checkpoint.mark();
                self.refresh |= checkpoint.mark() != (cursor, folds + 1);
                self.checkpoint = checkpoint;
                self.settled(record, settled, rows, keys, now);
            }
            (Purpose::Store(page), Ok(Done { outcome: Outcome::Stored, added })) => {
                self.stored(*page, &added, now);
            }
            (Purpose::Unpack { key }, result) => self.unpacked(key, result, now),
            (Purpose::Sweep(horizon), Ok(Done { outcome: Outcome::Loaded { rows, next, .. }, .. })) => {
                self.swept(rows, next, horizon, now);
            }
            (Purpose::Compact(record, ended), Ok(_)) => self.ledger.forget(record, ended),
            // It is looked for again once something else has ended.
            (Purpose::Compact(..), Err(_)) => {}
            (Purpose::Store(_), Ok(Done { outcome: Outcome::Stale(checkpoint), .. })) => {
                // Another tab has pulled or folded an answer in: its rows are not known here.
                self.refresh = true;
                self.sweeping.clear();
                self.checkpoint = checkpoint;
                self.drain.stale(now);
            }
            (Purpose::Open(wanted), Err(code)) => {
                if !wanted.on {
                    self.seen.missed();
                }
                self.orphans.clear();
                self.trouble = Some(code.to_string());
                if !self.opened {
                    self.outputs.push_back(Output::Unready(code));
                }
            }
            (Purpose::Fix | Purpose::Settle { .. } | Purpose::Store(_) | Purpose::Sweep(_), Err(code)) => {
                self.outbox.recall();
                self.sweeping.clear();
                self.trouble = Some(code.to_string());
                self.drain.fail(None, now);
            }
            (
                Purpose::Open(_)
                | Purpose::Load { .. }
                | Purpose::LoadPart { .. }
                | Purpose::Seek { .. }
                | Purpose::Fix
                | Purpose::Amend { .. }
                | Purpose::Adopt(_)
                | Purpose::Seal(_)
                | Purpose::Store(_)
                | Purpose::Sweep(_),
                Ok(_),
            ) => {
                unreachable!("BUG: another outcome than the transaction has")
            }
        }
    }

    /// Answers calls of the app.
    fn answer(&mut self, tickets: Vec<Ticket>, answer: &dyn Fn(Ticket) -> Output) {
        for ticket in tickets {
            self.outputs.push_back(answer(ticket));
        }
    }
}
