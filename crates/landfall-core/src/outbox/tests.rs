//! What the outbox finds without looking through everything is what looking through everything finds.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::id::Writer;
use crate::mutation::{Change, Field};
use crate::time::WallTime;

const DOCUMENTS: [&str; 3] = ["a", "b", "c"];

pub(super) fn id(n: u64) -> MutationId {
    MutationId { writer: Writer(1), n }
}

pub(super) fn key(document: &str) -> DocumentKey {
    DocumentKey { collection: "notes".parse().unwrap(), document: document.parse().unwrap() }
}

pub(super) fn entry(n: u64, document: &str, op: Op) -> Entry {
    let stamp = Stamp { ticks: n << 16, writer: Writer(1) };
    serde_json::from_value(json!({
        "id": id(n), "collection": "notes", "document": document, "op": op, "base": 0,
        "at": WallTime(0), "stamp": stamp, "seen": Stamp::ZERO, "schema": 1,
    }))
    .unwrap()
}

pub(super) fn ids<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<u64> {
    items.into_iter().map(|item| item.entry.id.n).collect()
}

pub(super) fn parked(entry: Entry, place: Place) -> Parked {
    Parked { code: "forbidden".to_owned(), ..Parked::pending(entry, place) }
}

fn sent(entry: &Entry, stamp: Stamp) -> Sent {
    Sent { mutation: entry.mutation(stamp, vec![]), at: WallTime(0) }
}

/// What can become of an outbox. Numbers choose from what is there.
#[derive(Clone, Debug)]
enum Step {
    Save(Vec<(usize, Op, Priority, Network)>, bool),
    Commit,
    Stand(usize, Standing),
    Attempt(usize),
    Recall,
    Reopen,
    Fix(usize, u64),
    Remove(usize),
    Park(usize),
    Unpark(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let op = prop_oneof![Just(Op::Create), Just(Op::Patch), Just(Op::Delete)];
    let priority =
        prop_oneof![4 => Just(Priority::Normal), 1 => Just(Priority::High), 1 => Just(Priority::Low)];
    let network = prop_oneof![4 => Just(Network::Any), 1 => Just(Network::Unmetered)];
    let write = (0..DOCUMENTS.len(), op, priority, network);
    let standing = prop_oneof![
        Just(Standing::Saved),
        Just(Standing::Sending),
        Just(Standing::Accepted { position: Position(1) }),
        Just(Standing::Discarding),
    ];
    let which = 0..64usize;
    prop_oneof![
        4 => (proptest::collection::vec(write, 1..4), any::<bool>()).prop_map(|(all, one)| Step::Save(all, one)),
        4 => Just(Step::Commit),
        4 => (which.clone(), standing).prop_map(|(n, standing)| Step::Stand(n, standing)),
        2 => which.clone().prop_map(Step::Attempt),
        1 => Just(Step::Recall),
        1 => Just(Step::Reopen),
        2 => (which.clone(), 0..4u64 << 16).prop_map(|(n, ticks)| Step::Fix(n, ticks)),
        2 => which.clone().prop_map(Step::Remove),
        2 => which.clone().prop_map(Step::Park),
        1 => which.prop_map(Step::Unpark),
    ]
}

/// An outbox, and what has been done to it, in lists.
#[derive(Default)]
struct World {
    outbox: Outbox,
    items: Vec<(Place, Item)>,
    parked: Vec<Parked>,
    /// What the push that is under way has in it.
    sending: Vec<MutationId>,
    written: u64,
    saved: u64,
    committed: u64,
}

impl World {
    fn choose(&self, n: usize) -> Option<MutationId> {
        (!self.items.is_empty()).then(|| self.items[n % self.items.len()].1.entry.id)
    }

    fn item(&mut self, id: MutationId) -> &mut Item {
        &mut self.items.iter_mut().find(|(_, item)| item.entry.id == id).unwrap().1
    }

