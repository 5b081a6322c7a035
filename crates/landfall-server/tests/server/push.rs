//! Pushes: every mutation takes effect at most once, and its verdict is the same however often it is asked for.

use std::collections::BTreeSet;
use std::slice::from_ref;

use landfall_core::id::{Position, Version};
use landfall_core::wire::Verdict;
use serde_json::json;

use crate::harness::{Device, Server, verdicts, with};

#[tokio::test]
async fn a_resend_gets_the_same_verdict_and_changes_nothing() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let mutations = [
        ada.create(1, "a", &json!({ "status": "planned" })),
        ada.create(2, "b", &json!({ "status": "done" })),
        ada.patch(3, "a", 1, "/notes", &json!("roof ok")),
    ];
    let first = server.push(&ada, &mutations).await.batch();
    assert_eq!(verdicts(&first), ["applied", "rejected validation_failed", "applied"]);
    assert_eq!(first.results[1].field, Some("/notes".parse().unwrap()));
    assert_eq!(first.results[1].message.as_deref(), Some("Write a note before you mark a visit as done."));

    let head = server.pull(&ada, "").await.page();
    let later = mutations.map(|mutation| with(mutation, "firstSentAt", json!(5)));
    let mut again = server.push(&ada, &later).await.batch();
    assert!(again.results.iter().all(|result| result.duplicate));
    again.results.iter_mut().for_each(|result| result.duplicate = false);
    assert_eq!(again.results, first.results);
    let after = server.pull(&ada, "").await.page();
    assert_eq!((after.position, after.changes), (head.position, head.changes));
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 2);
}

#[tokio::test]
async fn a_discarded_mutation_is_closed_unless_it_is_in_already() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let there = ada.create(1, "a", &json!({ "n": 1 }));
    let late = ada.create(2, "b", &json!({ "n": 2 }));
    server.push(&ada, from_ref(&there)).await.batch();
    let ids = [&there, &late].map(|mutation| mutation["id"].clone());
    let closed = server.void(&ada, &ids).await.batch();
    assert_eq!(verdicts(&closed), ["applied", "rejected discarded"]);
    assert_eq!(closed.results.iter().map(|result| result.duplicate).collect::<Vec<_>>(), [true, false]);

    let arrived = server.push(&ada, from_ref(&late)).await.batch();
    assert_eq!(verdicts(&arrived), ["rejected discarded"]);
    let again = server.void(&ada, &ids).await.batch();
    assert_eq!(verdicts(&again), ["applied", "rejected discarded"]);
    assert_eq!(server.rows("SELECT COUNT(*) FROM documents").await, 1);
}

