//! What a database has to do for the store: run statements in a transaction, and end it.
//!
//! Every table holds text and 64-bit integers and nothing else, so that is all that goes in and comes out. What is
//! particular to one database is in the file that implements [`Database`] for it; another one is another file.

use std::fmt;
use std::path::PathBuf;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::commits::Commits;
use super::{CopyError, StoreError};

/// What comes of asking a database.
pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// One kind of database, opened.
pub(super) trait Database: Send + Sync + fmt::Debug {
    /// Begins a transaction that writes. Each of its statements sees what was committed before that statement.
    fn write(&self) -> Answer<'_, Box<dyn Transaction>>;

    /// Begins one that only reads, and sees one moment for as long as it lasts.
    fn read(&self) -> Answer<'_, Box<dyn Transaction>>;

    /// Whether other servers may be working with it too.
    fn is_shared(&self) -> bool;

    /// Passes on what is committed here to other servers, and tells here what they commit, for as long as that can be
    /// done. Nothing rests on it.
    fn pass_on<'a>(&'a self, commits: &'a Commits) -> BoxFuture<'a, ()>;

    /// What the database itself finds wrong with what it holds, as sentences.
    fn inspect(&self) -> Answer<'_, Vec<String>>;

    /// Writes all that is committed into a new file, as of one moment.
    fn copy_to(&self, file: PathBuf) -> BoxFuture<'_, Result<(), CopyError>>;

    /// Waits for what is running and ends every connection.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// An open transaction. Dropped without [`Transaction::commit`], it has changed nothing.
pub(super) trait Transaction: Send {
    /// Runs statements in this order and gives the rows of each. Where there is a network, they cross it together.
    ///
    /// After an error nothing of the transaction can be kept.
    fn ask(&mut self, statements: Vec<Statement>) -> Answer<'_, Vec<Vec<Row>>>;

    /// Runs a statement whose rows are given as they come: only a few of them are in memory at a time.
    fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Row, StoreError>>;

    /// Makes it durable. Whether it is, is unknown after [`StoreError::Unreachable`].
    fn commit(self: Box<Self>) -> Answer<'static, ()>;
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
}

impl Value {
    /// Its size, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Integer(_) => 8,
            Value::Text(text) => text.len(),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, T::into)
    }
}

/// SQL with the values of `$1`, `$2` and so on. The text is kept prepared, so it is one of a few.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
}

/// A statement that has no values yet.
pub(super) fn sql(sql: &'static str) -> Statement {
    Statement { sql, values: Vec::new() }
}

impl Statement {
    /// Gives the next `$n` its value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Statement {
        self.values.push(value.into());
        self
    }
}

/// A row, read from left to right.
#[derive(Debug)]
pub(super) struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Row {
        Row { values: values.into_iter() }
    }

    /// The next column.
    pub(super) fn next<T: Column>(&mut self) -> Result<T, StoreError> {
        let value = self.values.next().expect("BUG: a row with fewer columns than are read");
        T::of(value).map_err(|value| StoreError::Corrupt {
            what: "a row".to_owned(),
            reason: format!("{} stands where it does not belong", value.kind()),
        })
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Integer(_) => "a number",
            Value::Text(_) => "a text",
        }
    }
}

/// What a column can be read as.
pub(super) trait Column: Sized {
    fn of(value: Value) -> Result<Self, Value>;
}

impl Column for i64 {
    fn of(value: Value) -> Result<i64, Value> {
        match value {
            Value::Integer(number) => Ok(number),
            other @ (Value::Null | Value::Text(_)) => Err(other),
        }
    }
}

impl Column for String {
    fn of(value: Value) -> Result<String, Value> {
        match value {
            Value::Text(text) => Ok(text),
            other @ (Value::Null | Value::Integer(_)) => Err(other),
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: Value) -> Result<Option<T>, Value> {
        match value {
            Value::Null => Ok(None),
            other @ (Value::Integer(_) | Value::Text(_)) => T::of(other).map(Some),
        }
    }
}

/// What a row can be read as: one column, or a tuple of several.
pub(super) trait Record: Sized {
    fn of(row: &mut Row) -> Result<Self, StoreError>;
}

impl<T: Column> Record for T {
    fn of(row: &mut Row) -> Result<T, StoreError> {
        row.next()
    }
}

impl Record for Row {
    fn of(row: &mut Row) -> Result<Row, StoreError> {
        Ok(Row { values: std::mem::take(&mut row.values) })
    }
}

macro_rules! records {
    ($($name:ident)+) => {
        impl<$($name: Column),+> Record for ($($name,)+) {
            fn of(row: &mut Row) -> Result<Self, StoreError> {
                Ok(($(row.next::<$name>()?,)+))
            }
        }
    };
}

records!(A B);
records!(A B C);
records!(A B C D);
records!(A B C D E);
records!(A B C D E F G);
records!(A B C D E F G H I J);
records!(A B C D E F G H I J K);

/// The ways in which the store asks.
impl dyn Transaction + '_ {
    /// Runs a statement that gives nothing.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<(), StoreError> {
        self.ask(vec![statement]).await.map(|_| ())
    }

    /// Runs statements that give nothing, without holding all of them at once.
    pub(super) async fn run_all(
        &mut self,
        statements: Box<dyn Iterator<Item = Statement> + Send + '_>,
    ) -> Result<(), StoreError> {
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        for statement in statements {
            bytes += statement.values.iter().map(Value::bytes).sum::<usize>();
            waiting.push(statement);
            if bytes > TOGETHER_BYTES {
                self.ask(std::mem::take(&mut waiting)).await?;
                bytes = 0;
            }
        }
        if waiting.is_empty() { Ok(()) } else { self.ask(waiting).await.map(|_| ()) }
    }

    /// All rows of a statement.
    pub(super) async fn all<T: Record>(&mut self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let rows = self.ask(vec![statement]).await?;
        rows.into_iter().flatten().map(|mut row| T::of(&mut row)).collect()
    }

    /// The row of a statement, if it has one.
    pub(super) async fn optional<T: Record>(
        &mut self,
        statement: Statement,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// The one row of a statement.
    pub(super) async fn one<T: Record>(&mut self, statement: Statement) -> Result<T, StoreError> {
        let row = self.optional(statement).await?;
        row.ok_or_else(|| StoreError::Corrupt {
            what: "a row".to_owned(),
            reason: "it is not there".to_owned(),
        })
    }

    /// The row of each statement, if it has one.
    pub(super) async fn each<T: Record>(
        &mut self,
        statements: Vec<Statement>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        firsts(self.ask(statements).await?)
    }
}

/// The row of each of the statements that were asked together, if it has one.
pub(super) fn firsts<T: Record>(
    answers: impl IntoIterator<Item = Vec<Row>>,
) -> Result<Vec<Option<T>>, StoreError> {
    let first = |rows: Vec<Row>| rows.into_iter().next().map(|mut row| T::of(&mut row)).transpose();
    answers.into_iter().map(first).collect()
}

/// The next of the rows that are coming.
pub(super) async fn next<T: Record>(
    rows: &mut BoxStream<'_, Result<Row, StoreError>>,
) -> Result<Option<T>, StoreError> {
    rows.try_next().await?.map(|mut row| T::of(&mut row)).transpose()
}

/// Values of this size are sent before more are made.
const TOGETHER_BYTES: usize = 1 << 20;