    fn stand(&mut self, id: MutationId, standing: Standing) {
        let item = self.item(id);
        item.standing = standing;
        if let Standing::Accepted { .. } = standing {
            item.sent = None;
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Save(writes, grouped) => self.save(&writes, grouped),
            Step::Commit if self.committed == self.saved => {}
            Step::Commit => {
                self.outbox.commit(self.committed, self.committed + 1);
                for (place, item) in &mut self.items {
                    if place.record == uncommitted(self.committed, 0).record {
                        place.record = self.committed + 1;
                        if item.standing == Standing::Saving {
                            item.standing = Standing::Saved;
                        }
                    }
                }
                self.items.sort_by_key(|(place, _)| *place);
                self.committed += 1;
            }
            Step::Stand(n, standing) => {
                let Some(id) = self.choose(n) else { return };
                self.outbox.stand(id, standing);
                self.stand(id, standing);
            }
            Step::Attempt(n) => {
                let Some(id) = self.choose(n) else { return };
                self.outbox.attempt(id);
                self.stand(id, Standing::Sending);
                self.item(id).attempts += 1;
                self.sending.push(id);
            }
            Step::Recall => {
                self.outbox.recall();
                for id in std::mem::take(&mut self.sending) {
                    if self.items.iter().any(|(_, item)| item.entry.id == id)
                        && self.item(id).standing == Standing::Sending
                    {
                        self.stand(id, Standing::Saved);
                    }
                }
            }
            Step::Reopen => {
                self.outbox.reopen();
                for (_, item) in &mut self.items {
                    if let Standing::Accepted { .. } = item.standing {
                        item.standing = Standing::Saved;
                    }
                }
            }
            Step::Fix(n, ticks) => {
                let Some(id) = self.choose(n) else { return };
                let sent = sent(&self.item(id).entry, Stamp { ticks, writer: Writer(1) });
                self.outbox.fix(sent.clone());
                self.fix(sent);
            }
            Step::Remove(n) => {
                let Some(id) = self.choose(n) else { return };
                assert_eq!(self.outbox.remove(id).as_ref(), Some(&*self.item(id)));
                assert_eq!(self.outbox.remove(id), None);
                self.items.retain(|(_, item)| item.entry.id != id);
            }
            Step::Park(n) => {
                let Some(id) = self.choose(n) else { return };
                let at = self.items.iter().position(|(_, item)| item.entry.id == id).unwrap();
                let (place, item) = self.items.remove(at);
                self.parked.push(parked(item.entry, place));
                self.outbox.park(self.parked[self.parked.len() - 1].clone());
            }
            Step::Unpark(n) => {
                if !self.parked.is_empty() {
                    let parked = self.parked.remove(n % self.parked.len());
                    assert_eq!(self.outbox.unpark(parked.entry.id), Some(parked.clone()));
                    assert_eq!(self.outbox.unpark(parked.entry.id), None);
                }
            }
        }
    }

    fn save(&mut self, writes: &[(usize, Op, Priority, Network)], grouped: bool) {
        for ((document, op, priority, network), index) in writes.iter().zip(0..) {
            self.written += 1;
            let group = grouped.then(|| format!("g{}", self.saved).parse().unwrap());
            let entry = entry(self.written, DOCUMENTS[*document], *op);
            let entry = Entry { priority: *priority, network: *network, group, ..entry };
            let place = uncommitted(self.saved, index);
            self.outbox.insert(place, entry.clone(), Standing::Saving);
            let (stamp, standing) = (entry.stamp, Standing::Saving);
            self.items.push((place, Item { entry, stamp, standing, attempts: 0, sent: None }));
        }
        self.saved += 1;
    }

    /// The bytes are final; what was written later on the same document, and can still change, comes above them.
    fn fix(&mut self, sent: Sent) {
        let id = sent.mutation.id;
        let mut above = sent.mutation.stamp;
        let key = self.item(id).entry.key();
        let lane = self.items.iter_mut().map(|(_, item)| item).filter(|item| item.entry.key() == key);
        let mut lane = lane.skip_while(|item| item.entry.id != id);
        let first = lane.next().unwrap();
        first.stamp = sent.mutation.stamp;
        first.sent = Some(Box::new(sent));
        for later in lane {
            if later.sent.is_none() && is_unsettled(later.standing) && later.stamp <= above {
                later.stamp = above.raised_by(Writer(1));
            }
            above = above.max(later.stamp);
        }
    }

    /// What an app is shown.
    fn listed(&self) -> Vec<(MutationId, Option<Standing>, u32)> {
        let items = self.items.iter().map(|(_, item)| (item.entry.id, Some(item.standing), item.attempts));
        items.chain(self.parked.iter().map(|parked| (parked.entry.id, None, 0))).collect()
    }

