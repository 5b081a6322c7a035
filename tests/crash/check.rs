//! The checker: what devices were told, beside what is there in the end.
//!
//! It shares nothing with whoever ran the servers but the file of the history and the rows of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_core::id::{DocumentId, MutationId, Position};
use landfall_core::json::Json;
use landfall_core::wire::Verdict;

use crate::device::Told;
use crate::history::{Deed, Event, Wrote};

/// Code of what the rules of the server refuse.
const REFUSED: &str = "validation_failed";

/// What cannot be, had nothing gone wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// Somebody was told that it is kept, and it is not.
    Lost,
    /// It has happened more than once, or nobody has done it.
    Doubled,
    /// It has come to no end.
    Stuck,
    /// Not everybody sees the same.
    Unequal,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) wrong: Wrong,
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.text)
    }
}

/// What one tenant has in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// What somebody sees who comes with nothing.
    pub(crate) documents: BTreeMap<DocumentId, String>,
    /// Rows of the history.
    pub(crate) history: Vec<MutationId>,
    /// Verdicts that are kept.
    pub(crate) receipts: BTreeSet<MutationId>,
    /// What is left of others: writer, first and last.
    pub(crate) runs: Vec<(MutationId, u64)>,
    /// How many commits there are, and the position of the newest.
    pub(crate) commits: (i64, i64),
    /// How many verdicts are left that are too old.
    pub(crate) overdue: i64,
    /// Its devices.
    pub(crate) devices: BTreeMap<usize, Told>,
}

/// What devices have said and heard of one write.
#[derive(Default)]
struct Life {
    deed: Option<Deed>,
    accepted: usize,
    refused: Option<String>,
    /// Where it was applied, each time that the server said that it has just been.
    fresh: BTreeSet<Position>,
    answers: BTreeSet<&'static str>,
}

/// Looks at one tenant: all events are of its devices.
pub(crate) fn check(events: &[Event], end: &End) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |wrong, text: String| findings.push(Finding { wrong, text });
    let (lives, writes) = lives(events);

    let mut rows: BTreeMap<MutationId, usize> = BTreeMap::new();
    for id in &end.history {
        *rows.entry(*id).or_default() += 1;
    }
    for (id, count) in &rows {
        if *count > 1 {
            find(Wrong::Doubled, format!("{id} is {count} times in the history"));
        }
        if !lives.contains_key(id) {
            find(Wrong::Doubled, format!("{id} is in the history and nobody has written it"));
        }
    }
    for (id, life) in &lives {
        let Some(deed) = &life.deed else {
            find(Wrong::Doubled, format!("{id} was answered, and nobody has written it"));
            continue;
        };
        let has_row = rows.contains_key(id);
        let is_kept = end.receipts.contains(id)
            || end
                .runs
                .iter()
                .any(|(first, last)| first.writer == id.writer && (first.n..=*last).contains(&id.n));
        match (deed == &Deed::Offend, has_row) {
            (false, false) => find(Wrong::Lost, format!("{id} ({deed:?}) is saved and not in the history")),
            (true, true) => find(Wrong::Doubled, format!("{id} was to be refused and is in the history")),
            (false, true) | (true, false) => {}
        }
        if !is_kept {
            find(Wrong::Lost, format!("of {id} ({deed:?}) there is no verdict"));
        }
        match (&life.refused, deed) {
            (Some(code), Deed::Offend) if code == REFUSED => {}
            (Some(code), _) => find(Wrong::Lost, format!("{id} ({deed:?}) was refused: {code}")),
            (None, Deed::Offend) => {
                find(Wrong::Stuck, format!("{id} was to be refused, and nobody was told"))
            }
            (None, _) if life.accepted == 0 => {
                find(Wrong::Stuck, format!("{id} ({deed:?}): nobody was told how it ended"));
            }
            (None, _) => {}
        }
        if life.fresh.len() > 1 {
            find(Wrong::Doubled, format!("{id} was applied at {:?}", life.fresh));
        }
        if life.answers.len() > 1 {
            find(Wrong::Doubled, format!("{id} was answered with {:?}", life.answers));
        }
        if life.accepted > 0 && life.refused.is_some() {
            find(Wrong::Doubled, format!("{id} was accepted and refused"));
        }
    }
    let (count, newest) = end.commits;
    if count != newest {
        find(Wrong::Lost, format!("there are {count} commits up to {newest}"));
    }
    if end.overdue > 0 {
        find(Wrong::Stuck, format!("{} verdicts are too old and still there", end.overdue));
    }
    for (document, wanted) in expected(&writes) {
        let found = end.documents.get(&document).map_or("nothing", String::as_str);
        if let Some((wrong, text)) = wanted.differs(end.documents.get(&document)) {
            find(wrong, format!("{document} is {found}: {text}"));
        }
    }
    for (device, told) in &end.devices {
        if !told.at_rest {
            find(Wrong::Stuck, format!("device {device} has {} to do: {}", told.pending, told.state));
        }
        for document in told.view.keys().chain(end.documents.keys()).collect::<BTreeSet<_>>() {
            let (here, there) = (told.view.get(document), end.documents.get(document));
            if here != there {
                find(
                    Wrong::Unequal,
                    format!("device {device} shows {document} as {here:?}, not as {there:?}"),
                );
            }
        }
    }
    findings
}

