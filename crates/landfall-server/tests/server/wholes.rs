//! Collections whose documents are decided as wholes: of two who wrote without knowing of each other one document
//! stands, and the other one can be put back, whole.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts, with};
use crate::migration::{FIFTH, SECOND};

const ALL: &str = "read: 'true', create: 'true', update: 'true', delete: 'true'";

async fn server() -> Server {
    let policy = "policy: document-last-write-wins, fields: { photos: counter, tags: set }";
    Server::configured(&format!("collections: {{ visits: {{ {ALL}, {policy} }} }}")).await
}

/// A patch that is the nth by the clock that all share.
fn at(mutation: Value, n: u8) -> Value {
    let writer = mutation["id"].as_str().unwrap().split(':').next().unwrap().to_owned();
    with(mutation, "stamp", json!(format!("0192f0c1a2b3-{n:04x}-{writer}")))
}

fn set(device: &Device, n: u64, base: u64, fields: Value) -> Value {
    let set =
        |(path, value): (&String, &Value)| json!({ "path": format!("/{path}"), "op": "set", "value": value });
    device.mutation("visits", n, "d", "patch", fields.as_object().unwrap().iter().map(set).collect(), base)
}

fn after(mutation: Value, id: &Value) -> Value {
    with(mutation, "after", id.clone())
}

async fn seen(server: &Server, device: &Device) -> Value {
    let page = server.pull(device, "").await.page();
    let data = page.changes.first().and_then(|change| change.data.as_ref());
    data.map_or(Value::Null, |data| serde_json::from_str(data.text()).unwrap())
}

/// A form that two people have before their eyes.
async fn form(server: &Server) -> (Device, Device) {
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let form = json!({ "status": "planned", "notes": "", "photos": 1 });
    server.push(&ada, &[at(ada.create(1, "d", &form), 1)]).await.batch();
    (ada, ben)
}

async fn decide(server: &Server, device: &Device, choice: Value) -> Value {
    let id = server.conflicts(device).await[0]["id"].clone();
    let answer = server.resolve(device, with(choice, "id", id)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn the_later_document_stands_as_a_whole_in_any_order_of_arrival() {
    for ada_first in [true, false] {
        let server = server().await;
        let (ada, ben) = form(&server).await;
        let one = at(set(&ada, 2, 1, json!({ "status": "done", "notes": "roof ok" })), 2);
        let other = at(set(&ben, 1, 1, json!({ "rating": 2 })), 3);
        let order = if ada_first { [(&ada, one), (&ben, other)] } else { [(&ben, other), (&ada, one)] };
        let mut answers = vec![];
        for (device, mutation) in order {
            answers.extend(verdicts(&server.push(device, &[mutation]).await.batch()));
        }
        assert_eq!(answers, ["applied", "conflict"]);
        let stands = json!({ "status": "planned", "notes": "", "photos": 1, "rating": 2 });
        assert_eq!(seen(&server, &ada).await, stands, "the form as Ben had it, and nothing of Ada's");
        let [conflict] = &server.conflicts(&ada).await[..] else { panic!("not one conflict") };
        assert_eq!(
            (&conflict["path"], &conflict["policy"]),
            (&json!(""), &json!("document-last-write-wins"))
        );
        let (won, lost) = (&conflict["won"], &conflict["lost"]);
        assert_eq!((&won["user"], &won["value"]), (&json!("ben"), &stands));
        let whole = json!({ "status": "done", "notes": "roof ok", "photos": 1 });
        assert_eq!((&lost["user"], &lost["value"]), (&json!("ada"), &whole));
        assert_eq!(lost["mutation"], format!("{}:2", ada.writer));
        for side in [won, lost] {
            assert_eq!((&side["removed"], &side["deleted"]), (&json!(false), &json!(false)));
        }
    }
}

#[tokio::test]
async fn what_lost_is_put_back_as_a_whole_and_devices_pull_it() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.push(&ada, &[at(set(&ada, 2, 1, json!({ "status": "done", "extra": 1 })), 2)]).await.batch();
    server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), 3)]).await.batch();
    let cursor = server.pull(&ben, "").await.page().cursor.clone();
    let cora = Device::of("cora", 3).role("coordinator");
    decide(&server, &cora, json!({ "choice": "lost" })).await;
    let page = server.pull(&ben, &format!("cursor={cursor}")).await.page();
    let text = r#"{"extra":1,"notes":"","photos":1,"status":"done"}"#;
    assert_eq!(page.changes[0].data.as_ref().unwrap().text(), text, "Ben's rating is undone");
    let next = set(&ben, 2, 4, json!({ "rating": 5 }));
    assert_eq!(verdicts(&server.push(&ben, &[next]).await.batch()), ["applied"], "who knows builds on it");

    // Somebody who had not pulled that has it against the document as they had it, not against pieces.
    let late = at(set(&ada, 3, 3, json!({ "notes": "late" })), 1);
    assert_eq!(verdicts(&server.push(&ada, &[late]).await.batch()), ["conflict"]);
    let stands = json!({ "status": "done", "extra": 1, "notes": "", "photos": 1, "rating": 5 });
    assert_eq!(seen(&server, &ben).await, stands);
    let conflict = server.conflicts(&ada).await.remove(0);
    let theirs = json!({ "status": "planned", "notes": "late", "photos": 1, "rating": 2 });
    assert_eq!((&conflict["lost"]["value"], &conflict["won"]["value"]), (&theirs, &stands));
}

