//! Everything that outlives the process, behind a few words: [`Store`], [`Push`], [`Snapshot`].
//!
//! A push reads its facts and writes its outcome in one transaction that holds the tenant's counter
//! from the start; a snapshot sees one moment of the database however long it is read. What is
//! particular to one database is in the file named after it.

mod audit;
mod backups;
mod check;
mod commits;
mod conflicts;
mod database;
mod devices;
mod erasure;
mod expiry;
mod history;
mod meters;
mod open;
mod place;
mod pool;
mod postgres;
mod push;
mod receipts;
mod snapshot;
mod sqlite;
mod tables;
mod turns;
mod wholes;

use std::collections::BTreeSet;
use std::fmt;

use landfall_core::id::{Client, Collection, DocumentKey, MutationId, User, Version, Writer};
use landfall_core::map::Map;
use landfall_core::time::WallTime;

use crate::caller::Tenant;
use crate::random;

pub use audit::{Audit, Audited};
pub use backups::CopyError;
pub use check::Report;
pub use conflicts::{Choice, Conflicts, Effect, Recorded};
pub use devices::{Census, Heard, Said};
pub use erasure::{Erased, Erasure};
pub use expiry::Walk;
pub use history::{Entry, History};
pub(crate) use meters::{Meters, latencies};
pub use open::{Failure, OpenError, Store, shown};
pub use place::{ConflictId, Place};
pub use push::Push;
pub use snapshot::{Change, Changes, Seen, Snapshot};

/// Identity of a history: another one after the database was set back to an earlier state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub u128);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Why the store did not do what it was asked for. Nothing of it was done, unless said otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The writer or the client belongs to another user.
    #[error("the writer or the client belongs to another user")]
    ForeignWriter,
    /// Others were faster for too long. Try again later.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The database cannot be reached, or was lost while it was asked. Try again later. What was to be committed may
    /// be in.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Another transaction was in the way, and the database let that one go on. It may be tried again at once.
    #[error("another transaction was in the way: {0}")]
    Contended(String),
    /// There is no room left on the disk.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The database does not work.
    #[error("the database does not work: {0}")]
    Database(String),
    /// What is stored is not what was written.
    #[error("{what} cannot be read: {reason}")]
    Corrupt {
        /// The row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// On whose behalf a push runs.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The tenant whose counter it holds.
    pub tenant: Tenant,
    /// The signed-in user.
    pub user: User,
    /// The installation.
    pub client: Client,
    /// The server's clock when the push began.
    pub now: WallTime,
    /// What the installation says of itself; nothing where the server writes.
    pub said: Option<Said>,
}

/// What the names of clients begin with under which a server writes itself.
const ITSELF: &str = "server-";

impl Sender {
    /// A server that writes itself what somebody has decided: with a writer for this alone and a client of its own, so
    /// that no device can have claimed either before.
    pub fn itself(tenant: Tenant, user: User, now: WallTime) -> (Writer, Sender) {
        let writer = Writer(random::number());
        let client = format!("{ITSELF}{writer}").parse().expect("BUG: digits are no name");
        (writer, Sender { tenant, user, client, now, said: None })
    }
}

/// Whether it is a server that writes under this name, and no device.
pub(crate) fn is_itself(client: &str) -> bool {
    client.starts_with(ITSELF)
}

/// What a batch mentions, to be loaded as facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Documents.
    pub documents: BTreeSet<DocumentKey>,
    /// Mutations to be judged.
    pub sent: BTreeSet<MutationId>,
    /// Mutations whose receipts count.
    pub receipts: BTreeSet<MutationId>,
    /// Ranges of n, by writer, whose verdicts are stored on the device.
    pub settled: Map<Writer, Vec<(u64, u64)>>,
    /// Writers whose mutations are sent or settled.
    pub writers: BTreeSet<Writer>,
    /// Collections in which who may see a document depends on what is in it. Their documents as they
    /// were are kept in the history, for telling who loses sight of them.
    pub guarded: BTreeSet<Collection>,
    /// Collections whose documents are decided as wholes. Of these what comes to stand no longer is kept.
    pub wholes: BTreeSet<Collection>,
    /// The versions that mutations of such documents are based on.
    pub seen: BTreeSet<(DocumentKey, Version)>,
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("BUG: a count beyond 2^63")
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
