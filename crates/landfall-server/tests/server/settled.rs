//! Receipts go once their device has stored the verdicts; exactly once holds all the same.

use std::slice::from_ref;

use axum::http::StatusCode;
use landfall_core::authority::{RECEIPTS_MAX, VERDICTS_KEPT};
use landfall_core::id::{MutationId, Position};
use landfall_core::time::Millis;
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server, verdicts, with};

/// Pushes, and says of ranges of the device's own mutations that their verdicts are stored.
async fn push(server: &Server, device: &Device, settled: Value, mutations: &[Value]) -> Answer {
    let mut batch = device.batch(mutations);
    batch["settled"] = json!({ (device.writer.clone()): settled });
    server.post(device, batch.to_string()).await
}

async fn receipts(server: &Server) -> i64 {
    server.rows("SELECT COUNT(*) FROM receipts").await
}

async fn runs(server: &Server) -> Vec<(i64, i64, Option<String>)> {
    let runs = server.database.read("SELECT first, last, code FROM settled ORDER BY writer, first").await;
    runs.into_iter().map(|run| serde_json::from_value(run.into()).unwrap()).collect()
}

#[tokio::test]
async fn a_settled_mutation_that_arrives_again_has_no_second_effect() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let there = ada.create(1, "a", &json!({ "n": 1 }));
    let refused = ada.create(2, "b", &json!({ "status": "done" }));
    server.push(&ada, &[there.clone(), refused.clone()]).await.batch();
    server.push(&ada, &[ada.create(3, "c", &json!({}))]).await.batch();
    let again = push(&server, &ada, json!([[1, 2]]), &[there, refused]).await.batch();
    assert_eq!(verdicts(&again), ["merged", "rejected validation_failed"]);
    assert!(again.results.iter().all(|result| result.duplicate));
    assert_eq!(again.results[0].position, Position(2), "no later than everything that there is");
    assert_eq!(again.results[0].stamp, None);
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 2);
    assert_eq!(receipts(&server).await, 1);
}

#[tokio::test]
async fn runs_grow_together_and_only_what_was_judged_is_in_them() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n: u64| ada.create(n, &format!("d{n}"), &json!({}));
    let sent: Vec<_> = [1, 2, 3, 5, 6].map(create).into();
    server.push(&ada, &sent).await.batch();
    push(&server, &ada, json!([[2, 2], [6, 9]]), &[]).await.batch();
    assert_eq!(runs(&server).await, [(2, 2, None), (6, 6, None)]);
    push(&server, &ada, json!([[3, 3], [5, 5], [1, 1]]), &[]).await.batch();
    assert_eq!(runs(&server).await, [(1, 3, None), (5, 6, None)], "the fourth was never sent");
    let late = push(&server, &ada, json!([[1, 100]]), &[create(4)]).await.batch();
    assert_eq!((verdicts(&late), late.results[0].duplicate), (vec!["applied".to_owned()], false));
    push(&server, &ada, json!([[4, 4]]), &[]).await.batch();
    assert_eq!(runs(&server).await, [(1, 6, None)]);
    assert_eq!(receipts(&server).await, 0);
}

#[tokio::test]
async fn what_is_settled_is_still_needed_followed_and_discarded_too_late() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let site = ada.create_in("sites", 1, "s", &json!({ "name": "A1" }));
    let bad = ada.create(2, "b", &json!({ "status": "done" }));
    server.push(&ada, &[site.clone(), bad.clone()]).await.batch();
    let visit = with(ada.create(3, "v", &json!({ "site": "s" })), "needs", json!([site["id"]]));
    let child = with(ada.create(4, "w", &json!({})), "needs", json!([bad["id"]]));
    let reply = push(&server, &ada, json!([[1, 2]]), &[visit, child]).await.batch();
    assert_eq!(verdicts(&reply), ["applied", "held held"]);
    let closed = server.void(&ada, &[site["id"].clone(), bad["id"].clone()]).await.batch();
    assert_eq!(verdicts(&closed), ["merged", "rejected validation_failed"]);
    assert_eq!(server.rows("SELECT COUNT(*) FROM documents").await, 2);
}