#[tokio::test]
async fn a_document_of_neither_side_is_written_whole() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.push(&ada, &[at(set(&ada, 2, 1, json!({ "status": "done" })), 2)]).await.batch();
    server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), 3)]).await.batch();
    let id = server.conflicts(&ada).await[0]["id"].clone();
    let text = json!({ "id": id, "choice": "value", "value": "done" });
    assert_eq!(server.resolve(&ada, text).await.refused_with(), "invalid_request");
    let value = json!({ "status": "done", "rating": 2, "photos": 70 });
    decide(&server, &ada, json!({ "choice": "value", "value": value })).await;
    let stands = json!({ "status": "done", "rating": 2, "photos": 1 });
    assert_eq!(seen(&server, &ben).await, stands, "what is counted is only ever counted");
}

#[tokio::test]
async fn what_merges_by_itself_is_never_undone() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    let photo = |by: i64| json!({ "path": "/photos", "op": "increment", "value": by });
    let tag = |tag: &str| json!({ "path": "/tags", "op": "add", "value": tag });
    let notes = json!({ "path": "/notes", "op": "set", "value": "roof ok" });
    let mine = vec![notes, photo(2), tag("roof")];
    server.push(&ada, &[at(ada.mutation("visits", 2, "d", "patch", mine, 1), 2)]).await.batch();
    server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), 3)]).await.batch();
    let only = at(ada.mutation("visits", 3, "d", "patch", vec![photo(4)], 1), 1);
    assert_eq!(verdicts(&server.push(&ada, &[only]).await.batch()), ["merged"], "it decides nothing");
    let stands = json!({ "status": "planned", "notes": "", "rating": 2, "photos": 7, "tags": ["roof"] });
    assert_eq!(seen(&server, &ben).await, stands);
}

#[tokio::test]
async fn all_that_a_device_wrote_offline_is_one_document_and_one_loss() {
    for (batches, ben_at) in [(1, 3), (3, 3), (1, 9), (3, 9)] {
        let server = server().await;
        let (ada, ben) = form(&server).await;
        server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), ben_at)]).await.batch();
        let first = at(set(&ada, 2, 1, json!({ "status": "done" })), 2);
        let second = at(after(set(&ada, 3, 1, json!({ "notes": "roof" })), &first["id"]), 4);
        let third = at(after(set(&ada, 4, 1, json!({ "notes": "roof ok" })), &second["id"]), 5);
        let all = [first, second, third];
        for batch in all.chunks(all.len() / batches) {
            server.push(&ada, batch).await.batch();
        }
        let mine = json!({ "status": "done", "notes": "roof ok", "photos": 1 });
        let theirs = json!({ "status": "planned", "notes": "", "photos": 1, "rating": 2 });
        let ada_wins = ben_at < 5;
        assert_eq!(seen(&server, &ben).await, if ada_wins { mine.clone() } else { theirs.clone() });
        let conflicts = server.conflicts(&ada).await;
        // Her second write was the first one that stood; the third built on that.
        let decisive = json!({ "status": "done", "notes": "roof", "photos": 1 });
        let (won, lost) = if ada_wins { (decisive, theirs) } else { (theirs, mine) };
        assert_eq!((&conflicts[0]["won"]["value"], &conflicts[0]["lost"]["value"]), (&won, &lost));
        let losses = match (batches, ada_wins) {
            (1, _) => 1,
            (_, true) => 2,
            (_, false) => 3,
        };
        assert_eq!(conflicts.len(), losses, "one for each batch that lost or won");
    }
}

