//! A file of an earlier server, and servers that die while they bring it up to date.

use std::time::Duration;

use landfall_tests::chance::Chance;
use landfall_tests::process::{self, Server};
use serde_json::Value;
use tokio::time::timeout;

use crate::database::Database;
use crate::figures::Figures;
use crate::room::Room;
use crate::world::Settings;

/// As the server of version 4 has left it.
const FILE: &str = include_str!("../../crates/landfall-server/tests/server/version4.sql");
/// What must be in it before and after.
const TABLES: [&str; 12] = [
    "meta",
    "tenants",
    "commits",
    "documents",
    "receipts",
    "settled",
    "clients",
    "writers",
    "history",
    "conflicts",
    "audit",
    "earlier",
];
/// How often it is killed at any moment.
const ANY_MOMENT: u64 = 6;

/// Has servers die at every point of the way and at any moment; gives how many.
///
/// # Panics
/// Something of what was in the file is gone, or no server can bring it up to date any more.
pub(crate) async fn migrate(settings: &Settings, seed: u64, figures: &mut Figures) -> usize {
    let (room, mut chance) = (Room::new(), Chance::new(seed, 2));
    let mut deaths = 0;
    for n in 1.. {
        let database = file(&room).await;
        let before = rows(&database).await;
        let mut server = start(settings, &room, &database, Some(&format!("in_migration:{n}")));
        let died = server.listens().await.is_err();
        server.kill().await;
        if died {
            deaths += 1;
            figures.died("in_migration", true);
        }
        finish(settings, &room, &database, &before).await;
        if !died {
            // There is no point behind this.
            break;
        }
    }
    for _ in 0..ANY_MOMENT {
        let database = file(&room).await;
        let before = rows(&database).await;
        let mut server = start(settings, &room, &database, None);
        // However far it has come.
        _ = timeout(Duration::from_micros(chance.below(15_000)), server.listens()).await;
        server.kill().await;
        deaths += 1;
        figures.died("while starting", true);
        finish(settings, &room, &database, &before).await;
    }
    deaths
}

async fn file(room: &Room) -> Database {
    let database = Database::File(tempfile::tempdir_in(room.disk()).expect("a directory can be made"));
    database.change(FILE).await;
    database
}

fn start(settings: &Settings, room: &Room, database: &Database, fault: Option<&str>) -> Server {
    let mut command = room.command(&settings.server, false);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]);
    command.env("LANDFALL_LOG", "warn").stderr(process::log(&room.beside().join("server.log")));
    command.env_remove("LANDFALL_FAULT").envs(fault.map(|fault| ("LANDFALL_FAULT", fault)));
    Server::spawn(&mut command)
}

/// A server that nobody kills finds everything.
async fn finish(settings: &Settings, room: &Room, database: &Database, before: &[Vec<Vec<Value>>]) {
    let mut server = start(settings, room, database, None);
    server.listens().await.expect("what others have begun is no hindrance");
    assert!(server.end().await.success(), "a server ends when it is asked to");
    let mut after = rows(database).await;
    // Later versions add columns, and those stand behind the others.
    for (rows, before) in after.iter_mut().zip(before) {
        for (row, before) in rows.iter_mut().zip(before) {
            row.truncate(before.len());
        }
    }
    assert_eq!(after, before, "a migration that was interrupted has changed what was there");
}

async fn rows(database: &Database) -> Vec<Vec<Vec<Value>>> {
    let mut all = Vec::new();
    for table in TABLES {
        all.push(database.read(&format!("SELECT * FROM {table} ORDER BY 1, 2")).await);
    }
    all
}
