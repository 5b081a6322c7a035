//! `cargo xtask bench`: our numbers beside the floor that the same machine sets, in the same run.

use crate::layout::Layout;
use crate::{setup, shell, sim, test, wasm};
use anyhow::Result;
use std::process::Command;

/// Runs all benchmarks, or the one named; each prints a line `NAME ours=… floor=… ratio=…`.
pub(crate) fn run(layout: &Layout, name: Option<&str>) -> Result<()> {
    if name.is_none_or(|name| name == "sim") {
        sim::bench(layout)?;
    }
    if name.is_none_or(|name| name == "outbox") {
        let mut cargo = shell::cargo();
        cargo.args(["test", "--release", "--quiet", "--package", "landfall-tests", "--test", "weight"]);
        cargo.args(["--", "--nocapture"]).env("LANDFALL_PENDING", "100000").current_dir(&layout.root);
        shell::run(&mut cargo)?;
    }
    if name.is_none_or(|name| name == "server") {
        server(layout)?;
    }
    if matches!(name, Some("sim" | "outbox" | "server")) {
        return Ok(());
    }
    let node = setup::node()?;
    let chromium = setup::chromium()?;
    wasm::build(layout)?;
    setup::packages(&layout.www(), &node)?;
    setup::packages(&layout.browser(), &node)?;
    shell::say("www");
    shell::run(&mut test::build_www(layout))?;
    shell::say("server");
    shell::run(&mut test::build_binaries(layout))?;
    let mut bench = Command::new("node");
    bench.arg("bench/run.mjs").args(name).current_dir(layout.browser());
    shell::run(test::with_products(&mut bench, layout, &chromium))
}

/// The server on both databases, on the disk of the temporary directory. Thousands of connections are thousands of
/// files, in the server as well.
fn server(layout: &Layout) -> Result<()> {
    setup::postgres()?;
    let mut build = test::workspace(layout, "build");
    shell::run(build.args(["--bin", "load", "--bin", "landfall"]))?;
    let mut load = Command::new("sh");
    load.args(["-c", r#"ulimit -n "$(ulimit -H -n)"; exec "$0" "$@""#]);
    load.arg(layout.binary("load")).arg(layout.binary("landfall"));
    shell::run(load.env("LANDFALL_TEST_PLACE", std::env::temp_dir()))
}
