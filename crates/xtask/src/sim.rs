//! `cargo xtask sim`: worlds from seeds, lived through by the real core.

use crate::layout::Layout;
use crate::{setup, shell};
use anyhow::Result;
use std::process::Command;

/// What the simulator understands beside a seed.
const FLAGS: [&str; 3] = ["--trace", "--shrink", "--planted"];
/// What every test run lives through, from 0 on. About 20,000 would take five minutes on two cores that nobody else
/// uses.
const SEEDS: u32 = 1_000;
/// What Node lives through in every test run.
const SEEDS_IN_NODE: u32 = 100;

/// Runs the simulator with what was typed; it prints what came of it and says so by how it ends.
pub(crate) fn run(layout: &Layout, mut arguments: crate::arguments::Arguments) -> Result<()> {
    if arguments.flag("--node") {
        arguments.finish()?;
        return shell::run(&mut replay(layout)?);
    }
    let mut passed: Vec<String> = arguments.positional().into_iter().collect();
    for name in ["--seeds", "--from"] {
        passed.extend(arguments.value(name)?.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    let flags: Vec<&str> = FLAGS.into_iter().filter(|flag| arguments.flag(flag)).collect();
    arguments.finish()?;
    let mut sim = command(layout, flags.contains(&"--planted"));
    sim.args(passed).args(flags);
    shell::run(&mut sim)
}

/// Has Node live through seeds as the program does: the same code, compiled for another machine.
pub(crate) fn replay(layout: &Layout) -> Result<Command> {
    let mut sim = shell::cargo();
    sim.args(["build", "--release", "--package", "landfall-sim", "--bin", "sim"]).current_dir(&layout.root);
    shell::run(&mut sim)?;
    let toolchain = setup::toolchain()?;
    let replay = ["--package", "landfall-sim", "--example", "replay"];
    shell::run(&mut toolchain.build(&layout.root, &layout.target, &replay))?;
    let mut node = Command::new("node");
    node.arg("tests/sim/node/replay.mjs").current_dir(&layout.root);
    node.arg(layout.binary("sim")).arg(toolchain.module(&layout.target, "examples/replay.wasm"));
    node.arg(SEEDS_IN_NODE.to_string());
    Ok(node)
}

/// Lives through a fixed number of seeds, and fails on whatever breaks or goes another way the second time; with 2,000
/// and more also where a disaster never comes.
pub(crate) fn seeds(layout: &Layout) -> Command {
    let mut sim = command(layout, false);
    sim.args(["--seeds", &SEEDS.to_string()]);
    sim
}

/// Sees whether the bugs that seeds and small worlds must find can still be planted.
pub(crate) fn plant(layout: &Layout) -> Command {
    let mut check = shell::cargo();
    check.args(["check", "--quiet", "--package", "landfall-sim", "--features", "planted", "--all-targets"]);
    check.current_dir(&layout.root);
    check
}

/// Prints `sim ours=…/s floor=…/s ratio=…`.
pub(crate) fn bench(layout: &Layout) -> Result<()> {
    shell::run(command(layout, false).arg("--bench"))
}

/// The simulator; with bugs to choose from, where these are wanted.
fn command(layout: &Layout, planted: bool) -> Command {
    let mut cargo = shell::cargo();
    cargo.args(["run", "--release", "--quiet", "--package", "landfall-sim", "--bin", "sim"]);
    if planted {
        cargo.args(["--features", "planted"]);
    }
    cargo.arg("--").current_dir(&layout.root);
    cargo
}
