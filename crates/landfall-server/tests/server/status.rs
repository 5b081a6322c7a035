//! What the server says of whoever asks, and of no device of anybody else.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Device, Server};

#[tokio::test]
async fn a_user_learns_what_the_server_knows_of_them_and_of_their_device() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    server.push(&ben, &[ben.patch(3, "d", 1, "/notes", &json!("leaks"))]).await.batch();

    let answer = server.get(&ada, "status?client=client-1").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let status = answer.json();
    let (time, epoch) = (&status["serverTime"], &status["epoch"]);
    assert!(time.as_u64().is_some() && epoch.as_str().is_some_and(|epoch| epoch.len() == 32));
    assert_eq!(status["position"], 3);
    assert_eq!([&status["user"], &status["tenant"]], ["ada", "default"]);
    assert_eq!(status["roles"], json!(["worker"]));
    let limits = json!({
        "bodyBytes": 1 << 20, "inflatedBytes": 4 << 20, "batchMutations": 1_000, "pageChanges": 1_000,
    });
    assert_eq!(status["limits"], limits);
    let client = &status["client"];
    assert!(
        client["firstSeen"].as_u64() <= client["lastSeen"].as_u64()
            && client["lastSeen"].as_u64() <= time.as_u64()
    );
    assert_eq!(client["pendingConflicts"], 1, "on the side that lost");
    let bens = server.get(&ben, "status?client=client-2").await.json();
    assert_eq!(bens["client"]["pendingConflicts"], 1, "and on the side that won");

    let id = server.conflicts(&ada).await[0]["id"].clone();
    server.resolve(&ben, json!({ "id": id, "choice": "won" })).await;
    let status = server.get(&ada, "status?client=client-1").await.json();
    assert_eq!(status["client"]["pendingConflicts"], 0);
    for unknown in ["status", "status?client=never-seen"] {
        assert_eq!(server.get(&ada, unknown).await.json()["client"], Value::Null);
    }
}

#[tokio::test]
async fn the_device_of_somebody_else_is_none_of_their_business() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[]).await.batch();
    for other in [Device::of("ben", 2), Device::of("ada", 3).tenant("elsewhere")] {
        let refused = server.get(&other, "status?client=client-1").await;
        assert_eq!(
            (refused.status, refused.refused_with().as_str()),
            (StatusCode::FORBIDDEN, "writer_mismatch")
        );
    }
    let refused = server.get(&ada, &format!("status?client={}", "x".repeat(300))).await;
    assert_eq!(refused.refused_with(), "invalid_request");
    let nobody = axum::http::Request::get("/api/v1/sync/status").body(axum::body::Body::empty()).unwrap();
    assert_eq!(server.call(nobody).await.refused_with(), "invalid_token");
}
