//! Documents that are decided as wholes: what stands is one write and all that its writer had before their eyes.
//!
//! The state is the document as the writer of the newest write left it, and so the same in any order of arrival.
//! Only fields with a merge of their own go on merging, and what writes nothing else decides nothing.

use crate::conflict::{Conflict, Policy};
use crate::document::{Document, Register};
use crate::id::Version;
use crate::json::Json;
use crate::merge::Merges;
use crate::mutation::{Field, Mutation, Op};
use crate::time::WallTime;

use super::{Court, Past};

/// A write that the writer of a mutation did not know of stands in its way.
pub(super) struct Dispute {
    /// That write.
    pub(super) met: Register,
    /// The document as the mutation's writer saw it.
    pub(super) seen: Document,
}

/// What becomes of a document.
pub(super) struct Outcome {
    /// The document as the mutation's writer wants it.
    pub(super) wanted: Document,
    /// What there is instead, where the mutation has lost.
    pub(super) instead: Option<Document>,
    /// What is to be recorded.
    pub(super) conflict: Option<Conflict>,
}

/// Whether a mutation is more than fields that merge by themselves.
pub(super) fn decides(mutation: &Mutation, merges: &Merges) -> bool {
    mutation.op != Op::Patch || mutation.fields.iter().any(|field| !merges_by_itself(field, merges))
}

fn merges_by_itself(field: &Field, merges: &Merges) -> bool {
    field.path.keys().first().is_some_and(|name| merges.contains_key(name))
}

impl Court<'_> {
    /// The document as the writer of a mutation saw it: the version that it was based on and what the same
    /// installation has written since, whatever has become of that. Nothing where that is not known any more.
    pub(super) fn seen(&self, mutation: &Mutation) -> Option<Document> {
        let past = self.facts.pasts.get(&mutation.key());
        let (mut document, version) = match mutation.base {
            Version(0) => (Document::default(), Version(0)),
            base => past.and_then(|past| past.seen.get(&base)).map(|s| (s.document.clone(), s.version))?,
        };
        for (version, (own, stamp)) in past.iter().flat_map(|past| past.own.range(version.next()..)) {
            write(own, &mut document, Register { stamp: *stamp, version: *version });
        }
        Some(document)
    }

    /// Notes what the client that sends has written: it has seen that from now on.
    pub(super) fn remember(&mut self, mutation: &Mutation, register: Register) {
        let past: &mut Past = self.facts.pasts.entry(mutation.key()).or_default();
        past.own.insert(register.version, (mutation.clone(), register.stamp));
    }
}

impl Dispute {
    /// Decides for the newer one of the two.
    pub(super) fn decide(
        self,
        mutation: &Mutation,
        register: Register,
        before: &Document,
        merges: &Merges,
        now: WallTime,
    ) -> Outcome {
        let Dispute { met, seen: mut wanted } = self;
        let won = register.stamp > met.stamp;
        let mut merged = before.clone();
        for field in mutation.fields.iter().filter(|field| merges_by_itself(field, merges)) {
            merged.change(&field.path, &field.change, register);
        }
        write(mutation, &mut wanted, register);
        let wanted = wanted.with_members(&merged, |name| merges.contains_key(name));
        let (value, met_value) = (wanted.value(), before.value());
        let conflict = (value != met_value).then(|| Conflict {
            key: mutation.key(),
            path: Default::default(),
            mutation: mutation.id,
            op: mutation.op,
            register,
            value,
            met,
            met_value,
            won,
            policy: Policy::DocumentLastWriteWins,
            at: now,
        });
        Outcome { wanted, instead: (!won).then_some(merged), conflict }
    }
}

/// Applies a mutation of somebody who knew all that is in `document`.
fn write(mutation: &Mutation, document: &mut Document, register: Register) {
    if mutation.op == Op::Create && document.is_deleted() {
        document.clear();
    }
    mutation.apply(document, register);
}

/// Where both sides of conflicts over a delete are shown, shows all of a document instead of what was changed in
/// it: only that can be put back as a whole.
pub(super) fn show_all(conflicts: &mut [Conflict], document: &Document, before: &Document) {
    let all = |value: &mut Option<Json>, document: &Document| {
        if value.is_some() {
            *value = document.fields();
        }
    };
    for conflict in conflicts.iter_mut().filter(|conflict| conflict.path.keys().is_empty()) {
        all(&mut conflict.value, document);
        all(&mut conflict.met_value, before);
    }
}

/// Of several writes of one batch that met the same write, the last one has in it what the others wrote: one loss
/// is one conflict.
pub(super) fn once_each(conflicts: &mut Vec<Conflict>) {
    let is_whole = |one: &Conflict| {
        let Conflict { policy, path, .. } = one;
        *policy == Policy::DocumentLastWriteWins && path.keys().is_empty()
    };
    let again: Vec<_> = (0..conflicts.len())
        .filter(|i| {
            let one = &conflicts[*i];
            let same = |other: &Conflict| (&other.key, other.met) == (&one.key, one.met) && is_whole(other);
            is_whole(one) && conflicts[i + 1..].iter().any(same)
        })
        .collect();
    again.into_iter().rev().for_each(|i| _ = conflicts.remove(i));
}
