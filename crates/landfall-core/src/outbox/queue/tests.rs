//! What goes next and what holds entries back, against what the words of the module say.

use proptest::prelude::*;

use super::super::tests::{entry, id, ids, key, parked, saved};
use super::*;
use crate::stored::Place;

const DOCUMENTS: [&str; 4] = ["a", "b", "c", "d"];

/// One transaction: its writes, each with the documents that it names.
type Unit = Vec<(usize, Op, Vec<usize>)>;

/// Several of them, each with a priority, with whether it waits for a network that is for free, and with how far it
/// has come.
fn history() -> impl Strategy<Value = Vec<(Unit, Priority, bool, Standing)>> {
    let op = prop_oneof![1 => Just(Op::Create), 2 => Just(Op::Patch), 1 => Just(Op::Delete)];
    let named = proptest::collection::vec(0..DOCUMENTS.len(), 0..2);
    let unit = proptest::collection::vec((0..DOCUMENTS.len(), op, named), 1..4);
    let priority =
        prop_oneof![2 => Just(Priority::Normal), 1 => Just(Priority::High), 1 => Just(Priority::Low)];
    let standing = prop_oneof![
        6 => Just(Standing::Saved),
        1 => Just(Standing::Saving),
        1 => Just(Standing::Sending),
        1 => Just(Standing::Discarding),
    ];
    proptest::collection::vec((unit, priority, proptest::bool::weighted(0.2), standing), 0..8)
}

/// The writes of a history, unit by unit, as they stand in the journal.
fn entries(history: &[(Unit, Priority, bool, Standing)]) -> Vec<Vec<Entry>> {
    let mut n = 0;
    let units = history.iter().zip(1..).map(|((unit, priority, unmetered, _), group)| {
        let network = if *unmetered { Network::Unmetered } else { Network::Any };
        let entries = unit.iter().map(|(document, op, parents)| {
            n += 1;
            let group = (unit.len() > 1).then(|| format!("g{group}").parse().unwrap());
            let parents = parents.iter().map(|parent| key(DOCUMENTS[*parent])).collect();
            Entry { group, parents, priority: *priority, network, ..entry(n, DOCUMENTS[*document], *op) }
        });
        entries.collect()
    });
    units.collect()
}

/// What a unit is about, and what it builds on.
fn named(unit: &[Entry]) -> impl Iterator<Item = DocumentKey> {
    unit.iter().flat_map(|entry| [entry.key()].into_iter().chain(entry.parents.iter().cloned()))
}

fn is_about(unit: &[Entry], key: &DocumentKey) -> bool {
    unit.iter().any(|entry| entry.key() == *key)
}

/// What holds a unit back, from what holds back those before it.
fn hold(
    unit: &[Entry],
    before: &[(&[Entry], Option<Hold>)],
    drafts: &[DocumentKey],
    conditions: &Conditions,
) -> bool {
    let itself = unit.iter().any(|entry| {
        conditions.suspects.contains(&entry.id) || conditions.metered && entry.network == Network::Unmetered
    });
    let lane = named(unit).any(|key| {
        drafts.contains(&key)
            || before.iter().any(|(other, hold)| {
                // Nobody waits for a change that the server may never take.
                let creates = other.iter().any(|entry| entry.op == Op::Create);
                let holds = hold.is_some_and(|hold| creates || !matches!(hold, Hold::Suspect(_)));
                holds && is_about(other, &key)
            })
    });
    itself || lane
}

