//! `landfall check`: for each thing that may not hold together, a fault of that kind planted and found.

use landfall_server::app::system_time;
use serde_json::json;

use crate::database::Database;
use crate::harness::{Device, Server};

/// Two devices: a document in three versions with a conflict that is settled, another one, some verdicts settled.
async fn server() -> Server {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "a", "site": "s" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("b"))]).await.batch();
    server
        .push(&ben, &[ben.patch(1, "d", 1, "/notes", &json!("c")), ben.create(2, "e", &json!({}))])
        .await
        .batch();
    server.push(&ben, &[ben.create(3, "f", &json!({})), ben.delete(4, "f", 1)]).await.batch();
    let id = server.conflicts(&ada).await[0]["id"].clone();
    server.resolve(&ada, json!({ "id": id, "choice": "lost" })).await;
    let mut batch = ben.batch(&[]);
    batch["settled"] = json!({ (ben.writer.clone()): [[3, 4]] });
    server.post(&ben, batch.to_string()).await.batch();
    server
}

async fn findings(server: &Server) -> Vec<String> {
    server.app.store.check(system_time()).await.unwrap().findings
}

#[tokio::test]
async fn a_database_that_holds_together_is_looked_at_and_nothing_is_found() {
    let server = server().await;
    let report = server.app.store.check(system_time()).await.unwrap();
    assert_eq!(report.findings, [""; 0]);
    assert_eq!((report.documents, report.mutations, report.receipts), (3, 7, 4));
}

#[tokio::test]
async fn each_fault_is_found_and_named() {
    for (fault, finding) in [
        (
            "UPDATE tenants SET position = position - 1",
            "tenant default: a document is at position 5, and the counter at 4",
        ),
        ("DELETE FROM tenants", "the counter of tenant default is not there"),
        ("DELETE FROM commits WHERE position = 2", "1 of 5 commits are not there"),
        (
            "DELETE FROM commits WHERE position = 3",
            "document visits e was changed by a commit that is not there",
        ),
        (
            "DELETE FROM commits WHERE position = 2",
            "the history of visits d names a commit that is not there",
        ),
        (
            "DELETE FROM commits WHERE position = 3",
            "a conflict about visits d names a commit that is not there",
        ),
        (
            "INSERT INTO backups (tenant, position) VALUES ('default', 9)",
            "what is said to be in a backup is at position 9",
        ),
        (
            r#"UPDATE documents SET data = '{"notes":' WHERE document = 'd'"#,
            "document visits d: its text is no JSON object",
        ),
        (
            "UPDATE documents SET data = '[]' WHERE document = 'd'",
            "document visits d: its text is no JSON object",
        ),
        ("UPDATE documents SET stamp = 'x' WHERE document = 'e'", "document visits e: it cannot be read"),
        ("UPDATE documents SET stamps = '{' WHERE document = 'e'", "document visits e: it cannot be read"),
        (
            "UPDATE documents SET stamp = '0292f0c1a2b3-0001-00000000000000000000000000000001' WHERE document = 'd'",
            "document visits d: the stamp 0292f0c1a2b3-0001-00000000000000000000000000000001 is of no change in its history",
        ),
        (
            "UPDATE documents SET version = 9 WHERE document = 'd'",
            "document visits d: its history does not have version 9",
        ),
        (
            "UPDATE documents SET version = 1 WHERE document = 'd'",
            "document visits d: its history goes on to version 4",
        ),
        (
            "UPDATE documents SET position = 1 WHERE document = 'd'",
            "version 4 is at position 5 in its history, and here at 1",
        ),
        ("UPDATE documents SET hidden = 1 WHERE document = 'e'", "document visits e: whether it is hidden"),
        (
            "DELETE FROM history WHERE document = 'd' AND version = 1",
            "document visits d: a field is of version 1, which its history does not have",
        ),
        ("DELETE FROM documents WHERE document = 'e'", "there is a history of visits e and no document"),
        ("DELETE FROM documents WHERE document = 'd'", "there is a conflict about visits d and no document"),
        ("DELETE FROM conflicts", "conflict lost was settled, and there is no such conflict"),
        ("DELETE FROM audit", "the audit log has 0 entries, and 1 were counted"),
        (
            "UPDATE history SET mutation = '{}' WHERE document = 'e'",
            "the mutation that made version 1 of visits e cannot be read",
        ),
        (
            "UPDATE history SET mutation = (SELECT mutation FROM history WHERE document = 'e') WHERE document = 'f' AND version = 1",
            "the history of visits f has a mutation of another document",
        ),
        (
            "UPDATE history SET client = 'nobody' WHERE document = 'e'",
            "a change of visits e is by a client that is not there",
        ),
        (
            "DELETE FROM receipts WHERE n = 2 AND writer = '00000000000000000000000000000001'",
            "mutation 00000000000000000000000000000001:2 is in the history and has no receipt",
        ),
        (
            "DELETE FROM settled",
            "mutation 00000000000000000000000000000002:4 is in the history and has no receipt",
        ),
        (
            "UPDATE settled SET code = 'forbidden'",
            "00000000000000000000000000000002:3 is in the history, and settled as refused",
        ),
        (
            "UPDATE receipts SET result = '{}'",
            "receipt 00000000000000000000000000000001:1: its verdict cannot be read",
        ),
        (
            "UPDATE receipts SET hash = 'x'",
            "receipt 00000000000000000000000000000001:1: its hash cannot be read",
        ),
        (
            r#"UPDATE receipts SET result = replace(result, '"position":1', '"position":99')"#,
            "receipt 00000000000000000000000000000001:1: it is at position 99, and the counter at 5",
        ),
        (
            r#"UPDATE receipts SET result = replace(result, '"position":2', '"position":1')"#,
            "mutation 00000000000000000000000000000001:2 made version 2 at position 2, and its receipt says otherwise",
        ),
        (
            "DELETE FROM writers",
            "there are verdicts for writer 00000000000000000000000000000001, which is nobody's",
        ),
        (
            "DELETE FROM writers",
            "there are settled verdicts for writer 00000000000000000000000000000002, which is nobody's",
        ),
    ] {
        let server = server().await;
        server.database.change(fault).await;
        let found = findings(&server).await;
        assert!(found.iter().any(|line| line.contains(finding)), "{fault}: not {finding:?} but {found:#?}");
    }
}

#[tokio::test]
async fn many_of_one_kind_are_told_shortly() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let many: Vec<_> = (1..=50).map(|n| ada.create(n, &format!("d{n:02}"), &json!({}))).collect();
    server.push(&ada, &many).await.batch();
    server.database.change("DELETE FROM receipts; DELETE FROM documents").await;
    let found = findings(&server).await;
    assert!(found.contains(&"30 more of these".to_owned()) && found.len() < 100, "{found:#?}");
}

#[tokio::test]
async fn an_owner_that_is_not_there_is_found() {
    let server = server().await;
    let finding = match &*server.database {
        Database::File(_) => {
            server.database.change("PRAGMA foreign_keys = 0; DELETE FROM clients").await;
            "a row of writers names something that is not in clients"
        }
        Database::Postgres(_) => {
            server
                .database
                .change("ALTER TABLE writers DROP CONSTRAINT writers_client_fkey; DELETE FROM clients")
                .await;
            "the owner of writer 00000000000000000000000000000001 is a client that is not there"
        }
    };
    let found = findings(&server).await;
    assert!(found.iter().any(|line| line.contains(finding)), "{found:#?}");
}