/// Case 1 of the reliability programme.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_copies_at_once_have_one_effect() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    server.push(&ada, &[ada.create(1, "a", &json!({ "n": 0 }))]).await.batch();
    let mutations = [ada.patch(2, "a", 1, "/n", &json!(1)), ada.create(3, "b", &json!({}))];
    let server = std::sync::Arc::new(server);
    let copies: Vec<_> = (0..20)
        .map(|_| {
            let (server, ada, mutations) = (server.clone(), ada.clone(), mutations.clone());
            tokio::spawn(async move { server.push(&ada, &mutations).await.batch() })
        })
        .collect();
    let mut fresh = 0;
    for copy in copies {
        let reply = copy.await.unwrap();
        assert_eq!(verdicts(&reply), ["applied", "applied"]);
        assert_eq!(reply.results[0].version, Version(2));
        assert_eq!(reply.results[0].position, Position(2));
        fresh += usize::from(reply.results.iter().all(|result| !result.duplicate));
    }
    assert_eq!(fresh, 1);
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 3);
    assert_eq!(server.rows("SELECT COUNT(*) FROM commits").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_at_once_get_a_position_each_and_lose_nothing() {
    let server = std::sync::Arc::new(Server::start().await);
    let pushes: Vec<_> = (1..=32)
        .map(|number| {
            let server = server.clone();
            tokio::spawn(async move {
                let device = Device::of(&format!("user-{number}"), number);
                let create = device.create(1, &format!("d{number}"), &json!({ "n": number }));
                server.push(&device, &[create]).await.batch().results[0].position
            })
        })
        .collect();
    let mut positions = BTreeSet::new();
    for push in pushes {
        positions.insert(push.await.unwrap().0);
    }
    assert_eq!(positions, (1..=32).collect());
    assert_eq!(server.pull(&Device::of("ada", 99), "").await.page().changes.len(), 32);
}

/// Case 2 of the reliability programme.
#[tokio::test]
async fn an_id_used_for_something_else_is_refused_and_nothing_is_applied() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    server.push(&ada, &[ada.create(1, "a", &json!({ "n": 1 }))]).await.batch();
    let reply = server.push(&ada, &[ada.create(1, "a", &json!({ "n": 2 }))]).await.batch();
    assert_eq!(verdicts(&reply), ["rejected id_reused"]);
    let original = server.push(&ada, &[ada.create(1, "a", &json!({ "n": 1 }))]).await.batch();
    assert_eq!(verdicts(&original), ["applied"], "the first verdict stands");
    let changes = server.pull(&ada, "").await.page().changes;
    assert_eq!(changes[0].data.as_ref().unwrap().text(), r#"{"n":1}"#);
}

/// Case 3 of the reliability programme.
#[tokio::test]
async fn one_bad_mutation_of_a_hundred_leaves_ninety_nine_applied() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n: u64| {
        let status = if n == 50 { "done" } else { "planned" };
        ada.create(n, &format!("d{n}"), &json!({ "status": status }))
    };
    let reply = server.push(&ada, &(1..=100).map(create).collect::<Vec<_>>()).await.batch();
    for (n, verdict) in (1..).zip(verdicts(&reply)) {
        assert_eq!(verdict, if n == 50 { "rejected validation_failed" } else { "applied" }, "{n}");
    }
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 99);
}

/// Case 9 of the reliability programme.
#[tokio::test]
async fn what_cannot_be_read_is_one_verdict_and_no_reason_to_stop() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let create = |n| ada.create(n, &format!("d{n}"), &json!({}));
    let long = "x".repeat(10 << 10);
    let mutations = [
        json!(null),
        json!([1]),
        with(create(1), "op", json!("explode")),
        with(create(2), "id", json!(null)),
        with(create(3), "id", json!("")),
        with(create(4), "id", json!(long)),
        with(create(5), "document", json!(long)),
        with(create(6), "document", json!("")),
        with(create(7), "fields", json!([{ "path": "/a", "op": "teleport", "value": 1 }])),
        with(create(7), "fields", json!([{ "path": "/a", "op": "set" }])),
        with(create(7), "fields", json!({ "a": 1 })),
        with(create(7), "base", json!(-1)),
        with(create(7), "id", json!(format!("{}:9007199254740992", ada.writer))),
        with(create(8), "collection", json!("elsewhere")),
        create(10),
    ];
    let reply = server.push(&ada, &mutations).await.batch();
    let mut expected = vec!["rejected invalid_mutation"; 13];
    expected.extend(["rejected unknown_collection", "applied"]);
    assert_eq!(verdicts(&reply), expected);
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 1);
}

