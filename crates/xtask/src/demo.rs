//! `cargo xtask demo`: from a fresh clone to a page in a browser with one command.

use crate::layout::Layout;
use crate::{setup, shell, test, wasm};
use anyhow::{Context, Result};
use std::process::Command;

/// Where the demo listens unless told otherwise.
pub(crate) const LISTEN: &str = "127.0.0.1:8787";

/// Sets up, builds and serves the demo until it is told to stop.
pub(crate) fn run(layout: &Layout, listen: &str) -> Result<()> {
    let node = setup::node()?;
    wasm::build(layout)?;
    setup::packages(&layout.www(), &node)?;
    shell::say("www");
    shell::run(&mut test::build_www(layout))?;
    shell::say("server");
    shell::run(&mut test::build_binaries(layout))?;

    // Under target/ so that `cargo clean` forgets it; the data survives a restart of the demo.
    let data = layout.target.join("demo");
    std::fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    let mut server = Command::new(layout.binary("landfall"));
    server.args(["serve", "--listen", listen]);
    server.arg("--config").arg(layout.www().join("landfall.yaml"));
    server.arg("--database").arg(format!("sqlite://{}", data.join("landfall.db").display()));
    server.arg("--www").arg(layout.www().join("dist"));
    server.current_dir(&layout.root);
    become_program(&mut server)
}

/// Turns this process into the server, so signals, output and the exit code need no forwarding.
#[cfg(unix)]
fn become_program(server: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(server.exec()).context("cannot start the server")
}

/// Runs the server; on Windows a console's Ctrl-C reaches every process in it.
#[cfg(not(unix))]
fn become_program(server: &mut Command) -> Result<()> {
    let status = server.status().context("cannot start the server")?;
    std::process::exit(status.code().unwrap_or(1));
}