#[tokio::test]
async fn a_delete_and_an_edit_are_two_documents_too() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.push(&ada, &[at(set(&ada, 2, 1, json!({ "status": "done" })), 2)]).await.batch();
    assert_eq!(verdicts(&server.push(&ben, &[at(ben.delete(1, "d", 1), 3)]).await.batch()), ["conflict"]);
    assert_eq!(seen(&server, &ben).await, Value::Null);
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!((&conflict["won"]["deleted"], &conflict["won"]["value"]), (&json!(true), &Value::Null));
    let whole = json!({ "status": "done", "notes": "", "photos": 1 });
    assert_eq!((&conflict["lost"]["deleted"], &conflict["lost"]["value"]), (&json!(false), &whole));
    decide(&server, &ada, json!({ "choice": "lost" })).await;
    assert_eq!(seen(&server, &ben).await, whole, "what the edit had changed is there as well");

    let late = at(set(&ada, 3, 1, json!({ "notes": "later" })), 4);
    server.push(&ada, &[late]).await.batch();
    let behind = at(ben.delete(2, "d", 3), 2);
    assert_eq!(verdicts(&server.push(&ben, &[behind]).await.batch()), ["conflict"]);
    decide(&server, &ben, json!({ "choice": "lost" })).await;
    assert_eq!(seen(&server, &ada).await, Value::Null, "a delete that lost is put back");
}

#[tokio::test]
async fn a_refused_group_has_written_nothing_that_its_device_builds_on() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), 3)]).await.batch();
    let grouped = |mutation: Value| with(mutation, "group", json!("g"));
    let first = grouped(at(set(&ada, 2, 1, json!({ "notes": "never" })), 4));
    let wrong = grouped(ada.patch(3, "nowhere", 0, "/notes", &json!("x")));
    let alone = at(set(&ada, 4, 1, json!({ "status": "done" })), 5);
    let answers = verdicts(&server.push(&ada, &[first, wrong, alone]).await.batch());
    assert_eq!(answers, ["rejected group_refused", "rejected not_found", "conflict"]);
    assert_eq!(seen(&server, &ben).await, json!({ "status": "done", "notes": "", "photos": 1 }));
}

#[tokio::test]
async fn where_the_document_is_not_kept_any_more_each_field_is_decided_alone() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.push(&ada, &[at(set(&ada, 2, 1, json!({ "status": "done" })), 2)]).await.batch();
    assert_eq!(server.rows("SELECT COUNT(*) FROM earlier").await, 1);
    // As if that had been ninety days ago.
    server.database.change("UPDATE earlier SET at = 0").await;
    server.push(&ada, &[at(set(&ada, 3, 2, json!({ "status": "billed" })), 3)]).await.batch();
    assert_eq!(server.rows("SELECT COUNT(*) FROM earlier").await, 1, "what is older than that is let go");
    let late = at(set(&ben, 1, 1, json!({ "rating": 2, "status": "open" })), 1);
    assert_eq!(verdicts(&server.push(&ben, &[late]).await.batch()), ["conflict"]);
    let stands = json!({ "status": "billed", "notes": "", "photos": 1, "rating": 2 });
    assert_eq!(seen(&server, &ben).await, stands, "nothing is undone that nobody could put back");
    assert_eq!(server.conflicts(&ada).await[0]["path"], "/status");
}

#[tokio::test]
async fn a_database_of_the_second_version_decides_wholes_from_its_next_commit_on() {
    let server = server().await;
    let (ada, ben) = form(&server).await;
    server.database.change(&[FIFTH, SECOND].concat()).await;
    server.database.mark(2).await;
    let server = server.restart().await;
    server.push(&ada, &[at(set(&ada, 2, 1, json!({ "status": "done" })), 2)]).await.batch();
    server.push(&ben, &[at(set(&ben, 1, 1, json!({ "rating": 2 })), 3)]).await.batch();
    let stands = json!({ "status": "planned", "notes": "", "photos": 1, "rating": 2 });
    assert_eq!(seen(&server, &ada).await, stands);
}
