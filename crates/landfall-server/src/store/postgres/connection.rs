//! A connection, and the statements that are prepared on it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::str::FromStr;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, maybe_done};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::task::JoinHandle;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement as Prepared};

use super::super::StoreError;
use super::super::database::{Row, Statement, Value};
use super::fault::{fault, text, unreachable};

/// What every connection is set to. Nobody waits for ever: neither for a statement, nor for a lock, nor for a server
/// that has gone away in the middle of a transaction and holds a tenant's counter.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '20s'; SET client_min_messages = 'warning'";
const CONNECT: Duration = Duration::from_secs(10);
/// A host that has vanished is noticed after this.
const SILENCE: Duration = Duration::from_secs(20);

/// Reads an address.
pub(super) fn config(url: &str) -> Option<Config> {
    let mut config = Config::from_str(url).ok()?;
    if config.get_application_name().is_none() {
        config.application_name("landfall");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 4).tcp_user_timeout(SILENCE);
    Some(config)
}

/// PostgreSQL keeps a plan for as long as it does not know better. One that was made while a table was small may read all of
/// a tenant for one document once it has grown.
const PLANS_KEPT: Duration = Duration::from_secs(1);

/// An open connection. Its statements are run in the order in which they were sent.
pub(super) struct Connection {
    pub(super) client: Client,
    prepared: BTreeMap<&'static str, Prepared>,
    driver: JoinHandle<()>,
    /// When its plans were made, or before that.
    planned_at: Instant,
}

impl Connection {
    /// Connects.
    pub(super) async fn to(config: &Config) -> Result<Connection, StoreError> {
        let (client, connection) = config.connect(NoTls).await.map_err(unreachable)?;
        let driver = tokio::spawn(async {
            // Whoever waits for an answer hears of it too.
            if let Err(error) = connection.await {
                tracing::warn!(error = text(&error), "a connection to the database is lost");
            }
        });
        client.batch_execute(SETTINGS).await.map_err(fault)?;
        Ok(Connection { client, prepared: BTreeMap::new(), driver, planned_at: Instant::now() })
    }

    /// Whether it can still be used, as far as is known.
    pub(super) fn is_usable(&self) -> bool {
        !self.client.is_closed()
    }

    /// Whether plans are to be made anew; from now on they are.
    pub(super) fn plans_anew(&mut self) -> bool {
        let is_due = self.planned_at.elapsed() > PLANS_KEPT;
        if is_due {
            self.planned_at = Instant::now();
        }
        is_due
    }

    /// Says that nothing more will come, and waits until that has arrived.
    pub(super) async fn end(self) {
        drop(self.client);
        self.driver.await.ok();
    }

    /// What the server does, whatever it was told.
    pub(super) async fn setting(&self, name: &str) -> Result<String, StoreError> {
        let rows = self.client.query_one("SELECT current_setting($1)", &[&name]).await.map_err(fault)?;
        Ok(rows.get(0))
    }

    /// Runs SQL without values.
    pub(super) async fn script(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(fault)
    }

    /// Makes sure that these can be run.
    pub(super) async fn prepare(&mut self, statements: &[Statement]) -> Result<(), StoreError> {
        for statement in statements {
            if !self.prepared.contains_key(statement.sql) {
                let prepared = self.client.prepare(statement.sql).await.map_err(fault)?;
                self.prepared.insert(statement.sql, prepared);
            }
        }
        Ok(())
    }

    /// Sends prepared statements, and what begins the transaction in front of them, and then waits for all answers.
    /// The first error is what went wrong.
    pub(super) async fn ask(
        &self,
        begin: Option<&'static str>,
        statements: &[Statement],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let begun = async {
            match begin {
                Some(begin) => self.script(begin).await.map(|()| Vec::new()),
                None => Ok(Vec::new()),
            }
        };
        let answers = statements.iter().map(|statement| self.all(statement).boxed());
        let mut answers: Vec<_> = std::iter::once(begun.boxed()).chain(answers).map(maybe_done).collect();
        // Each is sent when it is polled first.
        poll_fn(|context| {
            for answer in &mut answers {
                let _ = answer.poll_unpin(context);
            }
            Poll::Ready(())
        })
        .await;
        let mut all = Vec::with_capacity(statements.len());
        for mut answer in answers {
            (&mut answer).await;
            let answer = std::pin::Pin::new(&mut answer).take_output();
            all.push(answer.expect("BUG: an answer that was taken before")?);
        }
        // The first one only began.
        Ok(all.split_off(1))
    }

    async fn all(&self, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        self.stream(statement).await?.try_collect().await
    }

    /// The rows of a prepared statement as they come.
    pub(super) async fn stream(
        &self,
        statement: &Statement,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let prepared = self.prepared.get(statement.sql).expect("BUG: a statement that is not prepared");
        let rows = self.client.query_raw(prepared, statement.values.iter()).await.map_err(fault)?;
        Ok(rows.map(|row| read(&row.map_err(fault)?)).boxed())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        // Numbers in the text of a statement are of 32 bits.
        if *column.type_() == Type::INT4 {
            return row.try_get::<_, Option<i32>>(index).map(|number| number.map(i64::from).into());
        }
        if *column.type_() == Type::INT8 {
            return row.try_get::<_, Option<i64>>(index).map(Value::from);
        }
        row.try_get::<_, Option<String>>(index).map(Value::from)
    });
    Ok(Row::new(values.collect::<Result<_, _>>().map_err(fault)?))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Value::Integer(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