#[tokio::test]
async fn keys_that_are_no_text_break_nothing() {
    // No rule looks at the document, so nothing refuses it before it is merged.
    let all = "{ read: 'true', create: 'true', update: 'true', delete: 'true' }";
    let server = Server::configured(&format!("collections: {{ visits: {all} }}")).await;
    let ada = Device::of("ada", 1);
    let text = ada.batch(&[ada.create(1, "d", &json!({ "a": "KEYS" })), ada.create(2, "e", &json!({}))]);
    let body = text.to_string().replace(r#""KEYS""#, r#"{"\ud800":1}"#);
    let reply = server.post(&ada, body).await.batch();
    assert_eq!(verdicts(&reply), ["rejected invalid_mutation", "applied"]);
    // Numbers beyond what a double holds are fine as long as nobody calculates with them.
    let text = ada.batch(&[ada.create(3, "d", &json!({ "a": { "b": "N" } }))]).to_string();
    assert_eq!(verdicts(&server.post(&ada, text.replace(r#""N""#, "1e999")).await.batch()), ["applied"]);
    let reply = server.push(&ada, &[ada.patch(4, "d", 1, "/a/c", &json!(1))]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    let change = server.pull(&ada, "").await.page().changes.pop().unwrap();
    assert_eq!(change.data.unwrap().text(), r#"{"a":{"b":1e999,"c":1}}"#);
}

#[tokio::test]
async fn a_group_is_in_as_a_whole_or_not_at_all() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let in_group = |mutation, group| with(mutation, "group", json!(group));
    let mutations = [
        in_group(ada.create(1, "a", &json!({})), "g1"),
        in_group(ada.create(2, "b", &json!({ "status": "done" })), "g1"),
        in_group(ada.create(3, "c", &json!({})), "g2"),
        in_group(ada.create(4, "d", &json!({})), "g2"),
    ];
    let reply = server.push(&ada, &mutations).await.batch();
    let expected = ["rejected group_refused", "rejected validation_failed", "applied", "applied"];
    assert_eq!(verdicts(&reply), expected);
    assert_eq!(reply.results[0].because, reply.results[1].id);
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 2);
}

#[tokio::test]
async fn writes_that_did_not_know_of_each_other_are_merged_and_a_conflict_is_recorded() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "", "rating": null }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    let reply = server.push(&ben, &[ben.patch(1, "d", 1, "/rating", &json!(4))]).await.batch();
    assert_eq!(verdicts(&reply), ["merged"]);
    let reply = server.push(&ben, &[ben.patch(3, "d", 1, "/notes", &json!("leaks"))]).await.batch();
    assert_eq!(verdicts(&reply), ["conflict"]);
    let changes = server.pull(&ada, "").await.page().changes;
    assert_eq!(changes[0].data.as_ref().unwrap().text(), r#"{"notes":"leaks","rating":4}"#);
    let recorded = server.database.read("SELECT path, value, met_value, won FROM conflicts").await;
    assert_eq!(recorded, [[json!("/notes"), json!("\"leaks\""), json!("\"roof ok\""), json!(1)]]);
}

#[tokio::test]
async fn an_installation_never_conflicts_with_itself() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let other_tab = Device { writer: format!("{:032x}", 7), ..ada.clone() };
    server.push(&ada, &[ada.create(1, "d", &json!({ "notes": "" }))]).await.batch();
    server.push(&ada, &[ada.patch(2, "d", 1, "/notes", &json!("roof ok"))]).await.batch();
    let reply = server.push(&other_tab, &[other_tab.patch(1, "d", 1, "/notes", &json!("leaks"))]).await;
    assert_ne!(reply.batch().results[0].verdict, Verdict::Conflict);
}

#[tokio::test]
async fn what_needs_a_creation_is_held_until_that_is_in() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let site = ada.create_in("sites", 1, "s", &json!({ "name": "A1" }));
    let visit = with(ada.create(2, "v", &json!({ "site": "s" })), "needs", json!([site["id"]]));
    let held = server.push(&ada, from_ref(&visit)).await.batch();
    assert_eq!(verdicts(&held), ["held held"]);
    let reply = server.push(&ada, &[site, visit]).await.batch();
    assert_eq!(verdicts(&reply), ["applied", "applied"]);
}

#[tokio::test]
async fn a_stamp_from_the_future_is_replaced_and_the_write_is_in() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let far = with(
        ada.create(1, "d", &json!({ "n": 1 })),
        "stamp",
        json!(format!("ffffffffffff-0000-{}", ada.writer)),
    );
    let result = server.push(&ada, &[far]).await.batch().results.remove(0);
    assert!(result.verdict == Verdict::Applied && result.restamped);
    let stamp = result.stamp.unwrap();
    assert!(stamp.wall() <= (server.app.clock)());
    assert_eq!(server.pull(&ada, "").await.page().changes[0].stamp, stamp);
}

#[tokio::test]
async fn only_who_may_delete_deletes() {
    let server = Server::start().await;
    let (ada, cora) = (Device::of("ada", 1), Device::of("cora", 2).role("coordinator"));
    let stranger = Device::of("sam", 3).role("visitor");
    server.push(&ada, &[ada.create_in("sites", 1, "s", &json!({ "name": "A1" }))]).await.batch();
    let verdict = async |device: &Device| {
        verdicts(&server.push(device, &[device.delete_in("sites", 9, "s", 1)]).await.batch()).remove(0)
    };
    assert_eq!(verdict(&ada).await, "rejected forbidden");
    assert_eq!(
        verdict(&stranger).await,
        "applied",
        "as for what is not there: who may not read learns nothing"
    );
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 1, "and nothing is deleted");
    assert_eq!(verdict(&cora).await, "applied");
}

