//! npm packages, exactly as locked.

use crate::shell;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

const NODE_MAJOR_MIN: u32 = 20;
/// Inside node_modules, so that deleting the folder also forgets that it was complete.
const STAMP: &str = "node_modules/.landfall-lock";

/// Checks that Node and npm are there and recent enough; returns Node's version.
pub(crate) fn node() -> Result<String> {
    let version = shell::output(Command::new("node").arg("--version"))
        .context("Node.js is missing: install Node 20 or later with npm")?;
    let version = version.trim().to_owned();
    if major(&version).is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!("Node.js is {version}: install Node {NODE_MAJOR_MIN} or later with npm");
    }
    if !shell::succeeds(&mut shell::npm(Path::new("."), &["--version"])) {
        bail!("npm is missing: install Node {NODE_MAJOR_MIN} or later with npm");
    }
    Ok(version)
}

/// Runs `npm ci` in `directory` unless node_modules holds what package-lock.json asks for.
///
/// The stamp is a hash, because a checkout of another branch changes the lock without making it newer.
pub(crate) fn packages(directory: &Path, node: &str) -> Result<()> {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let lock = std::fs::read(directory.join("package-lock.json"))
        .with_context(|| format!("{name} has no package-lock.json: run `npm install` there and commit it"))?;
    let wanted = stamp(&lock, node);
    let stamp = directory.join(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    shell::say(format!("npm ci in {name}"));
    shell::run(&mut shell::npm(directory, &["ci"]))?;
    // A package without dependencies gets no node_modules from npm.
    std::fs::create_dir_all(directory.join("node_modules"))?;
    std::fs::write(&stamp, wanted)?;
    Ok(())
}

/// Another major version of Node may need other binaries of the same packages.
fn stamp(lock: &[u8], node: &str) -> String {
    let digest = Sha256::digest(lock);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex} node {}\n", major(node).unwrap_or_default())
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{major, stamp};

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major("v20.19.1"), Some(20));
        assert_eq!(major("nightly"), None);
    }

    #[test]
    fn another_lock_or_another_node_asks_for_a_new_install() {
        assert_eq!(stamp(b"{}", "v20.1.0"), stamp(b"{}", "v20.9.0"));
        assert_ne!(stamp(b"{}", "v20.1.0"), stamp(b"{ }", "v20.1.0"));
        assert_ne!(stamp(b"{}", "v20.1.0"), stamp(b"{}", "v22.1.0"));
    }
}
