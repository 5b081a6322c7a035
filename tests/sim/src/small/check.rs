//! What must hold in every state of a small world, and when nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::client::{Failure, Status};
use landfall_core::id::MutationId;
use landfall_core::mutation::Op;
use landfall_core::stored;
use landfall_core::wire::{BatchReply, Verdict};

use super::seat::Seat;
use crate::check::{base, end};
use crate::disk::Disk;
use crate::server::Store;
use crate::tab::collection;

/// The server has taken nothing twice, and what it has is what an independent merge makes of it.
pub fn server(store: &Store) -> Option<String> {
    end::twice(store).or_else(|| end::misjudged(store)).map(|(_, what)| what)
}

/// What a device has confirmed is what the server had, and lacks nothing up to its checkpoint.
pub fn disk(disk: &Disk, store: &Store) -> Option<String> {
    let never_was = disk.records(stored::Store::Base).iter().find_map(|(key, text)| {
        let stored::Key::Text(key) = key else { return None };
        base::unlike(store, &stored::base_document(key)?, &stored::read(text)?)
    });
    never_was.or_else(|| base::gap(disk, store, |_, _| true))
}

/// What was promised to the users of a device is kept, once.
pub fn seats(seats: &[&Seat], disk: &Disk, store: &Store) -> Option<String> {
    let kept = end::kept(disk);
    let replaced: BTreeMap<_, _> = seats.iter().flat_map(|seat| seat.replaced.clone()).collect();
    let newest = |id: &MutationId| {
        let mut id = *id;
        while let Some(next) = replaced.get(&id) {
            id = *next;
        }
        id
    };
    let is_lost =
        |id: &&MutationId| !store.has(**id) && !store.has(newest(id)) && !kept.contains(&newest(id));
    let twice = replaced.iter().find(|(old, new)| store.has(**old) && store.has(**new));
    let twice = twice.map(|(old, new)| format!("{old} took effect, and as {new} again"));
    let saved = seats.iter().flat_map(|seat| &seat.saved).find(is_lost);
    let lost = saved.map(|id| format!("{id} was saved and is nowhere"));
    let mut accepted = seats.iter().flat_map(|seat| &seat.accepted);
    let untrue = accepted.find(|id| !store.has(**id) && !store.has(newest(id)));
    let untrue = untrue.map(|id| format!("{id} is said to be in, and is not"));
    let wrong = seats.iter().find_map(|seat| seat.wrong.clone());
    wrong.or(twice).or(lost).or(untrue)
}

/// Whether nothing is left to do in a tab, and it shows what the server has.
pub fn rests(seat: &Seat, disk: &Disk, store: &Store) -> bool {
    let client = &seat.tab.client;
    let entries = client.entries();
    let settled = |status| matches!(status, Status::NeedsAttention | Status::Waiting);
    let quiet = seat.waiting.is_empty() && seat.leg.is_none() && client.is_whole(&collection());
    if !quiet || !entries.iter().all(|entry| settled(entry.status) && !entry.discarding) {
        return false;
    }
    let waits = entries.iter().any(|entry| entry.status == Status::Waiting);
    if !waits && end::left(disk).is_some() {
        return false;
    }
    // A refused creation is seen here and not there, and so is what waits for it.
    let drafts = entries.iter().filter(|entry| entry.kind == Op::Create || entry.status == Status::Waiting);
    let drafts: BTreeSet<_> = drafts.map(|entry| entry.document.clone()).collect();
    let (mut mine, mut theirs) = (seat.tab.view(), store.visible());
    mine.retain(|key, _| !drafts.contains(&key.document));
    theirs.retain(|key, _| !drafts.contains(&key.document));
    mine == theirs
}

/// A resend gets the verdict that there is.
pub fn answered(reply: &Result<BatchReply, Failure>, store: &Store) -> Option<String> {
    let results = reply.iter().flat_map(|reply| &reply.results).filter(|result| result.duplicate);
    results.filter_map(|result| Some((result, store.receipts.get(&result.id?)?))).find_map(
        |(result, receipt)| {
            let told = (result.verdict, result.version, result.position, result.stamp);
            let stored = &receipt.result;
            let there = (stored.verdict, stored.version, stored.position, stored.stamp);
            // Of what is settled only whether it is in is known.
            let settled = result.id.is_some_and(|id| store.runs.contains_key(&id));
            let same_end = (told.0 == Verdict::Rejected) == (there.0 == Verdict::Rejected);
            (!settled && told != there || !same_end)
                .then(|| format!("a resend of {:?} is answered {told:?}, not {there:?}", result.id))
        },
    )
}
