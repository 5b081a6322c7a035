//! A server under load, and the database behind it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use landfall_tests::http::{Answer, Ask, Connection};
use landfall_tests::process::{self, Server};
use tempfile::TempDir;
use tokio::process::Command;

use crate::database::Database;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// An empty one.
    pub(crate) async fn database(self) -> Database {
        match self {
            Kind::Sqlite => Database::file(),
            Kind::Postgres => Database::postgres().await,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }
}

/// A server that runs.
pub(crate) struct Site {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) database: Database,
    pub(crate) server: Server,
    _directory: TempDir,
}

impl Site {
    /// Starts one over a database of its own.
    pub(crate) async fn open(program: &Path, kind: Kind) -> Site {
        let database = kind.database().await;
        let directory = tempfile::tempdir().expect("a directory can be made");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]);
        command.env("LANDFALL_LOG", "warn").env_remove("LANDFALL_JWT_KEY");
        let mut server = Server::spawn(&mut command);
        let address = server.listens().await.expect("a server starts");
        let token = process::token(program, "default", "ada", &["worker"]).await;
        Site { address, token, database, server, _directory: directory }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::to(&self.address).await.expect("the server listens")
    }

    /// A number of the server's memory in KiB, such as `VmRSS` or `VmHWM`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a number of that name");
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
    }

    /// Forgets how much memory the server had at most.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.server.id()), "5").expect("Linux");
    }
}

/// A device as far as a server can tell: it makes new documents.
pub(crate) struct Author {
    client: String,
    writer: u128,
    n: u64,
}

/// Verdicts that are kept of one writer, less than the server wants to be told of first.
const WRITTEN_MAX: u64 = 3_900;

impl Author {
    pub(crate) fn new(number: u64) -> Author {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let writer = since.as_nanos() << 40 | u128::from(number) << 20;
        Author { client: format!("load-{writer:x}"), writer, n: 0 }
    }

    /// A batch of new documents of about 100 bytes.
    pub(crate) fn batch(&mut self, count: usize) -> String {
        if self.n + count as u64 > WRITTEN_MAX {
            (self.writer, self.n) = (self.writer + 1, 0);
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (now, writer) = (since.as_millis(), self.writer);
        let mut mutations = Vec::with_capacity(count);
        for _ in 0..count {
            self.n += 1;
            let n = self.n;
            mutations.push(format!(
                r#"{{"id":"{writer:032x}:{n}","group":null,"replaces":null,"needs":[],"firstSentAt":null,"collection":"sites","document":"{writer:024x}-{n:06x}","op":"create","fields":[{{"path":"/name","op":"set","value":"Warehouse {n:06}, north gate"}},{{"path":"/address","op":"set","value":"Harbour Street 14, 20457 Hamburg"}},{{"path":"/n","op":"set","value":{n}}}],"base":0,"after":null,"stamp":"{now:012x}-{n:04x}-{writer:032x}","schema":1}}"#
            ));
        }
        let mutations = mutations.join(",");
        let client = &self.client;
        format!(
            r#"{{"protocol":1,"client":"{client}","user":"ada","sentAt":{now},"settled":{{}},"mutations":[{mutations}]}}"#
        )
    }
}

/// Pushes a batch, all of which has to be taken in.
pub(crate) async fn push(connection: &mut Connection, token: &str, body: String) -> Answer {
    let answer = connection.ask(&Ask::post("/api/v1/sync/batch", token, body)).await.expect("an answer");
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 200 && !text.contains("rejected"), "{} {text}", answer.status);
    answer
}

/// How much was done in one second of `time`, or of a little more: `work` is done until it is over.
pub(crate) fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

/// What stands in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// What so many of a hundred do not exceed.
pub(crate) fn percentile(times: &[Duration], of_hundred: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[(times.len() * of_hundred / 100).min(times.len() - 1)]
}
