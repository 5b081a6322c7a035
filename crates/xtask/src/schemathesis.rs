//! `cargo xtask schemathesis`: thousands of requests made from `/openapi.json`, right and wrong ones, to a running
//! server on each of its stores. Nothing may be answered with a 5xx or in another way than described.

#[path = "../../landfall-server/tests/server/cluster.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "what the server's tests start, as it is there")]
mod cluster;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::layout::Layout;
use crate::{setup, shell, test};

/// Its checks change from one release to the next; another one is taken on purpose.
const PACKAGE: &str = "schemathesis==4.32.5";
const HOOKS: &str = include_str!("schemathesis/hooks.py");
const CONFIG: &str = include_str!("schemathesis/schemathesis.toml");
/// Streams end with the token of whoever reads them; so do the requests for one.
const STREAM_SECONDS: &str = "10";
const LIVE: &str = "/api/v1/sync/live";

/// Runs it against SQLite, then PostgreSQL, and prints what came of each: `schemathesis STORE failures=…`.
///
/// # Errors
/// Where there is anything to be mended.
pub(crate) fn run(layout: &Layout) -> Result<()> {
    setup::postgres()?;
    let place = layout.target.join("schemathesis");
    let program = install(&place)?;
    shell::say("server");
    shell::run(&mut test::build_binaries(layout))?;
    std::fs::write(place.join("hooks.py"), HOOKS)?;
    std::fs::write(place.join("schemathesis.toml"), CONFIG)?;
    let file = place.join("landfall.db");
    for name in ["landfall.db", "landfall.db-wal", "landfall.db-shm"] {
        std::fs::remove_file(place.join(name)).ok();
    }
    let stores =
        [("sqlite", format!("sqlite://{}", file.display())), ("postgres", cluster::address("postgres"))];
    let mut failed = Vec::new();
    for (store, url) in stores {
        let server = Server::start(layout, &url)?;
        let others = run_against(&server, layout, &program, &place, "36000", &["--exclude-path", LIVE])?;
        let live = run_against(&server, layout, &program, &place, STREAM_SECONDS, &["--include-path", LIVE])?;
        println!("schemathesis {store} {}", if others && live { "failures=0" } else { "failed" });
        if !(others && live) {
            failed.push(store);
        }
    }
    if !failed.is_empty() {
        bail!("the description and the server differ on {}; what to do is said above", failed.join(" and "));
    }
    Ok(())
}

/// Makes sure of the program, in an environment of its own.
fn install(place: &Path) -> Result<PathBuf> {
    let program = place.join("venv/bin/schemathesis");
    let installed = place.join("venv/installed");
    if std::fs::read_to_string(&installed).is_ok_and(|package| package == PACKAGE) {
        return Ok(program);
    }
    shell::say(format!("pip install {PACKAGE}"));
    std::fs::create_dir_all(place)?;
    let advice = "install Python 3.10 or newer, with its module `venv` (Debian: the package `python3-venv`)";
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(place.join("venv")))
        .context(advice)?;
    let mut pip = Command::new(place.join("venv/bin/pip"));
    shell::run(pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]))?;
    std::fs::write(installed, PACKAGE)?;
    Ok(program)
}

/// Whether the server keeps to what it says.
fn run_against(
    server: &Server,
    layout: &Layout,
    program: &Path,
    place: &Path,
    seconds: &str,
    which: &[&str],
) -> Result<bool> {
    let mut token = Command::new(layout.binary("landfall"));
    token.args(["token", "--user", "ada", "--role", "worker", "--role", "coordinator", "--ttl", seconds]);
    let token = shell::output(token.arg("--config").arg(config(layout)))?;
    let mut command = Command::new(program);
    command.arg("--no-color").arg("--config-file").arg(place.join("schemathesis.toml"));
    command.args(["run", &format!("http://{}/openapi.json", server.address)]).args(which);
    command.args(["--header", &format!("Authorization: Bearer {}", token.trim())]);
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", place).current_dir(place);
    command.env("LANDFALL_ADDRESS", &server.address).env("LANDFALL_TOKEN", token.trim());
    let status = command.stdin(Stdio::null()).status().context("cannot start schemathesis")?;
    Ok(status.success())
}

fn config(layout: &Layout) -> PathBuf {
    layout.www().join("landfall.yaml")
}

/// A running server; ended when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(layout: &Layout, database: &str) -> Result<Server> {
        let mut command = Command::new(layout.binary("landfall"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]);
        command.arg("--config").arg(config(layout)).env("LANDFALL_LOG", "warn");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout was not piped")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").context("the server did not start")?;
        Ok(Server { address: address.to_owned(), child })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
