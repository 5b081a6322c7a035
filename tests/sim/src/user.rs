//! What people do: write, change their minds, and look.

use landfall_core::client::{Act, EntryView, Input, Status};
use landfall_core::drain::Nudge;
use landfall_core::id::{DocumentKey, MutationId};
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field};
use landfall_core::stored::{Network, Priority, Urgency};

use crate::chance::Chance;
use crate::check::{Invariant, cause};
use crate::mark::Mark;
use crate::queue::{Event, TabId};
use crate::script::Kind;
use crate::server::REFUSED;
use crate::tab::{Asked, key};
use crate::witness::values;
use crate::world::World;

const FIELDS: [&str; 3] = ["f", "g", "h"];

impl World {
    /// Somebody does something on a device, and will do something again.
    pub fn work(&mut self, device: usize) {
        if self.acts == 0 || self.healed {
            return;
        }
        self.acts -= 1;
        let tabs = self.tabs_of(device);
        if let Some(own) = self.chances.script.begin(Kind::Act, &self.chances.work) {
            self.chances.work = own;
            self.draw_for_people();
            if !tabs.is_empty() {
                let tab = self.chances.work.of(&tabs);
                self.act(tab);
            }
        }
        let think = self.chances.work.delay(self.swarm.pace);
        let think = self.chances.script.end(Kind::Act, think);
        self.queue.after(think, Event::Work(device));
    }

    fn act(&mut self, tab: TabId) {
        let now = self.queue.now;
        if !self.tab(tab).is_some_and(|tab| tab.ready && tab.hung <= now) {
            return;
        }
        if self.chances.work.per_mille(self.swarm.attended) {
            return self.attend(tab);
        }
        match self.chances.work.below(20) {
            0 => self.feed(tab, Input::Nudge(Nudge::Asked)),
            1 => self.feed(tab, Input::Nudge(Nudge::Woke)),
            2 => self.feed(tab, Input::Refresh),
            3 => {
                let seen = self.chances.work.one_in(2);
                self.feed(tab, Input::Seen(seen));
            }
            _ if self.swarm.import > 0 && !self.chances.work.one_in(3) => self.import(tab),
            _ => self.write(tab),
        }
    }

    /// Many documents that stand side by side are written at once, and are no group.
    fn import(&mut self, tab: TabId) {
        let from = self.chances.work.below(self.swarm.documents);
        let mut intents: Vec<(Intent, Urgency)> = Vec::with_capacity(self.swarm.import);
        for place in from..from + self.swarm.import {
            let document = key(&format!("d{}", place % self.swarm.documents));
            let intent = self.intent(tab, document);
            if self.tab(tab).is_some_and(|tab| tab.client.is_loaded(intent.key())) {
                intents.push((intent, Urgency::default()));
            }
        }
        if !intents.is_empty() {
            self.write_all(tab, &intents, false);
        }
    }

    fn write(&mut self, tab: TabId) {
        let grouped = self.chances.work.one_in(6);
        let mut intents: Vec<(Intent, Urgency)> = Vec::new();
        for _ in 0..if grouped { 3 } else { 1 } {
            let note = key(&format!("d{}", self.chances.work.below(self.swarm.documents)));
            let document = self.some_job(tab).unwrap_or(note);
            let intent = self.intent(tab, document);
            let priority =
                self.chances.work.of(&[Priority::High, Priority::Normal, Priority::Normal, Priority::Low]);
            let network = if self.chances.work.one_in(30) { Network::Unmetered } else { Network::Any };
            self.marks.hit_if(network == Network::Unmetered, Mark::Unmetered);
            if self.tab(tab).is_some_and(|tab| tab.client.is_loaded(intent.key())) {
                intents.push((intent, Urgency { priority, network }));
            }
        }
        if !intents.is_empty() {
            self.write_all(tab, &intents, grouped);
        }
    }

    /// Makes writes; they are visible at once.
    pub fn write_all(&mut self, tab: TabId, intents: &[(Intent, Urgency)], grouped: bool) -> bool {
        let now = self.queue.now;
        let Some(device) = self.tab(tab).map(|tab| tab.device) else { return false };
        let reading = self.devices[device].clock.read(now);
        let Some(subject) = self.tab_mut(tab) else { return false };
        let ticket = subject.ask(Asked::Write(vec![]));
        let written = subject.client.write(ticket, intents, grouped, reading);
        let Ok(ids) = written else {
            // What the app was shown for a moment is gone again.
            subject.asked.remove(&ticket);
            for (intent, _) in intents {
                self.witness.fickle.extend(values(&intent.fields().unwrap_or_default()));
            }
            self.perform(tab);
            return false;
        };
        let named = ids.clone();
        let (last, _) = intents.last().expect("BUG: no intent");
        let shows = subject.client.document(last.key()).map(|json| json.text().to_owned());
        let is_there = matches!(last, Intent::Delete(_)) || {
            let wanted = values(&last.fields().unwrap_or_default());
            wanted.iter().all(|value| shows.as_ref().is_some_and(|text| text.contains(&value.to_string())))
        };
        subject.asked.insert(ticket, Asked::Write(ids));
        self.trace.say(now, || format!("  tab {tab} writes {named:?} {intents:?}"));
        let person = self.devices[device].person;
        let fields = intents.iter().filter_map(|(intent, _)| intent.fields().ok());
        let written: Vec<u64> = fields.flat_map(|fields| values(&fields)).collect();
        self.witness.known.entry(person).or_default().extend(&written);
        cause::wrote(self, tab, &written);
        if !is_there {
            self.violate(Invariant::I4, format!("tab {tab} does not show {last:?} but {shows:?}"));
        }
        self.perform(tab);
        true
    }

