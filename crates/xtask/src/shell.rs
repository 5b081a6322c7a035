//! Starting other programs, in the same surroundings on every machine.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes what the children see independent of how xtask was started.
///
/// `cargo run` exports `CARGO_PKG_NAME` and its kin. Build scripts that watch these (aws-lc-sys is
/// one, 50 s) would run again each time cargo is called by hand and through xtask in turn.
pub(crate) fn settle_environment() {
    let inherited: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let of_cargo_run = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE")
    };
    let mut settings = vec![
        ("LC_ALL", "C.UTF-8"),
        ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
        ("npm_config_audit", "false"),
        ("npm_config_fund", "false"),
        ("npm_config_update_notifier", "false"),
    ];
    if !std::io::stdout().is_terminal() {
        // Three because cargo, Node's tools and rustfmt each listen to another one.
        settings.extend([("CARGO_TERM_COLOR", "never"), ("NO_COLOR", "1"), ("TERM", "dumb")]);
    }
    // SAFETY: called first in main, before any thread is started.
    unsafe {
        for name in inherited.iter().filter(|name| name.to_str().is_some_and(of_cargo_run)) {
            std::env::remove_var(name);
        }
        for (name, value) in settings {
            std::env::set_var(name, value);
        }
    }
}

/// Says what happens next. On stderr, so that stdout carries results only.
pub(crate) fn say(line: impl AsRef<str>) {
    eprintln!("==> {}", line.as_ref());
}

/// The cargo that runs xtask.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// An npm script of the package in `directory`.
pub(crate) fn npm(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.args(arguments).current_dir(directory);
    command
}

/// Runs to the end with output passed through.
///
/// # Errors
/// When the program cannot be started or does not end with success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("{line} ended with {status}");
    }
    Ok(())
}

/// Like [`run`], and hands each line of stdout to `look` on its way through.
pub(crate) fn run_watched(command: &mut Command, mut look: impl FnMut(&str)) -> Result<()> {
    let line = line_of(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {line}"))?;
    let stdout = child.stdout.take().expect("BUG: stdout was not piped");
    for text in BufReader::new(stdout).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        look(&text);
        writeln!(std::io::stdout(), "{text}")?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{line} ended with {status}");
    }
    Ok(())
}

/// Runs to the end and returns stdout; stderr passes through.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {line}"))?;
    if !output.status.success() {
        bail!("{line} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{line} printed no text"))
}

/// Whether the program runs and ends with success; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The program's file, if it is on PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// The command as a person would type it, for messages.
fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    let place = command.get_current_dir().and_then(Path::file_name).map(OsStr::to_string_lossy);
    match place {
        Some(place) => format!("`{}` in {place}", words.join(" ")),
        None => format!("`{}`", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{line_of, run, run_watched};
    use std::process::Command;

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let error = run(Command::new("cargo").arg("no-such-command")).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-command` ended with"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = run(&mut Command::new("no-such-program-at-all")).unwrap_err();
        assert!(format!("{error:#}").contains("cannot start `no-such-program-at-all`"));
    }

    #[test]
    fn every_line_is_seen_on_its_way_through() {
        let mut seen = Vec::new();
        run_watched(Command::new("cargo").arg("--version"), |line| seen.push(line.to_owned())).unwrap();
        assert!(seen.iter().any(|line| line.starts_with("cargo ")), "{seen:?}");
    }

    #[test]
    fn the_place_is_the_last_directory_only() {
        let line = line_of(Command::new("npm").arg("ci").current_dir("/a/b/pkg"));
        assert_eq!(line, "`npm ci` in pkg");
    }
}
