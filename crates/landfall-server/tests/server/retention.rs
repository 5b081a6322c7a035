//! History that is not kept for ever: what is too old goes, a little at a time, and nothing else stops being right.

use std::io::{BufRead, BufReader};

use landfall_core::time::{Millis, WallTime};
use landfall_server::Config;
use landfall_server::app::system_time;
use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts, with};
use crate::process::Running;

const RULES: &str = "
history_days: 400
collections:
  visits:
    history_days: 30
    read: document.inspector == user.id || 'coordinator' in user.roles
    create: 'true'
    update: 'true'
    delete: 'true'
  forms: { history_days: 30, policy: document-last-write-wins, read: 'true', create: 'true', update: 'true' }
  notes: { read: 'true', create: 'true' }
";
const DAY: Millis = Millis::seconds(24 * 60 * 60);

/// Forty days before all else.
fn long_ago() -> WallTime {
    WallTime(system_time().0 - 40 * DAY.0)
}

fn at(server: &mut Server, clock: fn() -> WallTime) {
    server.app.clock = clock;
    server.pace(|_| ());
}

/// Walks through all of it; gives what went with each turn.
async fn forget(server: &Server, now: WallTime) -> Vec<usize> {
    let retention = Config::parse(RULES, "landfall.yaml").unwrap().retention;
    let mut walk = server.app.store.walk(&retention, now).await.unwrap();
    let mut gone = vec![];
    while let Some(more) = server.app.store.forget_some(&mut walk).await.unwrap() {
        gone.push(more);
    }
    gone
}

async fn findings(server: &Server) -> Vec<String> {
    server.app.store.check(system_time()).await.unwrap().findings
}

async fn versions(server: &Server, device: &Device, document: &str) -> Vec<u64> {
    let told = server.history(device, document, "").await.json();
    told["changes"].as_array().unwrap().iter().map(|change| change["version"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_in_each_tenant_and_the_rest_is_told_as_before() {
    let mut server = Server::configured(RULES).await;
    let (ada, north) = (Device::of("ada", 1), Device::of("ada", 2).tenant("north"));
    let hers = json!({ "inspector": "ada", "notes": "" });
    at(&mut server, long_ago);
    for device in [&ada, &north] {
        server.push(device, &[device.create(1, "d", &hers), device.create(2, "still", &hers)]).await.batch();
        server.push(device, &[device.create_in("notes", 3, "n", &json!({}))]).await.batch();
        server.push(device, &[device.patch(4, "d", 1, "/notes", &json!("one"))]).await.batch();
    }
    at(&mut server, system_time);
    server.push(&ada, &[ada.patch(5, "d", 2, "/notes", &json!("two"))]).await.batch();
    assert_eq!(forget(&server, long_ago().after(Millis(29 * DAY.0))).await.iter().sum::<usize>(), 0);
    assert_eq!(versions(&server, &ada, "visits/d").await, [3, 2, 1]);
    assert_eq!(forget(&server, system_time()).await.iter().sum::<usize>(), 6);
    assert_eq!(versions(&server, &ada, "visits/d").await, [3]);
    for (device, document, left) in
        [(&ada, "visits/still", vec![]), (&north, "visits/d", vec![]), (&ada, "notes/n", vec![1])]
    {
        assert_eq!(versions(&server, device, document).await, left, "{document}");
    }
    assert_eq!(findings(&server).await, [""; 0]);
    // The documents are as they were, and so are verdicts.
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 3);
    let again = server.push(&ada, &[ada.create(1, "d", &hers)]).await.batch();
    assert!(again.results[0].duplicate);
    assert_eq!(forget(&server, system_time()).await.iter().sum::<usize>(), 0, "there is nothing left to do");
    // What is said at the top counts where a collection says nothing.
    let later = long_ago().after(Millis(401 * DAY.0));
    assert_eq!(forget(&server, later).await.iter().sum::<usize>(), 3);
    assert_eq!(versions(&server, &ada, "notes/n").await, [0; 0]);
}

#[tokio::test]
async fn a_server_forgets_when_it_starts_and_says_how_much() {
    let (directory, ada) = (tempfile::tempdir().unwrap(), Device::of("ada", 1));
    let mut server = Server::configured(RULES).await;
    at(&mut server, long_ago);
    server.push(&ada, &[ada.create(1, "d", &json!({ "inspector": "ada" }))]).await.batch();
    std::fs::write(directory.path().join("landfall.yaml"), RULES).unwrap();
    let (log, written) = std::io::pipe().unwrap();
    let (running, _) = Running::with(&server.database.url(), directory.path(), |command| {
        command.args(["--config", "landfall.yaml"]).env("LANDFALL_LOG", "info").stderr(written);
    });
    let mut lines = BufReader::new(log).lines().map(|line| line.unwrap());
    let told = lines.find(|line| line.contains("are forgotten")).unwrap();
    assert!(told.contains("gone=1"), "{told}");
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 0);
    assert_eq!(running.end(), 0);
}

#[tokio::test]
async fn a_turn_takes_no_more_than_a_thousand_changes() {
    let mut server = Server::configured(RULES).await;
    let ada = Device::of("ada", 1);
    at(&mut server, long_ago);
    server.push(&ada, &[ada.create(1, "d", &json!({ "inspector": "ada" }))]).await.batch();
    for first in [2, 902] {
        let many: Vec<Value> =
            (first..first + 900).map(|n| ada.patch(n, "d", n - 1, "/notes", &json!(n))).collect();
        server.push(&ada, &many).await.batch();
    }
    let mut walk = {
        let retention = Config::parse(RULES, "landfall.yaml").unwrap().retention;
        server.app.store.walk(&retention, system_time()).await.unwrap()
    };
    let mut turns = vec![];
    while let Some(gone) = server.app.store.forget_some(&mut walk).await.unwrap() {
        turns.push(gone);
        let left = server.rows("SELECT COUNT(*) FROM history").await;
        assert_eq!(left, 1801 - i64::try_from(turns.iter().sum::<usize>()).unwrap());
        assert_eq!(findings(&server).await, [""; 0], "what is half done holds together");
    }
    turns.retain(|gone| *gone > 0);
    assert_eq!(turns, [1_000, 801]);
}

#[tokio::test]
async fn what_is_forgotten_excuses_nothing_that_came_later() {
    let faults = [
        ("DELETE FROM history WHERE version = 3", "its history does not have version 3"),
        (
            "DELETE FROM history WHERE document = 'new'",
            "document visits new: its history does not have version 1",
        ),
        ("UPDATE expired SET position = 99", "what is forgotten of the history is at position 99"),
    ];
    for (fault, finding) in faults {
        let mut server = Server::configured(RULES).await;
        let ada = Device::of("ada", 1);
        at(&mut server, long_ago);
        server.push(&ada, &[ada.create(1, "d", &json!({ "inspector": "ada", "size": 1 }))]).await.batch();
        server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("one"))]).await.batch();
        at(&mut server, system_time);
        server.push(&ada, &[ada.patch(3, "d", 2, "/notes", &json!("two"))]).await.batch();
        server.push(&ada, &[ada.create(4, "new", &json!({ "inspector": "ada" }))]).await.batch();
        forget(&server, system_time()).await;
        assert_eq!(findings(&server).await, [""; 0]);
        server.database.change(fault).await;
        let found = findings(&server).await;
        assert!(found.iter().any(|line| line.contains(finding)), "{fault}: {found:#?}");
    }
}

