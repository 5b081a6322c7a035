//! What is written down of a life: what is given, and what is recorded of it.

use std::collections::BTreeMap;

use landfall_core::id::{self, Collection, DocumentId, MutationId, User, Writer};
use landfall_core::json::Json;
use landfall_core::map::Map;
use landfall_core::merge::Merges;
use landfall_core::mutation::{Field, Op};
use landfall_core::path::Path;
use landfall_core::stored::{Network, Priority};
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};

/// Keys and records of each store.
pub(crate) type Stores = BTreeMap<String, Vec<(Json, Json)>>;

/// A life of one device.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Transcript {
    pub(crate) name: String,
    pub(crate) user: User,
    pub(crate) collections: Map<Collection, Declared>,
    /// What is stored before, by store: keys and records, or the name of a vector of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) had: BTreeMap<String, Json>,
    pub(crate) steps: Vec<Step>,
    /// Recorded: everything that is stored in the end.
    #[serde(default)]
    pub(crate) leaves: Stores,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Declared {
    pub(crate) version: u32,
    pub(crate) parent: Map<Box<str>, Collection>,
    pub(crate) fields: Merges,
    pub(crate) indexes: Vec<String>,
    pub(crate) migrates: bool,
}

/// What the app does once, and everything that follows from it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Step {
    /// What the device's clock reads.
    pub(crate) at: WallTime,
    pub(crate) does: Deed,
    /// Recorded: the code with which that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
    #[serde(default)]
    pub(crate) exchanges: Vec<Exchange>,
    /// Recorded: what is there then.
    #[serde(default)]
    pub(crate) shows: Option<Shows>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// A tab in the place of the one that was there, with what is random in it.
    Open {
        client: id::Client,
        writer: Writer,
        seed: String,
    },
    Write(Vec<Json>),
    /// As one transaction.
    Group(Vec<Json>),
    Attend(MutationId, Json),
    Command(String),
}

/// A request and its answer.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Exchange {
    /// Recorded.
    #[serde(default)]
    pub(crate) asks: Option<Asked>,
    pub(crate) answer: Answer,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// A push that is this vector.
    Golden(String),
    Push(Json),
    Pull(Option<String>),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// This vector.
    Golden(String),
    Body(Json),
    /// A status, and the envelope of an error.
    Problem(u16, Json),
    /// The connection breaks.
    Nothing,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Shows {
    pub(crate) documents: BTreeMap<Collection, BTreeMap<DocumentId, Json>>,
    pub(crate) outbox: Vec<Json>,
    pub(crate) state: Json,
    /// What has come to an end in this step.
    pub(crate) settled: Vec<Json>,
}

/// A write, as the module takes it.
#[derive(Deserialize)]
pub(crate) struct Mutation {
    pub(crate) op: Op,
    pub(crate) collection: Collection,
    pub(crate) document: DocumentId,
    #[serde(default)]
    pub(crate) data: Option<Json>,
    #[serde(default)]
    pub(crate) unset: Vec<Path>,
    #[serde(default)]
    pub(crate) changes: Vec<Field>,
    #[serde(default)]
    pub(crate) priority: Priority,
    #[serde(default)]
    pub(crate) network: Network,
}

/// A decision, as the module takes it.
#[derive(Deserialize)]
pub(crate) struct Decision {
    pub(crate) act: String,
    #[serde(default)]
    pub(crate) data: Option<Json>,
}
