//! Programs that the tests start: servers and the fault proxy. Killed when dropped.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::http::{self, Ask};

/// How a program ended that was to go on.
#[derive(Debug)]
pub struct Ended(pub ExitStatus);

/// A server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a server as `command` says, which is `landfall serve` and its options.
    ///
    /// # Panics
    /// There is no such program.
    pub fn spawn(command: &mut Command) -> Server {
        let command = command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("the server can be started");
        let output = BufReader::new(child.stdout.take().expect("BUG: its output is piped")).lines();
        Server { child, output }
    }

    /// Waits until it listens; gives where.
    ///
    /// # Errors
    /// It has ended instead.
    pub async fn listens(&mut self) -> Result<String, Ended> {
        match self.output.next_line().await.expect("its output can be read") {
            Some(line) => {
                let address = line.strip_prefix("listening on http://");
                Ok(address.unwrap_or_else(|| panic!("the server says {line}")).to_owned())
            }
            None => Err(Ended(self.ended().await)),
        }
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.expect("it can be waited for")
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// SIGTERM, and all that it does then. Gives how it ended.
    pub async fn end(mut self) -> ExitStatus {
        let id = self.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.expect("`kill` can be started").success(), "it is there to be ended");
        self.ended().await
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("BUG: a server that was waited for")
    }
}

/// A token for somebody, from the program itself.
pub async fn token(program: &Path, tenant: &str, user: &str, roles: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(["token", "--user", user, "--tenant", tenant, "--ttl", "86400"]);
    command.args(roles.iter().flat_map(|role| ["--role", role])).env_remove("LANDFALL_FAULT");
    let output = command.output().await.expect("a token can be made");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

/// Where the log of a program goes: behind what is there.
///
/// # Panics
/// The file cannot be written.
pub fn log(path: &Path) -> Stdio {
    File::options().create(true).append(true).open(path).expect("a log can be written").into()
}

/// The fault proxy.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect.
    pub address: String,
    control: String,
    _child: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Proxy {
    /// Starts one before a server.
    pub async fn before(program: &Path, upstream: &str) -> Proxy {
        let mut command = Command::new(program);
        command.args(["--upstream", &format!("http://{upstream}")]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the fault proxy can be started");
        let mut output = BufReader::new(child.stdout.take().expect("BUG: its output is piped")).lines();
        let mut said = async |prefix: &str| {
            let line = output.next_line().await.expect("its output can be read").expect("a line");
            line.strip_prefix(prefix).expect("an address").to_owned()
        };
        let control = said("control on http://").await;
        let address = said("listening on http://").await;
        Proxy { address, control, _child: child, _output: output }
    }

    /// Adds a rule, as JSON.
    pub async fn rule(&self, rule: String) {
        let answer = http::ask(&self.control, Ask::post("/rules", "", rule)).await;
        assert_eq!(answer.expect("the control answers").status, 200, "a rule that is one");
    }

    /// Forgets all rules.
    pub async fn clear(&self) {
        let forget = Ask { method: hyper::Method::DELETE, ..Ask::get("/rules", "") };
        http::ask(&self.control, forget).await.expect("the control answers");
    }
}
