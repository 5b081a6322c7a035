//! PostgreSQL: any number of servers over one database.
//!
//! A transaction that writes is READ COMMITTED: once it has the tenant's counter, each of its statements sees all
//! that was committed under that counter before. One that reads is REPEATABLE READ and so sees one moment. What is
//! asked together crosses the network together.

mod connection;
mod fault;
mod notify;

use std::path::PathBuf;
use std::sync::Mutex;

use futures_util::future::{BoxFuture, FutureExt, TryFutureExt, join_all};
use futures_util::stream::{BoxStream, StreamExt};
use tokio::task::JoinSet;
use tokio_postgres::Config;

use super::commits::Commits;
use super::database::{Answer, Database, Row, Statement, Transaction};
use super::pool::{Lease, Pool};
use super::tables::{self, Found};
use super::{CopyError, OpenError, StoreError};
use crate::faults::{self, Point};
use connection::Connection;

/// Connections of one server: some that write, and others that nobody who writes can take away.
const WRITERS: u32 = 8;
const READERS: u32 = 8;

/// Servers that start at the same time make the tables one after the other: "LNDF".
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(1279149126)";

/// A database that can be reached.
#[derive(Debug)]
pub(super) struct Postgres {
    config: Config,
    writers: Pool<Connection>,
    readers: Pool<Connection>,
    /// Who passes on what is committed.
    word: Mutex<JoinSet<()>>,
}

impl Postgres {
    /// Reaches a database, and makes its tables those of this binary.
    pub(super) async fn open(url: &str) -> Result<Postgres, OpenError> {
        let shown = without_password(url);
        let config = connection::config(url).ok_or_else(|| OpenError::Address(shown.clone()))?;
        let unusable = |reason| OpenError::Unusable { url: shown.clone(), reason };
        let failed = |error: StoreError| unusable(error.to_string());
        let opened = Postgres {
            config,
            writers: Pool::of(WRITERS),
            readers: Pool::of(READERS),
            word: Mutex::default(),
        };
        let mut connection = opened.lease(true).await.map_err(failed)?;
        check_durability(&connection, &shown).await?;
        migrate(&mut connection, &shown).await?;
        drop(connection);
        Ok(opened)
    }

    async fn lease(&self, writes: bool) -> Result<Lease<Connection>, StoreError> {
        let pool = if writes { &self.writers } else { &self.readers };
        pool.lease(Connection::is_usable, async || Connection::to(&self.config).await).await
    }

    async fn begin(&self, writes: bool) -> Result<Box<dyn Transaction>, StoreError> {
        let mut connection = self.lease(writes).await?;
        let begin = match (writes, connection.plans_anew()) {
            (true, true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; DISCARD PLANS",
            (true, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            (false, true) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; DISCARD PLANS",
            (false, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Ok(Box::new(Open { connection, begin: Some(begin), is_over: false }))
    }
}

impl Database for Postgres {
    fn write(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(self.begin(true))
    }

    fn read(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(self.begin(false))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn pass_on<'a>(&'a self, commits: &'a Commits) -> BoxFuture<'a, ()> {
        Box::pin(async {
            let first = notify::listen(&self.config).await;
            let mut word = self.word.lock().expect("BUG: a panic while the word was locked");
            word.spawn(notify::pass_on(first, self.config.clone(), commits.clone()));
        })
    }

    fn inspect(&self) -> Answer<'_, Vec<String>> {
        // It has a program of its own for that, `pg_amcheck`.
        Box::pin(async { Ok(Vec::new()) })
    }

    fn copy_to(&self, _: PathBuf) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(async { Err(CopyError::NotOurs) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut word =
                std::mem::take(&mut *self.word.lock().expect("BUG: a panic while the word was locked"));
            word.shutdown().await;
            let all = [self.readers.close().await, self.writers.close().await];
            join_all(all.into_iter().flatten().map(Connection::end)).await;
        })
    }
}

/// An open transaction, and the connection that it has for itself.
struct Open {
    connection: Lease<Connection>,
    /// What begins it, until that was sent.
    begin: Option<&'static str>,
    is_over: bool,
}

impl Transaction for Open {
    fn ask(&mut self, statements: Vec<Statement>) -> Answer<'_, Vec<Vec<Row>>> {
        Box::pin(async move {
            self.connection.prepare(&statements).await?;
            let begin = self.begin.take();
            let answers = self.connection.ask(begin, &statements).await;
            answers.map_err(|error| match error {
                // Nothing was done yet, and another connection can do it.
                StoreError::Unreachable(reason) if begin.is_some() => StoreError::Contended(reason),
                error => error,
            })
        })
    }

    fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Row, StoreError>> {
        let rows = async move {
            let statements = [statement];
            self.connection.prepare(&statements).await?;
            if let Some(begin) = self.begin.take() {
                self.connection.script(begin).await?;
            }
            let [statement] = &statements;
            self.connection.stream(statement).await
        };
        rows.try_flatten_stream().boxed()
    }

    fn commit(mut self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            if self.begin.is_none() {
                self.connection.script("COMMIT").await?;
            }
            self.is_over = true;
            Ok(())
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_over && self.begin.is_none() {
            // It is sent at once, and whoever has the connection next comes behind it.
            self.connection.script("ROLLBACK").now_or_never();
        }
    }
}

/// Asks the server whether it keeps what it is told to.
async fn check_durability(connection: &Connection, url: &str) -> Result<(), OpenError> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let found = connection.setting(setting).await;
        let found =
            found.map_err(|error| OpenError::Unusable { url: url.to_owned(), reason: error.to_string() })?;
        // Stricter than `on`: others have it too.
        if found != "on" && found != "remote_apply" {
            return Err(OpenError::NotDurable { url: url.to_owned(), setting, found, wanted: "on" });
        }
    }
    Ok(())
}

