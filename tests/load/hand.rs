//! The same rows, written by hand: what a server cannot be faster than.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rusqlite::Connection as Handle;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::database::{Database, connect};
use crate::site::{Site, rate};

const DOCUMENT: &str = "INSERT INTO documents (tenant, collection, document, version, position, ordinal, hidden, data, \
    stamp, stamps, versions) VALUES ('hand', 'sites', $1, 1, $2, $3, 0, $4, $5, $6, $7)";
const RECEIPT: &str =
    "INSERT INTO receipts (tenant, writer, n, hash, result, at) VALUES ('hand', $1, $2, $3, $4, 1)";
const HISTORY: &str = "INSERT INTO history (tenant, collection, document, version, position, at, sub, client, mutation, \
    stamp) VALUES ('hand', 'sites', $1, 1, $2, 1, 'ada', 'load-hand', $3, $4)";
const COMMIT: &str = "INSERT INTO commits (tenant, position, nonce, at) VALUES ('hand', $1, $2, 1)";
/// What is as durable as a push and says nothing.
const BARE: &str = "UPDATE bare SET n = n + 1";

/// What one mutation has left in the tables of a server.
struct Row {
    data: String,
    stamp: String,
    stamps: String,
    versions: String,
    hash: String,
    result: String,
    mutation: String,
}

/// Somebody who writes rows.
pub(crate) struct Hand {
    row: Arc<Row>,
    position: Arc<AtomicI64>,
    to: To,
}

enum To {
    File(Handle),
    Postgres(Vec<Prepared>),
}

impl Hand {
    /// Over tables of a server's own, beside it; writes what was pushed there last.
    pub(crate) async fn beside(site: &Site, writers: usize) -> Hand {
        let one = async |sql: &str| -> Vec<String> {
            let rows = site.database.read(sql).await;
            rows[0].iter().map(|value| value.as_str().expect("a text").to_owned()).collect()
        };
        let [data, stamp, stamps, versions] =
            one("SELECT data, stamp, stamps, versions FROM documents LIMIT 1")
                .await
                .try_into()
                .expect("four");
        let [hash, result] = one("SELECT hash, result FROM receipts LIMIT 1").await.try_into().expect("two");
        let [mutation] = one("SELECT mutation FROM history LIMIT 1").await.try_into().expect("one");
        let newest = site.database.read("SELECT COUNT(*) FROM commits WHERE tenant = 'hand'").await;
        let position = Arc::new(AtomicI64::new(newest[0][0].as_i64().unwrap_or(0)));
        let bare = "CREATE TABLE IF NOT EXISTS bare (n BIGINT)";
        site.database.change(bare).await;
        if site.database.read("SELECT n FROM bare").await == Vec::<Vec<Value>>::new() {
            site.database.change("INSERT INTO bare (n) VALUES (0)").await;
        }
        let to = match &site.database {
            Database::File(directory) => {
                let handle = Handle::open(directory.path().join("landfall.db")).expect("it can be opened");
                // As the server has it.
                let settings = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA fullfsync = 1";
                handle.execute_batch(settings).expect("settings that there are");
                To::File(handle)
            }
            Database::Postgres(name) => {
                let mut clients = Vec::new();
                for _ in 0..writers {
                    clients.push(Prepared::to(name).await);
                }
                To::Postgres(clients)
            }
        };
        let row = Row { data, stamp, stamps, versions, hash, result, mutation };
        Hand { row: Arc::new(row), position, to }
    }

    /// Writes for a while, in transactions of so many; gives how many rows of each table came to a second. In a file
    /// only one can write at a time; in PostgreSQL as many as there are connections.
    pub(crate) async fn write(&mut self, size: usize, time: Duration) -> f64 {
        let begun = Instant::now();
        let (row, position) = (&self.row, &self.position);
        match &mut self.to {
            To::File(handle) => {
                let mut count = 0;
                while begun.elapsed() < time {
                    let position = position.fetch_add(1, Ordering::SeqCst) + 1;
                    in_file(handle, row, position, size).expect("rows can be written");
                    count += size;
                }
                rate(count, begun)
            }
            To::Postgres(clients) => {
                let writing = clients.iter_mut().map(async |client| {
                    let mut count = 0;
                    while begun.elapsed() < time {
                        let position = position.fetch_add(1, Ordering::SeqCst) + 1;
                        in_postgres(client, row, position, size).await?;
                        count += size;
                    }
                    Ok::<_, tokio_postgres::Error>(count)
                });
                let counts = try_join_all(writing).await.expect("rows can be written");
                rate(counts.into_iter().sum(), begun)
            }
        }
    }

    /// One bare durable commit.
    pub(crate) async fn commit(&self) -> Duration {
        let begun = Instant::now();
        match &self.to {
            To::File(handle) => _ = handle.execute(BARE, ()).expect("a row can be written"),
            To::Postgres(clients) => {
                _ = clients[0].client.execute(BARE, &[]).await.expect("a row can be written")
            }
        }
        begun.elapsed()
    }
}

/// A connection and what is prepared on it.
struct Prepared {
    client: Client,
    statements: [Statement; 4],
}

impl Prepared {
    async fn to(name: &str) -> Prepared {
        let client = connect(name).await;
        let mut statements = Vec::new();
        for sql in [DOCUMENT, RECEIPT, HISTORY, COMMIT] {
            statements.push(client.prepare(sql).await.expect("a statement that can be run"));
        }
        let statements = statements.try_into().expect("BUG: four are four");
        Prepared { client, statements }
    }
}

fn in_file(handle: &mut Handle, row: &Row, position: i64, size: usize) -> rusqlite::Result<()> {
    let tx = handle.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let [mut document, mut receipt, mut history, mut commit] = [
            tx.prepare_cached(DOCUMENT)?,
            tx.prepare_cached(RECEIPT)?,
            tx.prepare_cached(HISTORY)?,
            tx.prepare_cached(COMMIT)?,
        ];
        for ordinal in 0..size as i64 {
            let (id, writer) = (id(position, ordinal), writer(position));
            let Row { data, stamp, stamps, versions, hash, result, mutation } = row;
            document.execute((&id, position, ordinal, data, stamp, stamps, versions))?;
            receipt.execute((&writer, ordinal, hash, result))?;
            history.execute((&id, position, mutation, stamp))?;
        }
        commit.execute((position, position))?;
    }
    tx.commit()
}

async fn in_postgres(
    Prepared { client, statements }: &mut Prepared,
    row: &Row,
    position: i64,
    size: usize,
) -> Result<(), tokio_postgres::Error> {
    let tx = client.transaction().await?;
    let [document, receipt, history, commit] = statements;
    let names: Vec<(String, i64)> =
        (0..size as i64).map(|ordinal| (id(position, ordinal), ordinal)).collect();
    let writer = writer(position);
    let Row { data, stamp, stamps, versions, hash, result, mutation } = row;
    let mut values: Vec<(&Statement, Vec<&(dyn ToSql + Sync)>)> = Vec::new();
    for (id, ordinal) in &names {
        values.push((document, vec![id, &position, ordinal, data, stamp, stamps, versions]));
        values.push((receipt, vec![&writer, ordinal, hash, result]));
        values.push((history, vec![id, &position, mutation, stamp]));
    }
    values.push((commit, vec![&position, &position]));
    // All of them cross together.
    try_join_all(values.iter().map(|(statement, values)| tx.execute(*statement, values))).await?;
    tx.commit().await
}

fn id(position: i64, ordinal: i64) -> String {
    format!("{position:024x}-{ordinal:06x}")
}

fn writer(position: i64) -> String {
    format!("{position:032x}")
}
