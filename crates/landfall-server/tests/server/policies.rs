//! Each collection says for itself which of two writes stands that did not know of each other.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts, with};

const ALL: &str = "read: 'true', create: 'true', update: 'true', delete: 'true'";

/// A server with this policy, on which Ada has written `ada` and Ben, without knowing of it, `ben`: `later` by
/// his clock or not. He fills in another field with it.
async fn disputed(policy: &str, later: bool) -> (Server, Device, Device) {
    let server =
        Server::configured(&format!("collections: {{ visits: {{ {ALL}, policy: {policy} }} }}")).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("ada"))]).await.batch();
    let set = |path: &str, value: Value| json!({ "path": path, "op": "set", "value": value });
    let fields = vec![set("/notes", json!("ben")), set("/rating", json!(4))];
    let stamp = format!("0192f0c{}a2b3-0000-{}", if later { 2 } else { 0 }, ben.writer);
    let patch = with(ben.mutation("visits", 1, "d", "patch", fields, 1), "stamp", json!(stamp));
    let reply = server.push(&ben, &[patch]).await.batch();
    assert_eq!(verdicts(&reply), ["conflict"], "accepted, with a record");
    assert_eq!((reply.results[0].previous.0, reply.results[0].version.0), (2, 3));
    (server, ada, ben)
}

async fn seen(server: &Server, device: &Device) -> Value {
    let change = server.pull(device, "").await.page().changes.remove(0);
    assert!(change.version.0 >= 3, "what stands is pulled, whoever wrote it");
    serde_json::from_str(change.data.unwrap().text()).unwrap()
}

#[tokio::test]
async fn the_policy_decides_at_once_and_the_rest_of_the_write_is_kept() {
    for (policy, later, stands) in [
        ("last-write-wins", true, "ben"),
        ("last-write-wins", false, "ada"),
        ("client-wins", true, "ben"),
        ("client-wins", false, "ben"),
        ("server-wins", true, "ada"),
        ("server-wins", false, "ada"),
        ("manual", true, "ada"),
        ("manual", false, "ada"),
    ] {
        let (server, ada, ben) = disputed(policy, later).await;
        for device in [&ada, &ben] {
            assert_eq!(
                seen(&server, device).await,
                json!({ "notes": stands, "rating": 4 }),
                "{policy} {later}"
            );
        }
        let conflict = server.conflicts(&ada).await.remove(0);
        assert_eq!((&conflict["policy"], &conflict["won"]["value"]), (&json!(policy), &json!(stands)));
        assert_eq!(conflict["resolved"], Value::Null);
    }
}

#[tokio::test]
async fn what_gave_way_is_put_back_by_a_person() {
    for policy in ["client-wins", "server-wins", "manual"] {
        let (server, ada, ben) = disputed(policy, true).await;
        let conflict = server.conflicts(&ada).await.remove(0);
        let lost = conflict["lost"]["value"].clone();
        let answer = server.resolve(&ada, json!({ "id": conflict["id"], "choice": "lost" })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(seen(&server, &ben).await["notes"], lost);
        let next = ben.patch(2, "d", 4, "/notes", &json!("settled"));
        assert_eq!(
            verdicts(&server.push(&ben, &[next]).await.batch()),
            ["applied"],
            "who knows has their way"
        );
    }
}

#[tokio::test]
async fn a_delete_gives_way_as_a_whole_and_is_answered_the_same_again() {
    let server = Server::configured(&format!("collections: {{ visits: {{ {ALL}, policy: manual }} }}")).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("ada"))]).await.batch();
    let delete = [ben.delete(9, "d", 1)];
    let first = server.push(&ben, &delete).await.batch();
    assert_eq!(verdicts(&first), ["conflict"]);
    let again = server.push(&ben, &delete).await.batch();
    assert!(again.results[0].duplicate && again.results[0].position == first.results[0].position);
    assert_eq!(seen(&server, &ben).await, json!({ "notes": "ada" }));
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!((&conflict["lost"]["user"], &conflict["lost"]["deleted"]), (&json!("ben"), &json!(true)));
    server.resolve(&ada, json!({ "id": conflict["id"], "choice": "lost" })).await;
    let cursorless = server.pull(&ben, "").await.page();
    assert!(cursorless.changes.is_empty(), "nobody who starts now hears of it");
}
