//! The disk of a server: small, and made to be full or to fail.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Bytes of a disk.
const SIZE: u64 = 48 << 20;
/// What fails now and then where a file of this name is.
const SHIM: &str = include_str!("eio.c");

/// A directory with a disk of its own where that can be had.
pub(crate) struct Room {
    directory: TempDir,
    is_mounted: bool,
    /// What makes the disk fail, if there is a compiler.
    shim: Option<PathBuf>,
}

impl Room {
    pub(crate) fn new() -> Room {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let disk = directory.path().join("disk");
        std::fs::create_dir(&disk).expect("a directory can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "landfall-crash"]).arg(&disk);
        let is_mounted = succeeds(&mut mount);
        let shim = compile(directory.path());
        Room { directory, is_mounted, shim }
    }

    /// Where what is not on the disk goes.
    pub(crate) fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// The disk.
    pub(crate) fn disk(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// Why something cannot be done to this disk.
    pub(crate) fn lacks(&self) -> Vec<&'static str> {
        let full = (!self.is_mounted).then_some("no tmpfs can be mounted: files are bounded instead");
        let failing = self.shim.is_none().then_some("no C compiler: the disk never fails");
        full.into_iter().chain(failing).collect()
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) {
        if !self.is_mounted {
            return;
        }
        // Until a write says that there is none left.
        let mut file = std::fs::File::create(self.ballast()).expect("an empty file needs no room");
        let filled = std::io::copy(&mut std::io::Read::take(std::io::repeat(0), SIZE), &mut file);
        assert_eq!(filled.map_err(|error| error.kind()).err(), Some(ErrorKind::StorageFull));
    }

    /// Gives it back.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.ballast()).ok();
    }

    /// Makes the disk fail from now on, or no longer.
    pub(crate) fn fail(&self, fails: bool) {
        if fails {
            std::fs::write(self.flag(), "").expect("a file can be made");
        } else {
            std::fs::remove_file(self.flag()).ok();
        }
    }

    /// The program as it is started over this disk: bounded, where `is_full` and there is no disk to be filled.
    pub(crate) fn command(&self, program: &Path, is_full: bool) -> tokio::process::Command {
        let mut command = if is_full && !self.is_mounted {
            let mut shell = tokio::process::Command::new("sh");
            // In blocks of 512 bytes: a log of writes comes to this soon.
            shell.args(["-c", r#"trap '' XFSZ; ulimit -f 600; exec "$@""#, "sh"]).arg(program);
            shell
        } else {
            tokio::process::Command::new(program)
        };
        if let Some(shim) = &self.shim {
            command.env("LD_PRELOAD", shim).env("LANDFALL_EIO", self.flag());
        }
        command
    }

    /// Keeps what is on it for somebody to look at; gives where.
    pub(crate) fn keep(self) -> PathBuf {
        let kept = std::env::temp_dir().join(format!("landfall-crash-{}", std::process::id()));
        succeeds(Command::new("cp").arg("-a").arg(self.beside()).arg(&kept));
        kept
    }

    fn ballast(&self) -> PathBuf {
        self.disk().join("ballast")
    }

    fn flag(&self) -> PathBuf {
        self.beside().join("fails")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.is_mounted {
            succeeds(Command::new("umount").arg("--lazy").arg(self.disk()));
        }
    }
}

fn compile(directory: &Path) -> Option<PathBuf> {
    let (source, library) = (directory.join("eio.c"), directory.join("eio.so"));
    std::fs::write(&source, SHIM).expect("a file can be written");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    succeeds(&mut compile).then_some(library)
}

fn succeeds(command: &mut Command) -> bool {
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}