/// Its own priority, or that of what waits for it.
fn urgency(units: &[&[Entry]]) -> Priority {
    let own = units[0].iter().map(|entry| entry.priority).min().unwrap();
    let waiting = (1..units.len()).filter(|n| named(units[*n]).any(|key| is_about(units[0], &key)));
    waiting.map(|n| urgency(&units[n..])).fold(own, Priority::min)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_picked_is_what_nothing_holds_back_by_urgency_and_then_in_order(
        history in history(), count_max in 1..8usize, metered: bool,
        draft in proptest::option::weighted(0.2, 0..DOCUMENTS.len()), suspect in proptest::option::weighted(0.3, 1..8u64),
    ) {
        let units = entries(&history);
        let mut outbox = Outbox::default();
        for ((unit, record), (.., standing)) in units.iter().zip(1..).zip(&history) {
            for (entry, index) in unit.iter().zip(0..) {
                outbox.insert(Place { record, index }, entry.clone(), *standing);
            }
        }
        let drafts: Vec<_> = draft.map(|document| entry(100, DOCUMENTS[document], Op::Create)).into_iter().collect();
        drafts.iter().for_each(|draft| outbox.park(parked(draft.clone(), Place::default())));
        let drafts: Vec<_> = drafts.iter().map(Entry::key).collect();
        let conditions = Conditions { metered, suspects: suspect.map(id).into_iter().collect() };

        let due = |standing| matches!(standing, Standing::Saved | Standing::Saving);
        let units: Vec<_> = units.iter().zip(&history).filter(|(_, (.., standing))| due(*standing)).collect();
        let holds = outbox.holds(&conditions);
        let mut before = Vec::new();
        for (unit, _) in &units {
            let held = hold(unit, &before, &drafts, &conditions);
            let said = holds.get(&unit[0].id).copied();
            prop_assert_eq!(said.is_some(), held, "{:?}", unit);
            prop_assert!(unit.iter().all(|entry| holds.get(&entry.id).copied() == said));
            before.push((unit.as_slice(), said));
        }
        prop_assert_eq!(holds.len(), before.iter().filter(|(_, hold)| hold.is_some()).map(|(unit, _)| unit.len()).sum::<usize>());

        let all: Vec<&[Entry]> = units.iter().map(|(unit, _)| unit.as_slice()).collect();
        let mut ready: Vec<_> = (0..all.len())
            .filter(|n| before[*n].1.is_none() && units[*n].1.3 == Standing::Saved)
            .collect();
        let numbers = |units: &[usize]| units.iter().flat_map(|n| all[*n]).map(|entry| entry.id.n).collect::<Vec<_>>();
        prop_assert_eq!(ids(outbox.ready(&conditions)), numbers(&ready));
        ready.sort_by_key(|n| urgency(&all[*n..]));
        let fits = |n: usize| ready[..n].iter().map(|n| all[*n].len()).sum::<usize>() <= count_max;
        let whole = (0..=ready.len()).rfind(|n| fits(*n)).unwrap().max(ready.len().min(1));
        prop_assert_eq!(ids(outbox.pick(count_max, &conditions)), numbers(&ready[..whole]));
    }
}

#[test]
fn a_write_says_what_holds_it_back() {
    let free = |n, document| Entry { network: Network::Unmetered, ..entry(n, document, Op::Patch) };
    let mut outbox = saved([
        entry(1, "a", Op::Patch),
        free(2, "b"),
        entry(3, "b", Op::Patch),
        entry(4, "c", Op::Create),
        entry(5, "c", Op::Patch),
        entry(6, "d", Op::Patch),
        entry(7, "d", Op::Patch),
    ]);
    outbox.park(parked(entry(8, "a", Op::Create), Place::default()));
    let conditions = Conditions { metered: true, suspects: [id(4), id(6)].into_iter().collect() };
    let holds: Vec<_> = outbox.holds(&conditions).into_iter().collect();
    let expected = [
        (id(1), Hold::Draft(id(8))),
        (id(2), Hold::Unmetered),
        (id(3), Hold::Unmetered),
        (id(4), Hold::Suspect(id(4))),
        (id(5), Hold::Suspect(id(4))),
        (id(6), Hold::Suspect(id(6))),
    ];
    assert_eq!(holds, expected);
    assert_eq!(ids(outbox.ready(&conditions)), [7], "what the server may never take holds nothing back");
    let conditions = Conditions { metered: false, ..conditions };
    assert_eq!(ids(outbox.ready(&conditions)), [2, 3, 7]);
    assert_eq!(ids(outbox.ready(&Conditions::default())), [2, 3, 4, 5, 6, 7]);
}
