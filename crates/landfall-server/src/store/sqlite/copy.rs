//! Copies of a file: one made while servers work with it, and one put where there is none.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use super::{APPLICATION_ID, Handle};

/// Where SQLite notes whose file it is.
const APPLICATION_AT: u64 = 68;

/// Writes all that is committed into a new file, as of one moment; it is on the disk once this returns.
pub(super) fn write(handle: &mut Handle, to: &Path) -> Result<(), String> {
    if to.exists() {
        return Err(format!("{} is there already; name a file that is not", to.display()));
    }
    let name = to.to_str().ok_or_else(|| format!("{} is no name that SQLite takes", to.display()))?;
    let text = |error: rusqlite::Error| format!("{} cannot be written: {error}", to.display());
    handle.execute("VACUUM INTO ?1", [name]).map_err(text)?;
    settle(to).map_err(|error| format!("{} cannot be written: {error}", to.display()))
}

/// Copies a file of ours beside the place where it is to be, for [`put`].
pub(in super::super) fn bring(from: &Path, to: &Path) -> Result<PathBuf, String> {
    for name in [to.to_owned(), with(to, "-wal"), with(to, "-shm")] {
        if name.exists() {
            return Err(format!(
                "{} is there already; move it away first, or name another place",
                name.display()
            ));
        }
    }
    let unreadable = |error: io::Error| format!("{} cannot be read: {error}", from.display());
    if !is_ours(from).map_err(unreadable)? {
        return Err(format!("{} is no backup of a Landfall", from.display()));
    }
    let log = with(from, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let (from, log) = (from.display(), log.display());
        return Err(format!(
            "{log} belongs to {from}, so that is no backup: make one with `landfall backup`"
        ));
    }
    let beside = with(to, "-restoring");
    // What an earlier try has left, which was ended in the middle.
    for name in [beside.clone(), with(&beside, "-wal"), with(&beside, "-shm")] {
        fs::remove_file(name).ok();
    }
    fs::copy(from, &beside).map_err(|error| format!("{} cannot be written: {error}", beside.display()))?;
    Ok(beside)
}

/// Moves what was brought to where it is to be, unless something has come there meanwhile.
pub(in super::super) fn put(beside: &Path, to: &Path) -> Result<(), String> {
    let put = || {
        settle(beside)?;
        // Unlike a rename it fails where there is a file.
        fs::hard_link(beside, to)?;
        fs::remove_file(beside)?;
        settle(to)
    };
    put().map_err(|error: io::Error| format!("{} cannot be written: {error}", to.display()))
}

fn is_ours(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut mark = [0; 4];
    file.seek(io::SeekFrom::Start(APPLICATION_AT))?;
    Ok(file.read_exact(&mut mark).is_ok() && i64::from(u32::from_be_bytes(mark)) == APPLICATION_ID)
}

/// Waits until a file and its name are on the disk.
fn settle(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
