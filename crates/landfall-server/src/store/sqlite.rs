//! SQLite: one file, nothing to install.
//!
//! Write-ahead logging with `synchronous=FULL`: what was acknowledged survives a loss of power. One
//! connection writes, `BEGIN IMMEDIATE` makes its transactions whole; a few others read beside it.

mod connection;
pub(super) mod copy;

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use rusqlite::{Connection as Handle, ErrorCode};

use super::commits::Commits;
use super::database::{Answer, Database, Row, Statement, Transaction};
use super::pool::{Lease, Pool};
use super::tables::{self, Found};
use super::{CopyError, OpenError, StoreError};
use crate::faults::{self, Point};
use connection::Connection;

/// Says that a file is ours: "LNDF".
const APPLICATION_ID: i64 = 0x4c4e_4446;
const READERS: u32 = 4;

/// The file at an address.
pub(super) fn path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    // Settings of other libraries; none of them is meant for us.
    (!path.is_empty() && !path.contains('?')).then(|| PathBuf::from(path))
}

/// An open file.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    writer: Pool<Connection>,
    readers: Pool<Connection>,
}

impl Sqlite {
    /// Opens a file, creates it where there is none, and makes its tables those of this binary.
    pub(super) async fn open(url: &str) -> Result<Sqlite, OpenError> {
        let path = path(url).ok_or_else(|| OpenError::Address(url.to_owned()))?;
        let opened = Sqlite { path, writer: Pool::of(1), readers: Pool::of(READERS) };
        let unusable = |reason: StoreError| OpenError::Unusable {
            url: url.to_owned(),
            reason: match reason {
                StoreError::Busy(reason) | StoreError::Full(reason) | StoreError::Database(reason) => reason,
                other => other.to_string(),
            },
        };
        let writer = opened.lease(true).await.map_err(unusable)?;
        let url = url.to_owned();
        writer
            .call(move |handle| migrate(handle, &url).and_then(|()| check_durability(handle, &url)))
            .await?;
        Ok(opened)
    }

    async fn lease(&self, writes: bool) -> Result<Lease<Connection>, StoreError> {
        let (pool, mode) = if writes { (&self.writer, WRITES) } else { (&self.readers, READS) };
        let path = self.path.clone();
        pool.lease(|_| true, async || Connection::start(move || connect(&path, mode)).await).await
    }

    async fn begin(&self, writes: bool) -> Result<Box<dyn Transaction>, StoreError> {
        let connection = self.lease(writes).await?;
        let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let open = Open { connection, is_over: false };
        open.connection.call(move |handle| handle.execute_batch(begin)).await.map_err(fault)?;
        Ok(Box::new(open))
    }
}

impl Database for Sqlite {
    fn write(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(self.begin(true))
    }

    fn read(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(self.begin(false))
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn pass_on<'a>(&'a self, _: &'a Commits) -> BoxFuture<'a, ()> {
        // There are no other servers.
        Box::pin(async {})
    }

    fn inspect(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { self.lease(false).await?.call(|handle| Ok(inspect(handle))).await })
    }

    fn copy_to(&self, file: PathBuf) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(async move {
            let connection = Connection::start({
                let path = self.path.clone();
                move || connect(&path, WRITES)
            });
            let connection = connection.await.map_err(|error| CopyError::Failed(error.to_string()))?;
            connection.call(move |handle| copy::write(handle, &file)).await.map_err(CopyError::Failed)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for reader in self.readers.close().await {
                reader.end(|_| ()).await;
            }
            for writer in self.writer.close().await {
                writer.end(tidy_up).await;
            }
        })
    }
}

/// Has SQLite read all of the file.
fn inspect(handle: &mut Handle) -> Vec<String> {
    let mut found = Vec::new();
    let mut ask = |sql: &str, name: &dyn Fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>| {
        let rows = handle.prepare(sql).and_then(|mut statement| {
            statement.query_map((), |row| name(row))?.collect::<rusqlite::Result<Vec<String>>>()
        });
        match rows {
            Ok(rows) => found.extend(rows),
            Err(error) => found.push(format!("the file cannot be read: {error}")),
        }
    };
    ask("PRAGMA integrity_check", &|row| row.get(0));
    ask("PRAGMA foreign_key_check", &|row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} names something that is not in {parent}"))
    });
    found.retain(|line| line != "ok");
    found
}

/// Brings the log into the database file.
fn tidy_up(handle: &mut Handle) {
    if let Err(error) = handle.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)") {
        // Nothing is lost: the next start reads the log.
        tracing::warn!(%error, "the log stays beside the database");
    }
}

