//! The records of a device, as they have been written, and what is read from them.
//!
//! A file here never changes: what it says stands on devices that nobody has opened since. `_least` are records of
//! before their optional members.

use std::fmt::Debug;

use landfall_core::id::MutationId;
use landfall_core::json::Json;
use landfall_core::stored::{
    BaseRow, Checkpoint, End, Entry, JournalRecord, Key, Network, Parked, Priority, SentRecord,
    SettledRecord, Store, read, write,
};
use landfall_core::transaction::{Known, Opened, Outcome, Read, Rows, Transaction};
use landfall_core::wire::PullChange;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The records of a store.
fn records(file: &str) -> Rows {
    let pairs: Vec<(Json, Json)> = serde_json::from_str(file).expect("a list of keys and records");
    let key = |key: &Json| match serde_json::from_str(key.text()) {
        Ok(counted) => Key::Counted(counted),
        Err(_) => Key::Text(text(key)),
    };
    pairs.iter().map(|(at, record)| (key(at), record.text().to_owned())).collect()
}

fn text(json: &Json) -> String {
    serde_json::from_str(json.text()).expect("a text")
}

/// Reads each record of a file and writes it again; gives what they say.
fn check<T: DeserializeOwned + Serialize>(file: &str) -> Vec<T> {
    let again = |(_, text): (Key, String)| {
        let record: T = read(&text).unwrap_or_else(|| panic!("{text} cannot be read"));
        assert_eq!(write(&record), text);
        record
    };
    records(file).into_iter().map(again).collect()
}

#[test]
fn every_record_reads_back_as_it_was() {
    check::<JournalRecord>(include_str!("golden/stored/journal.json"));
    check::<SentRecord>(include_str!("golden/stored/sent.json"));
    check::<SettledRecord>(include_str!("golden/stored/settled.json"));
    check::<Parked>(include_str!("golden/stored/parked.json"));
    check::<BaseRow>(include_str!("golden/stored/base.json"));
    check::<Vec<PullChange>>(include_str!("golden/stored/staged.json"));
    check::<Vec<String>>(include_str!("golden/stored/changes.json"));
}

/// A device whose stores hold these, opened.
fn opened(journal: &str, parked: &str) -> Opened {
    let meta = records(include_str!("golden/stored/meta.json"));
    // What is kept as it is, is no JSON.
    let plain =
        |(key, value): &(Key, String)| (key.clone(), read::<String>(value).unwrap_or_else(|| value.clone()));
    let meta: Rows = meta.iter().map(plain).collect();
    let stored = |store: Store| match store {
        Store::Journal => records(journal),
        Store::Sent => records(include_str!("golden/stored/sent.json")),
        Store::Settled => records(include_str!("golden/stored/settled.json")),
        Store::Parked => records(parked),
        Store::Base => records(include_str!("golden/stored/base.json")),
        Store::Staged => records(include_str!("golden/stored/staged.json")),
        Store::Changes => records(include_str!("golden/stored/changes.json")),
        Store::Meta => meta.clone(),
        Store::Index => vec![],
    };
    let document = |name: &str| landfall_core::id::DocumentKey {
        collection: "visits".parse().expect("a name"),
        document: name.parse().expect("a name"),
    };
    let rows = [document("d3"), document("d6")].into_iter().collect();
    let open = Transaction::Open {
        client: "another".parse().expect("a name"),
        known: Known::default(),
        rows,
        tail: usize::MAX,
    };
    let found = open.reads().into_iter().map(|read| match read {
        Read::All(store) => stored(store),
        Read::One(store, key) => stored(store).into_iter().filter(|(other, _)| *other == key).collect(),
        Read::Range(store, from, to, _) | Read::Keys(store, from, to, _, _) => {
            stored(store).into_iter().filter(|(key, _)| *key >= from && *key < to).collect()
        }
    });
    let (writes, outcome) = open.clone().decide(found.collect());
    assert!(writes.is_empty(), "it has a name");
    let Outcome::Opened(opened) = outcome else { panic!("another outcome") };
    assert!(opened.damaged.is_empty(), "{:?}", opened.damaged);
    *opened
}

fn id(n: u64) -> MutationId {
    format!("15ae4e1c317fe345232e85cf0a77152b:{n}").parse().expect("an id")
}

