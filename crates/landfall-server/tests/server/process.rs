//! The binary as a process: how it starts, refuses to start, ends, and is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::Device;

pub(crate) fn landfall(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.current_dir(directory).env_remove("LANDFALL_JWT_KEY").env("LANDFALL_LOG", "warn");
    command
}

/// A running server; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
}

impl Running {
    /// On a database of its own, in a file.
    pub(crate) fn start(directory: &Path) -> Running {
        Running::on("sqlite://./landfall.db", directory)
    }

    pub(crate) fn on(database: &str, directory: &Path) -> Running {
        Running::with(database, directory, |_| {}).0
    }

    /// Gives what it prints, too, behind the line that says where it listens.
    pub(crate) fn with(
        database: &str,
        directory: &Path,
        options: impl FnOnce(&mut Command),
    ) -> (Running, BufReader<ChildStdout>) {
        let mut command = landfall(directory);
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]);
        options(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut line, mut output) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
        (Running { address: address.to_owned(), child }, output)
    }

    pub(crate) fn call(&self, head: &str, body: &str) -> Value {
        let mut stream = self.connect(head, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
        serde_json::from_str(body).unwrap()
    }

    /// A connection on which the answer to a request is about to come.
    pub(crate) fn connect(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
             authorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n{body}",
            token(Path::new(".")),
        )
        .unwrap();
        stream
    }

    pub(crate) fn end(mut self) -> i32 {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn token(directory: &Path) -> String {
    let output = landfall(directory).args(["token", "--user", "ada", "--role", "worker"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(!token.contains(char::is_whitespace));
    token.to_owned()
}

/// Runs to the end; what it says on standard error.
pub(crate) fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(stdout.is_empty(), "it listened: {}", String::from_utf8_lossy(&stdout));
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::new().await;
    let ada = Device::of("ada", 1);
    let mut expected = Vec::new();
    for round in 0..4u64 {
        let mut server = Running::on(&database.url(), directory.path());
        for n in round * 5 + 1..=round * 5 + 5 {
            let batch = ada.batch(&[ada.create(n, &format!("d{n:03}"), &json!({ "n": n }))]);
            let reply = server.call("POST /api/v1/sync/batch", &batch.to_string());
            assert_eq!(reply["results"][0]["verdict"], "applied");
            expected.push(format!("d{n:03}"));
        }
        // SIGKILL, with the last reply just read.
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    let server = Running::on(&database.url(), directory.path());
    let page = server.call("GET /api/v1/sync/pull", "");
    let changes = page["changes"].as_array().unwrap();
    let found: Vec<_> = changes.iter().map(|change| change["document"].as_str().unwrap()).collect();
    assert_eq!(found, expected);
    let batch = ada.batch(&[ada.create(1, "d001", &json!({ "n": 1 }))]);
    let reply = server.call("POST /api/v1/sync/batch", &batch.to_string());
    assert_eq!(reply["results"][0]["duplicate"], true);
}

#[test]
fn a_server_asked_to_end_leaves_one_file_and_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let ada = Device::of("ada", 1);
    let server = Running::start(directory.path());
    let batch = ada.batch(&[ada.create(1, "d", &json!({}))]);
    server.call("POST /api/v1/sync/batch", &batch.to_string());
    // A connection that nobody uses must not keep it from ending.
    let _idle = TcpStream::connect(&server.address).unwrap();
    // Nor one that waits for hints, which would wait for ever.
    let mut live = server.connect("GET /api/v1/sync/live", "");
    live.read_exact(&mut [0; 16]).unwrap();
    assert_eq!(server.end(), 0);
    let mut rest = String::new();
    live.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "it was cut off and not ended: {rest}");
    let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["landfall.db"]);
}

#[test]
fn the_development_key_is_for_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    let text = refusal(landfall(directory.path()).args(["serve", "--listen", "0.0.0.0:0"]));
    assert!(text.contains("development key") && text.contains("LANDFALL_JWT_KEY"), "{text}");
    let mut short = landfall(directory.path());
    let text = refusal(short.args(["serve", "--listen", "0.0.0.0:0"]).env("LANDFALL_JWT_KEY", "short"));
    assert!(text.contains("at least 32 bytes"), "{text}");
}

