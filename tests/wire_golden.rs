//! The bytes of protocol v1, and what a server answers to them.
//!
//! The files are for every implementation, whatever its language. A file here never changes: what it
//! says has been said to devices that are still offline.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use landfall_core::authority::{Facts, Proposal, Receipt, Rules, Stored, Terms, decide, parse};
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
use serde_json::Value;

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
    check::<Batch>(include_str!("golden/batch_device.json"));
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

    fn may_see(&self, _: &Collection, _: &Json) -> bool {
        true
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
        let mutations: Vec<_> = step.mutations.iter().map(parse).collect();
        let rules = NoRules(Terms { merges: fields.clone(), ..Terms::default() });
        let decision = decide(&mutations, facts, &rules, step.now);
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

/// The table of PROTOCOL.md that begins with this word: members with their types, in order.
fn members(of: &str) -> Vec<(&'static str, &'static str)> {
    let head = format!("| {of} | type | meaning |");
    let lines = include_str!("../crates/PROTOCOL.md").lines().skip_while(|line| *line != head).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        (cells.next().expect("a name").trim_matches('`'), cells.next().expect("a type"))
    });
    let rows: Vec<_> = rows.collect();
    assert!(!rows.is_empty(), "no table of a {of}");
    rows
}

/// Whether a value is what a table says of it.
fn is_of_type(value: &Value, said: &str) -> bool {
    let said = said.split(';').next().expect("a first part");
    match value {
        Value::Null => said.contains("null") || said.contains("any JSON"),
        Value::Bool(_) => said.contains("true") || said.contains("any JSON"),
        Value::Number(_) => {
            ["whole", "time", "version", "position"].iter().any(|name| said.starts_with(name))
        }
        Value::String(_) => !["whole", "time", "version", "position", "list", "true", "object"]
            .iter()
            .any(|name| said.starts_with(name)),
        Value::Array(_) => said.starts_with("list of") || said.contains("any JSON"),
        Value::Object(_) => said.contains("→") || said.contains("object") || said == "reset or null",
    }
}

/// Holds a message against its table.
fn agrees(of: &str, message: &Value) {
    let table = members(of);
    let message = message.as_object().expect("an object");
    for (name, value) in message {
        let said = table.iter().find(|(member, _)| member == name);
        let (_, said) = said.unwrap_or_else(|| panic!("no table says what `{name}` of a {of} is"));
        assert!(is_of_type(value, said), "`{name}` of a {of} is {value} and not {said}");
    }
    for (name, said) in table {
        let may_be_absent = said.contains("optional") || said.contains("absent");
        assert!(may_be_absent || message.contains_key(name), "a {of} without `{name}`");
    }
}

#[test]
fn every_member_of_a_message_is_in_the_protocol_with_its_type() {
    let read = |file: &str| serde_json::from_str::<Value>(file).expect("JSON");
    let each = |of: &str, list: &Value| {
        let list = list.as_array().expect("a list");
        list.iter().for_each(|one| agrees(of, one));
        assert!(!list.is_empty(), "nothing to hold the table of a {of} against");
    };
    let batch = read(include_str!("golden/batch.json"));
    agrees("batch", &batch);
    each("mutation", &batch["mutations"]);
    each("field", &batch["mutations"][1]["fields"]);
    let stuck = read(include_str!("golden/batch_device.json"));
    agrees("batch", &stuck);
    agrees("device", &stuck["device"]);
    let reply = read(include_str!("golden/batch_reply.json"));
    agrees("reply", &reply);
    each("result", &reply["results"]);
    for file in [include_str!("golden/pull_reply.json"), include_str!("golden/pull_first.json")] {
        let reply = read(file);
        agrees("pull reply", &reply);
        each("change", &reply["changes"]);
    }
    let reset = read(include_str!("golden/pull_reset.json"));
    agrees("pull reply", &reset);
    agrees("reset", &reset["reset"]);
}
