//! Erasure: a person's name goes and what they wrote stays; a document goes, its id with it, and nothing else breaks.

use axum::http::StatusCode;
use landfall_core::id::DocumentKey;
use landfall_server::app::system_time;
use landfall_server::store::{Erased, Erasure};
use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::{Device, Page, Server, verdicts, with};
use crate::process::{Running, landfall, refusal};

const RULES: &str = "
auditors: 'true'
collections:
  visits:
    read: document.inspector == user.id || 'coordinator' in user.roles
    create: 'true'
    update: 'true'
    delete: 'true'
  forms: { policy: document-last-write-wins, read: 'true', create: 'true', update: 'true' }
";
const SECRET: &str = "q7zXw-what-somebody-wrote";
/// Every table with something that people wrote or are called in it.
const TABLES: [&str; 10] = [
    "SELECT * FROM documents",
    "SELECT * FROM earlier",
    "SELECT * FROM history",
    "SELECT * FROM conflicts",
    "SELECT * FROM audit",
    "SELECT * FROM receipts",
    "SELECT * FROM clients",
    "SELECT * FROM writers",
    "SELECT * FROM erasures",
    "SELECT * FROM settled",
];

async fn erase(server: &Server, user: Option<&str>, documents: &[&str]) -> Erased {
    let key = |name: &&str| {
        let (collection, document) = name.split_once('/').unwrap();
        DocumentKey { collection: collection.parse().unwrap(), document: document.parse().unwrap() }
    };
    let documents = documents.iter().map(key).collect();
    let erasure = Erasure { user: user.map(|user| user.parse().unwrap()), documents };
    let by = "olga".parse().unwrap();
    server.app.store.erase(&Default::default(), &by, &erasure, system_time()).await.unwrap()
}

/// The tables with a row that mentions something.
async fn mentions(server: &Server, text: &str) -> Vec<&'static str> {
    let mut found = vec![];
    for table in TABLES {
        let rows = server.database.read(table).await;
        if rows.iter().flatten().any(|value| value.as_str().is_some_and(|value| value.contains(text))) {
            found.push(table);
        }
    }
    found
}

async fn findings(server: &Server) -> Vec<String> {
    server.app.store.check(system_time()).await.unwrap().findings
}

async fn audit(server: &Server) -> Vec<Value> {
    let answer = server.get_at(&Device::of("olga", 9), "/api/v1/audit").await;
    answer.json()["entries"].as_array().unwrap().clone()
}

fn kinds(page: &Page) -> Vec<String> {
    page.changes.iter().map(|change| format!("{} {}", change.kind, change.document)).collect()
}

/// A visit of Ada's that she and Ben disagree about, which Cora has settled, and a form of hers in two versions.
async fn server() -> (Server, Device, Device, Device) {
    let server = Server::configured(RULES).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2).role("coordinator"));
    let cora = Device::of("cora", 3).role("coordinator");
    let visit = json!({ "inspector": "ada", "notes": SECRET });
    server.push(&ada, &[ada.create(1, "d", &visit), ada.create(2, "kept", &visit)]).await.batch();
    server.push(&ada, &[ada.patch(3, "d", 1, "/notes", &json!([SECRET, 1]))]).await.batch();
    let reply = server.push(&ben, &[ben.patch(1, "d", 1, "/notes", &json!([SECRET, 2]))]).await.batch();
    assert_eq!(verdicts(&reply), ["conflict"]);
    let id = server.conflicts(&cora).await[0]["id"].clone();
    let settled = server.resolve(&cora, json!({ "id": id, "choice": "value", "value": SECRET })).await;
    assert_eq!(settled.status, StatusCode::OK, "{settled:?}");
    server.push(&ada, &[ada.create_in("forms", 4, "f", &json!({ "notes": SECRET }))]).await.batch();
    let field = vec![json!({ "path": "/notes", "op": "set", "value": SECRET })];
    server.push(&ada, &[ada.mutation("forms", 5, "f", "patch", field, 1)]).await.batch();
    (server, ada, ben, cora)
}

