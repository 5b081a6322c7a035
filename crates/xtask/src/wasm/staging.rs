//! Where a module is put together before it replaces the one in the package.
//!
//! A page or a test may be reading the package meanwhile, and a step may fail; so the package only
//! ever sees finished files, each moved into place at once.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// One variant's directory under the target directory.
pub(super) struct Staging(PathBuf);

impl Staging {
    pub(super) fn of(target: &Path, variant: &str) -> Self {
        Self(target.join("package").join(variant))
    }

    /// The files as they will be installed.
    pub(super) fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// The short names that were given to what module and glue call each other, as wasm-opt tells them.
    pub(super) fn names(&self) -> PathBuf {
        self.0.join("names.json")
    }

    /// The optimised module with its function names.
    pub(super) fn named(&self) -> PathBuf {
        self.0.join("named.wasm")
    }

    /// Whether `destination` holds, unchanged, what was last installed, and that was made from `key`.
    pub(super) fn is_current(&self, key: &str, destination: &Path) -> bool {
        let recorded = std::fs::read_to_string(self.stamp());
        let wanted = digest(destination).map(|installed| format!("{key} {installed}\n"));
        matches!((recorded, wanted), (Ok(recorded), Ok(wanted)) if recorded == wanted)
            && self.named().is_file()
    }

    /// Empties the directory.
    pub(super) fn clear(&self) -> Result<()> {
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0)?;
        }
        std::fs::create_dir_all(self.files())?;
        Ok(())
    }

    /// Moves the files to `destination`, removes others there, and remembers both by `key`.
    pub(super) fn install(&self, key: &str, destination: &Path) -> Result<()> {
        let files = files_below(&self.files())?;
        for file in &files {
            let to = destination.join(file);
            std::fs::create_dir_all(to.parent().expect("BUG: a joined path has a parent"))?;
            // The target directory may be on another disk, where a rename would not be one step.
            let whole = to.with_added_extension("new");
            std::fs::copy(self.files().join(file), &whole)?;
            std::fs::rename(&whole, &to)?;
        }
        for stale in files_below(destination)?.iter().filter(|file| !files.contains(file)) {
            std::fs::remove_file(destination.join(stale))?;
        }
        std::fs::write(self.stamp(), format!("{key} {}\n", digest(destination)?))?;
        Ok(())
    }

    fn stamp(&self) -> PathBuf {
        self.0.join("stamp")
    }
}

/// Relative paths of all files below `directory`, sorted.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let entries = std::fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path();
                files.push(path.strip_prefix(directory).expect("BUG: listed below it").to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Names and contents of all files below `directory`.
fn digest(directory: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files_below(directory)? {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(Sha256::digest(std::fs::read(directory.join(file))?));
    }
    Ok(hex(&hash.finalize()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Staging;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A directory of this test's own.
    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("landfall-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    fn staged(directory: &Path) -> Staging {
        let staging = Staging::of(directory, "wasm");
        staging.clear().unwrap();
        fs::create_dir_all(staging.files().join("snippets")).unwrap();
        fs::write(staging.files().join("module.wasm"), "new").unwrap();
        fs::write(staging.files().join("snippets/one.js"), "1").unwrap();
        fs::write(staging.named(), "named").unwrap();
        staging
    }

    #[test]
    fn installing_replaces_what_was_there() {
        let directory = scratch("replaces");
        let destination = directory.join("pkg");
        fs::create_dir_all(&destination).unwrap();
        fs::write(destination.join("module.wasm"), "old").unwrap();
        fs::write(destination.join("gone.js"), "old").unwrap();
        staged(&directory).install("key", &destination).unwrap();
        assert_eq!(fs::read_to_string(destination.join("module.wasm")).unwrap(), "new");
        assert_eq!(fs::read_to_string(destination.join("snippets/one.js")).unwrap(), "1");
        assert!(!destination.join("gone.js").exists());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn work_is_skipped_only_while_key_and_files_are_the_same() {
        let directory = scratch("skips");
        let destination = directory.join("pkg");
        let staging = staged(&directory);
        assert!(!staging.is_current("key", &destination));
        staging.install("key", &destination).unwrap();
        assert!(staging.is_current("key", &destination));
        assert!(!staging.is_current("other key", &destination));
        fs::write(destination.join("module.wasm"), "touched by hand").unwrap();
        assert!(!staging.is_current("key", &destination));
        fs::remove_dir_all(directory).unwrap();
    }
}
