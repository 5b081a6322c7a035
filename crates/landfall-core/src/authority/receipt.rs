//! Verdicts that are kept, so that a resend gets the same one; and what is left of them once their device has
//! stored them.
//!
//! A receipt is as large as a small document, and there is one for each mutation ever sent. A device that has a
//! verdict on its disk asks for it no more, but an old copy of its disk may, and other mutations still say that they
//! need or follow this one. So what stays is whether it is in, or why it is not: one [`Run`] for all neighbouring
//! mutations that ended alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, Facts, refused};
use crate::code::Code;
use crate::id::{MutationId, Position};
use crate::mutation::Refusal;
use crate::time::Millis;
use crate::wire::{PushResult, Verdict};

/// A writer with so many receipts gets no new ones until its device says which verdicts it has stored.
pub const RECEIPTS_MAX: usize = 4_000;
/// How long verdicts are kept that nobody has asked for.
pub const VERDICTS_KEPT: Millis = Millis::seconds(400 * 24 * 60 * 60);

/// The verdict on a mutation, kept so that a resend gets the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the mutation was, stamp aside. None where that is not known, so that anything under its id is a
    /// resend: what was closed by its name alone, or settled.
    pub hash: Option<[u8; 32]>,
    /// The verdict.
    pub result: PushResult,
}

/// Neighbouring mutations of one writer that ended alike and whose verdicts are stored on their device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The `n` of the first.
    pub first: u64,
    /// The `n` of the last.
    pub last: u64,
    /// Why they were refused; none where they are in.
    pub code: Option<String>,
}

impl Run {
    /// What is left of one receipt.
    pub fn of(n: u64, result: &PushResult) -> Run {
        let is_in = result.verdict != Verdict::Rejected;
        Run { first: n, last: n, code: result.code.clone().filter(|_| !is_in) }
    }

    /// Takes the run behind this one in, if nothing is between the two and both ended alike.
    pub fn join(&mut self, next: &Run) -> bool {
        let joins = self.last + 1 == next.first && self.code == next.code;
        if joins {
            self.last = next.last;
        }
        joins
    }

    /// The verdict on one of its mutations. Of what is in nothing is known but that whoever has pulled through
    /// `head`, the newest commit, has it.
    pub fn receipt(&self, id: MutationId, head: Position) -> Receipt {
        let code = self.code.clone();
        let refusal = Refusal::new(Code::Discarded, "the server has refused this before");
        let verdict = if code.is_some() { Verdict::Rejected } else { Verdict::Merged };
        let position = if code.is_some() { Position(0) } else { head };
        let message = refusal.message.clone();
        let message = code.is_some().then_some(message);
        let result = PushResult { code, message, position, ..refused(Some(id), &refusal, verdict) };
        Receipt { hash: None, result }
    }
}

impl Facts {
    /// Whether one of these mutations is new and from a writer whose device has to say first which verdicts it has
    /// stored.
    pub fn must_settle(&self, sent: &BTreeSet<MutationId>) -> bool {
        sent.iter().any(|id| self.full.contains(&id.writer) && !self.receipts.contains_key(id))
    }
}

