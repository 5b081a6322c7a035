//! I12: nobody is shown or told what the rules do not let them know.
//!
//! The rules are said here once more, without a look at what the server makes of them. Every page, every verdict, what a
//! device has stored and what a tab shows is compared with them. Values are written once, so it is known of each who
//! may have come to know it: who wrote it, and who was sent a document with it that they might see.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::id::{DocumentKey, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Mutation, Op};
use landfall_core::stored::{BaseRow, Checkpoint, Key, Store, base_document, read};
use landfall_core::wire::{Batch, BatchReply, PullReply, PushResult, Verdict};
use serde_json::Value;

use crate::check::Invariant;
use crate::mark::Mark;
use crate::person::{Person, PersonId};
use crate::queue::TabId;
use crate::tab::JOBS;
use crate::world::World;

/// Whether somebody may see a document, a delete aside.
pub fn may_see(person: &Person, key: &DocumentKey, data: &Json) -> bool {
    if key.collection.as_str() != JOBS || person.rights.coordinator {
        return true;
    }
    let document: Value = serde_json::from_str(data.text()).expect("BUG: a Json that is none");
    let site = document["site"].as_str().and_then(|site| site.strip_prefix('s')?.parse().ok());
    document["owner"] == person.user.as_str() || site.is_some_and(|site| person.rights.sites.contains(&site))
}

/// Whether somebody may change a document that they see, or make one.
fn may_change(person: &Person, key: &DocumentKey, before: Option<&Json>) -> bool {
    match before.filter(|_| key.collection.as_str() == JOBS) {
        None => person.rights.worker,
        Some(data) => {
            let document: Value = serde_json::from_str(data.text()).expect("BUG: a Json that is none");
            person.rights.coordinator || document["owner"] == person.user.as_str()
        }
    }
}

/// The numbers in a text that only one write has.
pub fn marked(text: &str) -> impl Iterator<Item = u64> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).filter(|value| *value > 1_000)
}

/// What there was before a batch was judged.
#[derive(Debug)]
pub struct Before {
    /// The documents that it names: all fields, and whether a delete hides them.
    documents: BTreeMap<DocumentKey, (Json, bool)>,
    /// Whether it names a writer of somebody else whom the server has heard of.
    foreign: Option<Writer>,
}

impl World {
    /// Whether there is anybody to whom something must not be shown.
    pub fn has_secrets(&self) -> bool {
        self.people.len() > 1
    }
}

fn parsed(batch: &Batch) -> impl Iterator<Item = Option<Mutation>> {
    batch.mutations.iter().map(|text| serde_json::from_str(text.text()).ok())
}

/// A batch is about to be judged.
pub fn before(world: &World, caller: &Person, batch: &Batch) -> Before {
    let store = world.server.store(caller.tenant);
    let mutations: Vec<Mutation> = parsed(batch).flatten().collect();
    let there = |key: &DocumentKey| {
        let row = store.documents.get(key)?;
        Some((key.clone(), (row.data.clone(), row.hidden)))
    };
    let documents = mutations.iter().filter_map(|mutation| there(&mutation.key())).collect();
    let ids = mutations.iter().flat_map(|one| one.needs.iter().copied().chain(one.after).chain([one.id]));
    let writers = ids.chain(batch.void.iter().copied()).map(|id| id.writer);
    let mut writers = writers.chain(batch.settled.keys().copied());
    let is_heard_of = |writer: Writer| {
        let (first, last) = ((writer, 0), (writer, u64::MAX));
        let named = |(writer, n)| landfall_core::id::MutationId { writer, n };
        let stores = &mut world.server.data.stores.iter();
        stores.any(|store| store.receipts.range(named(first)..=named(last)).next().is_some())
    };
    let is_foreign = |writer: &Writer| {
        world.witness.authors.get(writer).is_some_and(|author| *author != caller.id) && is_heard_of(*writer)
    };
    Before { documents, foreign: writers.find(is_foreign) }
}

/// It was.
pub fn judged(
    world: &mut World,
    caller: PersonId,
    batch: &Batch,
    before: &Before,
    reply: &Result<BatchReply, Failure>,
) {
    let person = world.people[caller].clone();
    let wrong = match reply {
        Ok(_) if batch.user != person.user => {
            Some(format!("{} sends what {} wrote", person.user, batch.user))
        }
        Ok(_) if before.foreign.is_some() => {
            Some(format!("{} names {:?} of somebody else and is heard", person.user, before.foreign))
        }
        Err(failure) if before.foreign.is_some() && batch.user == person.user => {
            let code = Code::WriterMismatch.as_str();
            (failure.code() != code).then(|| format!("{failure:?} for the writer of somebody else"))
        }
        Err(_) => None,
        Ok(reply) => unfit(world, &person, batch, before, reply),
    };
    if let Some(what) = wrong {
        world.violate(Invariant::I12, what);
    }
}