#[test]
fn a_mistake_in_the_configuration_is_told_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("my.yaml"), "collections:\n  visits:\n    read: 'tru'\n").unwrap();
    let text =
        refusal(landfall(directory.path()).args(["serve", "--listen", "127.0.0.1:0", "--config", "my.yaml"]));
    assert!(text.starts_with("landfall: my.yaml:3:11: collections.visits.read: "), "{text}");
}

#[test]
fn files_that_are_not_there_are_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        refusal(landfall(directory.path()).args(["serve", "--listen", "127.0.0.1:0", "--www", "nowhere"]));
    assert!(text.contains("nowhere/index.html"), "{text}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    assert_eq!(Running::on(&database.url(), directory.path()).end(), 0);
    database.mark(7).await;
    let mut command = landfall(directory.path());
    let text = refusal(command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]));
    assert!(text.contains("newer Landfall (tables of version 7, this one knows 6)"), "{text}");
}

#[tokio::test]
async fn metrics_are_served_where_they_are_asked_for_and_nowhere_else() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let (server, mut output) = Running::with(&database.url(), directory.path(), |command| {
        command.args(["--metrics", "127.0.0.1:0"]);
    });
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("metrics on http://").unwrap().strip_suffix("/metrics").unwrap();
    server.call("GET /api/v1/sync/status", "");
    let get = |address: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let text = get(address);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("application/openmetrics-text"), "{text}");
    let counted = "landfall_requests_total{route=\"/api/v1/sync/status\",status=\"200\"} 1\n";
    assert!(text.contains(counted), "{text}");
    assert!(get(&server.address).starts_with("HTTP/1.1 404 "));
    assert_eq!(server.end(), 0);
}

#[tokio::test]
async fn a_backup_is_announced_beside_a_running_server_and_none_that_is_not_made_yet() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let server = Running::on(&database.url(), directory.path());
    let ada = Device::of("ada", 1);
    let batch = ada.batch(&[ada.create(1, "d", &json!({}))]);
    server.call("POST /api/v1/sync/batch", &batch.to_string());
    // As if that had been an hour ago.
    database.change("UPDATE commits SET at = at - 3600000").await;
    let command = |begun: u64| {
        let mut command = landfall(directory.path());
        command.args(["backed-up", "--database", &database.url(), "--begun", &begun.to_string()]);
        command
    };
    let now = landfall_server::app::system_time().0 / 1_000;
    let text = refusal(&mut command(now + 60));
    assert!(text.contains("is not made yet"), "{text}");
    let output = command(now).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "news for 1 tenants\n");
    assert_eq!(server.call("GET /api/v1/sync/pull", "")["backedUpThrough"], 1);
}

#[test]
fn a_backup_of_what_is_not_there_is_not_announced_and_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = landfall(directory.path());
    let text = refusal(command.args(["backed-up", "--database", "sqlite://./other.db", "--begun", "1"]));
    assert!(text.contains("there is no such file"), "{text}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_of_somebody_else_is_left_alone() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    database.change("CREATE TABLE songs (title TEXT)").await;
    let mut command = landfall(directory.path());
    let text = refusal(command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]));
    assert!(text.contains("other tables"), "{text}");
}

#[test]
fn a_database_that_keeps_nothing_or_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (url, reason) in [
        ("sqlite::memory:", "journal_mode"),
        ("sqlite://./landfall.db?mode=rwc", "is not the address of a database"),
        ("mysql://somewhere/landfall", "is not the address of a database"),
        ("postgres://landfall@/landfall?host=/no/such/directory", "cannot be opened"),
        ("landfall.db", "is not the address of a database"),
        ("sqlite://./no/such/directory/landfall.db", "cannot be opened"),
    ] {
        let mut command = landfall(directory.path());
        let text = refusal(command.args(["serve", "--listen", "127.0.0.1:0", "--database", url]));
        assert!(text.contains(reason), "{url}: {text}");
    }
}

#[test]
fn the_product_cannot_be_told_to_die() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_landfall")).unwrap();
    let holds = |text: &str| program.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("LANDFALL_JWT_KEY"), "what it can be told is in it as text");
    assert!(!holds("LANDFALL_FAULT") && !holds("LANDFALL_PLANTED"));
}