/// Closes ids that their user has discarded, unless they are in already; says which, after the results of the
/// mutations. `known` holds the receipts of these ids as far as there are any.
///
/// Once this is stored, a late sending of a closed mutation gets the verdict [`Code::Discarded`].
pub fn close(void: &[MutationId], known: &BTreeMap<MutationId, Receipt>, decision: &mut Decision) {
    for id in void {
        let result = match decision.receipts.get(id).or_else(|| known.get(id)) {
            Some(receipt) => PushResult { duplicate: true, ..receipt.result.clone() },
            None => {
                let refusal = Refusal::new(Code::Discarded, "discarded by its user");
                let result = refused(Some(*id), &refusal, Verdict::Rejected);
                decision.receipts.insert(*id, Receipt { hash: None, result: result.clone() });
                result
            }
        };
        decision.results.push(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Writer;

    const HEAD: Position = Position(7);

    fn id(n: u64) -> MutationId {
        MutationId { writer: Writer(1), n }
    }

    fn result(n: u64, code: Option<Code>) -> PushResult {
        let refusal = Refusal::new(code.unwrap_or(Code::Gone), "for a reason");
        match code {
            Some(_) => refused(Some(id(n)), &refusal, Verdict::Rejected),
            None => PushResult { code: None, ..refused(Some(id(n)), &refusal, Verdict::Applied) },
        }
    }

    #[test]
    fn neighbours_that_ended_alike_are_one_run() {
        let mut run = Run::of(4, &result(4, None));
        assert!(run.join(&Run::of(5, &result(5, None))));
        assert!(!run.join(&Run::of(6, &result(6, Some(Code::Forbidden)))), "it is not in");
        assert!(!run.join(&Run::of(7, &result(7, None))), "nobody knows what became of the sixth");
        assert_eq!(run, Run { first: 4, last: 5, code: None });
    }

    #[test]
    fn what_is_settled_is_still_in_or_refused_with_its_code() {
        let there = Run::of(4, &result(4, None)).receipt(id(4), HEAD);
        assert_eq!((there.result.verdict, there.result.position, there.hash), (Verdict::Merged, HEAD, None));
        let refused = Run::of(5, &result(5, Some(Code::Forbidden))).receipt(id(5), HEAD).result;
        assert_eq!((refused.verdict, refused.position), (Verdict::Rejected, Position(0)));
        assert_eq!(refused.code.as_deref(), Some("forbidden"));
    }

    #[test]
    fn verdicts_are_kept_for_four_hundred_days() {
        assert_eq!(VERDICTS_KEPT.0, 34_560_000_000);
    }

    #[test]
    fn a_full_writer_gets_the_verdicts_that_there_are_and_no_new_ones() {
        let mut facts = Facts { full: [Writer(1)].into(), ..Facts::default() };
        let receipt = Receipt { hash: None, result: result(1, None) };
        facts.receipts.insert(id(1), receipt);
        let other = MutationId { writer: Writer(2), n: 1 };
        for (sent, must) in [(vec![], false), (vec![id(1), other], false), (vec![id(1), other, id(2)], true)]
        {
            assert_eq!(facts.must_settle(&sent.into_iter().collect()), must);
        }
    }

    #[test]
    fn what_is_discarded_is_closed_unless_it_has_a_verdict_already() {
        let there = |n| Receipt { hash: None, result: result(n, None) };
        let mut decision = Decision::default();
        decision.receipts.insert(id(1), there(1));
        close(&[id(1), id(2), id(3)], &BTreeMap::from([(id(2), there(2))]), &mut decision);
        let duplicate = |n| PushResult { duplicate: true, ..result(n, None) };
        assert_eq!(decision.results[..2], [duplicate(1), duplicate(2)]);
        let closed = &decision.results[2];
        assert_eq!((closed.id, closed.verdict, closed.duplicate), (Some(id(3)), Verdict::Rejected, false));
        assert_eq!(closed.code.as_deref(), Some("discarded"));
        let kept: Vec<_> = decision.receipts.keys().map(|id| id.n).collect();
        assert_eq!(kept, [1, 3]);
        assert_eq!(decision.receipts[&id(3)], Receipt { hash: None, result: closed.clone() });
    }

    #[test]
    fn a_refusal_that_is_settled_is_told_in_words_and_what_is_in_needs_none() {
        let refused = Run::of(5, &result(5, Some(Code::Forbidden))).receipt(id(5), HEAD).result;
        assert_eq!(refused.message.as_deref(), Some("the server has refused this before"));
        let there = Run::of(4, &result(4, None)).receipt(id(4), HEAD).result;
        assert_eq!((there.message, there.code), (None, None));
    }
}
