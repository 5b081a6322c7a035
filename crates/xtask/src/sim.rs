//! `cargo xtask sim`: worlds from seeds, lived through by the real core.

use crate::layout::Layout;
use crate::shell;
use anyhow::Result;
use std::process::Command;

/// What the simulator understands beside a seed.
const FLAGS: [&str; 3] = ["--trace", "--shrink", "--planted"];

/// Runs the simulator with what was typed; it prints what came of it and says so by how it ends.
pub(crate) fn run(layout: &Layout, mut arguments: crate::arguments::Arguments) -> Result<()> {
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
