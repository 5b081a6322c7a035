//! Who changed a document: told whole and in order to whoever may read it, and to nobody else.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server, verdicts, with};

const GUARDED: &str = "
collections:
  visits:
    read: document.inspector == user.id || 'coordinator' in user.roles
    create: 'true'
    update: 'true'
    delete: 'true'
  sealed: { create: 'true' }
";

fn changes(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["changes"].as_array().unwrap().clone()
}

fn versions(answer: &Answer) -> Vec<u64> {
    changes(answer).iter().map(|change| change["version"].as_u64().unwrap()).collect()
}

/// Later than every stamp that the harness gives by itself.
fn later(mutation: Value) -> Value {
    let stamp = mutation["stamp"].as_str().unwrap().replacen("0192f0c1", "0192f0c2", 1);
    with(mutation, "stamp", json!(stamp))
}

#[tokio::test]
async fn a_history_says_who_did_what_and_when_as_it_was_pushed_newest_first() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "", "size": 1.50 }))]).await.batch();
    let patch = |n| with(ben.patch(n, "d", 1, "/notes", &json!("leaks")), "group", json!("g"));
    let other = with(ben.create(3, "e", &json!({})), "group", json!("g"));
    let sent = with(patch(2), "replaces", json!(format!("{}:1", ben.writer)));
    server.push(&ben, &[sent.clone(), other]).await.batch();
    let answer = server.history(&ada, "visits/d", "").await;
    let told = answer.json();
    assert_eq!((&told["more"], &told["cursor"]), (&json!(false), &Value::Null));
    assert_eq!(told["epoch"], server.pull(&ada, "").await.page().epoch);
    let [second, first] = &changes(&answer)[..] else { panic!("{answer:?}") };
    assert_eq!([&first["version"], &second["version"]], [1, 2]);
    assert_eq!([&first["position"], &second["position"]], [1, 2]);
    assert_eq!([&first["user"], &second["user"]], ["ada", "ben"]);
    assert_eq!([&first["client"], &second["client"]], ["client-1", "client-2"]);
    assert_eq!([&first["op"], &second["op"]], ["create", "patch"]);
    for member in ["fields", "replaces", "group", "base", "stamp"] {
        assert_eq!(second[member], sent[member], "{member}");
    }
    assert_eq!(second["mutation"], sent["id"]);
    assert_eq!([&second["settled"], &second["settles"]], [&json!([]), &Value::Null]);
    assert!(first["at"].as_u64().unwrap() > 1_700_000_000_000);
    // Not parsed on the way: a number is as it was written.
    let raw = ada.batch(&[ada.create(2, "raw", &json!({ "size": 7 }))]).to_string();
    server.post(&ada, raw.replace("\"value\":7", "\"value\":7.50e0")).await.batch();
    let text = server.history(&ada, "visits/raw", "").await.text;
    assert!(text.contains("\"value\":7.50e0"), "{text}");
}

#[tokio::test]
async fn the_stamp_that_is_told_is_the_one_that_the_server_used() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let ahead = format!("ffffffff0000-0000-{}", ada.writer);
    let reply = server.push(&ada, &[with(ada.create(1, "d", &json!({})), "stamp", json!(ahead))]).await;
    let used = reply.batch().results[0].stamp.unwrap().to_string();
    assert_ne!(used, ahead);
    assert_eq!(changes(&server.history(&ada, "visits/d", "").await)[0]["stamp"], used);
    server.database.change("UPDATE history SET stamp = NULL").await;
    assert_eq!(changes(&server.history(&ada, "visits/d", "").await)[0]["stamp"], ahead);
}