/// Case 14 of the reliability programme.
#[tokio::test]
async fn names_of_the_protocol_s_own_are_refused_wherever_they_are_written() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let names = ["_owner", "_tenant", "_hlc", "_version", "_deleted", "_x", "id"];
    for (n, name) in (1..).zip(names) {
        let create = ada.create(2 * n, &format!("d{n}"), &json!({ name: 1 }));
        let patch = ada.patch(2 * n + 1, "d", 0, &format!("/{name}/x"), &json!(1));
        let reply = server.push(&ada, &[create, patch]).await.batch();
        assert_eq!(verdicts(&reply), ["rejected reserved_field"; 2], "{name}");
    }
    let inner = ada.create(1, "d", &json!({ "a": { "_x": 1, "id": 2 } }));
    assert_eq!(
        verdicts(&server.push(&ada, &[inner]).await.batch()),
        ["applied"],
        "below the top they are free"
    );
}

/// Case 15 of the reliability programme.
#[tokio::test]
async fn a_stamp_beyond_the_bound_is_replaced_and_one_that_is_none_is_refused() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let now = (server.app.clock)().0;
    let stamp = |millis: u64| json!(format!("{millis:012x}-ffff-{}", ada.writer));
    let year_9999 = 253_402_300_799_000;
    for (n, (millis, replaced)) in
        (1..).zip([(now + 50_000, false), (now + 75_000, true), (now + 3_600_000, true), (year_9999, true)])
    {
        let create = with(ada.create(n, &format!("d{n}"), &json!({})), "stamp", stamp(millis));
        let result = server.push(&ada, &[create]).await.batch().results.remove(0);
        assert_eq!((result.verdict, result.restamped), (Verdict::Applied, replaced), "{millis}");
        assert!(!replaced || result.stamp.unwrap().wall() <= (server.app.clock)());
    }
    let writer = &ada.writer;
    for text in [
        format!("-00000000001-0000-{writer}"),
        format!("01a1fc554ba0-10000-{writer}"),
        format!("01A1FC554BA0-0000-{writer}"),
        "1795234810784".to_owned(),
        "yesterday".to_owned(),
        String::new(),
    ] {
        let create = with(ada.create(9, "d9", &json!({})), "stamp", json!(text));
        let reply = server.push(&ada, &[create]).await.batch();
        assert_eq!(verdicts(&reply), ["rejected invalid_timestamp"], "{text}");
    }
}

/// Case 17 of the reliability programme.
#[tokio::test]
async fn ten_thousand_writes_of_one_document_are_ten_batches() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    server.push(&ada, &[ada.create(1, "d", &json!({ "n": 0 }))]).await.batch();
    for batch in 0..10 {
        let numbers = (0..1_000).map(|n| 2 + 1_000 * batch + n);
        let patch = |n: u64| {
            with(
                ada.patch(n, "d", 1, "/n", &json!(n)),
                "stamp",
                json!(format!("{n:012x}-0000-{}", ada.writer)),
            )
        };
        let mut pushed = ada.batch(&numbers.map(patch).collect::<Vec<_>>());
        pushed["settled"] = json!({ &ada.writer: [[1, 1 + 1_000 * batch]] });
        let reply = server.post(&ada, pushed.to_string()).await.batch();
        assert!(reply.results.iter().all(|result| result.code.is_none()));
    }
    let changes = server.pull(&ada, "").await.page().changes;
    assert_eq!((changes.len(), changes[0].version), (1, Version(10_001)));
    assert_eq!(changes[0].data.as_ref().unwrap().text(), r#"{"n":10001}"#);
}

/// Case 17 of the reliability programme.
#[tokio::test]
async fn an_empty_batch_is_answered() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let reply = server.push(&ada, &[]).await.batch();
    assert!(reply.results.is_empty() && reply.epoch.len() == 32 && reply.server_time.0 > 0);
    assert_eq!(server.pull(&ada, "").await.page().position, Position(0));
}
