//! A throw-away PostgreSQL, from the server that Debian's packages bring.
//!
//! One for the process, started by whoever asks first. A shell holds it: once the process is gone, however it ended,
//! the shell's input is at its end, and it stops the server and removes its files.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Names a cluster that another process holds.
pub(crate) const VARIABLE: &str = "LANDFALL_TEST_POSTGRES";

const ADVICE: &str = "no PostgreSQL server found to test with: install the package `postgresql`";

/// `fsync` stays on. An ICU collation, so that what is compared byte by byte is so because we say it.
const HOLD: &str = r#"
set -e
"$1/initdb" -D data -U landfall -A trust -E UTF8 --locale-provider=icu --icu-locale=en-US --no-sync >log 2>&1 || { cat log; exit 1; }
"$1/postgres" -D data -k "$PWD" -c listen_addresses= -c max_connections=400 -c shared_buffers=32MB -c max_wal_size=64MB -c dynamic_shared_memory_type=mmap >>log 2>&1 &
until "$1/pg_isready" -q -h "$PWD"; do kill -0 $! || { cat log; exit 1; }; sleep 0.05; done
echo ready
read -r end || true
kill -QUIT $! && wait $! || true
rm -rf "$PWD"
"#;

struct Held {
    directory: PathBuf,
    /// Its input stays open for as long as this process is there.
    _shell: Child,
}

/// The directory of the cluster's socket.
pub(crate) fn socket() -> PathBuf {
    static HELD: OnceLock<Held> = OnceLock::new();
    match std::env::var_os(VARIABLE) {
        Some(directory) => directory.into(),
        None => HELD.get_or_init(hold).directory.clone(),
    }
}

/// The address of a database of the cluster.
pub(crate) fn address(name: &str) -> String {
    format!("postgres://landfall@/{name}?host={}", socket().display())
}

fn hold() -> Held {
    let programs = programs().expect(ADVICE);
    let directory = tempfile::tempdir_in(place()).unwrap().keep();
    let mut shell = Command::new("sh");
    shell.args(["-c", HOLD, "sh"]).arg(programs).current_dir(&directory);
    if std::fs::metadata(&directory).unwrap().uid() == 0 {
        // PostgreSQL does not run as root.
        let (uid, gid) = somebody();
        chown(&directory, Some(uid), Some(gid)).unwrap();
        shell.uid(uid).gid(gid);
    }
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut output = BufReader::new(shell.stdout.take().unwrap());
    while output.read_line(&mut said).unwrap() > 0 && !said.ends_with("ready\n") {}
    assert!(said.ends_with("ready\n"), "PostgreSQL does not start: {said}");
    Held { directory, _shell: shell }
}

/// Names a directory for it, for whoever wants to wait for a disk.
const PLACE: &str = "LANDFALL_TEST_PLACE";

/// In memory where there is room for it: nobody cuts the power here, and waiting for a disk is most of the time.
fn place() -> PathBuf {
    if let Some(place) = std::env::var_os(PLACE) {
        return place.into();
    }
    const MEMORY: &str = "/dev/shm";
    const ROOM_KIB: u64 = 1 << 20;
    let free = Command::new("df").args(["--output=avail", "-k", MEMORY]).stderr(Stdio::null()).output();
    let free =
        free.ok().and_then(|df| String::from_utf8(df.stdout).ok()?.lines().nth(1)?.trim().parse().ok());
    if free.is_some_and(|free: u64| free > ROOM_KIB) { MEMORY.into() } else { std::env::temp_dir() }
}

/// The directory of the newest server there is.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let installed = newest.map(|path| path.join("bin")).into_iter().chain(std::env::split_paths(&paths));
    let complete = |path: &PathBuf| path.join("initdb").is_file() && path.join("postgres").is_file();
    installed.filter(complete).map(|path| path.canonicalize().unwrap_or(path)).next()
}

/// A user without rights.
fn somebody() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let mut user = users.lines().find_map(|line| line.strip_prefix(name))?.split(':');
        Some((user.nth(1)?.parse().ok()?, user.next()?.parse().ok()?))
    };
    find("postgres:").or_else(|| find("nobody:")).expect("neither `postgres` nor `nobody` is a user here")
}