fn lives(events: &[Event]) -> (BTreeMap<MutationId, Life>, Vec<&Wrote>) {
    let (mut lives, mut writes): (BTreeMap<MutationId, Life>, Vec<&Wrote>) = Default::default();
    for event in events {
        match event {
            Event::Saved { writes: saved, .. } => {
                for write in saved {
                    lives.entry(write.id).or_default().deed = Some(write.deed.clone());
                    writes.push(write);
                }
            }
            Event::Answered { id, verdict, position, duplicate, .. } => {
                let life = lives.entry(*id).or_default();
                let is_in = matches!(verdict, Verdict::Applied | Verdict::Merged | Verdict::Conflict);
                if is_in && !duplicate {
                    life.fresh.insert(*position);
                }
                match verdict {
                    Verdict::Applied | Verdict::Merged | Verdict::Conflict => life.answers.insert("accepted"),
                    Verdict::Rejected => life.answers.insert("rejected"),
                    // No verdict: it comes again.
                    Verdict::Held => false,
                };
            }
            Event::Settled { id, code, .. } => {
                let life = lives.entry(*id).or_default();
                match code {
                    Some(code) => life.refused = Some(code.clone()),
                    None => life.accepted += 1,
                }
            }
        }
    }
    (lives, writes)
}

/// What a document must be.
enum Wanted {
    /// A document of one device's own; nothing where it is gone.
    Own(Option<u64>),
    /// One that all have written to.
    Shared { count: i64, tags: BTreeSet<u64>, said: BTreeSet<u64> },
}

/// What documents must be when what was saved has happened, each once.
fn expected(writes: &[&Wrote]) -> BTreeMap<DocumentId, Wanted> {
    let mut all = BTreeMap::new();
    for Wrote { id, document, deed } in writes {
        let shared = || Wanted::Shared { count: 0, tags: BTreeSet::new(), said: BTreeSet::new() };
        match deed {
            Deed::Create(value) | Deed::Set(value) => {
                all.insert(document.clone(), Wanted::Own(Some(*value)));
            }
            Deed::Delete | Deed::Offend => {
                all.insert(document.clone(), Wanted::Own(None));
            }
            Deed::Share => {
                all.entry(document.clone()).or_insert_with(shared);
            }
            Deed::Count(_) | Deed::Tag(_) | Deed::Say(_) => {
                let Wanted::Shared { count, tags, said } = all.entry(document.clone()).or_insert_with(shared)
                else {
                    unreachable!("BUG: {id} makes a device's own document one that all share")
                };
                match deed {
                    Deed::Count(step) => *count += step,
                    Deed::Tag(tag) => _ = tags.insert(*tag),
                    Deed::Say(word) => _ = said.insert(*word),
                    Deed::Create(_) | Deed::Set(_) | Deed::Delete | Deed::Offend | Deed::Share => {}
                }
            }
        }
    }
    all
}

