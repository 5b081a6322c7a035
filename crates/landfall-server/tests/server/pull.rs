//! Pulls: every reader sees every row that they may see, once, and hears of every rollback.

use std::slice::from_ref;

use landfall_core::id::Position;
use landfall_core::wire::PullChange;
use serde_json::{Value, json};

use crate::harness::{Device, Page, Server, verdicts, with};

fn changes(pages: &[Page]) -> Vec<(String, String)> {
    let of = |change: &PullChange| (change.kind.clone(), change.document.to_string());
    pages.iter().flat_map(|page| page.changes.iter().map(of)).collect()
}

fn documents(pages: &[Page]) -> Vec<String> {
    changes(pages).into_iter().map(|(_, document)| document).collect()
}

/// Pushes `batches` of visits, every batch one position.
async fn fill(server: &Server, device: &Device, batches: &[u64]) {
    let mut n = 0;
    for size in batches {
        let create = |n: u64| device.create(n, &format!("d{n:03}"), &json!({ "n": n }));
        let batch: Vec<Value> = (n + 1..=n + size).map(create).collect();
        n += size;
        server.push(device, &batch).await.batch();
    }
}

#[tokio::test]
async fn pages_of_any_size_show_every_row_once() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[1, 7, 2, 5, 1]).await;
    let all: Vec<_> = (1..=16).map(|n| format!("d{n:03}")).collect();
    for limit in 1..=17 {
        let pages = server.pull_all(&ada, "", limit).await;
        assert_eq!(documents(&pages), all, "{limit}");
        assert_eq!(pages.len(), 16_usize.div_ceil(limit), "{limit}");
        assert!(pages.iter().all(|page| page.position == Position(5) && page.reset.is_none()));
        assert_eq!(pages[0].remaining, Some(16_u64.saturating_sub(limit as u64)), "{limit}");
        assert!(pages[1..].iter().all(|page| page.remaining.is_none()), "only the first page counts");
        let cursor = &pages.last().unwrap().cursor;
        assert!(documents(&server.pull_all(&ada, cursor, limit).await).is_empty(), "{limit}");
    }
}

#[tokio::test]
async fn what_changes_between_two_pages_comes_again_at_its_new_place() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[4]).await;
    let first = server.pull(&ada, "limit=2").await.page();
    assert_eq!(documents(from_ref(&first)), ["d001", "d002"]);
    server.push(&ada, &[ada.patch(9, "d001", 1, "/n", &json!(0))]).await.batch();
    server.push(&ada, &[ada.patch(10, "d003", 1, "/n", &json!(0))]).await.batch();
    let rest = server.pull_all(&ada, &first.cursor, 1).await;
    assert_eq!(documents(&rest), ["d004", "d001", "d003"]);
}

#[tokio::test]
async fn a_delete_is_a_tombstone_for_who_had_the_document_and_nothing_for_who_had_not() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[3]).await;
    let before = server.pull(&ada, "").await.page();
    server.push(&ada, &[ada.delete(9, "d002", 1)]).await.batch();
    let page = server.pull(&ada, &format!("cursor={}", before.cursor)).await.page();
    assert_eq!(changes(from_ref(&page)), [("tombstone".to_owned(), "d002".to_owned())]);
    assert_eq!(page.changes[0].data, None);
    assert_eq!(page.changes[0].version.0, 2);
    assert!(page.changes[0].stamp.to_string().starts_with("0192f0c1a2b3-0009"));
    for limit in [1, 2, 1_000] {
        assert_eq!(documents(&server.pull_all(&ada, "", limit).await), ["d001", "d003"], "{limit}");
    }
}

#[tokio::test]
async fn a_delete_in_the_middle_of_a_first_sync_is_heard_of() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[3]).await;
    server.push(&ada, &[ada.delete(8, "d002", 1)]).await.batch();
    let first = server.pull(&ada, "limit=1").await.page();
    server.push(&ada, &[ada.delete(9, "d001", 1)]).await.batch();
    let rest = server.pull_all(&ada, &first.cursor, 1).await;
    let expected = [("document", "d003"), ("tombstone", "d001")];
    assert_eq!(changes(&rest), expected.map(|(kind, id)| (kind.to_owned(), id.to_owned())));
}

