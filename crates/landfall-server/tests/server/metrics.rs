//! What a server says of itself to who measures it.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::harness::{Device, Server, with};

/// The value of a line such as `landfall_pushes_total`; 0 where there is none.
fn value(server: &Server, name: &str) -> f64 {
    let text = server.app.metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |number| number.parse().unwrap())
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let create = ada.create(1, "d", &json!({ "notes": "x" }));
    server.push(&ada, std::slice::from_ref(&create)).await.batch();
    server
        .push(&ada, &[create, with(ada.create(2, "e", &json!({})), "collection", json!("nothing"))])
        .await
        .batch();
    let late =
        with(ada.patch(3, "f", 1, "/notes", &json!("y")), "needs", json!([format!("{}:9", ada.writer)]));
    server.push(&ada, &[late]).await.batch();
    server.pull(&ada, "").await.page();
    server.pull(&ada, "limit=none").await;
    server.call(Request::get("/nowhere/at/all").body(Body::empty()).unwrap()).await;

    let count = |name: &str| value(&server, name);
    assert_eq!(count(r#"landfall_mutations_total{verdict="applied",code=""}"#), 1.0);
    assert_eq!(count(r#"landfall_mutations_total{verdict="duplicate",code=""}"#), 1.0);
    assert_eq!(count(r#"landfall_mutations_total{verdict="rejected",code="unknown_collection"}"#), 1.0);
    assert_eq!(count(r#"landfall_mutations_total{verdict="held",code="held"}"#), 1.0);
    assert_eq!(count("landfall_pushes_total"), 3.0);
    assert_eq!(count("landfall_pulled_changes_total"), 1.0);
    assert_eq!(count(r#"landfall_requests_total{route="/api/v1/sync/batch",status="200"}"#), 3.0);
    assert_eq!(count(r#"landfall_requests_total{route="/api/v1/sync/pull",status="400"}"#), 1.0);
    assert_eq!(count(r#"landfall_requests_total{route="other",status="404"}"#), 1.0);
    assert_eq!(count(r#"landfall_request_seconds_count{route="/api/v1/sync/batch"}"#), 3.0);
    assert_eq!(count("landfall_commit_seconds_count"), 3.0);
    assert_eq!(count("landfall_waiting_pushes"), 0.0);
    assert_eq!(count("landfall_failed_commits_total"), 0.0);
}

#[tokio::test]
async fn a_stream_is_counted_until_it_is_gone() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let ask = Request::get("/api/v1/sync/live").header(AUTHORIZATION, ada.bearer(&server));
    let stream = server.respond(ask.body(Body::empty()).unwrap()).await;
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(value(&server, "landfall_live_connections"), 1.0);
    drop(stream);
    assert_eq!(value(&server, "landfall_live_connections"), 0.0);
}

#[tokio::test]
async fn nothing_of_users_or_documents_is_in_what_is_measured_and_nobody_can_make_it_more() {
    let server = Server::start().await;
    let ada = Device::of("secret-user", 1).tenant("secret-tenant");
    server.push(&ada, &[ada.create(1, "secret-document", &json!({ "notes": "secret-note" }))]).await.batch();
    server.pull(&ada, "cursor=secret-cursor").await;
    let lines =
        || server.app.metrics.text().lines().map(|line| line.to_owned()).collect::<BTreeSet<_>>().len();
    let ask = |path: String| Request::get(path).body(Body::empty()).unwrap();
    server.call(ask("/secret/0".to_owned())).await;
    let before = lines();
    for n in 1..20 {
        server.call(ask(format!("/secret/{n}"))).await;
        server.call(ask(format!("/api/v1/sync/{n}?secret={n}"))).await;
    }
    assert_eq!(lines(), before);
    let text = server.app.metrics.text();
    assert!(!text.contains("secret") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn the_page_for_collectors_is_no_part_of_the_api() {
    let server = Server::start().await;
    let refused = server.call(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(refused.refused_with(), "not_found");
}
