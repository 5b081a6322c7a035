//! SQLite: one file, nothing to install.
//!
//! Write-ahead logging with `synchronous=FULL`: what was acknowledged survives a loss of power. One
//! connection writes, `BEGIN IMMEDIATE` makes its transactions whole; a few others read beside it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::watch;

use super::commits::Commits;
use super::push::Push;
use super::snapshot::Snapshot;
use super::{Epoch, Sender, StoreError};
use crate::caller::Tenant;
use crate::random;

/// The database that `push` and `snapshot` are compiled for.
pub(super) type Db = sqlx::Sqlite;

/// Says that a file is ours: "LNDF".
const APPLICATION_ID: i64 = 0x4c4e_4446;
/// What makes the tables: each step those of one version out of those of the version before.
const STEPS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("conflicts.sql"),
    include_str!("wholes.sql"),
    include_str!("settled.sql"),
];
/// The form of the tables that this binary knows.
const SCHEMA_VERSION: i64 = STEPS.len() as i64;
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);

/// Why a database cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address of the database is of another form, or of another kind of database.
    #[error("`{0}` is not the address of a database; it looks like sqlite://./landfall.db")]
    Address(String),
    /// The file cannot be opened or created.
    #[error("{url} cannot be opened: {reason}")]
    Unusable {
        /// The address.
        url: String,
        /// What SQLite says.
        reason: String,
    },
    /// A database of somebody else's.
    #[error("{0} holds other tables than Landfall's; name another file")]
    Foreign(String),
    /// Tables of a form that this binary does not know yet.
    #[error(
        "{url} was written by a newer Landfall (tables of version {found}, this one knows {SCHEMA_VERSION}); \
         start that one"
    )]
    Newer {
        /// The address.
        url: String,
        /// The version of its tables.
        found: i64,
    },
    /// The database would lose acknowledged writes.
    #[error("{url} does not keep what was written: {setting} is `{found}` instead of `{wanted}`")]
    NotDurable {
        /// The address.
        url: String,
        /// The setting at fault.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: SqlitePool,
    readers: SqlitePool,
    cursor_key: Arc<[u8]>,
    commits: Commits,
}

impl Store {
    /// Opens the database at an address such as `sqlite://./landfall.db`; creates it where there is none.
    ///
    /// # Errors
    /// It cannot be used, or would not keep what it is told to.
    pub async fn open(url: &str) -> Result<Store, OpenError> {
        let options = url
            .starts_with("sqlite:")
            .then(|| SqliteConnectOptions::from_str(url).ok())
            .flatten()
            .ok_or_else(|| OpenError::Address(url.to_owned()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "1")
            .pragma("checkpoint_fullfsync", "1")
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .optimize_on_close(true, None);
        let unusable =
            |error: sqlx::Error| OpenError::Unusable { url: url.to_owned(), reason: reason(error) };
        // Connections keep their prepared statements, so they are not let go.
        let pool = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).acquire_timeout(BUSY);
        let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(unusable)?;
        let mut connection = writer.acquire().await.map_err(unusable)?;
        migrate(&mut connection, url).await?;
        check_durability(&mut connection, url).await?;
        let key: String = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'cursor_key'")
            .fetch_one(&mut *connection)
            .await
            .map_err(unusable)?;
        drop(connection);
        let reading = options.pragma("query_only", "1");
        let readers = pool().max_connections(READERS).connect_with(reading).await.map_err(unusable)?;
        Ok(Store { writer, readers, cursor_key: key.as_bytes().into(), commits: Commits::default() })
    }

    /// What cursors are signed with.
    pub fn cursor_key(&self) -> &[u8] {
        &self.cursor_key
    }

