//! What is left of a history when a backup is put back, and what is known to be in one.

use landfall_core::id::Position;
use landfall_core::time::{Millis, WallTime};
use serde_json::json;

use crate::harness::{Device, Page, Server};
use crate::migration::FIFTH;

/// Kind and document of what is on a page.
fn shown(page: &Page) -> Vec<(String, String)> {
    page.changes.iter().map(|change| (change.kind.clone(), change.document.to_string())).collect()
}

fn entry(kind: &str, document: &str) -> (String, String) {
    (kind.to_owned(), document.to_owned())
}

#[tokio::test]
async fn a_new_epoch_says_how_much_of_what_a_device_shows_is_part_of_it_and_what_is_gone_since() {
    let (server, ada, ben) = (Server::start().await, Device::of("ada", 1), Device::of("ben", 2));
    let mut cursors = vec![];
    for (n, document) in [(1, "a"), (2, "b")] {
        server.push(&ada, &[ada.create(n, document, &json!({}))]).await.batch();
        cursors.push(server.pull(&ada, "").await.page().cursor.clone());
    }
    let server = server.keep_copy().await;
    server.push(&ada, &[ada.create(3, "c", &json!({}))]).await.batch();
    cursors.push(server.pull(&ada, "").await.page().cursor.clone());
    let server = server.set_back().await;
    server.push(&ben, &[ben.delete(1, "b", 1)]).await.batch();
    let [first, second, third] = &cursors[..] else { unreachable!() };
    for (milestones, through) in [
        (vec![], 0),
        (vec![third], 0),
        (vec![first], 1),
        (vec![third, second, first], 2),
        (vec![first, second, third], 2),
    ] {
        let ask = milestones.into_iter().fold(format!("cursor={third}"), |ask, one| format!("{ask}~{one}"));
        let page = server.pull(&ada, &ask).await.page();
        let reset = page.reset.clone().unwrap();
        assert_eq!(
            (reset.reason.as_str(), reset.restored_through),
            ("new_epoch", Position(through)),
            "{ask}"
        );
        let gone = (through > 0).then(|| entry("tombstone", "b"));
        let all: Vec<_> = [entry("document", "a")].into_iter().chain(gone).collect();
        assert_eq!(shown(&page), all, "{ask}");
    }
}

/// Goal: what a device may keep is only what it was shown by the rules and claims that it comes with, and to the end.
#[tokio::test]
async fn nothing_counts_as_restored_but_ends_of_pulls_by_the_same_rules() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let both = [ada.create(1, "a", &json!({})), ada.create(2, "b", &json!({}))];
    let reply = server.push(&ada, &both).await.batch();
    let head = reply.head.clone().unwrap();
    let part = server.pull(&ada, "limit=1").await.page();
    assert!(part.more);
    let other = server.pull(&ada.clone().role("coordinator"), "").await.page();
    let end = server.pull(&ada, "").await.page();
    let server = server.keep_copy().await;
    server.push(&ada, &[ada.create(9, "c", &json!({}))]).await.batch();
    let lost = server.pull(&ada, "").await.page();
    let server = server.set_back().await;
    let through = async |shown: &str| {
        let page = server.pull(&ada, &format!("cursor={}~{shown}", lost.cursor)).await.page();
        page.reset.clone().unwrap().restored_through
    };
    for none in [&head, &part.cursor, &other.cursor, &lost.cursor] {
        assert_eq!(through(none).await, Position(0));
    }
    assert_eq!(through(&end.cursor).await, Position(1));
    let refused = server.pull(&ada, &format!("cursor={}~{}x", lost.cursor, end.cursor)).await;
    assert_eq!(refused.refused_with(), "invalid_cursor");
}

#[tokio::test]
async fn devices_are_told_what_is_in_a_backup_each_tenant_for_itself() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2).tenant("north"));
    for n in 1..=3 {
        server.push(&ada, &[ada.create(n, &format!("d{n}"), &json!({}))]).await.batch();
    }
    server.push(&ben, &[ben.create(1, "d", &json!({}))]).await.batch();
    let backed_up = async |device: &Device| server.pull(device, "").await.page().backed_up_through;
    let now = (server.app.clock)();
    // Clocks differ, and a request may wait for its turn.
    assert_eq!(server.app.store.backed_up(now).await.unwrap(), 0);
    assert_eq!(backed_up(&ada).await, Position(0));
    let later = now.after(Millis::seconds(660));
    assert_eq!(server.app.store.backed_up(later).await.unwrap(), 2);
    assert_eq!((backed_up(&ada).await, backed_up(&ben).await), (Position(3), Position(1)));
    server.push(&ada, &[ada.create(4, "d4", &json!({}))]).await.batch();
    assert_eq!(backed_up(&ada).await, Position(3), "no backup was made since");
    // An older one says nothing new.
    assert_eq!(server.app.store.backed_up(WallTime(1)).await.unwrap(), 0);
    assert_eq!(server.app.store.backed_up(later).await.unwrap(), 1);
    assert_eq!((backed_up(&ada).await, backed_up(&ben).await), (Position(4), Position(1)));
}

#[tokio::test]
async fn tables_of_the_version_before_are_brought_along_with_all_that_is_in_them() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    server.app.store.close().await;
    server.database.change(&format!("{FIFTH} DROP TABLE backups")).await;
    server.database.mark(4).await;
    let server = server.restart().await;
    let page = server.pull(&ada, "").await.page();
    assert_eq!((page.backed_up_through, page.changes.len()), (Position(0), 1));
    assert_eq!(shown(&page), [entry("document", "d")]);
}