const WRITES: &str = "";
const READS: &str = "PRAGMA query_only = 1;";

fn connect(path: &Path, mode: &str) -> rusqlite::Result<Handle> {
    let handle = Handle::open(path)?;
    // The statements of the store, which are fewer than this.
    handle.set_prepared_statement_cache_capacity(128);
    handle.execute_batch(&format!(
        "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1; PRAGMA foreign_keys = 1; {mode}"
    ))?;
    Ok(handle)
}

/// An open transaction, and the connection that it has for itself.
struct Open {
    connection: Lease<Connection>,
    is_over: bool,
}

impl Transaction for Open {
    fn ask(&mut self, statements: Vec<Statement>) -> Answer<'_, Vec<Vec<Row>>> {
        Box::pin(async {
            let all = move |handle: &mut Handle| {
                statements.iter().map(|one| connection::all(handle, one)).collect::<rusqlite::Result<_>>()
            };
            self.connection.call(all).await.map_err(fault)
        })
    }

    fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Row, StoreError>> {
        self.connection.stream(statement).map(|row| row.map_err(fault)).boxed()
    }

    fn commit(mut self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            self.connection.call(|handle| handle.execute_batch("COMMIT")).await.map_err(fault)?;
            self.is_over = true;
            Ok(())
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_over {
            // Whoever has the connection next comes behind this.
            self.connection.post(|handle| {
                if !handle.is_autocommit()
                    && let Err(error) = handle.execute_batch("ROLLBACK")
                {
                    tracing::warn!(%error, "a transaction stays open");
                }
            });
        }
    }
}

/// Creates the tables where there are none, and brings older ones up to date. All or nothing, whenever the
/// process is killed.
fn migrate(handle: &mut Handle, url: &str) -> Result<(), OpenError> {
    let unusable =
        |error: rusqlite::Error| OpenError::Unusable { url: url.to_owned(), reason: error.to_string() };
    let tx = handle.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(unusable)?;
    let number = |sql| tx.query_row(sql, (), |row| row.get::<_, i64>(0)).map_err(unusable);
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let found = match (application, version) {
        (APPLICATION_ID, version) => Found::Ours(version),
        (0, 0) if number("SELECT COUNT(*) FROM sqlite_master")? == 0 => Found::Nothing,
        (_, _) => Found::Foreign,
    };
    let steps = tables::missing(found, url)?;
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        tx.execute_batch(step).map_err(unusable)?;
        faults::pass(Point::InMigration);
    }
    if found == Found::Nothing {
        for (name, value) in tables::beginnings() {
            tx.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (name, value)).map_err(unusable)?;
        }
    }
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", tables::VERSION);
    tx.execute_batch(&mark).map_err(unusable)?;
    faults::pass(Point::InMigration);
    tx.commit().map_err(unusable)?;
    faults::pass(Point::InMigration);
    Ok(())
}

/// Asks SQLite what it does, whatever it was told: a database in memory, for one, keeps nothing.
fn check_durability(handle: &mut Handle, url: &str) -> Result<(), OpenError> {
    /// FULL, as SQLite reads it back.
    const SYNCHRONOUS_FULL: &str = "2";
    for (setting, wanted) in [("journal_mode", "wal"), ("synchronous", SYNCHRONOUS_FULL)] {
        let found = handle.pragma_query_value(None, setting, |row| {
            let value: rusqlite::types::Value = row.get(0)?;
            Ok(match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            })
        });
        let unusable =
            |error: rusqlite::Error| OpenError::Unusable { url: url.to_owned(), reason: error.to_string() };
        let found = found.map_err(unusable)?;
        if found != wanted {
            return Err(OpenError::NotDurable { url: url.to_owned(), setting, found, wanted });
        }
    }
    Ok(())
}

fn fault(error: rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(reason),
        Some(ErrorCode::DiskFull) => StoreError::Full(reason),
        // The disk is at fault and not what was asked, and what was to be committed may be in.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StoreError::Unreachable(reason),
        Some(_) | None => StoreError::Database(reason),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::{StoreError, fault};

    #[test]
    fn a_disk_that_fails_is_no_fault_of_what_was_asked() {
        let failed = |code| fault(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(failed(ffi::SQLITE_IOERR_FSYNC), StoreError::Unreachable(_)));
        assert!(matches!(failed(ffi::SQLITE_FULL), StoreError::Full(_)));
        assert!(matches!(failed(ffi::SQLITE_CORRUPT), StoreError::Database(_)));
    }
}
