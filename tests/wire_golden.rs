//! The bytes of protocol v1, and what a server answers to them.
//!
//! The files are for every implementation, whatever its language. A file here never changes: what it
//! says has been said to devices that are still offline.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use landfall_core::authority::{Facts, Proposal, Receipt, Rules, Stored, Terms, decide};
use landfall_core::clock::Stamp;
use landfall_core::encoding::Listed;
use landfall_core::id::{Collection, DocumentKey, MutationId, Position, Writer};
use landfall_core::json::Json;
use landfall_core::merge::Merges;
use landfall_core::mutation::{Mutation, Refusal};
use landfall_core::time::WallTime;
use landfall_core::wire::{Batch, BatchReply, PullReply, PushResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Reads a file and writes it again; gives what it says.
fn check<T: DeserializeOwned + Serialize>(file: &str) -> T {
    let value: T = serde_json::from_str(file).expect("a file that the protocol knows");
    assert_eq!(serde_json::to_string(&value).expect("JSON"), file.trim_end());
    value
}

#[test]
fn what_is_pushed_reads_back_as_it_was() {
    let batch: Batch = check(include_str!("golden/batch.json"));
    for text in batch.mutations {
        let mutation: Mutation = serde_json::from_str(text.text()).expect("a mutation");
        assert_eq!(serde_json::to_string(&mutation).expect("JSON"), text.text());
    }
    check::<BatchReply>(include_str!("golden/batch_reply.json"));
}

#[test]
fn what_is_pulled_reads_back_as_it_was() {
    for file in [
        include_str!("golden/pull_reply.json"),
        include_str!("golden/pull_first.json"),
        include_str!("golden/pull_reset.json"),
    ] {
        let reply = check::<PullReply>(file);
        let changes = reply.read().expect("changes that the protocol knows");
        assert_eq!(serde_json::to_string(&changes).expect("JSON"), reply.changes.text());
    }
}

#[test]
fn stamps_sort_as_text() {
    let stamps: Vec<Stamp> = check(include_str!("golden/stamps.json"));
    let texts: Vec<String> = stamps.iter().map(Stamp::to_string).collect();
    assert!(stamps.is_sorted() && texts.is_sorted());
}

/// One server without rules, and what becomes of one batch after the other.
#[derive(Deserialize)]
struct Case {
    name: String,
    /// Fields that merge in another way than by the last write.
    #[serde(default)]
    fields: Merges,
    steps: Vec<Step>,
    /// What is visible in the end.
    visible: BTreeMap<String, Json>,
    /// Which write each path comes from, as devices are told.
    #[serde(default)]
    stamps: Option<BTreeMap<String, Listed<Stamp>>>,
}

#[derive(Deserialize)]
struct Step {
    /// The writers of the client that sends.
    own: BTreeSet<Writer>,
    now: WallTime,
    mutations: Vec<Json>,
    /// What is answered, apart from the words for a person.
    results: Vec<PushResult>,
    /// How many conflicts are recorded.
    conflicts: usize,
}

struct NoRules(Terms);

impl Rules for NoRules {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn check(&self, _: Proposal<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

#[derive(Default)]
struct Server {
    position: Position,
    documents: BTreeMap<DocumentKey, Stored>,
    receipts: BTreeMap<MutationId, Receipt>,
}

impl Server {
    fn push(&mut self, step: &Step, fields: &Merges) -> (Vec<PushResult>, usize) {
        let facts = Facts {
            position: self.position.next(),
            documents: self.documents.clone(),
            receipts: self.receipts.clone(),
            own_writers: step.own.clone(),
            ..Facts::default()
        };
        let decision = decide(
            &step.mutations,
            facts,
            &NoRules(Terms { merges: fields.clone(), ..Terms::default() }),
            step.now,
        );
        if !decision.documents.is_empty() {
            self.position = self.position.next();
        }
        self.documents.extend(decision.documents);
        self.receipts.extend(decision.receipts);
        let wordless = |result| PushResult { message: None, ..result };
        (decision.results.into_iter().map(wordless).collect(), decision.conflicts.len())
    }

    fn visible(&self) -> BTreeMap<String, Json> {
        let visible = |stored: &Stored| stored.document.value();
        let documents = self.documents.iter();
        documents.filter_map(|(key, stored)| Some((key.document.to_string(), visible(stored)?))).collect()
    }

    fn stamps(&self) -> BTreeMap<String, Listed<Stamp>> {
        let documents = self.documents.iter();
        documents.map(|(key, stored)| (key.document.to_string(), stored.document.encode().stamps)).collect()
    }
}

fn agree<T: PartialEq + Debug>(case: &Case, ours: &T, theirs: &T) {
    assert_eq!(ours, theirs, "{}", case.name);
}

fn judge(cases: &str) {
    let cases: Vec<Case> = serde_json::from_str(cases).expect("cases");
    for case in &cases {
        let mut server = Server::default();
        for step in &case.steps {
            let (results, conflicts) = server.push(step, &case.fields);
            agree(case, &results, &step.results);
            agree(case, &conflicts, &step.conflicts);
        }
        agree(case, &server.visible(), &case.visible);
        if let Some(stamps) = &case.stamps {
            agree(case, &server.stamps(), stamps);
        }
    }
}

#[test]
fn a_server_answers_as_it_always_has() {
    judge(include_str!("golden/authority.json"));
}

#[test]
fn a_server_merges_declared_fields_as_it_always_has() {
    judge(include_str!("golden/merges.json"));
}