#[tokio::test]
async fn a_person_loses_their_name_everywhere_and_what_they_wrote_stays() {
    let (server, ada, ben, cora) = server().await;
    let north = Device::of("ada", 4).tenant("north");
    server.push(&north, &[north.create(1, "d", &json!({ "inspector": "ada" }))]).await.batch();
    let receipts = server.rows("SELECT COUNT(*) FROM receipts").await;
    let erased = erase(&server, Some("ada"), &[]).await;
    let pseudonym = erased.pseudonym.unwrap();
    assert!(pseudonym.starts_with("erased-") && pseudonym.len() == 39, "{pseudonym}");
    for (table, columns) in [
        ("history", &["sub"][..]),
        ("conflicts", &["sub", "met_sub"]),
        ("audit", &["sub"]),
        ("clients", &["sub"]),
        ("writers", &["sub"]),
        ("erasures", &["sub"]),
    ] {
        for column in columns {
            let left = format!("SELECT COUNT(*) FROM {table} WHERE tenant = 'default' AND {column} = 'ada'");
            assert_eq!(server.database.read(&left).await[0][0], 0, "{table}.{column}");
        }
    }
    let told = server.history(&cora, "visits/d", "").await.json();
    let users: Vec<_> = told["changes"].as_array().unwrap().iter().map(|change| &change["user"]).collect();
    assert_eq!(users, ["cora", "ben", &*pseudonym, &*pseudonym]);
    let conflict = &server.conflicts(&cora).await[0];
    assert!([&conflict["won"]["user"], &conflict["lost"]["user"]].contains(&&json!(pseudonym)));
    assert_eq!(findings(&server).await, [""; 0]);

    // What their devices send, again or for the first time, is refused as a whole, and nothing of it takes effect.
    for mutation in [ada.create(2, "kept", &json!({})), ada.create(9, "new", &json!({ "inspector": "ada" }))]
    {
        assert_eq!(server.push(&ada, &[mutation]).await.refused_with(), "writer_mismatch");
    }
    assert_eq!(server.rows("SELECT COUNT(*) FROM receipts").await, receipts);
    // Somebody else goes on, and so does whoever has that name in another tenant.
    let reply = server.push(&ben, &[ben.patch(2, "d", 4, "/notes", &json!("on"))]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    assert!(
        server.push(&north, &[north.create(1, "d", &json!({ "inspector": "ada" }))]).await.batch().results[0]
            .duplicate
    );
    // An erasure is in the log, without the name that it was about.
    let entry = &audit(&server).await[0];
    assert_eq!(
        [&entry["event"], &entry["by"], &entry["pseudonym"], &entry["document"]],
        [&json!("person_erased"), &json!("olga"), &json!(pseudonym), &Value::Null]
    );
    assert!(!audit(&server).await.iter().any(|entry| entry.to_string().contains("\"ada\"")));
}

#[tokio::test]
async fn nothing_of_an_erased_document_is_left_and_every_device_lets_go_of_it() {
    let (server, ada, _, cora) = server().await;
    let eve = Device::of("eve", 5);
    let mut cursors = vec![];
    for device in [&ada, &cora, &eve] {
        cursors.push(server.pull(device, "").await.page().cursor.clone());
    }
    let erased = erase(&server, None, &["visits/d", "visits/kept", "forms/f"]).await;
    assert_eq!((erased.documents, erased.pseudonym), (3, None));
    assert_eq!(mentions(&server, SECRET).await, [""; 0]);
    assert_eq!(mentions(&server, "/notes").await, [""; 0]);
    assert_eq!(findings(&server).await, [""; 0]);
    // Nobody knows any more who could see them, so all hear that they are gone.
    for (device, cursor) in [&ada, &cora, &eve].into_iter().zip(&cursors) {
        let page = server.pull(device, &format!("cursor={cursor}")).await.page();
        let mut told = kinds(&page);
        told.sort();
        assert_eq!(told, ["tombstone d", "tombstone f", "tombstone kept"]);
        assert!(page.changes.iter().all(|change| change.data.is_none()));
        let cursor = page.cursor.clone();
        assert!(server.pull(device, &format!("cursor={cursor}")).await.page().changes.is_empty());
        assert!(server.pull(device, "").await.page().changes.is_empty(), "who begins is told nothing");
    }
    for document in ["visits/d", "forms/f"] {
        assert_eq!(server.history(&cora, document, "").await.refused_with(), "not_found");
    }
    assert_eq!(server.conflicts(&cora).await, [Value::Null; 0]);
    let log = audit(&server).await;
    let events: Vec<String> =
        log.iter().map(|entry| format!("{} {}", entry["event"], entry["document"])).collect();
    assert_eq!(
        events.join(", ").replace('"', ""),
        "document_erased kept, document_erased d, document_erased f, conflict_settled d"
    );
    assert_eq!([&log[3]["path"], &log[3]["choice"], &log[3]["by"]], ["", "value", "cora"]);
    // Once more changes nothing.
    assert_eq!(erase(&server, None, &["visits/d"]).await.documents, 0);
    assert_eq!(audit(&server).await, log);
}

#[tokio::test]
async fn an_erased_id_never_comes_back_and_verdicts_stay_what_they_were() {
    let (server, ada, _, cora) = server().await;
    erase(&server, None, &["visits/d", "forms/f"]).await;
    let visit = json!({ "inspector": "ada", "notes": "again" });
    let field = |base| {
        ada.mutation(
            "forms",
            30 + base,
            "f",
            "patch",
            vec![json!({ "path": "/n", "op": "set", "value": 1 })],
            base,
        )
    };
    let late = |mutation: Value| with(mutation, "stamp", json!(format!("0192f0c2ffff-0000-{}", ada.writer)));
    let sent = [
        ada.patch(20, "d", 1, "/notes", &json!(1)),
        late(ada.patch(21, "d", 0, "/notes", &json!(1))),
        late(ada.create(22, "d", &visit)),
        with(ada.create(23, "d", &visit), "base", json!(9)),
        ada.delete(24, "d", 2),
        field(0),
        field(1),
        field(3),
        ada.create_in("forms", 40, "f", &json!({})),
    ];
    let reply = server.push(&ada, &sent).await.batch();
    let gone = "rejected gone";
    assert_eq!(verdicts(&reply), [gone, gone, gone, gone, "applied", gone, gone, gone, gone]);
    assert_eq!(reply.results[4].position.0, 0);
    let again = server.push(&ada, &sent).await.batch();
    assert_eq!(verdicts(&again), verdicts(&reply));
    assert!(again.results.iter().all(|result| result.duplicate));
    // What was in before is in, once.
    let first = json!({ "inspector": "ada", "notes": SECRET });
    let resent = server.push(&ada, &[ada.create(1, "d", &first)]).await.batch();
    assert_eq!((verdicts(&resent), resent.results[0].duplicate), (vec!["applied".to_owned()], true));
    // A transaction that has to do with it is refused as one.
    let group =
        [ada.patch(50, "kept", 1, "/notes", &json!("x")), ada.patch(51, "d", 1, "/notes", &json!("x"))];
    let reply = server.push(&ada, &group.map(|one| with(one, "group", json!("g")))).await.batch();
    assert_eq!(verdicts(&reply), ["rejected group_refused", gone]);
    assert_eq!(kinds(&server.pull(&cora, "").await.page()), ["document kept"]);
    assert_eq!(findings(&server).await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_there_is_named_and_nothing_is_erased() {
    let (server, ..) = server().await;
    let erased = erase(&server, Some("nobody"), &["visits/d", "visits/never"]).await;
    assert_eq!(
        erased.unknown,
        ["there is no document visits/never", "nobody called nobody has written anything in default"]
    );
    assert_eq!((erased.documents, erased.pseudonym), (0, None));
    assert_eq!(mentions(&server, SECRET).await.len(), 5);
    assert_eq!(audit(&server).await.len(), 1);
    assert_eq!(findings(&server).await, [""; 0]);
}

#[tokio::test]
async fn the_command_erases_beside_a_running_server() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let (here, ada) = (directory.path(), Device::of("ada", 1));
    let server = Running::on(&database.url(), here);
    let push = |mutation: Value| {
        server.call("POST /api/v1/sync/batch", &ada.batch(&[mutation]).to_string())["results"][0].clone()
    };
    push(ada.create(1, "a/b", &json!({ "notes": SECRET })));
    push(ada.create(2, "kept", &json!({ "notes": SECRET })));
    let end = server.call("GET /api/v1/sync/pull", "")["cursor"].as_str().unwrap().to_owned();
    let url = database.url();
    let command = |arguments: &[&str]| {
        let mut command = landfall(here);
        command.args(["erase", "--database", &url]).args(arguments);
        command
    };
    let output = command(&["--documents", "visits/a/b"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "erased 1 documents\nbackups still have all of it\n"
    );
    let page = server.call(&format!("GET /api/v1/sync/pull?cursor={end}"), "");
    assert_eq!([&page["changes"][0]["kind"], &page["changes"][0]["document"]], ["tombstone", "a/b"]);
    assert_eq!(push(ada.patch(3, "a/b", 1, "/notes", &json!(1)))["code"], "gone");
    assert_eq!(push(ada.patch(4, "kept", 1, "/notes", &json!(1)))["verdict"], "applied");
    let output = command(&["--user", "ada", "--by", "olga"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("what they wrote is erased-"), "{said}");
    let checked = landfall(here).args(["check", "--database", &url]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    for (arguments, reason) in [
        (vec!["--user", "ada"], "nobody called ada has written anything in default; nothing was erased"),
        (vec!["--documents", "visits"], "`visits` names no document; it looks like COLLECTION/ID"),
        (vec!["--documents", "visits/c", "--tenant", "north"], "there is no document visits/c"),
    ] {
        let text = refusal(&mut command(&arguments));
        assert!(text.contains(reason), "{arguments:?}: {text}");
    }
}
