//! What a device keeps, as text in nine stores. This is a format: it outlives the code that wrote it.
//!
//! | store | key | value |
//! |---|---|---|
//! | `journal` | counted | [`JournalRecord`]: the writes of one commit; changed only where a newer version of the app gives one that was never sent another form, and where most of them have ended: then the others are left |
//! | `journal` | [`SEAL`] | nothing: the database is given up |
//! | `sent` | counted | [`SentRecord`]: final bytes of mutations, before they are first sent |
//! | `settled` | counted | [`SettledRecord`]: verdicts of the server, and what people have decided about writes |
//! | `parked` | mutation id | [`Parked`]: a refused write, whole |
//! | `base` | collection, NUL, document | [`BaseRow`]: what the server has confirmed |
//! | `staged` | counted | a list of [`PullChange`](crate::wire::PullChange)s as they came: pulled, and not in `base` yet; one record costs as much as one document |
//! | `index` | [`index`](crate::index) | nothing: the key names a document of `base` with a value |
//! | `changes` | counted | the keys in `base` that one commit has changed; none where that could be any; only the last commits |
//! | `meta` | `checkpoint` | [`Checkpoint`]: how far pulling has come |
//! | `meta` | `client` | the installation's name |
//! | `meta` | `adopted/`, installation | the last record of that database's journal whose writes are here |
//! | `meta` | `index/`, collection | [`Indexed`]: what of it is in `index` |
//! | `meta` | `migrations` | how often that has happened |
//! | `meta` | `kept/`, position, and what [`keep`](crate::transaction) goes by | [`JournalRecord`], line break, [`SentRecord`]: what the server has taken in, should it lose it; not read before then |
//! | `meta` | `void/`, mutation id | nothing: a write that is discarded, until the server has answered for it |

mod base;
mod checkpoint;
mod fields;
mod indexed;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::id::{Client, Collection, DocumentId, DocumentKey, Group, MutationId, Position, Version};
use crate::json;
use crate::mutation::{Mutation, Op};
use crate::path::Path;
use crate::time::WallTime;

pub use base::{BaseRow, base_document, base_key, base_range};
pub use checkpoint::{Checkpoint, Progress};
pub use fields::Fields;
pub use indexed::Indexed;
pub(crate) use indexed::{INDEXES, index_key, indexed_collection};

/// A store on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Writes in the order of their commits, over all tabs.
    Journal,
    /// What has been or is about to be sent.
    Sent,
    /// What the server has answered.
    Settled,
    /// What the server has refused.
    Parked,
    /// What the server has confirmed.
    Base,
    /// What was pulled and is not in the base yet.
    Staged,
    /// Which documents of the base have which values.
    Index,
    /// Which documents in the base have changed of late, commit by commit.
    Changes,
    /// Single records.
    Meta,
}

impl Store {
    /// Every store.
    pub const ALL: [Store; 9] = [
        Store::Journal,
        Store::Sent,
        Store::Settled,
        Store::Parked,
        Store::Base,
        Store::Staged,
        Store::Index,
        Store::Changes,
        Store::Meta,
    ];

    /// The store's name on the device.
    pub const fn name(self) -> &'static str {
        match self {
            Store::Journal => "journal",
            Store::Sent => "sent",
            Store::Settled => "settled",
            Store::Parked => "parked",
            Store::Base => "base",
            Store::Staged => "staged",
            Store::Index => "index",
            Store::Changes => "changes",
            Store::Meta => "meta",
        }
    }

    /// Whether the device counts the keys, in the order of commits.
    pub const fn is_counted(self) -> bool {
        match self {
            Store::Journal | Store::Sent | Store::Settled | Store::Staged | Store::Changes => true,
            Store::Parked | Store::Base | Store::Index | Store::Meta => false,
        }
    }
}

/// The key of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Counted by the device: 1, 2, 3 …
    Counted(u64),
    /// Chosen by us.
    Text(String),
}

/// The key of [`Checkpoint`] in [`Store::Meta`].
pub const CHECKPOINT: &str = "checkpoint";
/// The key of the installation's name in [`Store::Meta`].
pub const CLIENT: &str = "client";

/// The key in [`Store::Meta`] of how often writes were brought to a newer version of the app's schema.
pub const MIGRATIONS: &str = "migrations";

