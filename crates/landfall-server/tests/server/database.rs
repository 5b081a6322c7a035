//! The database of one test, of either kind, and what is done to it behind the server's back.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

use crate::cluster;

/// A database that nobody else has.
pub(crate) enum Database {
    File(TempDir),
    Postgres(String),
}

impl Database {
    /// An empty one, of the kind that this run is about.
    pub(crate) async fn new() -> Database {
        match std::env::var_os(cluster::VARIABLE) {
            Some(_) => Database::postgres().await,
            None => Database::file(),
        }
    }

    pub(crate) fn file() -> Database {
        Database::File(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Database {
        static NAMED: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NAMED.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Database::Postgres(name)
    }

    /// What the server is told.
    pub(crate) fn url(&self) -> String {
        match self {
            Database::File(_) => format!("sqlite://{}", self.path().display()),
            Database::Postgres(name) => cluster::address(name),
        }
    }

    /// Runs statements.
    pub(crate) async fn change(&self, sql: &str) {
        match self {
            Database::File(_) => self.open().execute_batch(sql).unwrap(),
            Database::Postgres(name) => connect(name).await.batch_execute(sql).await.unwrap(),
        }
    }

    /// The rows of a query.
    pub(crate) async fn read(&self, sql: &str) -> Vec<Vec<Value>> {
        match self {
            Database::File(_) => {
                let handle = self.open();
                let mut statement = handle.prepare(sql).unwrap();
                let columns = statement.column_count();
                let value = |row: &rusqlite::Row<'_>, index| match row.get(index)? {
                    rusqlite::types::Value::Null => Ok(Value::Null),
                    rusqlite::types::Value::Integer(number) => Ok(number.into()),
                    rusqlite::types::Value::Text(text) => Ok(text.into()),
                    other => panic!("{other:?}"),
                };
                let rows =
                    statement.query_map((), |row| (0..columns).map(|index| value(row, index)).collect());
                rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
            }
            Database::Postgres(name) => {
                let rows = connect(name).await.query(sql, &[]).await.unwrap();
                let value = |row: &tokio_postgres::Row, index: usize| match *row.columns()[index].type_() {
                    Type::INT8 => row.get::<_, Option<i64>>(index).into(),
                    _ => row.get::<_, Option<String>>(index).into(),
                };
                rows.iter().map(|row| (0..row.len()).map(|index| value(row, index)).collect()).collect()
            }
        }
    }

    /// Makes the tables pass for those of a version.
    pub(crate) async fn mark(&self, version: i64) {
        let mark = match self {
            Database::File(_) => format!("PRAGMA user_version = {version}"),
            Database::Postgres(_) => format!("UPDATE meta SET value = '{version}' WHERE name = 'tables'"),
        };
        self.change(&mark).await;
    }

    /// Copies it; nobody may have it open.
    pub(crate) async fn keep_copy(&self) {
        match self {
            Database::File(_) => {
                std::fs::copy(self.path(), self.path().with_extension("copy")).unwrap();
            }
            Database::Postgres(name) => {
                administer(&format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).await;
            }
        }
    }

    /// Makes it what it was when it was copied.
    pub(crate) async fn set_back(&self) {
        match self {
            Database::File(_) => {
                std::fs::copy(self.path().with_extension("copy"), self.path()).unwrap();
            }
            Database::Postgres(name) => {
                administer(&format!("DROP DATABASE {name}")).await;
                administer(&format!("CREATE DATABASE {name} TEMPLATE {name}_copy")).await;
            }
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Database::File(directory) => directory.path().join("landfall.db"),
            Database::Postgres(name) => panic!("{name} is no file"),
        }
    }

    fn open(&self) -> rusqlite::Connection {
        let handle = rusqlite::Connection::open(self.path()).unwrap();
        handle.execute_batch("PRAGMA busy_timeout = 10000").unwrap();
        handle
    }
}

impl Drop for Database {
    /// Lets go of the room that it takes; on a thread, since a test that ends can wait for nothing else.
    fn drop(&mut self) {
        if let Database::Postgres(name) = self {
            let drop = ["", "_copy"].map(|copy| format!("DROP DATABASE IF EXISTS {name}{copy} WITH (FORCE)"));
            let run = async move || {
                for drop in drop {
                    administer(&drop).await;
                }
            };
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            std::thread::spawn(move || runtime().block_on(run())).join().ok();
        }
    }
}

/// A connection of the test's own.
pub(crate) async fn connect(name: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster::address(name), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn administer(sql: &str) {
    connect("postgres").await.batch_execute(sql).await.unwrap();
}