impl Wanted {
    fn differs(&self, found: Option<&String>) -> Option<(Wrong, String)> {
        let members = found.and_then(|text| Json::parse(text).ok()?.members()).unwrap_or_default();
        let number = |name: &str| members.get(name).and_then(Json::as_whole);
        match self {
            Wanted::Own(None) => found.map(|_| (Wrong::Doubled, "it was deleted or refused".to_owned())),
            Wanted::Own(Some(value)) => {
                let found = number("value").map(i64::cast_unsigned);
                (found != Some(*value)).then(|| (Wrong::Lost, format!("its value is to be {value}")))
            }
            Wanted::Shared { count, tags, said } => {
                let elements = members.get("tags").and_then(Json::elements).unwrap_or_default();
                let elements = elements.iter().filter_map(|tag| Some(tag.as_whole()?.cast_unsigned()));
                let elements: BTreeSet<u64> = elements.collect();
                let found = number("count").unwrap_or(0);
                let last = number("last").map(i64::cast_unsigned);
                if found != *count {
                    let wrong = if found < *count { Wrong::Lost } else { Wrong::Doubled };
                    return Some((wrong, format!("it is to be counted to {count}")));
                }
                if elements != *tags {
                    let wrong = if tags.is_subset(&elements) { Wrong::Doubled } else { Wrong::Lost };
                    return Some((wrong, format!("its tags are to be {tags:?}")));
                }
                let is_said = last.map_or(said.is_empty(), |last| said.contains(&last));
                (!is_said).then(|| (Wrong::Lost, format!("its last word is to be one of {said:?}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> MutationId {
        format!("{:032x}:{n}", 7).parse().expect("an id")
    }

    fn saved(n: u64, document: &str, deed: Deed) -> Event {
        let document = document.parse().expect("a name");
        Event::Saved { device: 0, writes: vec![Wrote { id: id(n), document, deed }] }
    }

    fn answered(n: u64, position: u64, duplicate: bool) -> Event {
        let (verdict, position) = (Verdict::Applied, Position(position));
        Event::Answered { device: 0, id: id(n), verdict, position, duplicate }
    }

    fn settled(n: u64, code: Option<&str>) -> Event {
        Event::Settled { device: 0, id: id(n), code: code.map(str::to_owned) }
    }

    /// A device that has created a document, counted twice, and had something refused.
    fn good() -> (Vec<Event>, End) {
        let mut events = vec![
            saved(1, "own", Deed::Create(5)),
            saved(2, "shared", Deed::Share),
            saved(3, "shared", Deed::Count(2)),
            saved(4, "refused", Deed::Offend),
        ];
        events.extend((1..4).flat_map(|n| [answered(n, n, false), settled(n, None)]));
        events.push(settled(4, Some(REFUSED)));
        let documents = [("own", r#"{"value":5}"#), ("shared", r#"{"count":2}"#)];
        let documents: BTreeMap<DocumentId, String> =
            documents.map(|(document, data)| (document.parse().expect("a name"), data.to_owned())).into();
        let told = Told { at_rest: true, view: documents.clone(), ..Told::default() };
        let end = End {
            documents,
            history: (1..4).map(id).collect(),
            receipts: [id(3), id(4)].into(),
            runs: vec![(id(1), 2)],
            commits: (3, 3),
            devices: [(0, told)].into(),
            overdue: 0,
        };
        (events, end)
    }

    fn wrong(spoil: impl FnOnce(&mut Vec<Event>, &mut End)) -> BTreeSet<Wrong> {
        let (mut events, mut end) = good();
        spoil(&mut events, &mut end);
        check(&events, &end).into_iter().map(|finding| finding.wrong).collect()
    }

    fn show(end: &mut End, document: &str, data: &str) {
        let document: DocumentId = document.parse().expect("a name");
        end.documents.insert(document.clone(), data.to_owned());
        end.devices.get_mut(&0).expect("a device").view.insert(document, data.to_owned());
    }

    #[test]
    fn where_nothing_went_wrong_nothing_is_found() {
        assert_eq!(wrong(|_, _| {}), [].into());
    }

    #[test]
    fn what_is_gone_is_found() {
        assert!(wrong(|_, end| _ = end.history.remove(0)).contains(&Wrong::Lost));
        assert!(wrong(|_, end| _ = end.runs.pop()).contains(&Wrong::Lost));
        assert!(wrong(|_, end| end.commits.0 = 2).contains(&Wrong::Lost));
        assert!(wrong(|_, end| show(end, "own", r#"{"value":4}"#)).contains(&Wrong::Lost));
        assert!(wrong(|_, end| show(end, "shared", r#"{"count":1}"#)).contains(&Wrong::Lost));
        assert!(wrong(|events, _| events.push(settled(3, Some("gone")))).contains(&Wrong::Lost));
    }

    #[test]
    fn what_has_happened_twice_is_found() {
        assert!(wrong(|_, end| end.history.push(id(3))).contains(&Wrong::Doubled));
        assert!(wrong(|_, end| end.history.push(id(9))).contains(&Wrong::Doubled));
        assert!(wrong(|_, end| end.history.push(id(4))).contains(&Wrong::Doubled));
        assert!(wrong(|_, end| show(end, "shared", r#"{"count":4}"#)).contains(&Wrong::Doubled));
        assert!(wrong(|_, end| show(end, "refused", "{}")).contains(&Wrong::Doubled));
        assert!(wrong(|events, _| events.push(answered(3, 8, false))).contains(&Wrong::Doubled));
        assert_eq!(wrong(|events, _| events.push(answered(3, 3, true))), [].into());
    }

    #[test]
    fn what_comes_to_no_end_is_found() {
        let unrest =
            |_: &mut Vec<Event>, end: &mut End| end.devices.get_mut(&0).expect("a device").at_rest = false;
        assert_eq!(wrong(unrest), [Wrong::Stuck].into());
        assert_eq!(wrong(|events, _| _ = events.pop()), [Wrong::Stuck].into());
        assert_eq!(wrong(|_, end| end.overdue = 1), [Wrong::Stuck].into());
    }

    #[test]
    fn devices_that_show_something_else_are_found() {
        let forget = |_: &mut Vec<Event>, end: &mut End| {
            end.devices.get_mut(&0).expect("a device").view.pop_first();
        };
        assert_eq!(wrong(forget), [Wrong::Unequal].into());
    }
}