    /// Whether the outbox finds what looking through everything finds.
    fn check(&self) {
        let outbox = &self.outbox;
        let all = || self.items.iter().map(|(_, item)| item);
        let found = |counts: &dyn Fn(&Item) -> bool| ids(all().filter(|item| counts(item)));
        assert!(outbox.items().eq(all()));
        for (place, item) in &self.items {
            let id = item.entry.id;
            assert_eq!((outbox.get(id), outbox.place(id)), (Some(item), Some(*place)));
            let unit = found(&|other| other.entry.id == id || other.entry.is_with(&item.entry));
            assert_eq!(ids(outbox.unit(id)), unit);
        }
        let open = found(&|item| is_unsettled(item.standing));
        assert_eq!((ids(outbox.open()), outbox.unsettled()), (open.clone(), open.len()));
        assert_eq!(ids(outbox.discarding()), found(&|item| item.standing == Standing::Discarding));
        assert_eq!(outbox.wishes, found(&|item| has_wish(&item.entry)).len());
        let waiting = self.items.iter().filter(|(place, _)| place.record >= uncommitted(0, 0).record);
        let waiting: Vec<_> = waiting.map(|(place, item)| (*place, item.entry.clone())).collect();
        assert_eq!(outbox.has_uncommitted(), !waiting.is_empty());
        assert_eq!(outbox.uncommitted(), waiting);
        self.check_lanes();
        assert_eq!((outbox.failed(), outbox.parked().count()), (self.parked.len(), self.parked.len()));
        for one in &self.parked {
            assert!(outbox.is_parked(one.entry.id));
            let with = |other: &&Parked| other.entry.id == one.entry.id || other.entry.is_with(&one.entry);
            let mut unit: Vec<_> = self.parked.iter().filter(with).collect();
            unit.sort_by_key(|parked| parked.place);
            assert_eq!(outbox.parked_unit(one.entry.id), unit);
        }
    }

