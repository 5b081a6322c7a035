//! Protocol v1 as types: what the device and the server say to each other. Text form in PROTOCOL.md.

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::id::{Client, Collection, DocumentId, DocumentKey, MutationId, Position, User, Version, Writer};
use crate::json::{self, Json};
use crate::map::Map;
use crate::path::Path;
use crate::time::WallTime;

/// The protocol version that this code speaks.
pub const PROTOCOL: u32 = 1;
/// Most mutations in one batch.
pub const BATCH_MUTATIONS_MAX: usize = 1_000;
/// Most ranges of settled mutations in one batch.
pub const SETTLED_MAX: usize = 1_000;
/// Most bytes in one request body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one document's JSON.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// Most mutations in one group.
pub const GROUP_MUTATIONS_MAX: usize = 100;
/// Most bytes of mutations in one group.
pub const GROUP_BYTES_MAX: usize = 512 << 10;
/// Most changes in one page, and how many there are by default.
pub const PAGE_CHANGES_MAX: usize = 1_000;
/// Behind so many bytes of cursors a device shows no further one.
pub const CURSORS_BYTES: usize = 4 << 10;
/// Most cursors of one pull that a server looks at.
pub const CURSORS_MAX: usize = 64;

/// `POST /api/v1/sync/batch`: mutations for the server to judge.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// [`PROTOCOL`]; 1 where it is not said.
    #[serde(default = "first_version")]
    pub protocol: u32,
    /// The installation that sends.
    pub client: Client,
    /// Whose mutations these are; must be the token's user.
    pub user: User,
    /// The device's clock at sending.
    pub sent_at: WallTime,
    /// Per writer, ranges of n whose verdicts are stored on the device.
    #[serde(default)]
    pub settled: Map<Writer, Vec<(u64, u64)>>,
    /// Sent mutations that the user has discarded.
    #[serde(default)]
    pub void: Vec<MutationId>,
    /// How the device is, for whoever looks after it. Nothing is judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Condition>,
    /// Each is parsed on its own, so that one that cannot be read is one verdict.
    pub mutations: Vec<Json>,
}

/// How a device is when it sends a batch, beside what is in that batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The program that speaks, and its version.
    #[serde(default)]
    pub sdk: Option<String>,
    /// Writes that wait for another batch.
    pub open: u64,
    /// When the oldest write was made that the server has not answered for, by the device's clock.
    #[serde(default)]
    pub oldest_at: Option<WallTime>,
    /// Writes that need somebody's attention.
    pub attention: u64,
    /// What went wrong last, or what is waited for: a code.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The version of a request that names none.
pub const fn first_version() -> u32 {
    1
}

/// The server's answer to a batch: one result per mutation, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// The server's clock.
    pub server_time: WallTime,
    /// Identity of the server's history.
    pub epoch: String,
    /// The newest commit, in the form of a cursor. It is shown with the next pull, so that a server that is set
    /// back before then notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// One per mutation.
    pub results: Vec<PushResult>,
}

/// How the server judged a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The document is now the one that the writer knew, with this mutation on top.
    Applied,
    /// In, beside changes of other fields that the writer did not know of.
    Merged,
    /// In, and a write to the same field, unknown to the writer, is recorded; one of the two won.
    Conflict,
    /// Not in, for good.
    Rejected,
    /// Not in yet: a creation it depends on is missing. No receipt is kept.
    Held,
}

/// The verdict on one mutation, the same however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushResult {
    /// The mutation; null where its id could not be read.
    pub id: Option<MutationId>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for `rejected` and `held`.
    #[serde(default)]
    pub code: Option<String>,
    /// The same for a person.
    #[serde(default)]
    pub message: Option<String>,
    /// The field at fault.
    #[serde(default)]
    pub field: Option<Path>,
    /// The mutation at fault, where it is another one.
    #[serde(default)]
    pub because: Option<MutationId>,
    /// The document's version afterwards.
    #[serde(default)]
    pub version: Version,
    /// The document's version before.
    #[serde(default)]
    pub previous: Version,
    /// The commit that holds the effect; 0 where there is none.
    #[serde(default)]
    pub position: Position,
    /// The stamp that the server used.
    #[serde(default)]
    pub stamp: Option<Stamp>,
    /// This is the verdict of an earlier sending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The stamp is another than the one sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restamped: bool,
}

/// `GET /api/v1/sync/pull`: what changed since a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullReply {
    /// The server's clock.
    pub server_time: WallTime,
    /// Identity of the server's history.
    pub epoch: String,
    /// Why the device has to start over, where it does.
    #[serde(default)]
    pub reset: Option<Reset>,
    /// The newest position that is known to be in a backup.
    #[serde(default)]
    pub backed_up_through: Position,
    /// Everything up to this position has been sent once `more` is false.
    pub position: Position,
    /// A list of [`PullChange`]s in order of position. A device may store it as it came.
    pub changes: Json,
    /// What to ask with next.
    pub cursor: String,
    /// Whether there is another page now.
    pub more: bool,
    /// Deletes up to here are forgotten.
    #[serde(default, skip_serializing_if = "is_nowhere")]
    pub forgotten_through: Position,
    /// About how many changes come behind this page; only on the first from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
}

fn is_nowhere(position: &Position) -> bool {
    *position == Position(0)
}

impl PullReply {
    /// The changes; none if one of them is no change.
    pub fn read(&self) -> Option<Vec<PullChange>> {
        json::read(self.changes.text()).ok()
    }
}

/// The device's copy is not one that this server can continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// `resync_required` or `new_epoch`.
    pub reason: String,
    /// What the device has up to here is still good.
    #[serde(default)]
    pub restored_through: Position,
}

/// One change of one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullChange {
    /// `document`, `tombstone` or `eviction`; what a device does not know it skips.
    pub kind: String,
    /// The collection.
    pub collection: Collection,
    /// The document.
    pub document: DocumentId,
    /// The document's version.
    pub version: Version,
    /// The commit that made it.
    pub position: Position,
    /// All fields; null unless `kind` is `document`.
    #[serde(default)]
    pub data: Option<Json>,
    /// Stamp of every top-level member not listed in `stamps`; of the delete for a tombstone.
    #[serde(default)]
    pub stamp: Stamp,
    /// Stamps by path where they differ from the place around, and of fields that were unset.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub stamps: Map<Path, Stamp>,
}

impl PullChange {
    /// The document that it is about.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { collection: self.collection.clone(), document: self.document.clone() }
    }
}
