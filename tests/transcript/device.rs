//! The core by itself, living through a transcript.

use std::collections::VecDeque;

use landfall_core::client::{
    Act, Client, Declared, Failure, Input, KEPT_BYTES_MAX, Options, Output, Remote, Settled, TAIL, Ticket,
    TransactionId,
};
use landfall_core::drain::Nudge;
use landfall_core::id::DocumentKey;
use landfall_core::intent::Intent;
use landfall_core::json::{self, Json};
use landfall_core::mutation::{Change, Field, Op, Refusal};
use landfall_core::stored::{Key, Store, Urgency};
use landfall_core::time::{Millis, WallTime};
use landfall_core::transaction::Transaction;
use landfall_tests::disk::Disk;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::transcript::{Answer, Asked, Decision, Deed, Exchange, Mutation, Shows, Step, Stores, Transcript};
use crate::vector;

pub(crate) struct Device<'a> {
    transcript: &'a Transcript,
    client: Option<Client>,
    disk: Disk,
    tickets: Ticket,
    transactions: VecDeque<(TransactionId, Transaction)>,
    calls: VecDeque<Output>,
    settled: Vec<Settled>,
}

/// The envelope of an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    code: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Device<'_> {
    /// Lives through what is given, and gives it with what is recorded.
    pub(crate) fn live(transcript: &Transcript) -> Transcript {
        let mut device = Device {
            transcript,
            client: None,
            disk: Disk::default(),
            tickets: 0,
            transactions: VecDeque::new(),
            calls: VecDeque::new(),
            settled: vec![],
        };
        for (store, had) in &transcript.had {
            device.fill(store, had);
        }
        let steps = transcript.steps.iter().map(|step| device.step(step)).collect();
        Transcript { steps, leaves: device.leaves(), ..transcript.clone() }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("an open tab")
    }

    fn fill(&mut self, store: &str, had: &Json) {
        let store = Store::ALL.into_iter().find(|known| known.name() == store).expect("a store");
        let records = match json::read::<String>(had.text()) {
            Ok(name) => vector(&name),
            Err(_) => had.text().to_owned(),
        };
        for (key, record) in parse::<Vec<(Json, Json)>>(&records) {
            let key =
                serde_json::from_str(key.text()).map_or_else(|_| Key::Text(parse(key.text())), Key::Counted);
            self.disk.put(store, key, json::read(record.text()).unwrap_or_else(|_| record.text().to_owned()));
        }
    }

    fn leaves(&self) -> Stores {
        let key = |key: &Key| match key {
            Key::Counted(n) => Json::parse(&n.to_string()).expect("a number"),
            Key::Text(text) => Json::string(text),
        };
        // What is no JSON stands there as a text.
        let record = |text: &str| Json::parse(text).unwrap_or_else(|_| Json::string(text));
        let records = |store| self.disk.records(store).map(|(at, text)| (key(at), record(text))).collect();
        Store::ALL.into_iter().map(|store| (store.name().to_owned(), records(store))).collect()
    }

    fn step(&mut self, step: &Step) -> Step {
        let refused = self.act(&step.does, step.at).err().map(|refusal| refusal.code.to_string());
        let mut answers = step.exchanges.iter();
        let mut exchanges = vec![];
        loop {
            self.take_outputs();
            if let Some((id, transaction)) = self.transactions.pop_front() {
                let done = self.disk.run(&transaction);
                self.client().handle_input(Input::Transacted(id, Ok(done)), step.at);
            } else if let Some(call) = self.calls.pop_front() {
                if matches!(call, Output::Ask) {
                    self.client().handle_input(Input::Token(true), step.at);
                    continue;
                }
                let Some(Exchange { answer, .. }) = answers.next() else {
                    panic!("nobody answers {call:?} of the step at {}", step.at.0);
                };
                exchanges.push(self.answer(call, answer, step.at));
            } else {
                break;
            }
        }
        assert!(answers.next().is_none(), "an answer to nothing in the step at {}", step.at.0);
        Step { at: step.at, does: step.does.clone(), refused, exchanges, shows: Some(self.shows()) }
    }

    fn act(&mut self, deed: &Deed, now: WallTime) -> Result<(), Refusal> {
        self.tickets += 1;
        let ticket = self.tickets;
        match deed {
            Deed::Open { client, writer, seed } => {
                let declared = self.transcript.collections.iter().map(|(name, declared)| {
                    let declared = declared.clone();
                    let declared = Declared {
                        version: declared.version,
                        parents: declared.parent,
                        fields: declared.fields,
                        indexes: declared.indexes,
                        migrates: declared.migrates,
                    };
                    (name.clone(), declared)
                });
                self.transactions.clear();
                self.calls.clear();
                self.client = Some(Client::new(Options {
                    client: client.clone(),
                    user: self.transcript.user.clone(),
                    writer: *writer,
                    seed: u64::from_str_radix(seed, 16).expect("hex digits"),
                    remote: Remote::Present,
                    kept_bytes_max: KEPT_BYTES_MAX,
                    collections: declared.collect(),
                    tail: TAIL,
                }));
                for input in [Input::Metered(false), Input::Seen(true), Input::Lead(true)] {
                    self.client().handle_input(input, now);
                }
                Ok(())
            }
            Deed::Write(mutations) => self.write(ticket, mutations, false, now),
            Deed::Group(mutations) => self.write(ticket, mutations, true, now),
            Deed::Attend(id, decision) => {
                let Decision { act, data } = parse(decision.text());
                let act = match &*act {
                    "retry" => Act::Retry,
                    "discard" => Act::Discard,
                    "edit" => {
                        let key = self.client().subject(*id).expect("an item of the outbox");
                        Act::Edit(Intent::Patch(key, data.expect("data"), vec![]).fields()?)
                    }
                    other => panic!("{other} is no decision"),
                };
                self.client().attend(ticket, *id, act, now).map(drop)
            }
            Deed::Command(name) => {
                match &**name {
                    "now" => {}
                    "pause" => self.client().handle_input(Input::Pause(true), now),
                    "resume" => self.client().handle_input(Input::Pause(false), now),
                    other => panic!("{other} is no command"),
                }
                if name != "pause" {
                    self.client().handle_input(Input::Nudge(Nudge::Asked), now);
                }
                Ok(())
            }
        }
    }

    fn write(
        &mut self,
        ticket: Ticket,
        writes: &[Json],
        grouped: bool,
        now: WallTime,
    ) -> Result<(), Refusal> {
        let intents = writes.iter().map(|write| {
            let Mutation { op, collection, document, data, unset, mut changes, priority, network } =
                parse(write.text());
            changes.extend(unset.into_iter().map(|path| Field { path, change: Change::Unset }));
            let key = DocumentKey { collection, document };
            let data = || data.expect("data");
            let intent = match op {
                Op::Create => Intent::Create(key, data()),
                Op::Patch => Intent::Patch(key, data(), changes),
                Op::Delete => Intent::Delete(key),
            };
            (intent, Urgency { priority, network })
        });
        let intents: Vec<_> = intents.collect();
        self.client().write(ticket, &intents, grouped, now).map(drop)
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.client().poll_output() {
            match output {
                Output::Transact(id, transaction) => self.transactions.push_back((id, transaction)),
                Output::Push(_) | Output::Pull(_) | Output::Ask => self.calls.push_back(output),
                Output::Ready | Output::Stale => {
                    for collection in self.transcript.collections.keys() {
                        self.client
                            .as_mut()
                            .expect("an open tab")
                            .load_all(Ticket::MAX - 1, collection.clone());
                    }
                }
                Output::Settled(settled) => self.settled.extend(settled),
                Output::Unready(_) | Output::Unsaved(..) | Output::Unloaded(..) => {
                    unreachable!("this disk does not fail")
                }
                Output::Migrate(_) => unreachable!("there is one version"),
                // The stream of hints stays silent.
                Output::Listen
                | Output::Mute
                | Output::Saved(_)
                | Output::Loaded(_)
                | Output::Replaced(_)
                | Output::Hint => {}
            }
        }
    }

    fn answer(&mut self, call: Output, answer: &Answer, now: WallTime) -> Exchange {
        let body = match answer {
            Answer::Golden(name) => Ok(vector(name)),
            Answer::Body(body) => Ok(body.text().to_owned()),
            Answer::Problem(_, problem) => {
                let Problem { code, retry_after_ms } = parse(problem.text());
                Err(Failure::Refused { code, retry_after: retry_after_ms.map(Millis) })
            }
            Answer::Nothing => Err(Failure::Unreachable),
        };
        let (asks, input) = match call {
            Output::Push(batch) => {
                let batch = json::write(&batch);
                let asks = match vector("batch.json") == batch {
                    true => Asked::Golden("batch.json".to_owned()),
                    false => Asked::Push(Json::parse(&batch).expect("JSON")),
                };
                (asks, Input::Pushed(body.map(|text| parse(&text)), now))
            }
            Output::Pull(cursor) => (Asked::Pull(cursor), Input::Pulled(body.map(|text| parse(&text)), now)),
            other => panic!("nobody answers {other:?}"),
        };
        self.client().handle_input(input, now);
        Exchange { asks: Some(asks), answer: answer.clone() }
    }

    fn shows(&mut self) -> Shows {
        let settled = std::mem::take(&mut self.settled);
        let names = self.transcript.collections.keys();
        let client = self.client.as_ref().expect("an open tab");
        let documents = names.map(|name| {
            let documents = client.collection(name).map(|(key, data)| (key.document.clone(), data.clone()));
            (name.clone(), documents.collect())
        });
        let list = |text: &str| Json::parse(text).expect("JSON").elements().expect("a list");
        Shows {
            documents: documents.collect(),
            outbox: list(&json::write(&client.entries())),
            state: Json::parse(&json::write(&client.state())).expect("JSON"),
            settled: list(&json::write(&settled)),
        }
    }
}