    fn check_lanes(&self) {
        let outbox = &self.outbox;
        let mut documents = Vec::new();
        for document in DOCUMENTS {
            let lane: Vec<_> = self
                .items
                .iter()
                .map(|(_, item)| item)
                .filter(|item| item.entry.key() == key(document))
                .collect();
            assert!(outbox.lane(&key(document)).eq(lane.iter().copied()));
            assert!(outbox.lane(&key(document)).rev().eq(lane.iter().rev().copied()));
            documents.extend((!lane.is_empty()).then(|| key(document)));
            let is_draft = |one: &&Parked| one.entry.op == Op::Create && one.entry.key() == key(document);
            let draft = self.parked.iter().rfind(is_draft);
            let creates = |item: &Item| item.entry.op == Op::Create && is_unsettled(item.standing);
            let creation = lane.iter().any(|item| creates(item));
            // Of several refused creations of one document the last one is the draft; it may be gone before others.
            assert!(outbox.draft(&key(document)).is_none_or(|draft| is_draft(&draft)));
            assert!(draft.is_some() || outbox.draft(&key(document)).is_none());
            let is_coming = outbox.draft(&key(document)).is_some() || creation;
            assert_eq!(outbox.is_coming(&key(document)), is_coming);
            for (n, item) in lane.iter().enumerate() {
                let needs: Vec<_> =
                    lane[..n].iter().filter(|item| creates(item)).map(|item| item.entry.id).collect();
                assert_eq!(outbox.needs(&item.entry), needs);
            }
        }
        assert!(outbox.documents().eq(&documents));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn looking_something_up_is_looking_through_everything(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut world = World::default();
        for step in steps {
            let (before, revision) = (world.listed(), world.outbox.revision());
            world.take(step);
            world.check();
            prop_assert!(before == world.listed() || world.outbox.revision() > revision, "nobody looks again");
        }
    }
}

/// An outbox with these, durable, one record each.
pub(super) fn saved(entries: impl IntoIterator<Item = Entry>) -> Outbox {
    let mut outbox = Outbox::default();
    for (entry, record) in entries.into_iter().zip(1..) {
        outbox.insert(Place { record, index: 0 }, entry, Standing::Saved);
    }
    outbox
}

fn says(entry: Entry, value: &str) -> Entry {
    let change = Change::Set(crate::json::Json::parse(value).unwrap());
    Entry { fields: vec![Field { path: "/a".parse().unwrap(), change }].into(), ..entry }
}

#[test]
fn a_new_outbox_in_the_place_of_another_is_a_change() {
    let outbox = saved([entry(1, "a", Op::Create)]);
    let successor = outbox.successor();
    assert!(successor.revision() > outbox.revision());
    assert_eq!(successor.items().count(), 0);
}

#[test]
fn what_two_tabs_save_in_one_record_stands_one_behind_the_other() {
    let mut outbox = saved([entry(1, "a", Op::Create)]);
    outbox.insert(Place { record: 1, index: 0 }, entry(2, "b", Op::Create), Standing::Saved);
    outbox.insert(uncommitted(0, 0), entry(3, "c", Op::Create), Standing::Saving);
    outbox.commit(0, 1);
    let places: Vec<_> = (1..=3).map(|n| outbox.place(id(n)).unwrap()).collect();
    assert_eq!(places, [0, 1, 2].map(|index| Place { record: 1, index }));
}

#[test]
fn what_is_saved_once_more_goes_back_to_where_it_stood() {
    let mut outbox = saved([entry(1, "a", Op::Patch), entry(2, "a", Op::Patch)]);
    outbox.remove(id(1));
    assert!(!outbox.is_rescuing());
    outbox.insert(uncommitted(0, 0), entry(3, "a", Op::Patch), Standing::Saving);
    assert!(!outbox.is_rescuing(), "it was never stored");
    let place = Some(Place { record: 1, index: 0 });
    outbox.insert(uncommitted(1, 0), Entry { place, ..entry(1, "a", Op::Patch) }, Standing::Saving);
    assert!(outbox.is_rescuing());
    outbox.commit(0, 3);
    assert!(outbox.is_rescuing() && outbox.has_uncommitted());
    outbox.commit(1, 4);
    assert!(!outbox.is_rescuing() && !outbox.has_uncommitted());
    assert_eq!(ids(outbox.items()), [1, 2, 3]);
}

#[test]
fn what_is_read_later_is_filled_in_where_nothing_is_and_where_it_is_of_the_same_schema() {
    let whole = says(entry(1, "a", Op::Patch), "1");
    let mut bare = whole.clone();
    bare.fields.forget();
    let mut outbox = saved([bare.clone(), entry(2, "b", Op::Patch)]);
    assert!(outbox.is_bare(&key("a")) && !outbox.is_bare(&key("b")));
    assert_eq!(outbox.fields(&bare), None);

    let revision = outbox.revision();
    outbox.fill(vec![Entry { schema: 2, ..whole.clone() }]);
    assert!(outbox.is_bare(&key("a")), "a newer version of the app has given it another form");
    assert_eq!(outbox.revision(), revision, "nothing has changed");

    outbox.fill(vec![whole.clone()]);
    assert!(!outbox.is_bare(&key("a")));
    assert!(outbox.revision() > revision);
    assert_eq!(outbox.fields(&bare), Some(&whole.fields));
    assert_eq!(outbox.fields(&Entry { schema: 2, ..bare.clone() }), None);
    assert_eq!(outbox.fields(&entry(3, "a", Op::Patch)), None, "nobody knows it");

    let revision = outbox.revision();
    outbox.fill(vec![says(bare.clone(), "2")]);
    assert_eq!(outbox.fields(&bare), Some(&whole.fields), "what is in memory stays");
    assert_eq!(outbox.revision(), revision);
}

#[test]
fn a_write_waits_for_the_creations_of_what_it_names_that_stand_before_it() {
    let child = Entry { parents: vec![key("b"), key("c")], ..entry(3, "a", Op::Create) };
    let mut outbox = saved([
        entry(1, "b", Op::Create),
        entry(2, "b", Op::Patch),
        child.clone(),
        entry(4, "c", Op::Create),
    ]);
    assert_eq!(outbox.needs(&child), [id(1)]);
    outbox.stand(id(1), Standing::Accepted { position: Position(1) });
    assert_eq!(outbox.needs(&child), []);
}

#[test]
fn what_an_older_version_put_aside_without_saying_where_it_stood_is_in_the_order_of_writing() {
    let group = Some("g".parse().unwrap());
    let mut outbox = Outbox::default();
    for n in 1..=3 {
        let entry = Entry { group: group.clone(), ..entry(n, "a", Op::Patch) };
        outbox.park(parked(entry, Place::default()));
    }
    let unit = outbox.parked_unit(id(2)).into_iter().map(|parked| parked.entry.id.n);
    assert_eq!(unit.collect::<Vec<_>>(), [1, 2, 3]);
}
