//! Where things are: the checkout, cargo's target directory, and what gets built into it.

use crate::shell;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Paths every command needs.
pub(crate) struct Layout {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target directory; not always `target`, a developer may share one between checkouts.
    pub(crate) target: PathBuf,
    /// `cargo metadata` of the workspace members, without their dependencies.
    pub(crate) metadata: Value,
}

impl Layout {
    /// Asks cargo, from the directory this crate was compiled in.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.ancestors().nth(2).context("xtask is not at crates/xtask")?.to_owned();
        let text = shell::output(
            shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(&root),
        )?;
        let metadata: Value = serde_json::from_str(&text)?;
        let target = metadata["target_directory"].as_str().context("cargo metadata names no target")?;
        Ok(Self { target: target.into(), root, metadata })
    }

    /// The npm package.
    pub(crate) fn pkg(&self) -> PathBuf {
        self.root.join("pkg")
    }

    /// The demo page.
    pub(crate) fn www(&self) -> PathBuf {
        self.root.join("www")
    }

    /// The tests that drive a real browser.
    pub(crate) fn browser(&self) -> PathBuf {
        self.root.join("tests/browser")
    }

    /// The tests that install the packed package as an app does.
    pub(crate) fn packaging(&self) -> PathBuf {
        self.root.join("tests/packaging")
    }

    /// The release build of one of our binaries.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}