#[tokio::test]
async fn pages_of_a_history_stay_as_they_are_while_others_write() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": 0 }))]).await.batch();
    for n in 2..=7 {
        server.push(&ada, &[ada.patch(n, "d", n - 1, "/notes", &json!(n))]).await.batch();
    }
    let (mut cursor, mut pages) = (String::new(), vec![]);
    loop {
        let answer = server.history(&ben, "visits/d", &format!("limit=3&cursor={cursor}")).await;
        pages.push(versions(&answer));
        let n = pages.len() as u64;
        server.push(&ben, &[ben.patch(n, "d", 6 + n, "/notes", &json!("more"))]).await.batch();
        let told = answer.json();
        if told["more"] == false {
            assert_eq!(told["cursor"], Value::Null);
            break;
        }
        cursor = told["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(pages, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    assert_eq!(versions(&server.history(&ben, "visits/d", "limit=2").await), [10, 9]);
    assert_eq!(versions(&server.history(&ben, "visits/d", "cursor=1").await), [0; 0]);
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let long = "x".repeat(200 << 10);
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
    for n in 2..=9 {
        server.push(&ada, &[ada.patch(n, "d", n - 1, "/notes", &json!(long))]).await.batch();
    }
    let answer = server.history(&ada, "visits/d", "").await;
    assert_eq!(versions(&answer), [9, 8, 7, 6, 5, 4]);
    assert_eq!(answer.json()["cursor"], "4");
    assert_eq!(versions(&server.history(&ada, "visits/d", "cursor=4").await), [3, 2, 1]);
}

#[tokio::test]
async fn who_may_not_read_a_document_is_answered_as_if_it_had_never_been() {
    let server = Server::configured(GUARDED).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let cora = Device::of("cora", 3).role("coordinator");
    let his = json!({ "inspector": "ben" });
    let gone = [ben.create(2, "gone", &his), ben.delete(3, "gone", 1)];
    server.push(&ben, &[&[ben.create(1, "his", &his)], &gone[..]].concat()).await.batch();
    for (device, sees) in [(&ben, true), (&cora, true), (&ada, false)] {
        for document in ["visits/his", "visits/gone"] {
            let status = server.history(device, document, "").await.status;
            assert_eq!(status == StatusCode::OK, sees, "{document} {}", device.caller.user);
        }
    }
    let told = |answer: &Answer| {
        assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::NOT_FOUND, "not_found"));
        with(answer.json(), "requestId", Value::Null)
    };
    let never = told(&server.history(&ada, "visits/never", "").await);
    let north = Device::of("ben", 4).tenant("north").role("coordinator");
    let long = format!("visits/{}", "x".repeat(300));
    for (device, document) in [
        (&ada, "visits/his"),
        (&ada, "visits/gone"),
        (&ada, "visits/%00"),
        (&ada, "visits/%ff"),
        (&ada, &long),
        (&ada, "nothing/his"),
        (&ada, "_visits/his"),
        (&cora, "sealed/his"),
        (&north, "visits/his"),
    ] {
        for query in ["", "cursor=2&limit=1"] {
            assert_eq!(told(&server.history(device, document, query).await), never, "{document}");
        }
    }
    // What is wrong with the question is told before anything is looked for.
    for document in ["visits/his", "visits/never"] {
        for (query, code) in [("cursor=0", "invalid_cursor"), ("limit=0", "invalid_request")] {
            assert_eq!(server.history(&ada, document, query).await.refused_with(), code, "{document}");
        }
    }
    // Whoever is handed the document is told all of it, and who hands it on no more.
    server.push(&ben, &[ben.patch(5, "his", 1, "/inspector", &json!("ada"))]).await.batch();
    assert_eq!(versions(&server.history(&ada, "visits/his", "").await), [2, 1]);
    assert_eq!(told(&server.history(&ben, "visits/his", "").await), never);
}