/// Creates the tables where there are none, and brings older ones up to date. All or nothing, whenever the
/// process is killed; of several that start at once one does it.
async fn migrate(connection: &mut Connection, url: &str) -> Result<(), OpenError> {
    let unusable = |error: tokio_postgres::Error| OpenError::Unusable {
        url: url.to_owned(),
        reason: fault::text(&error),
    };
    let tx = connection.client.transaction().await.map_err(unusable)?;
    // However much there is to be done, and however long others take with it.
    tx.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .await
        .map_err(unusable)?;
    tx.batch_execute(MIGRATION_LOCK).await.map_err(unusable)?;
    let tables = "SELECT COUNT(*), COUNT(*) FILTER (WHERE table_name = 'meta') FROM information_schema.tables \
        WHERE table_schema = current_schema()";
    let row = tx.query_one(tables, &[]).await.map_err(unusable)?;
    let (all, meta): (i64, i64) = (row.get(0), row.get(1));
    let found = if all == 0 {
        Found::Nothing
    } else if meta == 0 {
        Found::Foreign
    } else {
        let version =
            tx.query_opt("SELECT value FROM meta WHERE name = 'tables'", &[]).await.map_err(unusable)?;
        let version = version.and_then(|row| row.get::<_, String>(0).parse().ok());
        version.map_or(Found::Foreign, Found::Ours)
    };
    let steps = tables::missing(found, url)?;
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        // Text is compared byte by byte, as everywhere else, whatever language the database was made for.
        tx.batch_execute(&step.replace(" TEXT", " TEXT COLLATE \"C\"")).await.map_err(unusable)?;
        faults::pass(Point::InMigration);
    }
    let write = "INSERT INTO meta (name, value) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let beginnings = (found == Found::Nothing).then(tables::beginnings).into_iter().flatten();
    for (name, value) in beginnings.chain([("tables", tables::VERSION.to_string())]) {
        tx.execute(write, &[&name, &value]).await.map_err(unusable)?;
    }
    faults::pass(Point::InMigration);
    tx.commit().await.map_err(unusable)?;
    faults::pass(Point::InMigration);
    Ok(())
}

/// An address that may be shown.
pub(super) fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (owner, place) = rest.split_once('@')?;
        let (user, _) = owner.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{place}"))
    };
    let shown = hidden().unwrap_or_else(|| url.to_owned());
    match shown.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}password=…{rest}")
        }
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_shown_to_nobody() {
        for (url, shown) in [
            ("postgres://landfall:secret@host/landfall", "postgres://landfall:…@host/landfall"),
            (
                "postgres://host/landfall?user=a&password=secret&port=1",
                "postgres://host/landfall?user=a&password=…&port=1",
            ),
            ("postgres://landfall@host/landfall", "postgres://landfall@host/landfall"),
            ("sqlite://./landfall.db", "sqlite://./landfall.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
