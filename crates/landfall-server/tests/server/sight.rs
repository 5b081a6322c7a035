//! Who may not see a document learns nothing of it, and rights that change are noticed.

use landfall_core::wire::PushResult;
use serde_json::{Value, json};

use crate::harness::{Device, Server, verdicts, with};

const GUARDED: &str = "
collections:
  visits:
    read: document.inspector == user.id || 'coordinator' in user.roles
    create: \"'worker' in user.roles\"
    update: \"'worker' in user.roles\"
    delete: \"'worker' in user.roles\"
";

/// Ben's visit, and Ada, who knows its name.
async fn guarded() -> (Server, Device, Device) {
    let server = Server::configured(GUARDED).await;
    let (ben, ada) = (Device::of("ben", 1), ada(&["worker"]));
    let visit = json!({ "inspector": "ben", "notes": "secret" });
    server.push(&ben, &[ben.create(1, "his", &visit)]).await.batch();
    (server, ben, ada)
}

fn ada(roles: &[&str]) -> Device {
    let mut device = Device::of("ada", 2);
    device.caller.roles = roles.iter().map(|&role| role.to_owned()).collect();
    device
}

fn stamped(device: &Device, mutation: Value, stamp: &str) -> Value {
    with(mutation, "stamp", json!(format!("{stamp}-{}", device.writer)))
}

/// What is told of a mutation, apart from its name.
fn told(result: &PushResult) -> PushResult {
    PushResult { id: None, ..result.clone() }
}

#[tokio::test]
async fn what_one_may_not_see_is_answered_like_what_is_not_there() {
    let (server, ben, ada) = guarded().await;
    let deleted = ben.create(2, "deleted", &json!({ "inspector": "ben" }));
    server.push(&ben, &[deleted, ben.delete(3, "deleted", 1)]).await.batch();
    let mut n = 0;
    for base in [0, 1, 9] {
        for hidden in ["his", "deleted"] {
            let mut of = |document: &str| {
                n += 10;
                [
                    ada.patch(n, document, base, "/notes", &json!("mine")),
                    ada.patch(n + 1, document, base, "/_notes", &json!("mine")),
                    ada.delete(n + 2, document, base),
                ]
            };
            let reply = server.push(&ada, &[of(hidden), of("nowhere")].concat()).await.batch();
            assert_eq!(verdicts(&reply)[..2], ["rejected not_found", "rejected reserved_field"], "{base}");
            for (ours, other) in reply.results[..3].iter().zip(&reply.results[3..]) {
                assert_eq!(told(ours), told(other), "{hidden} {base}");
            }
        }
    }
    // Who may not make it is told that, whether or not it is there.
    let eve = Device::of("eve", 3).role("guest");
    let make = |n, document| eve.create(n, document, &json!({ "inspector": "eve" }));
    let reply = server.push(&eve, &[make(1, "his"), make(2, "nowhere")]).await.batch();
    assert_eq!(verdicts(&reply), ["rejected forbidden", "rejected forbidden"]);
    assert_eq!(told(&reply.results[0]), told(&reply.results[1]));
}

/// Changing whose it is while it is deleted, and bringing it back then, would be a way to read it.
#[tokio::test]
async fn what_a_delete_hides_is_not_changed_by_who_could_not_see_it() {
    let (server, ben, ada) = guarded().await;
    let late = "0192f0c1bbbb-0000";
    server.push(&ben, &[stamped(&ben, ben.delete(2, "his", 1), late)]).await.batch();
    let claim = stamped(&ada, ada.patch(1, "his", 0, "/inspector", &json!("ada")), "0192f0c1aaaa-0000");
    let revive = stamped(&ada, ada.patch(2, "his", 0, "/notes", &json!("mine")), "0192f0c1ffff-0000");
    let reply = server.push(&ada, &[claim, revive]).await.batch();
    assert_eq!(verdicts(&reply), ["rejected not_found", "rejected not_found"]);
    assert!(server.pull_all(&ada, "", 1_000).await.iter().all(|page| page.changes.is_empty()));
}

#[tokio::test]
async fn nobody_learns_from_what_they_build_on_what_others_have_written() {
    let (server, ben, ada) = guarded().await;
    let foreign = json!(format!("{}:1", ben.writer));
    let mine = || ada.create(1, "hers", &json!({ "inspector": "ada" }));
    for mutation in [with(mine(), "needs", json!([foreign])), with(mine(), "after", foreign.clone())] {
        assert_eq!(server.push(&ada, &[mutation]).await.refused_with(), "writer_mismatch");
    }
    assert_eq!(verdicts(&server.push(&ada, &[mine()]).await.batch()), ["applied"]);
}