#[tokio::test]
async fn what_was_deleted_brought_back_and_made_anew_has_one_history() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let ids = "an id/with \u{e4} and %";
    server.push(&ada, &[ada.create(1, ids, &json!({ "notes": "one" }))]).await.batch();
    server.push(&ada, &[ada.delete(2, ids, 1)]).await.batch();
    let path = "visits/an%20id%2Fwith%20%C3%A4%20and%20%25";
    assert_eq!(versions(&server.history(&ada, path, "").await), [2, 1]);
    assert_eq!(changes(&server.history(&ada, path, "").await)[0]["op"], "delete");
    let anew = with(ada.create(3, ids, &json!({ "notes": "two" })), "base", json!(2));
    let reply = server.push(&ada, &[anew]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    let ops: Vec<Value> =
        changes(&server.history(&ada, path, "").await).iter().map(|change| change["op"].clone()).collect();
    assert_eq!(ops, ["create", "delete", "create"]);
    // What changed nothing and what was refused are no part of it.
    let refused =
        [ada.patch(4, ids, 3, "/_notes", &json!(1)), ada.create(1, ids, &json!({ "notes": "one" }))];
    server.push(&ada, &refused).await.batch();
    assert_eq!(versions(&server.history(&ada, path, "").await), [3, 2, 1]);
}

#[tokio::test]
async fn what_a_person_has_settled_stands_where_the_conflict_was_met_and_where_it_was_written() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let cora = Device::of("cora", 3).role("coordinator");
    let visit = json!({ "notes": "", "rating": 1 });
    server.push(&ada, &[ada.create(1, "d", &visit), ada.create(2, "other", &visit)]).await.batch();
    for (n, document) in [(3, "d"), (4, "other")] {
        server.push(&ada, &[ada.patch(n, document, 1, "/notes", &json!("roof ok"))]).await.batch();
    }
    server.push(&ada, &[ada.patch(5, "d", 2, "/rating", &json!(2))]).await.batch();
    let fields = ["/notes", "/rating"].map(|path| json!({ "path": path, "op": "set", "value": 5 }));
    let meets = later(ben.mutation("visits", 1, "d", "patch", fields.into(), 1));
    let elsewhere = later(ben.patch(2, "other", 1, "/notes", &json!("leaks")));
    let reply = server.push(&ben, &[meets, elsewhere]).await;
    assert_eq!(verdicts(&reply.batch()), ["conflict", "conflict"]);
    let open = server.history(&ben, "visits/d", "limit=1").await;
    assert_eq!(changes(&open)[0]["settled"], json!([]), "nobody has settled anything yet");

    let conflicts = server.conflicts(&cora).await;
    let id = |document: &str, path: &str| {
        let is_it = |one: &&Value| one["document"] == document && one["path"] == path;
        conflicts.iter().find(is_it).unwrap()["id"].clone()
    };
    let (notes, rating) = (id("d", "/notes"), id("d", "/rating"));
    for (id, choice) in [(&notes, "lost"), (&rating, "won"), (&id("other", "/notes"), "lost")] {
        let answer = server.resolve(&cora, json!({ "id": id, "choice": choice })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let answer = server.history(&ben, "visits/d", "").await;
    assert_eq!(versions(&answer), [5, 4, 3, 2, 1]);
    let told = changes(&answer);
    let (decision, met) = (&told[0], &told[1]);
    assert_eq!((&decision["user"], &decision["settles"]), (&json!("cora"), &notes));
    assert_eq!(decision["fields"][0]["value"], "roof ok");
    assert!(decision["client"].as_str().unwrap().starts_with("server-"));
    assert_eq!(met["settles"], Value::Null);
    let [first, second] = &met["settled"].as_array().unwrap()[..] else { panic!("{met}") };
    assert_eq!(
        [&first["conflict"], &first["path"], &first["by"], &first["choice"], &first["version"]],
        [&notes, &json!("/notes"), &json!("cora"), &json!("lost"), &json!(5)]
    );
    assert_eq!(
        [&second["conflict"], &second["path"], &second["choice"], &second["version"]],
        [&rating, &json!("/rating"), &json!("won"), &Value::Null]
    );
    assert!(first["at"].as_u64() >= met["at"].as_u64());
    assert!(
        told[2..].iter().all(|change| change["settled"] == json!([]) && change["settles"] == Value::Null)
    );
    // A page tells of a settlement whatever else is on it.
    let alone = server.history(&ben, "visits/d", "limit=1").await;
    assert_eq!(changes(&alone)[0], told[0]);
    assert_eq!(changes(&server.history(&ben, "visits/d", "limit=1&cursor=5").await)[0], told[1]);
}
