//! Conflicts: listed for whoever may read the document, settled once, and what is put back is a write.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts, with};
use crate::migration::FIFTH;

/// Later than every stamp that the harness gives by itself.
fn later(mutation: Value) -> Value {
    let stamp = mutation["stamp"].as_str().unwrap().replacen("0192f0c1", "0192f0c2", 1);
    with(mutation, "stamp", json!(stamp))
}

/// Ada and Ben have changed the notes of one visit without knowing of each other, and Ben's stand.
async fn disagreement(server: &Server) -> (Device, Device, Device) {
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let cora = Device::of("cora", 3).role("coordinator");
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "", "rating": 1 }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    let reply = server.push(&ben, &[later(ben.patch(1, "d", 1, "/notes", &json!("leaks")))]).await;
    assert_eq!(verdicts(&reply.batch()), ["conflict"]);
    (ada, ben, cora)
}

async fn seen(server: &Server, device: &Device) -> Option<String> {
    let page = server.pull(device, "").await.page();
    page.changes.first().and_then(|change| change.data.as_ref()).map(|data| data.text().to_owned())
}

#[tokio::test]
async fn a_conflict_says_who_wrote_what_and_when_on_both_sides() {
    let server = Server::start().await;
    let (ada, ben, cora) = disagreement(&server).await;
    for device in [&ada, &ben, &cora] {
        let [conflict] = &server.conflicts(device).await[..] else { panic!("not one conflict") };
        assert_eq!(
            [&conflict["collection"], &conflict["document"], &conflict["path"], &conflict["policy"]],
            ["visits", "d", "/notes", "last-write-wins"]
        );
        assert_eq!(conflict["resolved"], Value::Null);
        assert!(conflict["at"].as_u64().unwrap() > 1_700_000_000_000);
        let (won, lost) = (&conflict["won"], &conflict["lost"]);
        assert_eq!(
            (&won["user"], &won["value"], &won["client"]),
            (&json!("ben"), &json!("leaks"), &json!("client-2"))
        );
        assert_eq!(
            (&lost["user"], &lost["value"], &lost["client"]),
            (&json!("ada"), &json!("roof ok"), &json!("client-1"))
        );
        assert_eq!(won["mutation"], format!("{}:1", ben.writer));
        assert_eq!(lost["mutation"], format!("{}:2", ada.writer));
        assert!(won["at"].as_u64() > lost["at"].as_u64(), "the times of the stamps");
        for side in [won, lost] {
            assert_eq!((&side["removed"], &side["deleted"]), (&json!(false), &json!(false)));
        }
    }
}

