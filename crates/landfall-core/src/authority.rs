//! The server's decision: mutations and facts go in, verdicts and changes come out.
//!
//! Pure, so that the simulator judges with the same code that judges in production: the server reads
//! the facts and writes the changes in one transaction around [`decide`].

mod facts;
mod knowledge;
mod limits;
mod receipt;
mod reference;
mod settlement;
mod whole;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::clock::Stamp;
use crate::code::Code;
use crate::conflict::{Conflict, Encounter, Policy, meet};
use crate::document::{Document, Register};
use crate::id::{DocumentKey, Group, MutationId, Position, Version, Writer};
use crate::json::Json;
use crate::merge;
use crate::mutation::{Mutation, Op, Refusal};
use crate::path::Path;
use crate::planted::{self, Bug};
use crate::time::{Millis, WallTime};
use crate::wire::{PushResult, Verdict};

pub use facts::{Decision, Facts, Mended, Past, Proposal, Rules, Stored, Terms};
use limits::within_limits;
pub use receipt::{RECEIPTS_MAX, Receipt, Run, VERDICTS_KEPT, close};
pub use settlement::{Back, settle};
use whole::Dispute;

/// How far ahead of the server a stamp may be before the server replaces it by its own.
pub const FUTURE_MAX: Millis = Millis::seconds(60);

/// Judges the mutations of one batch, in order.
///
/// A refused mutation changes nothing; a group is in as a whole or not at all. Facts are those of
/// one transaction, and the decision takes effect in it: receipts and documents together.
pub fn decide(mutations: &[Parsed], facts: Facts, rules: &dyn Rules, now: WallTime) -> Decision {
    let mut court = Court::open(facts, rules, now);
    let mut rest = mutations;
    while let Some((first, after)) = rest.split_first() {
        let group = first.as_ref().ok().and_then(|mutation| mutation.group.clone());
        let members = match &group {
            Some(group) => 1 + after.iter().take_while(|next| is_member(next, group)).count(),
            None => 1,
        };
        court.judge_unit(&rest[..members]);
        rest = &rest[members..];
    }
    whole::once_each(&mut court.decision.conflicts);
    let Court { mut facts, changed, mut decision, .. } = court;
    decision.documents = changed.into_iter().filter_map(|key| facts.documents.remove_entry(&key)).collect();
    decision
}

/// A mutation, or the verdict on one that cannot be read.
pub type Parsed = Result<Mutation, Box<PushResult>>;

fn is_member(parsed: &Parsed, group: &Group) -> bool {
    parsed.as_ref().is_ok_and(|mutation| mutation.group.as_ref() == Some(group))
}

/// Reads one mutation, or gives the verdict on one that cannot be read.
pub fn parse(text: &Json) -> Parsed {
    #[derive(serde::Deserialize)]
    struct Named {
        id: Option<MutationId>,
        stamp: Option<String>,
    }
    serde_json::from_str::<Mutation>(text.text()).map_err(|error| {
        let named = serde_json::from_str::<Named>(text.text()).ok();
        let stamp = named.as_ref().and_then(|named| named.stamp.as_ref());
        let unreadable_stamp = stamp.is_some_and(|stamp| stamp.parse::<Stamp>().is_err());
        let code = if unreadable_stamp { Code::InvalidTimestamp } else { Code::InvalidMutation };
        let refusal = Refusal::new(code, format!("cannot read this mutation: {error}"));
        Box::new(refused(named.and_then(|named| named.id), &refusal, Verdict::Rejected))
    })
}

fn refused(id: Option<MutationId>, refusal: &Refusal, verdict: Verdict) -> PushResult {
    PushResult {
        id,
        verdict,
        code: Some(refusal.code.to_string()),
        message: Some(refusal.message.clone()),
        field: refusal.field.clone(),
        because: None,
        version: Version(0),
        previous: Version(0),
        position: Position(0),
        stamp: None,
        duplicate: false,
        restamped: false,
    }
}

/// Whether a verdict is one to keep.
fn is_new(result: &PushResult) -> bool {
    let reused = result.code.as_deref() == Some(Code::IdReused.as_str());
    !(result.duplicate || reused || result.verdict == Verdict::Held && !planted::is(Bug::HeldForGood))
}