/// Without the history nobody knows who could see a document, so whoever may have it starts over.
#[tokio::test]
async fn a_device_that_has_not_pulled_since_what_is_forgotten_starts_over_and_keeps_nothing() {
    let mut server = Server::configured(RULES).await;
    let ben = Device::of("ben", 2);
    at(&mut server, long_ago);
    server.push(&ben, &[ben.create(1, "d", &json!({ "inspector": "ben" }))]).await.batch();
    let had = server.pull(&ben, "").await.page().cursor.clone();
    server.push(&ben, &[ben.patch(2, "d", 1, "/inspector", &json!("ada"))]).await.batch();
    let knows = server.pull(&ben, &format!("cursor={had}")).await.page();
    let kinds = |page: &crate::harness::Page| -> Vec<String> {
        page.changes.iter().map(|change| change.kind.clone()).collect()
    };
    assert_eq!(kinds(&knows), ["eviction"]);
    at(&mut server, system_time);
    forget(&server, system_time()).await;
    let page = server.pull(&ben, &format!("cursor={had}")).await.page();
    assert_eq!(page.reset.as_ref().map(|reset| &*reset.reason), Some("resync_required"));
    assert_eq!(kinds(&page), [""; 0]);
    // Whoever has had everything since goes on, and so does who has started over.
    for cursor in [&knows.cursor, &page.cursor] {
        assert!(server.pull(&ben, &format!("cursor={cursor}")).await.page().reset.is_none());
    }
    // A cursor that is shown after a restore vouches for nothing before.
    server.app.store.restored().await.unwrap();
    for (end, through) in [(&had, 0), (&knows.cursor, 2)] {
        let page = server.pull(&ben, &format!("cursor={had}~{end}")).await.page();
        assert_eq!(page.reset.as_ref().unwrap().restored_through.0, through);
    }
}

#[tokio::test]
async fn a_document_that_is_decided_as_a_whole_is_decided_by_fields_where_its_past_is_forgotten() {
    let mut server = Server::configured(RULES).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let form = json!({ "status": "planned", "notes": "" });
    let patch = |device: &Device, n: u64, base: u64, path: &str, value: &str| {
        let fields = vec![json!({ "path": path, "op": "set", "value": value })];
        device.mutation("forms", n, "f", "patch", fields, base)
    };
    at(&mut server, long_ago);
    server.push(&ada, &[ada.create_in("forms", 1, "f", &form)]).await.batch();
    server.push(&ada, &[patch(&ada, 2, 1, "/notes", "mine")]).await.batch();
    server.push(&ben, &[patch(&ben, 1, 2, "/status", "done")]).await.batch();
    at(&mut server, system_time);
    assert_eq!(server.rows("SELECT COUNT(*) FROM earlier").await, 2);
    forget(&server, system_time()).await;
    assert_eq!(server.rows("SELECT COUNT(*) FROM earlier").await, 0);
    // Of what the installation wrote since nothing is known, and nothing of it is undone.
    let late = with(patch(&ada, 3, 1, "/status", "late"), "after", json!(format!("{}:2", ada.writer)));
    let reply = server.push(&ada, &[late]).await.batch();
    assert_eq!(verdicts(&reply), ["conflict"]);
    let data = server.pull(&ada, "").await.page().changes[0].data.clone().unwrap();
    assert!(data.text().contains("\"notes\":\"mine\""), "{}", data.text());
    assert_eq!(findings(&server).await, [""; 0]);
}
