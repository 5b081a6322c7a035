//! Tables that an earlier server made, and steps that come to no end.

use landfall_server::{Config, Store};
use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::{Device, Server, verdicts};

/// Takes away what the sixth and the seventh version of the tables have brought.
pub(crate) const FIFTH: &str = "ALTER TABLE clients DROP COLUMN said; ALTER TABLE clients DROP COLUMN oldest; \
    DROP INDEX clients_in_order; DROP INDEX conflicts_of_documents; DROP TABLE expired; \
    DROP INDEX audit_in_order; ALTER TABLE audit DROP COLUMN entry; ALTER TABLE tenants DROP COLUMN entries; \
    ALTER TABLE documents DROP COLUMN erased; DROP TABLE erasures;";

/// Takes tables of the fifth version back to their second one, as far as anybody can tell.
pub(crate) const SECOND: &str = "ALTER TABLE documents DROP COLUMN whole_stamp; \
    ALTER TABLE documents DROP COLUMN whole_version; ALTER TABLE history DROP COLUMN stamp; \
    DROP TABLE settled; DROP TABLE earlier; DROP TABLE backups;";

#[tokio::test]
async fn a_file_of_the_server_that_used_another_library_keeps_all_that_is_in_it() {
    let database = Database::file();
    database.change(include_str!("version4.sql")).await;
    let server = Server::on(database, Config::demo()).await;
    assert_eq!(server.app.store.cursor_key(), b"dbd213d68d96b7fc3e1584e86a16fe9b");
    let (ada, cora) = (Device::of("ada", 1), Device::of("cora", 3).role("coordinator"));
    let shown = |page: crate::harness::Page| -> Vec<(String, u64)> {
        page.changes.iter().map(|change| (change.document.to_string(), change.version.0)).collect()
    };
    let page = server.pull(&ada, "").await.page();
    assert_eq!(page.epoch, "d59f96a11cf662d792a3a0047862a87b");
    assert_eq!(shown(page), [("b".to_owned(), 1), ("a".to_owned(), 4)]);
    // A verdict that is kept, one that was settled, and what comes behind them.
    let again = [
        ada.delete(5, "c", 1),
        ada.create(2, "b", &json!({ "inspector": "ada", "notes": "two" })),
        ada.patch(7, "a", 4, "/notes", &json!("since")),
    ];
    let reply = server.push(&ada, &again).await.batch();
    assert_eq!(verdicts(&reply), ["applied", "merged", "applied"]);
    let duplicates: Vec<_> = reply.results.iter().map(|result| result.duplicate).collect();
    assert_eq!(duplicates, [true, true, false]);
    assert_eq!(reply.results[2].position.0, 5);
    let conflict = &server.conflicts(&cora).await[0];
    assert_eq!(
        (&conflict["id"], &conflict["resolved"]["choice"]),
        (&json!("3-0-7788d208177e1580"), &json!("lost"))
    );
}

#[tokio::test]
async fn a_migration_that_does_not_come_to_its_end_has_changed_nothing() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    server.app.store.close().await;
    let database = &server.database;
    // The third step can be taken and the fourth one not: there is a table in its way.
    database.change(&[FIFTH, SECOND].concat()).await;
    database.change("CREATE TABLE settled (here BIGINT)").await;
    database.mark(2).await;
    let before = database.version().await;
    let refused = Store::open(&database.url()).await.unwrap_err().to_string();
    assert!(refused.contains("settled"), "{refused}");
    assert_eq!(database.version().await, before);
    assert!(!database.has("earlier").await, "half a migration is in");
    database.change("DROP TABLE settled").await;
    let server = server.restart().await;
    assert!(server.database.has("earlier").await);
    let reply = server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    assert!(reply.results[0].duplicate);
}

impl Database {
    async fn version(&self) -> Value {
        let version = match self {
            Database::File(_) => "PRAGMA user_version",
            Database::Postgres(_) => "SELECT value FROM meta WHERE name = 'tables'",
        };
        self.read(version).await[0][0].clone()
    }

    /// Whether there is a table.
    pub(crate) async fn has(&self, table: &str) -> bool {
        let tables = match self {
            Database::File(_) => "SELECT name FROM sqlite_master",
            Database::Postgres(_) => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
            }
        };
        self.read(tables).await.iter().any(|row| row[0] == table)
    }
}