#[test]
fn a_device_of_before_is_opened_with_everything_that_it_had() {
    let journal = include_str!("golden/stored/journal.json");
    let opened = opened(journal, include_str!("golden/stored/parked.json"));
    assert!(!opened.made && !opened.sealed);
    assert_eq!(
        opened.client.map(|client| client.to_string()).as_deref(),
        Some("3f0000000000000000000000000000aa")
    );
    let Checkpoint { epoch, cursor, staged, head, position, folds, complete, progress, synced_at, .. } =
        opened.checkpoint.clone();
    let Checkpoint { resets, swept, .. } = opened.checkpoint;
    assert_eq!(swept.0, 80);
    let texts = [epoch, cursor, staged, head];
    assert_eq!(texts.map(|text| text.expect("a text")), ["b0c2", "opaque", "further", "first~newest"]);
    assert_eq!((position.0, folds, complete, progress.total), (120, 3, true, 9));
    assert_eq!((resets, opened.settled[0].1.resets), (2, 1));
    assert_eq!(synced_at.map(|at| at.0), Some(1_795_234_810_000));
    assert_eq!(opened.indexes.len(), 1);
    assert_eq!(opened.migrations, 2);
    assert_eq!(opened.voids, [id(5)]);
    let entries: Vec<&Entry> = opened.journal.iter().flat_map(|(_, record)| &record.entries).collect();
    let ids: Vec<MutationId> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [id(1), id(2), id(3), id(4), id(5)]);
    assert_eq!((entries[1].priority, entries[1].network), (Priority::High, Network::Unmetered));
    assert_eq!(entries[1].parents.len(), 1);
    assert!(entries[1].is_with(entries[2]) && entries[3].after == Some(id(3)));
    assert_eq!((entries[4].replaces, entries[4].place.map(|place| place.index)), (Some(id(9)), Some(7)));
    assert_eq!(opened.sent[0].1.sent[0].mutation.id, id(1));
    let ends: Vec<End> = opened.settled.iter().flat_map(|(_, one)| &one.settled).map(|one| one.end).collect();
    let places = ends
        .iter()
        .filter_map(|end| if let End::Accepted { position, .. } = end { Some(position.0) } else { None });
    assert_eq!((ends.len(), places.collect::<Vec<_>>()), (7, vec![130, 3]));
    assert_eq!((opened.parked[0].entry.id, &*opened.parked[0].code), (id(8), "validation_failed"));
    assert_eq!(opened.staged.map(|staged| staged[0].1.len()), Some(3));
    assert_eq!(opened.rows.len(), 2);
    assert!(opened.rows[1].1.deleted.is_some());
}

#[test]
fn records_of_before_their_optional_members_are_read_as_what_they_meant() {
    let journal = include_str!("golden/stored/journal_least.json");
    let opened = opened(journal, include_str!("golden/stored/parked_least.json"));
    let entry = &opened.journal[0].1.entries[0];
    assert_eq!((entry.priority, entry.network, &entry.group), (Priority::Normal, Network::Any, &None));
    assert_eq!((entry.after, entry.replaces, entry.place), (None, None, None));
    assert_eq!((&opened.parked[0].message, opened.parked[0].because), (&None, None));
    let least = include_str!("golden/stored/checkpoint_least.json");
    assert_eq!(read::<Checkpoint>(least), Some(Checkpoint::default()));
}

/// What a later version adds does not hide what this one knows.
#[test]
fn members_of_a_later_version_are_no_damage() {
    fn later<T: DeserializeOwned + Debug + PartialEq>(file: &str) {
        for (_, text) in records(file) {
            let more = format!(r#"{{"later":{{"x":[1]}},{}"#, &text[1..]);
            assert_eq!(read::<T>(&more), read::<T>(&text), "{more}");
            assert!(read::<T>(&more).is_some());
        }
    }
    later::<JournalRecord>(include_str!("golden/stored/journal.json"));
    later::<SentRecord>(include_str!("golden/stored/sent.json"));
    later::<SettledRecord>(include_str!("golden/stored/settled.json"));
    later::<Parked>(include_str!("golden/stored/parked.json"));
    later::<BaseRow>(include_str!("golden/stored/base.json"));
}
