//! What a machine needs beyond Rust, Node and apt, put in place by the command that needs it.
//!
//! Every part looks first and installs only what is missing, so a second run costs milliseconds.
//! Where nothing can be installed it says in one line what a person has to do.

mod chromium;
mod packages;
mod postgres;
mod toolchain;

pub(crate) use chromium::chromium;
pub(crate) use packages::{node, packages};
pub(crate) use postgres::postgres;
pub(crate) use toolchain::{Toolchain, components, toolchain};

use crate::shell;
use std::process::Command;

/// Whether Debian packages can be installed: apt is there and we are root.
fn can_apt() -> bool {
    let root = shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && shell::which("apt-get").is_some()
}

/// Installs Debian packages without what they merely recommend.
fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    shell::say(format!("apt-get install {}", packages.join(" ")));
    shell::run(apt().args(["update", "--quiet=2"]))?;
    shell::run(apt().args(["install", "--yes", "--quiet=2", "--no-install-recommends"]).args(packages))
}
