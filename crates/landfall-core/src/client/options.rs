//! What a tab is told when it starts.

use crate::id::{Client, Collection, User, Writer};
use crate::map::Map;
use crate::merge::Merges;

/// Most bytes of what the server has taken in that an app's device keeps.
pub const KEPT_BYTES_MAX: u64 = 20 << 20;

/// What a tab is told when it starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The installation's name, should it have none yet.
    pub client: Client,
    /// Whose database this is.
    pub user: User,
    /// 128 random bits, made for this run.
    pub writer: Writer,
    /// Random bits for jitter, made for this run.
    pub seed: u64,
    /// Whether anything can be exchanged with a server.
    pub remote: Remote,
    /// Most bytes of what the server has taken in that are kept, should it lose it: [`KEPT_BYTES_MAX`].
    pub kept_bytes_max: u64,
    /// Every collection that the app has declared.
    pub collections: Map<Collection, Declared>,
    /// Of pending writes of documents that nobody has asked for, so many bytes of the journal are in memory as a whole.
    pub tail: usize,
}

/// What [`Options::tail`] is where nobody has another wish.
pub const TAIL: usize = 1 << 20;

/// Whether there is a server, and somebody to be towards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// There is no server.
    Absent,
    /// Nobody has signed in: what is written is kept until somebody does.
    SignedOut,
    /// Writes go there, and changes come from there.
    Present,
}

/// What an app says about a collection when it opens its database.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The app's schema version.
    pub version: u32,
    /// Top-level fields that name a document of another collection.
    pub parents: Map<Box<str>, Collection>,
    /// Top-level fields that merge in another way than by the last write.
    pub fields: Merges,
    /// Top-level fields whose values queries ask for.
    pub indexes: Vec<String>,
    /// Whether the app brings writes of older versions to this one: see [`Output::Migrate`](super::Output::Migrate).
    pub migrates: bool,
}
