//! A connection to a file, on a thread of its own: SQLite waits for the disk, and nobody else shall.

use std::sync::mpsc;

use futures_util::stream::{self, Stream};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection as Handle, ToSql};
use tokio::sync::{mpsc as channel, oneshot};

use super::super::StoreError;
use super::super::database::{Row, Statement, Value};

type Job = Box<dyn FnOnce(&mut Handle) + Send>;

/// Rows that are read before somebody has to take them.
const CHUNK_ROWS: usize = 64;
const CHUNK_BYTES: usize = 1 << 17;

/// Does one job after another, in the order in which they were given.
#[derive(Debug)]
pub(super) struct Connection {
    jobs: mpsc::Sender<Job>,
    /// Comes once the file is closed.
    ended: oneshot::Receiver<()>,
}

impl Connection {
    /// Starts the thread and opens the file on it.
    pub(super) async fn start(
        open: impl FnOnce() -> rusqlite::Result<Handle> + Send + 'static,
    ) -> Result<Connection, StoreError> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let (tell, opened) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let work = move || match open() {
            Ok(mut handle) => {
                // Nobody who has gone waits for the answer.
                tell.send(Ok(())).ok();
                for job in waiting {
                    job(&mut handle);
                }
                drop(handle);
                over.send(()).ok();
            }
            Err(error) => {
                tell.send(Err(super::fault(error))).ok();
            }
        };
        let spawned = std::thread::Builder::new().name("sqlite".to_owned()).spawn(work);
        spawned.map_err(|error| StoreError::Busy(error.to_string()))?;
        opened.await.expect("BUG: a connection that says nothing")?;
        Ok(Connection { jobs, ended })
    }

    /// Has something done, whoever waits for it.
    pub(super) fn post(&self, job: impl FnOnce(&mut Handle) + Send + 'static) {
        // After a panic there is no thread; then nobody gets an answer.
        self.jobs.send(Box::new(job)).ok();
    }

    /// Has something done and gives what it gives.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Handle) -> T + Send + 'static,
    ) -> T {
        let (tell, done) = oneshot::channel();
        self.post(move |handle| {
            tell.send(work(handle)).ok();
        });
        done.await.expect("BUG: a panic in a connection")
    }

    /// The rows of a statement; reading goes on only as they are taken.
    pub(super) fn stream(
        &self,
        statement: Statement,
    ) -> impl Stream<Item = rusqlite::Result<Row>> + Send + use<> {
        let (give, taken) = channel::channel::<rusqlite::Result<Vec<Row>>>(1);
        self.post(move |handle| {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            let outcome = each(handle, &statement, |values| {
                bytes += values.iter().map(Value::bytes).sum::<usize>();
                chunk.push(Row::new(values));
                if chunk.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
                    return true;
                }
                bytes = 0;
                // Whoever has had enough takes no more.
                give.blocking_send(Ok(std::mem::take(&mut chunk))).is_ok()
            });
            give.blocking_send(outcome.map(|()| chunk)).ok();
        });
        let rows = (taken, Vec::new().into_iter());
        stream::unfold(
            rows,
            async |(mut taken, mut rows): (channel::Receiver<_>, std::vec::IntoIter<Row>)| {
                loop {
                    if let Some(row) = rows.next() {
                        return Some((Ok(row), (taken, rows)));
                    }
                    match taken.recv().await? {
                        Ok(chunk) => rows = Vec::into_iter(chunk),
                        Err(error) => return Some((Err(error), (taken, rows))),
                    }
                }
            },
        )
    }

    /// Does a last thing and closes the file.
    pub(super) async fn end(self, last: impl FnOnce(&mut Handle) + Send + 'static) {
        self.post(last);
        drop(self.jobs);
        self.ended.await.ok();
    }
}

/// All rows of a statement.
pub(super) fn all(handle: &Handle, statement: &Statement) -> rusqlite::Result<Vec<Row>> {
    let mut rows = Vec::new();
    each(handle, statement, |values| {
        rows.push(Row::new(values));
        true
    })?;
    Ok(rows)
}

/// Runs a statement for as long as its rows are wanted.
fn each(
    handle: &Handle,
    statement: &Statement,
    mut wants: impl FnMut(Vec<Value>) -> bool,
) -> rusqlite::Result<()> {
    let mut prepared = handle.prepare_cached(statement.sql)?;
    for index in 1..=prepared.parameter_count() {
        // SQLite counts `$2` as the first where it stands first.
        let name = prepared.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse().ok());
        let number: usize = name.expect("BUG: a parameter that is not `$n`");
        prepared.raw_bind_parameter(index, &statement.values[number - 1])?;
    }
    let columns = prepared.column_count();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|index| Ok(read(row.get_ref(index)?)));
        if !wants(values.collect::<rusqlite::Result<_>>()?) {
            break;
        }
    }
    Ok(())
}

fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        // Nothing else is ever written; what stands there all the same is somebody else's.
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