/// The last key that IndexedDB can count to. A record here leaves no key for another one, so from then on no
/// tab, whatever it knows, can write: <https://w3c.github.io/IndexedDB/#key-generator-construct>.
pub const SEAL: Key = Key::Counted(1 << 53);

/// The key in [`Store::Meta`] that says how much of another database's journal is in this one.
pub fn adopted_key(from: &Client) -> Key {
    Key::Text(format!("adopted/{from}"))
}

/// The keys in [`Store::Meta`] of what the server has taken in: from the first text, up to and without the second.
pub const KEPT: (&str, &str) = ("kept/", "kept0");

/// Where the first of these keys stands that is of this commit.
pub fn kept_from(position: Position) -> String {
    // As many digits as there can be, so that they sort as the positions do.
    format!("{}{:020}", KEPT.0, position.0)
}

/// The keys of discarded writes in [`Store::Meta`]: from the first text, up to and without the second.
pub const VOIDS: (&str, &str) = ("void/", "void0");

/// The key in [`Store::Meta`] that says that a write is discarded.
pub fn void_key(id: MutationId) -> Key {
    Key::Text(format!("{}{id}", VOIDS.0))
}

/// The write that this key says is discarded.
pub fn voided(key: &Key) -> Option<MutationId> {
    match key {
        Key::Text(text) => text.strip_prefix(VOIDS.0)?.parse().ok(),
        Key::Counted(_) => None,
    }
}

/// Reads a record.
///
/// # Errors
/// `None` for a text that this version cannot read: damaged, edited by hand, or written by a later one.
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    json::read(text).ok()
}

/// Reads a record of the journal. There once, and not wherever one is read: it is much of what a page downloads.
#[inline(never)]
pub(crate) fn read_journal(text: &str) -> Option<JournalRecord> {
    read(text)
}

/// Writes a record.
pub fn write<T: Serialize>(record: &T) -> String {
    json::write(record)
}

/// How urgent an upload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    High,
    /// In the order of writing.
    #[default]
    Normal,
    /// After everything else.
    Low,
}

/// Over which networks an upload may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Whatever there is.
    #[default]
    Any,
    /// None that is paid for by volume.
    Unmetered,
}

/// When a write is to go, as far as the app has a wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Urgency {
    /// Before or after what else is waiting.
    pub priority: Priority,
    /// Over which networks.
    pub network: Network,
}

/// Where an entry stands in the journal, over all tabs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The record's key.
    pub record: u64,
    /// Within the record.
    pub index: u32,
}

/// A write as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name, for ever.
    pub id: MutationId,
    /// The transaction it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The collection of the document.
    pub collection: Collection,
    /// The document.
    pub document: DocumentId,
    /// What was done.
    pub op: Op,
    /// To which fields.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// The confirmed version underneath.
    pub base: Version,
    /// The entry before it on the same document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MutationId>,
    /// What the device's clock read.
    pub at: WallTime,
    /// Its stamp until it is first sent.
    pub stamp: Stamp,
    /// The newest stamp that the confirmed document had: whatever the clock turns out to be, the write is
    /// above it. Those of pending writes are not in it, for they may still turn out to be wrong.
    pub seen: Stamp,
    /// The app's schema version.
    pub schema: u32,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// Over which networks it may go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: Network,
    /// Documents that it names and that were not on the server yet: it waits for their creations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<DocumentKey>,
    /// The write that it stands in for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MutationId>,
    /// Where it stands, if that is in the place of an earlier write and not where it was journalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Entry {
    /// The document it is about.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { collection: self.collection.clone(), document: self.document.clone() }
    }

    /// Whether two writes are of one transaction.
    pub fn is_with(&self, other: &Entry) -> bool {
        self.group.is_some() && self.group == other.group
    }

    /// The mutation as it goes to the server.
    pub fn mutation(&self, stamp: Stamp, needs: Vec<MutationId>) -> Mutation {
        Mutation {
            id: self.id,
            group: self.group.clone(),
            replaces: self.replaces,
            needs,
            first_sent_at: None,
            collection: self.collection.clone(),
            document: self.document.clone(),
            op: self.op,
            fields: self.fields.to_vec(),
            base: self.base,
            after: self.after,
            stamp,
            schema: self.schema,
        }
    }
}

