//! The audit log: told to auditors alone, complete, in order, and nobody's to change.

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server};
use crate::migration::FIFTH;

const RULES: &str = "
auditors: '\"auditor\" in user.roles'
collections:
  visits: { read: 'document.notes != \"secret\"', create: 'true', update: 'true', resolve: 'true' }
";

async fn audit(server: &Server, device: &Device, query: &str) -> Answer {
    server.get_at(device, &format!("/api/v1/audit?{query}")).await
}

async fn entries(server: &Server, device: &Device) -> Vec<Value> {
    let answer = audit(server, device, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["entries"].as_array().unwrap().clone()
}

/// Ada and Ben have written to the notes of one visit without knowing of each other, and somebody decides.
async fn settle(server: &Server, round: u64, choice: &str) {
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let document = format!("d{round}");
    server.push(&ada, &[ada.create(2 * round, &document, &json!({ "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2 * round + 1, &document, 1, "/notes", &json!("a"))]).await.batch();
    server.push(&ben, &[ben.patch(round, &document, 1, "/notes", &json!("b"))]).await.batch();
    let id = server.conflicts(&ada).await[0]["id"].clone();
    let answer = server.resolve(&ada, json!({ "id": id, "choice": choice })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

fn auditor() -> Device {
    Device::of("olga", 9).role("auditor")
}

#[tokio::test]
async fn the_log_says_who_settled_which_conflict_and_nothing_of_what_was_written() {
    let server = Server::configured(RULES).await;
    settle(&server, 1, "lost").await;
    settle(&server, 2, "won").await;
    let conflicts = server.conflicts(&auditor()).await;
    let [second, first] = &entries(&server, &auditor()).await[..] else { panic!("not two") };
    for (entry, number, conflict, document, choice, version) in [
        (first, 1, &conflicts[1], "d1", "lost", json!(4)),
        (second, 2, &conflicts[0], "d2", "won", Value::Null),
    ] {
        let at = &conflict["resolved"]["at"];
        let expected = json!({
            "entry": number, "at": at, "by": "ada", "event": "conflict_settled", "conflict": conflict["id"],
            "collection": "visits", "document": document, "path": "/notes", "choice": choice, "version": version,
            "pseudonym": null,
        });
        assert_eq!(*entry, expected);
    }
    // Whoever audits need not be able to read the document.
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.patch(90, "d1", 4, "/notes", &json!("secret"))]).await.batch();
    assert_eq!(server.history(&auditor(), "visits/d1", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(entries(&server, &auditor()).await.len(), 2);
}

#[tokio::test]
async fn only_whom_the_configuration_names_reads_the_log_and_only_of_their_tenant() {
    let server = Server::configured(RULES).await;
    settle(&server, 1, "lost").await;
    for device in [Device::of("ada", 1), Device::of("cora", 3).role("coordinator")] {
        let answer = audit(&server, &device, "").await;
        assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    }
    assert_eq!(entries(&server, &auditor().tenant("north")).await, [Value::Null; 0]);
    let silent = server.beside(config("collections: {}")).await;
    assert_eq!(audit(&silent, &auditor(), "").await.refused_with(), "forbidden");
    let by_name = server.beside(config("{ collections: {}, auditors: user.id == 'ada' }")).await;
    assert_eq!(entries(&by_name, &Device::of("ada", 1)).await.len(), 1);
    assert_eq!(audit(&by_name, &auditor(), "").await.refused_with(), "forbidden");
}

fn config(yaml: &str) -> landfall_server::Config {
    landfall_server::Config::parse(yaml, "landfall.yaml").unwrap()
}

#[tokio::test]
async fn pages_of_the_log_stay_as_they_are_while_others_decide() {
    let server = Server::configured(RULES).await;
    for round in 1..=5 {
        settle(&server, round, "lost").await;
    }
    let (mut cursor, mut pages) = (String::new(), vec![]);
    loop {
        let page = audit(&server, &auditor(), &format!("limit=2&cursor={cursor}")).await.json();
        let numbers =
            page["entries"].as_array().unwrap().iter().map(|entry| entry["entry"].as_u64().unwrap());
        pages.push(numbers.collect::<Vec<_>>());
        settle(&server, 5 + pages.len() as u64, "won").await;
        if page["more"] == false {
            assert_eq!(page["cursor"], Value::Null);
            break;
        }
        cursor = page["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
    for (query, code) in [
        ("cursor=0", "invalid_cursor"),
        ("cursor=01", "invalid_cursor"),
        ("cursor=-1", "invalid_cursor"),
        ("cursor=9223372036854775808", "invalid_cursor"),
        ("limit=0", "invalid_request"),
    ] {
        assert_eq!(audit(&server, &auditor(), query).await.refused_with(), code, "{query}");
    }
}

#[tokio::test]
async fn nothing_that_can_be_asked_for_changes_the_log() {
    let server = Server::configured(RULES).await;
    settle(&server, 1, "lost").await;
    let before = entries(&server, &auditor()).await;
    let id = server.conflicts(&auditor()).await[0]["id"].clone();
    for choice in ["lost", "won"] {
        server.resolve(&auditor(), json!({ "id": id, "choice": choice })).await;
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = Request::builder().method(method).uri("/api/v1/audit");
        let request =
            request.header(AUTHORIZATION, auditor().bearer(&server)).body(Body::from("[]")).unwrap();
        let answer = server.call(request).await;
        assert_eq!(answer.refused_with(), "method_not_allowed", "{method}");
    }
    assert_eq!(entries(&server, &auditor()).await, before);
}

#[tokio::test]
async fn what_was_settled_before_there_was_a_log_is_numbered_by_when_it_was() {
    let server = Server::configured(RULES).await;
    for round in 1..=3 {
        settle(&server, round, "lost").await;
    }
    server.database.change("UPDATE audit SET at = 99 - entry").await;
    server.database.change(FIFTH).await;
    server.database.mark(5).await;
    let server = server.restart().await;
    settle(&server, 4, "won").await;
    let documents: Vec<_> =
        entries(&server, &auditor()).await.iter().map(|entry| entry["document"].clone()).collect();
    assert_eq!(documents, ["d4", "d1", "d2", "d3"]);
}
