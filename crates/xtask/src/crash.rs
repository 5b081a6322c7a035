//! `cargo xtask crash`: servers that are killed under real devices, and whether anything is lost by that.

use crate::arguments::Arguments;
use crate::layout::Layout;
use crate::{setup, shell, test};
use anyhow::Result;
use std::process::Command;

/// Deaths of servers in every test run, on both databases together.
const KILLS: &str = "100";

/// Runs the tool with what was typed; it prints what came of it and says so by how it ends.
pub(crate) fn run(layout: &Layout, mut arguments: Arguments) -> Result<()> {
    let mut passed: Vec<String> = Vec::new();
    for name in ["--kills", "--store", "--seed"] {
        passed.extend(arguments.value(name)?.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    passed.extend(arguments.flag("--planted").then(|| "--planted".to_owned()));
    arguments.finish()?;
    setup::postgres()?;
    build(layout)?;
    shell::run(tool(layout).args(passed))
}

/// Kills servers, and then some of which each has a bug that must be found.
pub(crate) fn steps(layout: &Layout) -> Result<()> {
    build(layout)?;
    shell::run(tool(layout).args(["--kills", KILLS]))?;
    shell::run(tool(layout).arg("--planted"))
}

/// Builds the tool, and the server that can be told to die, which is a program of its own.
fn build(layout: &Layout) -> Result<()> {
    let mut build = test::workspace(layout, "build");
    build.args(["--features", "landfall-server/faults"]);
    build.args(["--bin", "crash", "--bin", "faultproxy", "--bin", "landfall-faults"]);
    shell::run(&mut build)
}

fn tool(layout: &Layout) -> Command {
    let mut tool = Command::new(layout.binary("crash"));
    tool.arg("--server").arg(layout.binary("landfall-faults"));
    tool.arg("--proxy").arg(layout.binary("faultproxy"));
    tool
}
