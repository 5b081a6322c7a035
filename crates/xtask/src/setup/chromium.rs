//! The browser that the tests drive.
//!
//! Any Chromium will do; Playwright's own build is not used because a download of 150 MB from a host
//! of its own is one more thing that can be out of reach.

use super::{apt_install, can_apt};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Finds a Chromium, or installs Debian's.
///
/// # Errors
/// When there is none and none can be installed; the message says what to do.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        let named = PathBuf::from(named);
        if !named.is_file() {
            bail!("CHROMIUM names {}, which is no file", named.display());
        }
        return Ok(named);
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    if !can_apt() {
        bail!("no Chromium found: install the package `chromium`, or set CHROMIUM to the browser's file");
    }
    apt_install(&["chromium"])?;
    find().context("apt installed chromium, yet none is on PATH")
}

fn find() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| shell::which(name))
}
