//! A compiler for WebAssembly.
//!
//! The standard library is compiled along, from the sources that rustup has, so that a panic in it is a trap and nothing
//! else: the ready-made one formats messages that no user reads, and is a tenth of what a page downloads. Where rustup
//! can fetch no sources, the ready-made one does, and weighs more; where it can fetch nothing (a mirror without it, a
//! machine behind a strict proxy), Debian's rustc-web takes its place.

use super::{apt_install, can_apt};
use crate::shell;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// Below the compiler's sysroot.
const SOURCES: &str = "lib/rustlib/src/rust/library/std/Cargo.toml";
/// Stable Rust takes these with [`BOOTSTRAP`] only. Measured: 14 KB less over the network than the ready-made library.
const FROM_SOURCES: [&str; 2] = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
const TRAPS: &str = "-Zunstable-options -Cpanic=immediate-abort";
const BOOTSTRAP: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-22";

/// What compiles for the browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The compiler in use, and the standard library compiled along.
    Sources,
    /// The compiler in use has the target's standard library.
    Installed,
    /// Debian's compiler, and the standard library compiled along.
    Debian,
}

/// Finds a toolchain that compiles for the browser, or installs one.
///
/// # Errors
/// When there is none and none can be installed; the message says what to do.
pub(crate) fn toolchain() -> Result<Toolchain> {
    if has_sources() {
        return Ok(Toolchain::Sources);
    }
    if shell::which("rustup").is_some() {
        shell::say("rustup component add rust-src");
        if shell::run(Command::new("rustup").args(["component", "add", "rust-src"])).is_ok() && has_sources()
        {
            return Ok(Toolchain::Sources);
        }
    }
    if has_target() {
        return Ok(Toolchain::Installed);
    }
    if shell::which("rustup").is_some() {
        shell::say(format!("rustup target add {TARGET}"));
        if shell::run(Command::new("rustup").args(["target", "add", TARGET])).is_ok() && has_target() {
            return Ok(Toolchain::Installed);
        }
    }
    if debian_is_complete() {
        return Ok(Toolchain::Debian);
    }
    let advice = format!(
        "no compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
        DEBIAN_PACKAGES.join(" ")
    );
    if !can_apt() {
        bail!(advice);
    }
    apt_install(&DEBIAN_PACKAGES)?;
    if !debian_is_complete() {
        bail!(advice);
    }
    Ok(Toolchain::Debian)
}

impl Toolchain {
    /// `cargo build` of these for the browser, into `target`.
    pub(crate) fn build(&self, root: &Path, target: &Path, what: &[&str]) -> Command {
        let mut command = match self {
            Self::Sources | Self::Installed => shell::cargo(),
            Self::Debian => debian_cargo(),
        };
        command.arg("build").current_dir(root);
        command.args(what).args(["--profile", "wasm", "--target", TARGET]);
        // Panic messages name files; where this machine keeps them is nobody's business, and shorter is smaller.
        let remap = cargo_home().map(|home| format!("--remap-path-prefix={}/registry/src=", home.display()));
        let mut flags = remap.unwrap_or_default();
        match self {
            Self::Sources => {
                command.args(FROM_SOURCES).env(BOOTSTRAP.0, BOOTSTRAP.1);
                flags = format!("{TRAPS} {flags}");
            }
            Self::Installed => {}
            Self::Debian => {
                command.arg(FROM_SOURCES[0]);
            }
        }
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        command.arg("--target-dir").arg(self.target_directory(target));
        command
    }

    /// Where [`Toolchain::build`] leaves a module.
    pub(crate) fn module(&self, target: &Path, file: &str) -> PathBuf {
        self.target_directory(target).join(TARGET).join("wasm").join(file)
    }

    /// Two compilers in one directory would throw away each other's work.
    fn target_directory(&self, target: &Path) -> PathBuf {
        match self {
            Self::Sources => target.to_owned(),
            Self::Installed => target.join("installed"),
            Self::Debian => target.join("debian"),
        }
    }
}

/// Where cargo keeps sources; none where its path has blanks, which this variable would split at.
fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = named.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    home.to_str().is_some_and(|home| !home.contains(' ')).then_some(home)
}

fn debian_cargo() -> Command {
    let mut command = Command::new(DEBIAN_CARGO);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(PathBuf::from("/usr/bin")).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(path).expect("BUG: PATH was split at its separators"));
    command.env("RUSTC", DEBIAN_RUSTC);
    // Debian ships a stable compiler; only this switch lets it take -Zbuild-std.
    command.env(BOOTSTRAP.0, BOOTSTRAP.1);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
    // rustup's cargo points these at its own compiler and libraries.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

fn debian_is_complete() -> bool {
    [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_LINKER].iter().all(|file| Path::new(file).is_file())
}

fn has_sources() -> bool {
    let sysroot = shell::output(Command::new("rustc").args(["--print", "sysroot"]));
    sysroot.is_ok_and(|sysroot| Path::new(sysroot.trim()).join(SOURCES).is_file())
}

/// Asks the compiler, not rustup: a distribution's Rust may have the target and no rustup.
fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    shell::output(&mut rustc).is_ok_and(|directory| {
        let mut files = std::fs::read_dir(directory.trim()).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

/// Makes sure of rustfmt and clippy, which rustup's minimal profile leaves out.
pub(crate) fn components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if shell::succeeds(shell::cargo().args([subcommand, "--version"])) {
            continue;
        }
        shell::say(format!("rustup component add {component}"));
        if shell::run(Command::new("rustup").args(["component", "add", component])).is_err() {
            bail!("{component} is missing: install it with `rustup component add {component}`");
        }
    }
    Ok(())
}