#[tokio::test]
async fn a_writer_with_too_many_receipts_settles_first_and_is_stopped_in_nothing_else() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n: usize| ada.create(n as u64, &format!("d{n}"), &json!({}));
    for first in (1..=RECEIPTS_MAX).step_by(1_000) {
        server.push(&ada, &(first..first + 1_000).map(create).collect::<Vec<_>>()).await.batch();
    }
    let new = create(RECEIPTS_MAX + 1);
    let answer = server.push(&ada, from_ref(&new)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.refused_with(), "settle_first");
    assert_eq!(answer.json()["limit"], RECEIPTS_MAX);
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(verdicts(&server.push(&ada, &[create(1), create(2)]).await.batch()), ["applied", "applied"]);
    assert_eq!(server.push(&ada, &[]).await.status, StatusCode::OK);
    let other_tab = Device { writer: format!("{:032x}", 7), ..ada.clone() };
    let reply = server.push(&other_tab, &[other_tab.create(1, "other", &json!({}))]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    // What is said in a batch counts for that batch.
    let reply = push(&server, &ada, json!([[1, 1]]), &[new]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
}

#[tokio::test]
async fn what_a_refused_batch_says_of_verdicts_is_taken_in() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n: usize| ada.create(n as u64, &format!("d{n}"), &json!({}));
    for first in (1..=RECEIPTS_MAX + 1_000).step_by(1_000) {
        let batch: Vec<_> = (first..first + 1_000).map(create).collect();
        // The fifth thousand is let in after one verdict, and leaves more than there may be.
        push(&server, &ada, json!([[1, 1]]), &batch).await.batch();
    }
    let answer = push(&server, &ada, json!([[2, 2]]), &[create(9_000)]).await;
    assert_eq!(answer.refused_with(), "settle_first");
    assert_eq!(runs(&server).await, [(1, 2, None)]);
}

#[tokio::test]
async fn what_was_first_sent_too_long_ago_is_neither_applied_nor_lost() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let now = (server.app.clock)().0;
    let sent = |age: u64, n| with(ada.create(n, "d", &json!({})), "firstSentAt", json!(now - age));
    let old = sent(VERDICTS_KEPT.0 + 60_000, 1);
    for duplicate in [false, true] {
        let reply = server.push(&ada, from_ref(&old)).await.batch();
        assert_eq!(verdicts(&reply), ["rejected maybe_applied"]);
        assert_eq!(reply.results[0].duplicate, duplicate);
    }
    let reply = server.push(&ada, &[sent(VERDICTS_KEPT.0 - 60_000, 2)]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
}

#[tokio::test]
async fn verdicts_are_forgotten_when_nobody_can_ask_for_them_any_more() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n: u64| ada.create(n, &format!("d{n}"), &json!({}));
    server.push(&ada, &[create(1), create(2)]).await.batch();
    push(&server, &ada, json!([[1, 1]]), &[]).await.batch();
    let left = async || (receipts(&server).await, runs(&server).await.len());
    let store = &server.app.store;
    store.forget_verdicts((server.app.clock)().after(VERDICTS_KEPT)).await.unwrap();
    assert_eq!(left().await, (1, 1), "a device may be wrong about the time by a day");
    let later = (server.app.clock)().after(VERDICTS_KEPT).after(Millis::seconds(25 * 60 * 60));
    store.forget_verdicts(later).await.unwrap();
    assert_eq!(left().await, (0, 0));
}

#[tokio::test]
async fn ranges_that_are_none_and_too_many_of_them_are_refused() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    for range in [json!([0, 1]), json!([2, 1]), json!([1, 1u64 << 53])] {
        let answer = push(&server, &ada, json!([range]), &[]).await;
        assert_eq!(
            (answer.status, answer.refused_with().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_request")
        );
    }
    let many: Vec<_> = (1..=1_001).map(|n| [2 * n, 2 * n]).collect();
    let answer = push(&server, &ada, json!(many), &[]).await;
    assert_eq!((answer.refused_with().as_str(), &answer.json()["limit"]), ("batch_too_large", &json!(1_000)));
    assert_eq!(push(&server, &ada, json!(many[1..]), &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_id_that_was_settled_by_one_user_is_not_another_ones_to_use() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let mutation = ada.create(1, "a", &json!({}));
    server.push(&ada, from_ref(&mutation)).await.batch();
    push(&server, &ada, json!([[1, 1]]), &[]).await.batch();
    assert_eq!(server.push(&ben, &[mutation]).await.refused_with(), "writer_mismatch");
    let id: MutationId = format!("{}:1", ada.writer).parse().unwrap();
    assert_eq!(server.void(&ben, &[json!(id)]).await.refused_with(), "writer_mismatch");
}