    /// A value that nobody else writes.
    pub fn fresh(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    fn intent(&mut self, tab: TabId, document: DocumentKey) -> Intent {
        let documents = self.swarm.documents;
        let value = self.fresh();
        let work = &mut self.chances.work;
        let text = match work.below(12) {
            _ if work.per_mille(self.swarm.refused) => format!(r#""{REFUSED} {value}""#),
            0 => format!(r#"{{"x":{value}}}"#),
            1 => format!(r#"{{"y":{value},"x":{{"z":1}}}}"#),
            _ => value.to_string(),
        };
        let field = work.of(&FIELDS);
        let mut data = format!(r#"{{"{field}":{text}}}"#);
        if work.one_in(4) {
            let parent = work.below(documents);
            data = format!(r#"{{"{field}":{text},"parent":"d{parent}"}}"#);
        }
        let data = Json::parse(&data).expect("BUG: what a user writes is JSON");
        let kind = work.below(15);
        let data = self.with_owner(tab, &document, data);
        let shown = self.tab(tab).and_then(|tab| tab.client.document(&document)).is_some();
        match (shown, kind) {
            (false, _) => Intent::Create(document, data),
            (true, 0..2) => Intent::Delete(document),
            (true, 2..6) => {
                Intent::Patch(document, Json::parse("{}").expect("BUG: JSON"), self.changes(kind))
            }
            (true, _) => Intent::Patch(document, data, vec![]),
        }
    }

    fn changes(&mut self, kind: usize) -> Vec<Field> {
        let work = &mut self.chances.work;
        let element = work.of(&["1", "2", r#""x""#, r#"{"a":1}"#]);
        let json = |text: &str| Json::parse(text).expect("BUG: JSON");
        let (path, change) = match kind {
            2 => ("/count", Change::Increment(work.below(9) as i64 - 4)),
            3 => ("/tags", Change::Add(json(element))),
            4 => ("/tags", Change::Remove(json(element))),
            _ if work.one_in(2) => ("/k/x", Change::Unset),
            _ => ("/best", Change::Max(json(&work.below(50).to_string()))),
        };
        vec![Field { path: path.parse().expect("BUG: a path"), change }]
    }

    /// Somebody decides about something in the outbox.
    fn attend(&mut self, tab: TabId) {
        let Some(subject) = self.tab(tab) else { return };
        let ids: Vec<_> = subject.client.entries().iter().map(|entry| entry.id).collect();
        if ids.is_empty() {
            return;
        }
        let id = self.chances.work.of(&ids);
        let Some(subject) = self.tab(tab) else { return };
        let entries = subject.client.entries();
        let group = entries.iter().find(|entry| entry.id == id).and_then(|entry| entry.group);
        let with = |entry: &&EntryView<'_>| entry.id == id || group.is_some() && entry.group == group;
        let unit = entries.iter().filter(with);
        let unit: Vec<_> = unit.map(|entry| (entry.id, entry.status == Status::NeedsAttention)).collect();
        let known = |key: &DocumentKey| subject.client.is_loaded(key);
        if !subject.client.subjects(id).iter().all(known) {
            return;
        }
        let value = self.fresh();
        let field = self.chances.work.of(&FIELDS);
        let act = match self.chances.work.below(3) {
            0 => Act::Retry,
            1 => {
                let path = format!("/{field}").parse().expect("BUG: a path");
                let change = Change::Set(Json::parse(&value.to_string()).expect("BUG: JSON"));
                Act::Edit(vec![Field { path, change }])
            }
            _ => Act::Discard,
        };
        let now = self.queue.now;
        let Some(subject) = self.tab_mut(tab) else { return };
        // Whatever is decided, what it is about may come and go.
        let subjects = subject.client.subjects(id);
        let concerned = subject.client.export().items.into_iter().map(|item| item.entry);
        let concerned =
            concerned.filter(|entry| subjects.contains(&entry.key()) || !entry.parents.is_empty());
        let fickle: Vec<u64> = concerned.flat_map(|entry| values(&entry.fields)).collect();
        let device = subject.device;
        let reading = self.devices[device].clock.read(now);
        let Some(subject) = self.tab_mut(tab) else { return };
        let ticket = subject.ask(Asked::Write(vec![]));
        let mark = match act {
            Act::Retry => Mark::Retried,
            Act::Edit(_) => Mark::Edited,
            Act::Discard => Mark::Discarded,
        };
        match subject.client.attend(ticket, id, act.clone(), reading) {
            Ok(ids) => {
                // What was not refused is only tried once more, and nothing of that is stored.
                let about = unit.into_iter().filter(|(_, refused)| *refused || act == Act::Discard);
                let about = about.map(|(id, _)| id).collect();
                subject.asked.insert(ticket, Asked::Decide(about, ids));
                self.marks.hit(mark);
                self.trace.say(now, || format!("  tab {tab} decides {act:?} about {id}"));
            }
            // What cannot be done is refused, and changes nothing.
            Err(_) => _ = subject.asked.remove(&ticket),
        }
        self.witness.fickle.extend(fickle);
        self.witness.fickle.insert(value);
        self.witness.known.entry(self.devices[device].person).or_default().insert(value);
        self.perform(tab);
    }

    /// Somebody is told that what they have decided is saved.
    pub fn decided(&mut self, device: usize, about: Vec<MutationId>, ids: Vec<MutationId>) {
        self.witness.saved.extend(ids.into_iter().map(|id| (id, device)));
        let here = (device, self.devices[device].disk.incarnation);
        self.witness.decided.extend(about.into_iter().map(|id| (id, here)));
        if !self.healed && self.chances.rash.per_mille(self.swarm.rash) {
            self.marks.hit(Mark::PowerCutDecided);
            let chance = Chance::new(self.chances.rash.bits(), 9);
            self.blackout(device, chance);
        }
    }
}
