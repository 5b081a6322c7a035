//! What people do with documents that not everybody may see: make them, hand them on, and guess at those of others.

use landfall_core::id::DocumentKey;
use landfall_core::json::Json;

use crate::chance::Chance;
use crate::mark::Mark;
use crate::person::{PersonId, SITES};
use crate::queue::TabId;
use crate::tab::{JOBS, job};
use crate::world::World;

/// How many jobs people give names to, each.
const EACH: usize = 4;

impl World {
    /// What people do next is drawn apart, where there are several.
    pub fn draw_for_people(&mut self) {
        if self.has_secrets() {
            self.chances.people = Chance::new(self.chances.work.bits(), 22);
        }
    }

    /// A document that not everybody may see, where it is one of these.
    pub fn some_job(&mut self, tab: TabId) -> Option<DocumentKey> {
        let subject = self.tabs[tab].as_ref()?;
        if self.people.len() == 1 || self.chances.people.one_in(2) {
            return None;
        }
        let me = subject.person;
        let shown: Vec<DocumentKey> =
            subject.view().into_keys().filter(|key| key.collection.as_str() == JOBS).collect();
        let chance = &mut self.chances.people;
        let whose = if chance.one_in(6) { chance.below(self.people.len()) } else { me };
        let named = job(&format!("j{whose}-{}", chance.below(EACH)));
        let known =
            if shown.is_empty() || chance.one_in(2) { None } else { shown.get(chance.below(shown.len())) };
        Some(known.cloned().unwrap_or(named))
    }

    /// What somebody writes into such a document: whose it is as well, if it is new or handed on.
    pub fn with_owner(&mut self, tab: TabId, key: &DocumentKey, data: Json) -> Json {
        let Some(subject) = self.tabs[tab].as_ref().filter(|_| key.collection.as_str() == JOBS) else {
            return data;
        };
        let (me, is_new) = (subject.person, subject.client.document(key).is_none());
        let chance = &mut self.chances.people;
        let (hands, moves) = (chance.one_in(if is_new { 10 } else { 4 }), is_new || chance.one_in(8));
        let other: PersonId = chance.below(self.people.len());
        let owner = if hands { other } else { me };
        let mut more = String::new();
        if is_new || hands {
            self.marks.hit_if(!is_new && owner != me, Mark::HandedOn);
            more += &format!(r#","owner":"{}""#, self.people[owner].user);
        }
        if moves {
            let site = self.chances.people.below(2 * SITES);
            more += &format!(r#","site":"s{site}""#);
        }
        let text = data.text().strip_suffix('}').expect("BUG: no object");
        Json::parse(&format!("{text}{more}}}")).expect("BUG: what a user writes is JSON")
    }
}