struct Court<'a> {
    /// As they are with everything judged so far.
    facts: Facts,
    own_writers: Rc<BTreeSet<Writer>>,
    rules: &'a dyn Rules,
    now: WallTime,
    restamps: Cell<u64>,
    /// Documents that are not as they were found.
    changed: BTreeSet<DocumentKey>,
    /// Documents with a change that is held, and what for: what follows it there would be judged without it.
    held: BTreeMap<DocumentKey, MutationId>,
    /// Whether a person settles a conflict, who has all there is before their eyes: a deleted document too,
    /// and may have it back.
    settles: bool,
    decision: Decision,
}

impl Court<'_> {
    fn open(mut facts: Facts, rules: &dyn Rules, now: WallTime) -> Court<'_> {
        let own_writers = Rc::new(std::mem::take(&mut facts.own_writers));
        Court {
            facts,
            own_writers,
            rules,
            now,
            restamps: Cell::new(0),
            changed: BTreeSet::new(),
            held: BTreeMap::new(),
            settles: false,
            decision: Decision::default(),
        }
    }

    /// Judges one mutation, or all of one group.
    fn judge_unit(&mut self, unit: &[Parsed]) {
        // What members have done so far is undone where a later one is refused; one alone that is refused has done
        // nothing.
        let members = if unit.len() > 1 { unit } else { &[] };
        let before: Vec<_> = members
            .iter()
            .flatten()
            .map(|mutation| (mutation.key(), self.facts.documents.get(&mutation.key()).cloned()))
            .collect();
        let conflicts = self.decision.conflicts.len();
        let mut results = Vec::with_capacity(unit.len());
        let mut tentative = BTreeSet::new();
        for parsed in unit {
            let result = self.judge(parsed);
            // Later members may need this one, or follow it.
            if let (Ok(mutation), 2..) = (parsed, unit.len())
                && is_new(&result)
            {
                let receipt = Receipt { hash: Some(mutation.hash()), result: result.clone() };
                self.facts.receipts.insert(mutation.id, receipt);
                tentative.insert(mutation.id);
            }
            results.push(result);
        }
        let culprit = results.iter().position(|r| matches!(r.verdict, Verdict::Rejected | Verdict::Held));
        if let Some(culprit) = culprit {
            for (key, stored) in before.into_iter().rev().filter(|_| !planted::is(Bug::GroupNotUndone)) {
                if let Some(past) = self.facts.pasts.get_mut(&key) {
                    let version = stored.as_ref().map_or(Version(0), |stored| stored.version);
                    past.own.split_off(&version.next());
                }
                match stored {
                    Some(stored) => self.facts.documents.insert(key, stored),
                    None => self.facts.documents.remove(&key),
                };
            }
            self.decision.conflicts.truncate(conflicts);
            tentative.iter().for_each(|id| _ = self.facts.receipts.remove(id));
            let is_settled =
                |result: &PushResult| result.duplicate && result.id.is_none_or(|id| !tentative.contains(&id));
            // Told apart from what its group would have made of the document.
            if let Ok(mutation) = &unit[culprit] {
                let stored = self.facts.documents.get(&mutation.key());
                let version = stored.map_or(Version(0), |stored| stored.version);
                let result = &mut results[culprit];
                (result.version, result.previous) =
                    (result.version.min(version), result.previous.min(version));
            }
            let (because, verdict) = (results[culprit].id, results[culprit].verdict);
            if let (Some(creation), Verdict::Held) = (results[culprit].because, verdict) {
                let open = unit.iter().zip(&results).filter(|(_, result)| !is_settled(result));
                self.held.extend(open.filter_map(|(one, _)| Some((one.as_ref().ok()?.key(), creation))));
            }
            let others = results.iter_mut().enumerate().filter(|(i, r)| *i != culprit && !is_settled(r));
            for (_, result) in others {
                let refusal =
                    Refusal::new(Code::GroupRefused, "another change of the same transaction was refused");
                *result = PushResult { because, ..refused(result.id, &refusal, verdict) };
            }
        }
        for (mutation, result) in unit.iter().zip(results) {
            if let Ok(mutation) = mutation {
                self.conclude(mutation, &result);
            }
            self.decision.results.push(result);
        }
    }

    /// Notes what has to be written for a verdict.
    fn conclude(&mut self, mutation: &Mutation, result: &PushResult) {
        if !is_new(result) {
            return;
        }
        let receipt = || Receipt { hash: Some(mutation.hash()), result: result.clone() };
        let receipt = self.facts.receipts.entry(mutation.id).or_insert_with(receipt);
        self.decision.receipts.insert(mutation.id, receipt.clone());
        if result.position == self.facts.position && result.verdict != Verdict::Rejected {
            self.changed.insert(mutation.key());
        }
    }

    fn judge(&mut self, parsed: &Parsed) -> PushResult {
        let mutation = match parsed {
            Ok(mutation) => mutation,
            Err(result) => return PushResult::clone(result),
        };
        let rejected = |refusal: &Refusal| refused(Some(mutation.id), refusal, Verdict::Rejected);
        if let Some(receipt) = self.facts.receipts.get(&mutation.id) {
            if receipt.hash.is_none_or(|hash| hash == mutation.hash()) {
                return PushResult { duplicate: true, ..receipt.result.clone() };
            }
            return rejected(&Refusal::new(Code::IdReused, "this id was used for another mutation before"));
        }
        if mutation.first_sent_at.is_some_and(|at| self.now.since(at) > VERDICTS_KEPT) {
            let message = "first sent so long ago that the verdict on it may be forgotten";
            return rejected(&Refusal::new(Code::MaybeApplied, message));
        }
        let behind = || self.held.get(&mutation.key()).copied();
        if let Some(because) = self.missing(mutation).or_else(behind) {
            let refusal = Refusal::new(Code::Held, "the creation this depends on is not in");
            return PushResult {
                because: Some(because),
                ..refused(Some(mutation.id), &refusal, Verdict::Held)
            };
        }
        match mutation.check().and_then(|()| self.admit(mutation)) {
            Ok(result) => result,
            Err(refusal) => {
                // What the caller may not know of has no version either.
                let key = mutation.key();
                let stored = self.facts.documents.get(&key);
                let known = stored.filter(|stored| {
                    let fields = stored.document.fields();
                    let told = planted::is(Bug::UnseenVersionTold);
                    told || fields.is_some_and(|fields| self.rules.may_see(&key.collection, &fields))
                });
                let version = known.map_or(Version(0), |stored| stored.version);
                PushResult { version, previous: version, ..rejected(&refusal) }
            }
        }
    }

    /// A creation that this mutation needs and that is not in.
    fn missing(&self, mutation: &Mutation) -> Option<MutationId> {
        let is_in = |id: &MutationId| {
            self.facts.receipts.get(id).is_some_and(|receipt| receipt.result.verdict != Verdict::Rejected)
        };
        mutation.needs.iter().copied().find(|id| !is_in(id))
    }

    /// Applies a mutation, unless a rule or a limit is against it.
    fn admit(&mut self, mutation: &Mutation) -> Result<PushResult, Refusal> {
        let key = mutation.key();
        let terms = self.rules.terms(&key.collection)?;
        let (merges, policy) = (&terms.merges, terms.policy);
        let sent = mutation;
        if self.facts.erased.contains(&key) {
            return match mutation.op {
                Op::Delete => Ok(self.accept(mutation, Verdict::Applied, Register::NONE, None)),
                Op::Create | Op::Patch => Err(Refusal::new(Code::Gone, "this document was erased")),
            };
        }
        let entered = if merge::is_plain(&sent.fields, merges) {
            Cow::Borrowed(sent)
        } else {
            let fields = merge::enter(sent.op, sent.fields.clone(), merges)?;
            Cow::Owned(Mutation { fields, ..sent.clone() })
        };
        let (entered, mended) = match self.rules.mend(&key.collection, &entered.fields) {
            Some(Mended { fields, first, changes }) => {
                (Cow::Owned(Mutation { fields, ..entered.into_owned() }), Some((first, changes)))
            }
            None => (entered, None),
        };
        let mutation = &*entered;
        let stored = self.facts.documents.get(&key);
        let exists = stored.is_some_and(|stored| stored.version > Version(0));
        let (previous, whole) = stored.map_or((Version(0), None), |stored| (stored.version, stored.whole));
        let blank = Document::default();
        let before = stored.map_or(&blank, |stored| &stored.document);
        let fields = if exists { before.fields() } else { None };
        let hides = planted::is(Bug::HiddenNotAsked) && before.is_deleted();
        let seen_value = fields.filter(|fields| hides || self.rules.may_see(&key.collection, fields));
        // What is not there and what the caller may not see must look alike.
        let absent = || Refusal::new(Code::NotFound, "there is no such document");
        match mutation.op {
            Op::Create if exists && seen_value.is_none() => {
                self.admit_new(mutation)?;
                return Err(absent());
            }
            Op::Patch if exists && seen_value.is_none() && planted::is(Bug::UnseenForbidden) => {
                return Err(Refusal::new(Code::Forbidden, "this is somebody else's"));
            }
            Op::Patch if seen_value.is_none() => return Err(absent()),
            // What was asked for is the case; there is nothing to undo and nobody to bother.
            Op::Delete if seen_value.is_none() => {
                return Ok(self.accept(mutation, Verdict::Applied, Register::NONE, None));
            }
            Op::Create | Op::Patch | Op::Delete => {}
        }

        let known = self.known(mutation);
        let knew_delete = before.is_deleted() && before.deleted().is_some_and(&known);
        let own = self.own(mutation);
        let whole =
            (policy == Policy::DocumentLastWriteWins).then(|| whole.unwrap_or_else(|| before.latest()));
        let stands = whole.filter(|_| whole::decides(mutation, merges));
        let dispute = stands
            .filter(|met| !known(*met) && !own(*met))
            .and_then(|met| Some(Dispute { met, seen: self.seen(sent)? }));
        let seen_deleted = dispute.as_ref().is_some_and(|dispute| dispute.seen.is_deleted());
        if mutation.op == Op::Patch && (knew_delete && !self.settles || seen_deleted) {
            return Err(Refusal::new(Code::Gone, "this document was deleted"));
        }
        let mut document = before.clone();
        let clears = mutation.op == Op::Create && knew_delete && !self.settles;
        if clears {
            document.clear();
        }
        let encounters = meet(before, mutation, merges);
        let bounded = self.bound(mutation);
        let prevails = |met: &Encounter| {
            known(met.register) || policy == Policy::ClientWins && met.is_disputed() && !own(met.register)
        };
        // Of a document that is decided as a whole all of it was seen.
        let seen = match &dispute {
            Some(dispute) => Some(dispute.seen.latest()),
            None => stands.filter(|register| known(*register) || own(*register)),
        };
        let stamp = encounters
            .iter()
            .filter(|met| prevails(met))
            .map(|met| met.register)
            .chain(seen)
            .filter(|register| register.stamp >= bounded)
            .fold(bounded, |stamp, register| stamp.max(register.stamp.raised_by(mutation.id.writer)));
        let register = Register { stamp, version: previous.next() };
        let mut conflicts: Vec<_> = encounters
            .iter()
            .filter(|met| dispute.is_none() && !known(met.register) && !own(met.register))
            .filter_map(|met| Conflict::between(mutation, register, met, self.now, policy))
            .collect();
        once_each(&mut conflicts);
        // What a device makes of it that does not know how these fields are declared.
        let mut as_sent = (mutation.fields != sent.fields).then(|| document.clone());
        if let Some(as_sent) = &mut as_sent {
            sent.apply(as_sent, register);
        }
        let given_up = |path: &Path| policy.yields() && conflicts.iter().any(|c| !c.won && c.path == *path);
        // Rules judge what the writer wanted, even where all of it gives way.
        let gives_way = given_up(&Path::default());
        let mut instead = gives_way.then(|| document.clone());
        let mut lasting = Cow::Borrowed(mutation);
        if mutation.fields.iter().any(|field| given_up(&field.path)) {
            lasting.to_mut().fields.retain(|field| !given_up(&field.path));
        }
        let mut whole = whole;
        if let Some(dispute) = dispute {
            let outcome = dispute.decide(mutation, register, before, merges, self.now);
            (document, instead) = (outcome.wanted, outcome.instead);
            conflicts.extend(outcome.conflict);
        } else {
            lasting.apply(&mut document, register);
            if whole.is_some() {
                whole::show_all(&mut conflicts, &document, before);
            }
        }
        if stands.is_some_and(|met| met.stamp < register.stamp) {
            whole = Some(register);
        }
        let changed = as_sent.is_some_and(|as_sent| as_sent != document);

        // What a delete hides counts as being there: who brings it back gets to see all of it, and who changes it
        // changes what others will.
        let proposed = if mutation.op == Op::Delete { document.value() } else { document.fields() };
        let previous_value = seen_value.filter(|_| !clears);
        self.rules.check(Proposal {
            key: &key,
            op: mutation.op,
            previous: previous_value.as_ref(),
            document: proposed.as_ref(),
        })?;
        self.refers(mutation, terms, previous_value.as_ref())?;
        within_limits(&document, proposed.as_ref())?;
        if let Some(instead) = instead {
            document = instead;
            within_limits(&document, document.value().as_ref())?;
        }
        let verdict = if !conflicts.is_empty() {
            Verdict::Conflict
        } else if self.is_unaware(mutation, previous) || changed {
            Verdict::Merged
        } else {
            Verdict::Applied
        };
        self.decision.conflicts.extend(conflicts);
        let position = self.facts.position;
        self.facts.documents.insert(key, Stored { version: previous.next(), position, document, whole });
        if whole.is_some() {
            self.remember(sent, register);
        }
        let (field, message) = mended.unzip();
        Ok(PushResult { field, message, ..self.accept(mutation, verdict, register, Some(previous)) })
    }

    /// Refuses a creation that would be refused if there were nothing yet.
    fn admit_new(&self, mutation: &Mutation) -> Result<(), Refusal> {
        let mut document = Document::default();
        mutation.apply(&mut document, Register { stamp: mutation.stamp, version: Version(1) });
        let value = document.value();
        let proposal =
            Proposal { key: &mutation.key(), op: mutation.op, previous: None, document: value.as_ref() };
        self.rules.check(proposal)?;
        self.refers(mutation, self.rules.terms(&mutation.collection)?, None)?;
        within_limits(&document, value.as_ref())
    }

    fn accept(
        &self,
        mutation: &Mutation,
        verdict: Verdict,
        register: Register,
        previous: Option<Version>,
    ) -> PushResult {
        let changed = previous.is_some();
        PushResult {
            id: Some(mutation.id),
            verdict,
            code: None,
            message: None,
            field: None,
            because: None,
            version: register.version,
            previous: previous.unwrap_or_default(),
            position: if changed { self.facts.position } else { Position(0) },
            stamp: changed.then_some(register.stamp),
            duplicate: false,
            restamped: changed && register.stamp != mutation.stamp,
        }
    }

    /// The mutation's stamp, or the server's own where that one is too far ahead.
    fn bound(&self, mutation: &Mutation) -> Stamp {
        if self.settles || mutation.stamp.wall() <= self.now.after(FUTURE_MAX) {
            return mutation.stamp;
        }
        self.restamps.set(self.restamps.get() + 1);
        let tick = Stamp::at(self.now, mutation.id.writer);
        Stamp { ticks: tick.ticks + self.restamps.get(), ..tick }
    }
}

/// What was met as a container of the path and again at the path itself is one conflict: the latter says what
/// stood there.
fn once_each(conflicts: &mut Vec<Conflict>) {
    let is_same = |one: &Conflict, other: &Conflict| (&other.path, other.met) == (&one.path, one.met);
    let again = |i: usize| conflicts[i + 1..].iter().any(|other| is_same(&conflicts[i], other));
    let again: Vec<_> = (0..conflicts.len()).filter(|i| again(*i)).collect();
    again.into_iter().rev().for_each(|i| _ = conflicts.remove(i));
}