    /// Begins a push: waits for its turn and holds the tenant's counter until it ends.
    ///
    /// # Errors
    /// The database does not work, or others hold it for too long.
    pub async fn begin(&self, sender: Sender) -> Result<Push, StoreError> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Push::begin(tx, sender, self.commits.clone()).await
    }

    /// Changes with every commit of `tenant`, from now on.
    pub fn commits(&self, tenant: &Tenant) -> watch::Receiver<()> {
        self.commits.follow(tenant)
    }

    /// What `tenant` has at this moment.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn snapshot(&self, tenant: &Tenant) -> Result<Snapshot, StoreError> {
        Snapshot::take(self.readers.begin().await?, tenant).await
    }

    /// Leaves `old` behind: what clients know of it no longer fits what is here.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn leave_epoch(&self, old: Epoch) -> Result<(), StoreError> {
        sqlx::query("UPDATE meta SET value = $1 WHERE name = 'epoch' AND value = $2")
            .bind(Epoch(random::number()).to_string())
            .bind(old.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let _: String = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'epoch'")
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    /// Waits for what is running, brings the log into the database file and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await {
            // Nothing is lost: the next start reads the log.
            tracing::warn!(%error, "the log stays beside the database");
        }
        self.writer.close().await;
    }
}

/// Creates the tables where there are none, and brings older ones up to date. All or nothing, whenever the
/// process is killed.
async fn migrate(connection: &mut SqliteConnection, url: &str) -> Result<(), OpenError> {
    let unusable = |error: sqlx::Error| OpenError::Unusable { url: url.to_owned(), reason: reason(error) };
    let mut tx = sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await.map_err(unusable)?;
    let one = async |tx: &mut SqliteConnection, sql: &'static str| -> Result<i64, OpenError> {
        sqlx::query_scalar(sql).fetch_one(tx).await.map_err(unusable)
    };
    let application = one(&mut tx, "PRAGMA application_id").await?;
    let found = one(&mut tx, "PRAGMA user_version").await?;
    let tables = one(&mut tx, "SELECT COUNT(*) FROM sqlite_master").await?;
    match (application, found) {
        (APPLICATION_ID, SCHEMA_VERSION) => return Ok(()),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            return Err(OpenError::Newer { url: url.to_owned(), found });
        }
        (APPLICATION_ID, 1..) => {}
        (0, 0) if tables == 0 => {}
        (_, _) => return Err(OpenError::Foreign(url.to_owned())),
    }
    for step in &STEPS[usize::try_from(found).unwrap_or_default()..] {
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(unusable)?;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
    )))
    .execute(&mut *tx)
    .await
    .map_err(unusable)?;
    if found > 0 {
        return tx.commit().await.map_err(unusable);
    }
    for (name, value) in [("epoch", random::number()), ("cursor_key", random::number())] {
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)")
            .bind(name)
            .bind(format!("{value:032x}"))
            .execute(&mut *tx)
            .await
            .map_err(unusable)?;
    }
    tx.commit().await.map_err(unusable)
}

/// Asks SQLite what it does, whatever it was told: a database in memory, for one, keeps nothing.
async fn check_durability(connection: &mut SqliteConnection, url: &str) -> Result<(), OpenError> {
    let unusable = |error: sqlx::Error| OpenError::Unusable { url: url.to_owned(), reason: reason(error) };
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(unusable)?;
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.map_err(unusable)?;
    let settings =
        [("journal_mode", journal, "wal"), ("synchronous", synchronous.to_string(), SYNCHRONOUS_FULL)];
    for (setting, found, wanted) in settings {
        if found != wanted {
            return Err(OpenError::NotDurable { url: url.to_owned(), setting, found, wanted });
        }
    }
    Ok(())
}

/// FULL, as SQLite reads it back.
const SYNCHRONOUS_FULL: &str = "2";

fn reason(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        /// Primary result codes: the low byte of the extended ones.
        const BUSY: i64 = 5;
        const FULL: i64 = 13;
        if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) {
            return StoreError::Busy(error);
        }
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<i64>().ok());
        match code.map(|code| code & 0xff) {
            Some(BUSY) => StoreError::Busy(error),
            Some(FULL) => StoreError::Full(error),
            Some(_) | None => StoreError::Database(error),
        }
    }
}
