//! `cargo xtask test`: every test there is, against what users get: the release server, the optimised
//! module, the bundled page, a real browser.

use crate::layout::Layout;
use crate::report::Report;
use crate::{crash, setup, shell, sim, size, wasm};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Cheap steps first, so that a mistake shows early; all builds stand before the first test that
/// needs one of them.
pub(crate) fn steps(report: &mut Report, layout: &Layout) -> Result<()> {
    let (node, chromium) = report.step("set up", || {
        let node = setup::node()?;
        for directory in [layout.pkg(), layout.www(), layout.browser(), layout.packaging()] {
            setup::packages(&directory, &node)?;
        }
        setup::postgres()?;
        Ok((node, setup::chromium()?))
    })?;
    shell::say(format!("node {node}, {}", chromium.display()));

    report.step("build binaries and tests", || {
        shell::run(workspace(layout, "build").args(["--bins", "--tests"]))
    })?;
    report.tests("rust tests", &mut workspace(layout, "test"))?;
    report.tests(
        "xtask tests",
        shell::cargo().args(["test", "--release", "--package", "xtask"]).current_dir(&layout.root),
    )?;
    report.step("crash", || crash::steps(layout))?;
    report.tests("simulator in Node", &mut sim::replay(layout)?)?;
    report.step("plant bugs", || shell::run(&mut sim::plant(layout)))?;
    report.step("simulator", || shell::run(&mut sim::seeds(layout)))?;
    report.step("build package", || wasm::build(layout))?;
    report.step("size budget", || {
        let weight = size::weigh(layout)?;
        weight.print();
        weight.check(layout)
    })?;
    report.tests("package tests", &mut shell::npm(&layout.pkg(), &["test"]))?;
    report.tests(
        "packaging tests",
        with_products(&mut shell::npm(&layout.packaging(), &["test"]), layout, &chromium),
    )?;
    report.step("check page", || shell::run(&mut shell::npm(&layout.www(), &["run", "check"])))?;
    report.step("build page", || shell::run(&mut build_www(layout)))?;
    report.step("build planted package", || wasm::build_planted(layout))?;
    report.tests(
        "browser tests",
        with_products(&mut shell::npm(&layout.browser(), &["test"]), layout, &chromium),
    )
}

/// The page's build, into www/dist.
pub(crate) fn build_www(layout: &Layout) -> Command {
    shell::npm(&layout.www(), &["run", "--silent", "build"])
}

/// Everything that is started as a program: the server and the fault proxy.
pub(crate) fn build_binaries(layout: &Layout) -> Command {
    let mut command = workspace(layout, "build");
    command.arg("--bins");
    command
}

/// Cargo on all crates but xtask. Together with them, xtask's dependencies would be resolved to other
/// features than when it was built to run, and all be compiled a second time.
pub(crate) fn workspace(layout: &Layout, subcommand: &str) -> Command {
    let mut command = shell::cargo();
    command.args([subcommand, "--release", "--workspace", "--exclude", "xtask"]);
    command.current_dir(&layout.root);
    command
}

/// Tells a test or benchmark where the built programs and the browser are.
pub(crate) fn with_products<'a>(
    command: &'a mut Command,
    layout: &Layout,
    chromium: &Path,
) -> &'a mut Command {
    command
        .env("LANDFALL_BIN", layout.binary("landfall"))
        .env("LANDFALL_FAULTPROXY", layout.binary("faultproxy"))
        .env("CHROMIUM", chromium)
}