/// Found by the simulator (seed 18): a device that had folded its own writes kept what it had made and given away.
#[tokio::test]
async fn what_somebody_makes_and_hands_on_between_two_pulls_is_taken_from_them() {
    let (server, _, ada) = guarded().await;
    let eve = Device::of("eve", 3);
    let mut cursors = vec![];
    for device in [&ada, &eve] {
        cursors.push(server.pull(device, "").await.page().cursor.clone());
    }
    let made = ada.create(1, "hers", &json!({ "inspector": "ada" }));
    server.push(&ada, &[made, ada.patch(2, "hers", 1, "/inspector", &json!("ben"))]).await.batch();
    let mut kinds = vec![];
    for (device, cursor) in [(&ada, &cursors[0]), (&eve, &cursors[1])] {
        let page = server.pull(device, &format!("cursor={cursor}")).await.page();
        kinds.push(page.changes.iter().map(|change| change.kind.clone()).collect::<Vec<_>>());
    }
    assert_eq!(kinds, [vec!["eviction".to_owned()], vec![]]);
}

/// Found by the simulator (seed 1319): the page before ended inside the commit that followed.
#[tokio::test]
async fn what_was_handed_on_while_its_maker_pulls_page_by_page_is_taken_from_them() {
    let (server, _, ada) = guarded().await;
    let mut ben = Device::of("ben", 4).role("coordinator");
    ben.caller.roles.push("worker".to_owned());
    let hers = || json!({ "inspector": "ada" });
    server.push(&ada, &[ada.create(1, "early", &hers()), ada.create(2, "given", &hers())]).await.batch();
    let first = server.pull(&ada, "limit=1").await.page();
    server.push(&ada, &[ada.patch(3, "given", 1, "/inspector", &json!("ben"))]).await.batch();
    let seen = |n, document| ben.patch(n, document, 2, "/notes", &json!("seen"));
    server.push(&ben, &[seen(1, "early"), seen(2, "given")]).await.batch();
    let second = server.pull(&ada, &format!("limit=1&cursor={}", first.cursor)).await.page();
    let third = server.pull(&ada, &format!("limit=1&cursor={}", second.cursor)).await.page();
    let kinds = [&first, &second, &third].map(|page| {
        let changes = page.changes.iter();
        changes.map(|change| format!("{} {}", change.kind, change.document)).collect::<Vec<_>>().join(", ")
    });
    assert_eq!(kinds, ["document early", "document early", "eviction given"]);
}

#[tokio::test]
async fn a_device_starts_over_once_its_user_may_see_other_documents() {
    let (server, _, ada) = guarded().await;
    let kinds = |page: &crate::harness::Page| -> Vec<String> {
        page.changes.iter().map(|change| format!("{} {}", change.kind, change.document)).collect()
    };
    server.push(&ada, &[ada.create(1, "hers", &json!({ "inspector": "ada" }))]).await.batch();
    let mut cursor = server.pull(&ada, "").await.page().cursor.clone();
    let promoted = self::ada(&["worker", "coordinator"]);
    for (device, sees) in [(&promoted, &["document his", "document hers"][..]), (&ada, &["document hers"])] {
        let page = server.pull(device, &format!("cursor={cursor}")).await.page();
        assert_eq!(page.reset.as_ref().map(|reset| &*reset.reason), Some("resync_required"));
        assert_eq!(kinds(&page), sees);
        cursor = page.cursor.clone();
        let page = server.pull(device, &format!("cursor={cursor}")).await.page();
        assert!(page.reset.is_none() && page.changes.is_empty(), "and then goes on from there");
    }
    // The order of roles says nothing, and a cursor of somebody else's is worth as much as none.
    let turned = self::ada(&["coordinator", "worker"]);
    let theirs = server.pull(&promoted, "").await.page().cursor.clone();
    assert!(server.pull(&turned, &format!("cursor={theirs}")).await.page().reset.is_none());
    let eve = Device::of("eve", 3);
    let page = server.pull(&eve, &format!("cursor={theirs}")).await.page();
    assert!(page.reset.is_some() && page.changes.is_empty());
}
