//! The PostgreSQL that the server's tests start and throw away.

use super::{apt_install, can_apt};
use crate::shell;
use anyhow::{Result, bail};
use std::path::Path;

const PACKAGE: &str = "postgresql";
/// Where Debian keeps servers, one folder for each version; they are not on PATH.
const SERVERS: &str = "/usr/lib/postgresql";

/// Makes sure of a server's programs, or installs Debian's.
///
/// # Errors
/// When there are none and none can be installed; the message says what to do.
pub(crate) fn postgres() -> Result<()> {
    if is_installed() {
        return Ok(());
    }
    let advice = format!("no PostgreSQL server found: install the package `{PACKAGE}`");
    if !can_apt() {
        bail!(advice);
    }
    apt_install(&[PACKAGE])?;
    if !is_installed() {
        bail!(advice);
    }
    Ok(())
}

fn is_installed() -> bool {
    let versions = std::fs::read_dir(Path::new(SERVERS)).into_iter().flatten().flatten();
    let mut servers = versions.map(|version| version.path().join("bin"));
    servers.any(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        || shell::which("initdb").is_some()
}