#[tokio::test]
async fn fields_that_were_unset_and_numbers_of_any_length_arrive_as_they_were_sent() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let text = ada.batch(&[ada.create(1, "d", &json!({ "price": "PRICE", "notes": "x" }))]).to_string();
    server.post(&ada, text.replace(r#""PRICE""#, "12345678901234567890.10")).await.batch();
    let unset = vec![json!({ "path": "/notes", "op": "unset" })];
    server.push(&ada, &[ada.mutation("visits", 2, "d", "patch", unset, 1)]).await.batch();
    let change = server.pull(&ada, "").await.page().changes.remove(0);
    assert_eq!(change.data.unwrap().text(), r#"{"price":12345678901234567890.10}"#);
    let unset = change.stamps[&"/notes".parse().unwrap()];
    assert!(unset.to_string().starts_with("0192f0c1a2b3-0002"), "{unset}");
}

const GUARDED: &str = "
collections:
  visits:
    read: document.inspector == user.id || 'coordinator' in user.roles
    create: 'true'
    update: 'true'
    delete: 'true'
";

#[tokio::test]
async fn nobody_is_sent_what_they_may_not_read() {
    let server = Server::configured(GUARDED).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let cora = Device::of("cora", 3).role("coordinator");
    server.push(&ada, &[ada.create(1, "a", &json!({ "inspector": "ada" }))]).await.batch();
    server.push(&ben, &[ben.create(1, "b", &json!({ "inspector": "ben" }))]).await.batch();
    for limit in [1, 1_000] {
        assert_eq!(documents(&server.pull_all(&ada, "", limit).await), ["a"]);
        assert_eq!(documents(&server.pull_all(&ben, "", limit).await), ["b"]);
        assert_eq!(documents(&server.pull_all(&cora, "", limit).await), ["a", "b"]);
    }
    let elsewhere = Device::of("ada", 4).tenant("north");
    assert!(documents(&server.pull_all(&elsewhere, "", 1_000).await).is_empty());
}

#[tokio::test]
async fn who_loses_sight_of_a_document_is_told_and_nobody_else() {
    let server = Server::configured(GUARDED).await;
    let (ada, ben, eve) = (Device::of("ada", 1), Device::of("ben", 2), Device::of("eve", 3));
    server.push(&ada, &[ada.create(1, "d", &json!({ "inspector": "ada" }))]).await.batch();
    let cursors = {
        let mut cursors = Vec::new();
        for device in [&ada, &ben, &eve] {
            cursors.push(server.pull(device, "").await.page().cursor.clone());
        }
        cursors
    };
    // Twice, so that the last change alone does not tell who could see it.
    server.push(&ada, &[ada.patch(2, "d", 1, "/inspector", &json!("ben"))]).await.batch();
    server.push(&ben, &[ben.patch(1, "d", 2, "/inspector", &json!("cora"))]).await.batch();
    server.push(&ben, &[ben.create(2, "e", &json!({ "inspector": "ben" }))]).await.batch();
    let evicted = [("eviction".to_owned(), "d".to_owned())];
    assert_eq!(changes(&server.pull_all(&ada, &cursors[0], 1_000).await), evicted);
    // Who has changed it since may have it from there.
    let created = ("document".to_owned(), "e".to_owned());
    let told = [evicted[0].clone(), created];
    assert_eq!(changes(&server.pull_all(&ben, &cursors[1], 1_000).await), told);
    assert!(changes(&server.pull_all(&eve, &cursors[2], 1_000).await).is_empty());
}

#[tokio::test]
async fn who_lost_sight_of_a_document_in_the_middle_of_a_commit_is_told() {
    let server = Server::configured(GUARDED).await;
    let ada = Device::of("ada", 1);
    let create = |n, id: &str| ada.create(n, id, &json!({ "inspector": "ada" }));
    server.push(&ada, &[create(1, "a"), create(2, "b"), create(3, "c")]).await.batch();
    let first = server.pull(&ada, "limit=2").await.page();
    for (n, id) in [(4, "a"), (5, "b"), (6, "c")] {
        server.push(&ada, &[ada.patch(n, id, 1, "/inspector", &json!("cora"))]).await.batch();
    }
    let evicted = ["a", "b", "c"].map(|id| ("eviction".to_owned(), id.to_owned()));
    let rest = changes(&server.pull_all(&ada, &first.cursor, 1).await);
    // `c` was never delivered; hearing of it does no harm, for it could have been.
    assert_eq!(rest, evicted);
}

/// Claiming what a delete hides would be a way to read it.
#[tokio::test]
async fn who_could_not_see_a_document_cannot_bring_it_back_to_look_at_it() {
    let server = Server::configured(GUARDED).await;
    let (ben, ada) = (Device::of("ben", 1), Device::of("ada", 2));
    let secret = ben.create(1, "d", &json!({ "inspector": "ben", "notes": "secret" }));
    server.push(&ben, &[secret, ben.delete(2, "d", 1)]).await.batch();
    let claim = ada.create(1, "d", &json!({ "inspector": "ada" }));
    let later = |mutation| with(mutation, "stamp", json!(format!("0192f0c1ffff-0000-{}", ada.writer)));
    let patch = later(ada.patch(2, "d", 0, "/inspector", &json!("ada")));
    let reply = server.push(&ada, &[later(claim), patch]).await.batch();
    assert_eq!(verdicts(&reply), ["rejected not_found", "rejected not_found"]);
    assert!(changes(&server.pull_all(&ada, "", 1_000).await).is_empty());
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_is_refused() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[1]).await;
    let cursor = server.pull(&ada, "").await.page().cursor.clone();
    let swapped: String = cursor.chars().rev().collect();
    for bad in ["x", &swapped, &cursor[1..], &format!("{cursor}A"), &"A".repeat(10_000)] {
        let answer = server.pull(&ada, &format!("cursor={bad}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.refused_with().as_str()),
            (400, "invalid_cursor"),
            "{bad}"
        );
    }
    let elsewhere = Device::of("ada", 2).tenant("north");
    let answer = server.pull(&elsewhere, &format!("cursor={cursor}")).await;
    assert_eq!((answer.status.as_u16(), answer.refused_with().as_str()), (403, "tenant_mismatch"));
    for bad in ["0", "-1", "many"] {
        assert_eq!(server.pull(&ada, &format!("limit={bad}")).await.refused_with(), "invalid_request");
    }
    assert_eq!(server.pull(&ada, "limit=5000").await.page().changes.len(), 1);
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[2, 3]).await;
    let before = server.pull(&ada, "limit=3").await.page();
    let server = server.restart().await;
    let rest = server.pull_all(&ada, &before.cursor, 1_000).await;
    assert_eq!(documents(&rest), ["d004", "d005"]);
    assert_eq!((&rest[0].epoch, &rest[0].reset), (&before.epoch, &None));
    let again = server.push(&ada, &[ada.create(1, "d001", &json!({ "n": 1 }))]).await.batch();
    assert!(again.results[0].duplicate);
    let reply = server.push(&ada, &[ada.create(6, "d006", &json!({}))]).await.batch();
    assert_eq!(reply.results[0].position, Position(3));
}

#[tokio::test]
async fn a_database_that_was_set_back_is_noticed_and_starts_a_new_epoch() {
    let (server, ada, ben) = (Server::start().await, Device::of("ada", 1), Device::of("ben", 2));
    fill(&server, &ada, &[1, 1]).await;
    let server = server.keep_copy().await;
    server.push(&ada, &[ada.create(3, "d003", &json!({}))]).await.batch();
    let before = server.pull(&ada, "").await.page();
    let server = server.set_back().await;
    // Ahead of the head, and then beside another commit at the same position.
    let old = format!("cursor={}", before.cursor);
    let page = server.pull(&ada, &old).await.page();
    let reset = page.reset.clone().unwrap();
    assert_eq!((reset.reason.as_str(), reset.restored_through), ("new_epoch", Position(0)));
    assert_ne!(page.epoch, before.epoch);
    assert_eq!(documents(from_ref(&page)), ["d001", "d002"]);
    server.push(&ben, &[ben.create(1, "d004", &json!({}))]).await.batch();
    let later = server.pull(&ada, &old).await.page();
    assert!(later.reset.is_some() && later.epoch == page.epoch);
    let on = server.pull(&ada, &format!("cursor={}", page.cursor)).await.page();
    assert_eq!((documents(from_ref(&on)), on.reset.clone()), (vec!["d004".to_owned()], None));
}

/// The cursor is of before the copy, so it says nothing; the answer to the push does.
#[tokio::test]
async fn a_database_that_was_set_back_behind_an_answer_to_a_push_is_noticed() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    fill(&server, &ada, &[1]).await;
    let before = server.pull(&ada, "").await.page();
    let server = server.keep_copy().await;
    let heads = [2, 2].map(|_| ada.create(2, "d002", &json!({})));
    let heads = [server.push(&ada, &heads[..1]).await.batch(), server.push(&ada, &heads[1..]).await.batch()];
    assert!(heads[1].results[0].duplicate && heads[0].head == heads[1].head, "the same for a resend");
    let ask = format!("cursor={}~{}", before.cursor, heads[0].head.as_ref().unwrap());
    assert_eq!(server.pull(&ada, &ask).await.page().reset, None);
    let server = server.set_back().await;
    assert_eq!(server.pull(&ada, &format!("cursor={}", before.cursor)).await.page().reset, None);
    let page = server.pull(&ada, &ask).await.page();
    assert_eq!(page.reset.clone().map(|reset| reset.reason).as_deref(), Some("new_epoch"));
    assert_ne!(page.epoch, before.epoch);
}

#[tokio::test]
async fn another_commit_at_the_same_position_is_noticed() {
    let (server, ada, ben) = (Server::start().await, Device::of("ada", 1), Device::of("ben", 2));
    let server = server.keep_copy().await;
    server.push(&ada, &[ada.create(1, "a", &json!({}))]).await.batch();
    let before = server.pull(&ada, "").await.page();
    let server = server.set_back().await;
    server.push(&ben, &[ben.create(1, "b", &json!({}))]).await.batch();
    let page = server.pull(&ada, &format!("cursor={}", before.cursor)).await.page();
    assert_eq!(page.position, before.position);
    assert!(page.reset.is_some() && page.epoch != before.epoch);
    assert_eq!(documents(&[page]), ["b"]);
}

#[tokio::test]
async fn a_page_ends_where_it_gets_too_large() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    for n in 1..=9 {
        let large = ada.create(n, &format!("d{n}"), &json!({ "notes": "x".repeat(200 << 10) }));
        server.push(&ada, &[large]).await.batch();
    }
    let pages = server.pull_all(&ada, "", 1_000).await;
    assert!(pages.len() > 1 && pages.iter().all(|page| page.changes.len() < 8), "{}", pages.len());
    assert_eq!(documents(&pages).len(), 9);
}