/// A verdict that its reader must not get.
fn unfit(
    world: &mut World,
    person: &Person,
    batch: &Batch,
    before: &Before,
    reply: &BatchReply,
) -> Option<String> {
    let mut named = BTreeSet::new();
    for (mutation, result) in parsed(batch).zip(&reply.results) {
        let Some(mutation) = mutation else { continue };
        let key = mutation.key();
        // What an earlier one of the batch has made of it is not known here.
        if !named.insert(key.clone()) || result.duplicate {
            continue;
        }
        let is_in = matches!(result.verdict, Verdict::Applied | Verdict::Merged | Verdict::Conflict);
        let is_in = is_in && result.position.0 > 0;
        let there = before.documents.get(&key);
        let seen = there.is_none_or(|(data, _)| may_see(person, &key, data));
        let may = may_change(person, &key, there.map(|(data, _)| data));
        // Who makes a document anew whose delete they knew of changes nothing that is there.
        let anew = mutation.op == Op::Create && there.is_some_and(|(_, hidden)| *hidden);
        let may = may || anew && may_change(person, &key, None);
        let says = || format!("{} is told {result:?} of {mutation:?}, which is {there:?}", person.user);
        let code = result.code.as_deref();
        if !seen {
            world.marks.hit(Mark::UnseenNamed);
            if is_in || !is_blank(result, mutation.op) {
                return Some(says());
            }
        } else if is_in && !may {
            return Some(format!("{} may not do this: {mutation:?} to {there:?}", person.user));
        } else if there.is_some_and(|(_, hidden)| !hidden) && code == Some(Code::NotFound.as_str()) {
            return Some(says());
        }
        world.marks.hit_if(!seen && mutation.base.0 > 0 && mutation.op != Op::Create, Mark::SightLostUnsent);
        world.marks.hit_if(code == Some(Code::Forbidden.as_str()), Mark::Forbidden);
    }
    None
}

/// Whether a verdict is one on something that is not there. Who may not make it is told so in any case.
fn is_blank(result: &PushResult, op: Op) -> bool {
    let empty = result.version.0 == 0 && result.previous.0 == 0 && result.stamp.is_none();
    let of_what_is = [Code::Gone, Code::Forbidden, Code::ValidationFailed, Code::DocumentTooLarge];
    let telling = if op == Op::Create { &of_what_is[..1] } else { &of_what_is[..] };
    empty && !telling.iter().any(|code| result.code.as_deref() == Some(code.as_str()))
}

/// A page is on its way to somebody.
pub fn delivered(world: &mut World, caller: PersonId, reply: &PullReply) {
    let person = world.people[caller].clone();
    let store = world.server.store(person.tenant);
    // Between two commits a document may have been visible to who has made it.
    let is_own = |writer| world.witness.authors.get(&writer) == Some(&caller);
    let wrote = |key: &DocumentKey| {
        let mut own = store.log.iter().filter(|applied| is_own(applied.mutation.id.writer));
        own.any(|applied| applied.mutation.key() == *key)
    };
    let mut wrong = None;
    let mut learned = vec![];
    for change in reply.read().unwrap_or_default() {
        let key = change.key();
        let row = store.documents.get(&key);
        let sees = row.is_some_and(|row| may_see(&person, &key, &row.data));
        let mut earlier = store.history(&key).filter_map(|(_, data)| data);
        let fits = match (change.kind.as_str(), row) {
            ("document", Some(row)) => sees && !row.hidden && change.data.as_ref() == Some(&row.data),
            ("tombstone", Some(row)) => sees && row.hidden && change.data.is_none(),
            ("eviction", Some(_)) => {
                !sees && (earlier.any(|data| may_see(&person, &key, data)) || wrote(&key))
            }
            (_, _) => false,
        };
        if !fits {
            wrong = Some(format!("{} is sent {change:?}, which is {row:?}", person.user));
        }
        learned.extend(change.data.iter().flat_map(|data| marked(data.text()).collect::<Vec<_>>()));
    }
    world.witness.known.entry(caller).or_default().extend(learned);
    if let Some(what) = wrong {
        world.violate(Invariant::I12, what);
    }
}

/// A tab has stored all pages of a pull: what its owner may no longer see is not there any more.
pub fn stored(world: &mut World, tab: TabId, reached: &Checkpoint) {
    let Some(subject) = world.tab(tab).filter(|_| world.has_secrets() && !world.set_back) else { return };
    let device = subject.device;
    let disk = &world.devices[device].disk;
    let is_last = reached.complete && reached.staged.is_none() && disk.records(Store::Staged).is_empty();
    if !is_last || world.devices[device].tainted {
        return;
    }
    let person = Person { rights: subject.rights.clone(), ..world.people[subject.person].clone() };
    let store = world.server.store(person.tenant);
    let left = disk.records(Store::Base).iter().find_map(|(key, text)| {
        let Key::Text(key) = key else { return None };
        let (key, row) = (base_document(key)?, read::<BaseRow>(text)?);
        let is_late = row.position > reached.position || row.deleted.is_some();
        // It is counted anew, so nothing is known here of what it was. Other checkers ask that it goes.
        let is_forgotten = store.forgotten.contains_key(&key);
        let now = store.before(&key, reached.position);
        let is_fine = is_late || is_forgotten || now.is_some_and(|data| may_see(&person, &key, data));
        (!is_fine).then(|| format!("{} keeps {key:?} of {:?}, which is {now:?}", person.user, row.position))
    });
    if let Some(what) = left {
        world.violate(Invariant::I12, format!("device {device} has come to {reached:?}, and {what}"));
    }
}

/// A tab shows something anew.
pub fn shown(world: &mut World, tab: TabId, texts: &[(DocumentKey, Json)]) {
    let Some(person) = world.tab(tab).map(|tab| tab.person) else { return };
    let known = world.witness.known.entry(person).or_default();
    let secret = texts.iter().find_map(|(key, json)| {
        let value = marked(json.text()).find(|value| !known.contains(value))?;
        Some(format!("tab {tab} shows {value} in {key:?} to {person}, who was never sent it"))
    });
    if let Some(what) = secret {
        world.violate(Invariant::I12, what);
    }
}