/// The writes of one commit, packed: one record costs as much as one write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// In the order in which they were made.
    #[serde(deserialize_with = "short")]
    pub entries: Vec<Entry>,
}

/// Reads entries into no more room than they need: what a list has too much is most of what many small records take.
fn short<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry>, D::Error> {
    let mut entries = Vec::<Entry>::deserialize(deserializer)?;
    entries.shrink_to_fit();
    Ok(entries)
}

/// What another database leaves to this one: writes that were never sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// The installation that they were made in.
    pub from: Client,
    /// Up to where they are all that its journal holds.
    pub through: u64,
    /// In the order of that journal; `place` says where each of them stood in it.
    pub record: JournalRecord,
}

/// A mutation whose bytes are final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// What every sending carries.
    pub mutation: Mutation,
    /// Server time, as far as the device knew it, of the first sending.
    pub at: WallTime,
}

/// Mutations whose bytes were fixed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentRecord {
    /// In the order of the batch.
    pub sent: Vec<Sent>,
}

/// How a mutation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its effect is in the base.
    Folded,
    /// The server has it; its effect is in the base once a checkpoint has passed `position`.
    Accepted {
        /// The commit that holds the effect.
        position: Position,
        /// The stamp that the server used.
        stamp: Option<Stamp>,
    },
    /// Refused; kept in `parked`.
    Parked,
    /// Its user did not want it any more, and the server will never take it.
    Discarded,
    /// Another write stands in for it; none where an older version wrote this.
    Replaced {
        /// Which.
        by: Option<MutationId>,
    },
}

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SettledText", into = "SettledText")]
pub struct SettledMutation {
    /// The mutation.
    pub id: MutationId,
    /// How it ended.
    pub end: End,
}

/// [`SettledMutation`] as it is written: `{"id":"…:1","end":"accepted","position":7,"stamp":"…"}`.
#[derive(Clone, Serialize, Deserialize)]
struct SettledText {
    id: MutationId,
    end: EndName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<MutationId>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndName {
    Folded,
    Accepted,
    Parked,
    Discarded,
    Replaced,
}

impl TryFrom<SettledText> for SettledMutation {
    type Error = &'static str;

    fn try_from(text: SettledText) -> Result<SettledMutation, &'static str> {
        let SettledText { id, end, position, stamp, by } = text;
        let end = match end {
            EndName::Folded => End::Folded,
            EndName::Accepted => {
                End::Accepted { position: position.ok_or("accepted, but not where")?, stamp }
            }
            EndName::Parked => End::Parked,
            EndName::Discarded => End::Discarded,
            EndName::Replaced => End::Replaced { by },
        };
        Ok(SettledMutation { id, end })
    }
}

impl From<SettledMutation> for SettledText {
    fn from(SettledMutation { id, end }: SettledMutation) -> SettledText {
        let (end, position, stamp, by) = match end {
            End::Folded => (EndName::Folded, None, None, None),
            End::Accepted { position, stamp } => (EndName::Accepted, Some(position), stamp, None),
            End::Parked => (EndName::Parked, None, None, None),
            End::Discarded => (EndName::Discarded, None, None, None),
            End::Replaced { by } => (EndName::Replaced, None, None, by),
        };
        SettledText { id, end, position, stamp, by }
    }
}

/// The verdicts of one reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledRecord {
    /// The history that the positions are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// How many histories there had been before, as far as was known then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resets: u64,
    /// In the order of the reply.
    pub settled: Vec<SettledMutation>,
}

/// A write that the server refused, kept until somebody decides what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The write, whole.
    pub entry: Entry,
    /// Where it stood; a creation that is mended stands there again.
    #[serde(default)]
    pub place: Place,
    /// The server's code.
    pub code: String,
    /// The server's words.
    #[serde(default)]
    pub message: Option<String>,
    /// The field at fault.
    #[serde(default)]
    pub field: Option<Path>,
    /// The mutation at fault, where it is another one.
    #[serde(default)]
    pub because: Option<MutationId>,
}

impl Parked {
    /// A write that is pending, in the form of one that was refused: without a code.
    pub fn pending(entry: Entry, place: Place) -> Parked {
        Parked { entry, place, code: String::new(), message: None, field: None, because: None }
    }

    /// Whether it is none that was refused.
    pub fn is_pending(&self) -> bool {
        self.code.is_empty()
    }
}
