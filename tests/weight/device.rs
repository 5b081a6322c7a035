//! One tab, a disk that costs little, and a server that takes everything.

use std::collections::{BTreeMap, VecDeque};

use landfall_core::client::{
    Client, Declared, Input, KEPT_BYTES_MAX, Options, Output, Remote, TAIL, TransactionId,
};
use landfall_core::id::{Collection, DocumentKey, MutationId, Position, Version, Writer};
use landfall_core::intent::Intent;
use landfall_core::json::Json;
use landfall_core::mutation::Mutation;
use landfall_core::stored::{Store, Urgency};
use landfall_core::time::WallTime;
use landfall_core::transaction::Transaction;
use landfall_core::wire::{Batch, BatchReply, PullReply, PushResult, Verdict};
use landfall_tests::disk::Disk;

use crate::scale::Scale;

#[derive(Default)]
struct Server {
    position: Position,
    versions: BTreeMap<DocumentKey, Version>,
}

/// One tab of a device that nobody else uses.
#[derive(Default)]
pub(crate) struct Device {
    client: Option<Client>,
    disk: Disk,
    server: Server,
    opened: u128,
    saved: u64,
    pushes: usize,
    transactions: VecDeque<(TransactionId, Transaction)>,
}

const NOW: WallTime = WallTime(1_700_000_000_000);

fn collection() -> Collection {
    "inspections".parse().expect("a name")
}

fn key(n: usize) -> DocumentKey {
    let document = format!("018bcfe5-6800-7000-8000-{n:012x}");
    DocumentKey { collection: collection(), document: document.parse().expect("a name") }
}

impl Device {
    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("a tab")
    }

    /// A tab in the place of the one that was there. It leads, and sends nothing for now.
    pub(crate) fn open(&mut self) {
        self.client = None;
        self.transactions.clear();
        self.opened += 1;
        self.client = Some(Client::new(Options {
            client: "tablet-7".parse().expect("a name"),
            user: "anna".parse().expect("a name"),
            writer: Writer(self.opened << 64),
            seed: 7,
            remote: Remote::Present,
            kept_bytes_max: KEPT_BYTES_MAX,
            collections: [(collection(), Declared::default())].into(),
            tail: TAIL,
        }));
        self.input(Input::Pause(true));
        self.input(Input::Lead(true));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.client().handle_input(input, NOW);
        self.run();
    }

    /// Fetches everything that there is, which is nothing.
    pub(crate) fn pull(&mut self) {
        self.input(Input::Pause(false));
        assert!(self.client().is_complete());
    }

    /// Creates a document, or changes the one that was created last.
    pub(crate) fn write(&mut self, n: usize) {
        let (document, changes) = (key(n - n % 4 / 3), n % 4 == 3);
        let data = format!(
            r#"{{"title":"Inspection {n:08}","place":"Hall 4, third gate on the left","done":{changes},"count":{n},"by":"anna"}}"#
        );
        let data = Json::parse(&data).expect("JSON");
        let intent = if changes {
            Intent::Patch(document, data, vec![])
        } else {
            self.client().assume_new(document.clone());
            Intent::Create(document, data)
        };
        let saved = self.saved;
        self.client()
            .write(n as u64, &[(intent, Urgency::default())], false, NOW)
            .expect("a write that makes sense");
        self.run();
        assert_eq!(self.saved, saved + 1);
    }

    /// How many writes the server has not answered for.
    pub(crate) fn pending(&mut self) -> usize {
        self.client().state().pending
    }

    /// How much text the journal is.
    pub(crate) fn journal(&self) -> usize {
        self.disk.records(Store::Journal).map(|(_, text)| text.len()).sum()
    }

    /// Sends everything; gives in how many requests.
    pub(crate) fn drain(&mut self) -> usize {
        self.pushes = 0;
        self.input(Input::Pause(false));
        assert!(self.client().entries().is_empty());
        self.pushes
    }

    /// The tab is gone; gives what it held in memory.
    pub(crate) fn close(&mut self) -> usize {
        let scale = Scale::new();
        self.client = None;
        scale.freed()
    }

    fn run(&mut self) {
        loop {
            while let Some(output) = self.client().poll_output() {
                match output {
                    Output::Transact(id, transaction) => self.transactions.push_back((id, transaction)),
                    Output::Push(batch) => {
                        self.pushes += 1;
                        let reply = self.server.push(batch);
                        self.client().handle_input(Input::Pushed(Ok(reply), NOW), NOW);
                    }
                    Output::Pull(_) => {
                        let reply = self.server.pull();
                        self.client().handle_input(Input::Pulled(Ok(reply), NOW), NOW);
                    }
                    Output::Saved(_) => self.saved += 1,
                    Output::Ask | Output::Unready(_) | Output::Unsaved(..) | Output::Unloaded(..) => {
                        unreachable!("nothing fails here")
                    }
                    Output::Migrate(_) => unreachable!("there is one version"),
                    Output::Listen
                    | Output::Mute
                    | Output::Ready
                    | Output::Loaded(_)
                    | Output::Settled(_)
                    | Output::Replaced(_)
                    | Output::Hint
                    | Output::Stale => {}
                }
            }
            let Some((id, transaction)) = self.transactions.pop_front() else { return };
            let done = self.disk.run(&transaction);
            self.client().handle_input(Input::Transacted(id, Ok(done)), NOW);
        }
    }
}

impl Server {
    fn push(&mut self, batch: Batch) -> BatchReply {
        let results = batch.mutations.iter().map(|mutation| {
            let mutation: Mutation = serde_json::from_str(mutation.text()).expect("a mutation");
            let version = self.versions.entry(mutation.key()).or_default();
            let previous = *version;
            *version = version.next();
            self.position = self.position.next();
            let id: MutationId = mutation.id;
            PushResult {
                id: Some(id),
                verdict: Verdict::Applied,
                code: None,
                message: None,
                field: None,
                because: None,
                version: *version,
                previous,
                position: self.position,
                stamp: Some(mutation.stamp),
                duplicate: false,
                restamped: false,
            }
        });
        let results = results.collect();
        BatchReply { server_time: NOW, epoch: "1".into(), head: None, results }
    }

    fn pull(&self) -> PullReply {
        PullReply {
            server_time: NOW,
            epoch: "1".into(),
            reset: None,
            backed_up_through: Position(0),
            position: self.position,
            changes: Json::parse("[]").expect("JSON"),
            cursor: format!("c{}", self.position.0),
            more: false,
            forgotten_through: Position(0),
            remaining: None,
        }
    }
}
