//! One tab: the real core, and what it has been asked and has asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use landfall_core::client::{Client, Declared, Done, Options, Remote, Ticket, TransactionId};
use landfall_core::code::Code;
use landfall_core::id::{Collection, DocumentKey, MutationId, Writer};
use landfall_core::time::WallTime;

use crate::person::{Person, PersonId, Rights};
use crate::server::merges;

/// The collection that everybody may read.
pub const COLLECTION: &str = "notes";
/// The collection in which who may see a document depends on what is in it.
pub const JOBS: &str = "jobs";

/// The later version of the app's schema.
pub const VERSION: u32 = 2;
/// What every document of it has.
pub const MIGRATED: &str = "migrated";

/// What the app waits for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Writes.
    Write(Vec<MutationId>),
    /// What a person has decided: about which writes, and which others stand for them now.
    Decide(Vec<MutationId>, Vec<MutationId>),
    /// The whole collection.
    Load,
    /// The end of the database.
    Seal,
}

/// What was shown of one field.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// What is shown now.
    pub now: u64,
    /// What was shown before that.
    pub before: BTreeSet<u64>,
}

/// One tab.
#[derive(Clone, Debug)]
pub struct Tab {
    /// The core.
    pub client: Client,
    /// Which device it is on.
    pub device: usize,
    /// Whose database it has open.
    pub person: PersonId,
    /// What decided what was on the page that it was given last.
    pub rights: Rights,
    /// The collections that its app declares.
    pub collections: Vec<Collection>,
    /// Its writer.
    pub writer: Writer,
    /// The version of the app's schema.
    pub version: u32,
    /// Whether it can be used.
    pub ready: bool,
    /// Nothing happens in it before then.
    pub hung: WallTime,
    /// How transactions have ended that it was not told of.
    pub answers: VecDeque<(TransactionId, Result<Done, Code>)>,
    /// The request that is on its way.
    pub request: Option<u64>,
    /// For when its timer is armed, by its own clock, and which timer that is.
    pub timer: Option<(WallTime, u64)>,
    /// How many timers it has had in a row without anything else happening.
    pub idle_timers: u32,
    /// Which stream of hints it has, and whether that stands.
    pub stream: Option<(u64, bool)>,
    /// Whether a hint is on its way to it.
    pub hinted: bool,
    /// The server wants nothing of it before then.
    pub not_before: WallTime,
    /// What the app waits for.
    pub asked: BTreeMap<Ticket, Asked>,
    /// What was shown of each field.
    pub shown: BTreeMap<(DocumentKey, Box<str>), Shown>,
    tickets: Ticket,
}

/// The name of the collection that everybody may read.
pub fn collection() -> Collection {
    COLLECTION.parse().expect("BUG: a name that is none")
}

/// The name of the other one.
pub fn jobs() -> Collection {
    JOBS.parse().expect("BUG: a name that is none")
}

/// A document that everybody may read.
pub fn key(document: &str) -> DocumentKey {
    DocumentKey { collection: collection(), document: document.parse().expect("BUG: a name that is none") }
}

/// A document that not everybody may read.
pub fn job(document: &str) -> DocumentKey {
    DocumentKey { collection: jobs(), document: document.parse().expect("BUG: a name that is none") }
}

/// How much a tab has room for.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    /// How many bytes of the journal it keeps in memory although nobody has asked for them.
    pub tail: usize,
    /// Most bytes that its device keeps of what the server has taken in.
    pub kept_bytes_max: u64,
}

impl Tab {
    /// A tab that knows nothing yet.
    pub fn new(
        device: usize,
        person: &Person,
        collections: Vec<Collection>,
        installation: u128,
        writer: u128,
        version: u32,
        keeps: Keeps,
    ) -> Tab {
        let declared = Declared {
            version,
            parents: [("parent".into(), collection())].into(),
            fields: merges(),
            indexes: vec![],
            migrates: true,
        };
        let client = Client::new(Options {
            client: format!("{installation:032x}").parse().expect("BUG: a name that is none"),
            user: person.user.clone(),
            writer: Writer(writer),
            seed: writer as u64 ^ 0x5eed,
            remote: Remote::Present,
            kept_bytes_max: keeps.kept_bytes_max,
            collections: collections.iter().map(|name| (name.clone(), declared.clone())).collect(),
            tail: keeps.tail,
        });
        Tab {
            client,
            device,
            person: person.id,
            rights: person.rights.clone(),
            collections,
            writer: Writer(writer),
            version,
            ready: false,
            hung: WallTime(0),
            answers: VecDeque::new(),
            request: None,
            timer: None,
            idle_timers: 0,
            stream: None,
            hinted: false,
            not_before: WallTime(0),
            asked: BTreeMap::new(),
            shown: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// Names a call of the app.
    pub fn ask(&mut self, asked: Asked) -> Ticket {
        self.tickets += 1;
        self.asked.insert(self.tickets, asked);
        self.tickets
    }

    /// What the app sees.
    pub fn view(&self) -> BTreeMap<DocumentKey, landfall_core::json::Json> {
        let documents = self.collections.iter().flat_map(|name| self.client.collection(name));
        documents.map(|(key, json)| (key.clone(), json.clone())).collect()
    }

    /// Whether everything is read that there is.
    pub fn is_whole(&self) -> bool {
        self.collections.iter().all(|name| self.client.is_whole(name))
    }
}
