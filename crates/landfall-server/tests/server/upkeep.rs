//! Backups made, put back and looked through by the binary, as whoever runs a server does it.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::Device;
use crate::process::{Running, landfall, refusal};

fn run(directory: &Path, arguments: &[&str]) -> String {
    let output = landfall(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = landfall(directory);
    command.args(arguments);
    command
}

fn push(server: &Running, device: &Device, n: u64, document: &str) {
    let batch = device.batch(&[device.create(n, document, &json!({ "n": n }))]);
    let reply = server.call("POST /api/v1/sync/batch", &batch.to_string());
    assert_eq!(reply["results"][0]["verdict"], "applied");
}

fn pull(server: &Running, cursor: &str) -> Value {
    server.call(&format!("GET /api/v1/sync/pull?cursor={cursor}"), "")
}

#[test]
fn a_backup_made_beside_a_running_server_is_put_back_with_a_new_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let (here, ada) = (directory.path(), Device::of("ada", 1));
    let server = Running::on("sqlite://./landfall.db", here);
    push(&server, &ada, 1, "a");
    let before = pull(&server, "");
    let end = before["cursor"].as_str().unwrap().to_owned();
    let said = run(here, &["backup", "copy.db"]);
    assert!(said.contains("backed up to copy.db") && said.contains("landfall backed-up --begun "), "{said}");
    push(&server, &ada, 2, "b");
    let last = pull(&server, "")["cursor"].as_str().unwrap().to_owned();
    assert_eq!(server.end(), 0);

    let said = run(here, &["restore", "copy.db", "--database", "sqlite://./other.db"]);
    assert!(said.starts_with("restored sqlite://./other.db; a new epoch begins"), "{said}");
    let mut names: Vec<_> = std::fs::read_dir(here)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["copy.db", "landfall.db", "other.db"]);
    let server = Running::on("sqlite://./other.db", here);
    let page = pull(&server, &format!("{last}~{last}~{end}"));
    assert_eq!(page["reset"], json!({ "reason": "new_epoch", "restoredThrough": 1 }));
    assert_ne!(page["epoch"], before["epoch"]);
    // Even a device that has nothing but what is in the backup hears of it.
    assert_eq!(pull(&server, &end)["reset"]["reason"], "new_epoch");
    // What is sent again is in the backup or not, and is there once.
    push(&server, &ada, 2, "b");
    let batch = ada.batch(&[ada.create(1, "a", &json!({ "n": 1 }))]);
    let reply = server.call("POST /api/v1/sync/batch", &batch.to_string());
    assert_eq!(reply["results"][0]["duplicate"], true);
    assert_eq!(server.end(), 0);
    let said = run(here, &["check", "--database", "sqlite://./other.db"]);
    assert_eq!(said, "looked at 2 documents, 2 mutations, 2 receipts\n");
}

#[test]
fn nothing_is_written_over_and_what_is_no_backup_is_not_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    assert_eq!(Running::start(here).end(), 0);
    run(here, &["backup", "copy.db"]);
    std::fs::write(here.join("text.db"), "x".repeat(4_096)).unwrap();
    std::fs::copy(here.join("landfall.db"), here.join("live.db")).unwrap();
    std::fs::write(here.join("live.db-wal"), "something").unwrap();
    std::fs::write(here.join("left.db-wal"), "").unwrap();
    let before = std::fs::read(here.join("landfall.db")).unwrap();
    let other = ["--database", "sqlite://./other.db"];
    for (arguments, reason) in [
        (vec!["backup", "copy.db"], "copy.db is there already; name a file that is not"),
        (vec!["backup", "nowhere/copy.db"], "nowhere/copy.db cannot be written"),
        (vec!["restore", "copy.db"], "./landfall.db is there already; move it away first"),
        (vec!["restore", "copy.db", "--database", "sqlite://./left.db"], "./left.db-wal is there already"),
        ([&["restore", "text.db"], &other[..]].concat(), "text.db is no backup of a Landfall"),
        ([&["restore", "nothing.db"], &other[..]].concat(), "nothing.db cannot be read"),
        ([&["restore", "live.db"], &other[..]].concat(), "make one with `landfall backup`"),
        (
            vec!["restore", "copy.db", "--database", "postgres://host/name"],
            "landfall restored --database URL",
        ),
        (vec!["restore", "copy.db", "--database", "other.db"], "is not the address of a database"),
        (vec!["check", "--database", "sqlite://./other.db"], "there is no such file"),
    ] {
        let text = refusal(&mut command(here, &arguments));
        assert!(text.contains(reason), "{arguments:?}: {text}");
        assert!(!here.join("other.db").exists(), "{arguments:?}");
    }
    assert_eq!(std::fs::read(here.join("landfall.db")).unwrap(), before);
}

#[test]
fn a_damaged_file_is_found_and_not_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let (here, ada) = (directory.path(), Device::of("ada", 1));
    let server = Running::start(here);
    let many: Vec<_> = (1..=500).map(|n| ada.create(n, &format!("d{n}"), &json!({ "n": n }))).collect();
    server.call("POST /api/v1/sync/batch", &ada.batch(&many).to_string());
    assert_eq!(server.end(), 0);
    let handle = rusqlite::Connection::open(here.join("landfall.db")).unwrap();
    let number = |sql| handle.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap().cast_unsigned();
    let page = number("SELECT rootpage FROM sqlite_master WHERE name = 'documents_in_order'");
    let size = number("PRAGMA page_size");
    drop(handle);
    let mut file = std::fs::File::options().write(true).open(here.join("landfall.db")).unwrap();
    file.seek(std::io::SeekFrom::Start((page - 1) * size)).unwrap();
    file.write_all(&[0; 64]).unwrap();
    drop(file);
    let output = landfall(here).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("nothing else was looked at"), "{said}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("does not hold together") && told.contains("put a backup back"), "{told}");
    let text = refusal(&mut command(here, &["restore", "landfall.db", "--database", "sqlite://./other.db"]));
    assert!(text.contains("landfall.db is damaged: "), "{text}");
    assert!(!here.join("other.db").exists());
}

#[tokio::test]
async fn a_database_put_back_in_another_way_gets_its_new_epoch_beside_a_running_server() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let server = Running::on(&database.url(), directory.path());
    push(&server, &Device::of("ada", 1), 1, "a");
    let before = pull(&server, "");
    let said = run(directory.path(), &["restored", "--database", &database.url()]);
    assert!(said.starts_with("a new epoch begins"), "{said}");
    let page = pull(&server, before["cursor"].as_str().unwrap());
    assert_eq!(page["reset"]["reason"], "new_epoch");
    assert_ne!(page["epoch"], before["epoch"]);
}

#[tokio::test]
async fn a_database_is_looked_through_beside_a_running_server_and_a_fault_ends_with_an_error() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let server = Running::on(&database.url(), directory.path());
    push(&server, &Device::of("ada", 1), 1, "a");
    let said = run(directory.path(), &["check", "--database", &database.url()]);
    assert_eq!(said, "looked at 1 documents, 1 mutations, 1 receipts\n");
    database.change("DELETE FROM receipts").await;
    let output = landfall(directory.path()).args(["check", "--database", &database.url()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("has no receipt: sent again, it would count twice\n"), "{said}");
}