#[tokio::test]
async fn the_value_that_lost_is_put_back_and_every_device_gets_it() {
    let server = Server::start().await;
    let (ada, ben, cora) = disagreement(&server).await;
    let cursor = server.pull(&ben, "").await.page().cursor.clone();
    let id = server.conflicts(&cora).await[0]["id"].clone();
    let answer = server.resolve(&cora, json!({ "id": id, "choice": "lost" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let settled = answer.json()["conflict"].clone();
    assert_eq!(
        (&settled["resolved"]["by"], &settled["resolved"]["choice"]),
        (&json!("cora"), &json!("lost"))
    );

    let page = server.pull(&ben, &format!("cursor={cursor}")).await.page();
    assert_eq!(page.changes[0].data.as_ref().unwrap().text(), r#"{"notes":"roof ok","rating":1}"#);
    assert_eq!(page.changes[0].version.0, 4);
    assert_eq!(seen(&server, &ada).await.unwrap(), r#"{"notes":"roof ok","rating":1}"#);
    for device in [&ada, &ben, &cora] {
        assert_eq!(server.conflicts(device).await, std::slice::from_ref(&settled));
    }
    let audited = server.database.read("SELECT sub, choice, before, after, version FROM audit").await;
    assert_eq!(audited, [[json!("cora"), json!("lost"), json!("\"leaks\""), json!("\"roof ok\""), json!(4)]]);
    let history = "SELECT COUNT(*) FROM history WHERE sub = 'cora' AND version = 4";
    assert_eq!(server.rows(history).await, 1);
}

#[tokio::test]
async fn who_wrote_meanwhile_conflicts_anew_and_who_knew_wins() {
    let server = Server::start().await;
    let (ada, ben, cora) = disagreement(&server).await;
    let id = server.conflicts(&cora).await[0]["id"].clone();
    server.resolve(&cora, json!({ "id": id, "choice": "lost" })).await;

    let unaware = later(ben.patch(2, "d", 3, "/notes", &json!("leaks a lot")));
    assert_eq!(verdicts(&server.push(&ben, &[unaware]).await.batch()), ["conflict"]);
    assert_eq!(seen(&server, &ben).await.unwrap(), r#"{"notes":"roof ok","rating":1}"#);
    let conflicts = server.conflicts(&cora).await;
    assert_eq!(conflicts.len(), 2, "newest first");
    let (won, lost) = (&conflicts[0]["won"], &conflicts[0]["lost"]);
    assert_eq!((&won["user"], &won["value"]), (&json!("cora"), &json!("roof ok")));
    assert_eq!((&lost["user"], &lost["value"]), (&json!("ben"), &json!("leaks a lot")));
    assert_eq!(conflicts[0]["resolved"], Value::Null);

    let knowing = ada.patch(3, "d", 5, "/notes", &json!("mended"));
    assert_eq!(verdicts(&server.push(&ada, &[knowing]).await.batch()), ["applied"]);
    assert_eq!(seen(&server, &ben).await.unwrap(), r#"{"notes":"mended","rating":1}"#);
}

#[tokio::test]
async fn what_stands_is_kept_and_only_marked() {
    let server = Server::start().await;
    let (ada, _, cora) = disagreement(&server).await;
    let id = server.conflicts(&cora).await[0]["id"].clone();
    let before = server.pull(&ada, "").await.page();
    let first = server.resolve(&cora, json!({ "id": id, "choice": "won" })).await.json();
    assert_eq!(first["conflict"]["resolved"]["choice"], "won");
    let after = server.pull(&ada, "").await.page();
    assert_eq!((after.position, after.changes), (before.position, before.changes));

    let again = server.resolve(&ada, json!({ "id": id, "choice": "won" })).await;
    assert_eq!(again.json()["conflict"], first["conflict"], "the same choice has the same answer");
    for choice in [json!({ "id": id, "choice": "lost" }), json!({ "id": id, "choice": "value", "value": 1 })]
    {
        let other = server.resolve(&ada, choice).await;
        assert_eq!(
            (other.status, other.refused_with().as_str()),
            (StatusCode::CONFLICT, "conflict_resolved")
        );
        assert!(other.json()["message"].as_str().unwrap().contains("cora"), "says by whom");
    }
    assert_eq!(server.rows("SELECT COUNT(*) FROM audit").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_who_settle_at_once_settle_once() {
    let server = std::sync::Arc::new(Server::start().await);
    let (_, _, cora) = disagreement(&server).await;
    let id = server.conflicts(&cora).await[0]["id"].clone();
    let decisions: Vec<_> = (0..20)
        .map(|_| {
            let (server, cora, id) = (server.clone(), cora.clone(), id.clone());
            tokio::spawn(async move { server.resolve(&cora, json!({ "id": id, "choice": "lost" })).await })
        })
        .collect();
    for decision in decisions {
        assert_eq!(decision.await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(server.rows("SELECT COUNT(*) FROM audit").await, 1);
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 4);
}

#[tokio::test]
async fn a_value_of_neither_side_is_judged_like_any_write() {
    let server = Server::start().await;
    let (ada, _, cora) = disagreement(&server).await;
    server.push(&ada, &[ada.patch(3, "d", 3, "/status", &json!("done"))]).await.batch();
    let id = server.conflicts(&cora).await[0]["id"].clone();
    let value = |value: Value| json!({ "id": id, "choice": "value", "value": value });
    let refused = server.resolve(&cora, value(json!(" "))).await;
    assert_eq!(refused.refused_with(), "validation_failed");
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(server.resolve(&cora, value(deep)).await.refused_with(), "too_deep");
    let large = json!("x".repeat(300 << 10));
    assert_eq!(server.resolve(&cora, value(large)).await.refused_with(), "document_too_large");
    assert_eq!(server.conflicts(&cora).await[0]["resolved"], Value::Null, "nothing was settled");

    let answer = server.resolve(&cora, value(json!("both were there"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = r#"{"notes":"both were there","rating":1,"status":"done"}"#;
    assert_eq!(seen(&server, &ada).await.unwrap(), text);
    assert_eq!(server.resolve(&cora, value(json!("both were there"))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_removal_is_put_back_too() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "old", "rating": 1 }))]).await.batch();
    let unset = vec![json!({ "path": "/notes", "op": "unset" })];
    server.push(&ada, &[ada.mutation("visits", 2, "d", "patch", unset, 1)]).await.batch();
    server.push(&ben, &[later(ben.patch(1, "d", 1, "/notes", &json!(null)))]).await.batch();
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!((&conflict["won"]["value"], &conflict["won"]["removed"]), (&json!(null), &json!(false)));
    assert_eq!((&conflict["lost"]["value"], &conflict["lost"]["removed"]), (&json!(null), &json!(true)));
    server.resolve(&ada, json!({ "id": conflict["id"], "choice": "lost" })).await;
    assert_eq!(seen(&server, &ben).await.unwrap(), r#"{"rating":1}"#);
}

#[tokio::test]
async fn a_document_that_lost_to_a_delete_comes_back_whole() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "old", "rating": 1 }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    assert_eq!(verdicts(&server.push(&ben, &[later(ben.delete(1, "d", 1))]).await.batch()), ["conflict"]);
    let cursor = server.pull(&ben, "").await.page().cursor.clone();
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!((&conflict["path"], &conflict["won"]["deleted"]), (&json!(""), &json!(true)));
    assert_eq!((&conflict["lost"]["deleted"], &conflict["lost"]["removed"]), (&json!(false), &json!(false)));
    assert_eq!(conflict["lost"]["value"], json!({ "notes": "roof ok" }), "what the edit had written");

    let value = json!({ "id": conflict["id"], "choice": "value", "value": {} });
    assert_eq!(server.resolve(&ada, value).await.refused_with(), "invalid_request");
    server.resolve(&ada, json!({ "id": conflict["id"], "choice": "lost" })).await;
    let page = server.pull(&ben, &format!("cursor={cursor}")).await.page();
    assert_eq!(page.changes[0].kind, "document");
    assert_eq!(page.changes[0].data.as_ref().unwrap().text(), r#"{"notes":"roof ok","rating":1}"#);
}

#[tokio::test]
async fn a_delete_that_lost_to_an_edit_is_put_back() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "old" }))]).await.batch();
    server.push(&ada, &[ada.delete(2, "d", 1)]).await.batch();
    server.push(&ben, &[later(ben.patch(1, "d", 1, "/notes", &json!("leaks")))]).await.batch();
    assert_eq!(seen(&server, &ada).await.unwrap(), r#"{"notes":"leaks"}"#);
    let cursor = server.pull(&ada, "").await.page().cursor.clone();
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!(conflict["won"]["value"], json!({ "notes": "leaks" }));
    assert_eq!((&conflict["lost"]["deleted"], &conflict["lost"]["user"]), (&json!(true), &json!("ada")));
    server.resolve(&ada, json!({ "id": conflict["id"], "choice": "lost" })).await;
    let page = server.pull(&ada, &format!("cursor={cursor}")).await.page();
    assert_eq!(page.changes[0].kind, "tombstone");

    let aware = ben.patch(2, "d", 4, "/notes", &json!("again"));
    assert_eq!(verdicts(&server.push(&ben, &[aware]).await.batch()), ["rejected gone"]);
}

#[tokio::test]
async fn a_field_of_a_document_that_is_gone_cannot_be_put_back() {
    let server = Server::start().await;
    let (ada, _, cora) = disagreement(&server).await;
    server.push(&ada, &[ada.delete(3, "d", 3)]).await.batch();
    let id = server.conflicts(&cora).await[0]["id"].clone();
    assert_eq!(server.resolve(&cora, json!({ "id": id, "choice": "lost" })).await.refused_with(), "gone");
}

#[tokio::test]
async fn conflicts_are_seen_by_whoever_may_read_the_document_and_by_nobody_else() {
    let server = Server::configured(
        "collections: { visits: { read: '\"lead\" in user.roles || document.owner == user.id', create: 'true', \
         update: 'document.owner == user.id || \"lead\" in user.roles', delete: 'true' } }",
    )
    .await;
    let (ada, tab) = (Device::of("ada", 1), Device { client: "other".into(), ..Device::of("ada", 4) });
    let (ben, lee) = (Device::of("ben", 2), Device::of("lee", 3).role("lead"));
    server.push(&ada, &[ada.create(1, "d", &json!({ "owner": "ada", "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    server.push(&tab, &[later(tab.patch(1, "d", 1, "/notes", &json!("leaks")))]).await.batch();
    assert_eq!(server.conflicts(&ada).await.len(), 1, "two installations of one person");
    assert_eq!(server.conflicts(&lee).await.len(), 1);
    assert_eq!(server.conflicts(&ben).await, Vec::<Value>::new());
    let elsewhere = Device::of("zoe", 9).role("lead").tenant("other");
    assert_eq!(server.conflicts(&elsewhere).await, Vec::<Value>::new());

    let id = server.conflicts(&ada).await[0]["id"].clone();
    let decision = json!({ "id": id, "choice": "lost" });
    for stranger in [&ben, &elsewhere] {
        let refused = server.resolve(stranger, decision.clone()).await;
        assert_eq!((refused.status, refused.refused_with().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    }
    for unknown in ["", "1-0", "99-0-0000000000000000", "2-0-0000000000000000"] {
        let refused = server.resolve(&lee, json!({ "id": unknown, "choice": "lost" })).await;
        assert_eq!(refused.refused_with(), "not_found", "{unknown}");
    }
    assert_eq!(server.resolve(&lee, decision).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_may_settle_is_configured_and_else_it_is_who_may_update() {
    let configured = async |resolve: &str| {
        let rules = "read: 'true', create: 'true', update: '\"worker\" in user.roles', delete: 'false'";
        let server = Server::configured(&format!("collections: {{ visits: {{ {rules}{resolve} }} }}")).await;
        let ada = Device::of("ada", 1);
        server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
        server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
        let ben = Device::of("ben", 2);
        server.push(&ben, &[later(ben.patch(1, "d", 1, "/notes", &json!("leaks")))]).await.batch();
        server
    };
    let (worker, lead) = (Device::of("ada", 1), Device::of("lee", 3).role("lead"));
    let decide = async |server: &Server, device: &Device, choice: &str| {
        let id = server.conflicts(device).await[0]["id"].clone();
        let answer = server.resolve(device, json!({ "id": id, "choice": choice })).await;
        if answer.status == StatusCode::OK { "settled".to_owned() } else { answer.refused_with() }
    };
    let server = configured("").await;
    assert_eq!(decide(&server, &lead, "won").await, "forbidden");
    assert_eq!(decide(&server, &lead, "lost").await, "forbidden");
    assert_eq!(decide(&server, &worker, "lost").await, "settled");
    let server = configured(", resolve: '\"lead\" in user.roles && previous.notes == \"leaks\"'").await;
    assert_eq!(decide(&server, &worker, "won").await, "forbidden");
    assert_eq!(decide(&server, &worker, "lost").await, "forbidden");
    assert_eq!(decide(&server, &lead, "lost").await, "settled");
}

#[tokio::test]
async fn a_delete_is_put_back_by_whoever_may_delete() {
    let server = Server::start().await;
    let (ada, cora) = (Device::of("ada", 1), Device::of("cora", 3).role("coordinator"));
    server.push(&ada, &[ada.create_in("sites", 1, "s", &json!({ "name": "A1" }))]).await.batch();
    server.push(&cora, &[cora.delete_in("sites", 1, "s", 1)]).await.batch();
    let name = vec![json!({ "path": "/name", "op": "set", "value": "A2" })];
    server.push(&ada, &[later(ada.mutation("sites", 2, "s", "patch", name, 1))]).await.batch();
    let id = server.conflicts(&ada).await[0]["id"].clone();
    let decision = json!({ "id": id, "choice": "lost" });
    assert_eq!(server.resolve(&ada, decision.clone()).await.refused_with(), "forbidden");
    assert_eq!(server.resolve(&cora, decision).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_conflicts_go_from_the_newest_to_the_oldest() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    for n in 1..=5 {
        let d = format!("d{n}");
        server.push(&ada, &[ada.create(2 * n, &d, &json!({ "notes": "" }))]).await.batch();
        server.push(&ada, &[ada.patch(2 * n + 1, &d, 1, "/notes", &json!("a"))]).await.batch();
        server.push(&ben, &[ben.patch(n, &d, 1, "/notes", &json!("b"))]).await.batch();
    }
    let (mut cursor, mut documents, mut pages) = (String::new(), vec![], 0);
    loop {
        let page = server.get(&ada, &format!("conflicts?limit=2&cursor={cursor}")).await.json();
        let conflicts = page["conflicts"].as_array().unwrap();
        documents.extend(conflicts.iter().map(|conflict| conflict["document"].as_str().unwrap().to_owned()));
        pages += 1;
        if page["more"] == false {
            assert_eq!(page["cursor"], Value::Null);
            break;
        }
        cursor = page["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!((documents, pages), (["d5", "d4", "d3", "d2", "d1"].map(str::to_owned).to_vec(), 3));
    let refused = |query: &'static str| async { server.get(&ada, query).await.refused_with() };
    assert_eq!(refused("conflicts?cursor=yesterday").await, "invalid_cursor");
    assert_eq!(refused("conflicts?limit=0").await, "invalid_request");
}

#[tokio::test]
async fn a_decision_that_cannot_be_read_is_refused() {
    let server = Server::start().await;
    let (ada, ..) = disagreement(&server).await;
    let id = server.conflicts(&ada).await[0]["id"].clone();
    for decision in [
        json!({ "id": id }),
        json!({ "choice": "won" }),
        json!({ "id": id, "choice": "both" }),
        json!({ "id": id, "choice": "value" }),
        json!({ "id": id, "choice": "lost", "value": 1 }),
        json!({ "id": 7, "choice": "won" }),
        json!([]),
    ] {
        let refused = server.resolve(&ada, decision.clone()).await;
        assert_eq!(
            (refused.status, refused.refused_with().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{decision}"
        );
    }
}

#[tokio::test]
async fn a_writer_that_settled_belongs_to_no_device() {
    let server = Server::start().await;
    let (_, ben, cora) = disagreement(&server).await;
    let id = server.conflicts(&cora).await[0]["id"].clone();
    server.resolve(&cora, json!({ "id": id, "choice": "lost" })).await;
    let change = server.pull(&ben, "").await.page().changes.remove(0);
    let stamp = change.stamps.values().copied().fold(change.stamp, Ord::max);
    let thief = Device { writer: stamp.writer.to_string(), ..ben };
    let refused = server.push(&thief, &[thief.patch(1, "d", 1, "/notes", &json!("mine"))]).await;
    assert_eq!(refused.refused_with(), "writer_mismatch");
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_its_conflicts() {
    let server = Server::start().await;
    let (ada, _, cora) = disagreement(&server).await;
    // What later versions added is taken away again.
    let columns = ["op", "policy", "client", "met_sub", "met_client", "met_mutation"];
    let drop = columns.map(|column| format!("ALTER TABLE conflicts DROP COLUMN {column};")).concat();
    let whole =
        "ALTER TABLE documents DROP COLUMN whole_stamp; ALTER TABLE documents DROP COLUMN whole_version;";
    let later = "ALTER TABLE history DROP COLUMN stamp; DROP TABLE settled; DROP TABLE earlier; \
         DROP TABLE backups; DROP TABLE audit;";
    server.database.change(&format!("{FIFTH} {drop} {whole} {later}")).await;
    server.database.mark(1).await;
    let server = server.restart().await;
    let conflict = server.conflicts(&ada).await.remove(0);
    assert_eq!((&conflict["won"]["user"], &conflict["lost"]["user"]), (&json!("ben"), &json!("ada")));
    assert_eq!(
        (&conflict["lost"]["client"], &conflict["lost"]["mutation"]),
        (&json!("client-1"), &Value::Null)
    );
    let answer = server.resolve(&cora, json!({ "id": conflict["id"], "choice": "lost" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}
