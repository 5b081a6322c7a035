//! Who is turned away where there is too much to do, with which answer, and who is not.

use futures_util::FutureExt;
use landfall_server::store::{Sender, StoreError};
use serde_json::json;
use tokio::sync::oneshot;

use crate::harness::{Device, Server};
use crate::wire::{get, judged, push};

const OPEN: &str = "collections: { visits: { read: 'true', create: 'true', update: 'true' } }\n";

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Case 18, as far as it is the server's.
#[tokio::test]
async fn who_pushes_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let limits = "limits: { rates: { client: { pushes: 1, mutations: 1000 } } }\n";
    let (server, ada) = (Server::configured(&format!("{OPEN}{limits}")).await, Device::of("ada", 1));
    let address = server.listen().await;
    let empty = ada.batch(&[]).to_string();
    for _ in 0..60 {
        assert!(judged(&push(address, &ada.token(&server), empty.as_bytes()).await).is_empty());
    }
    let write = ada.batch(&[ada.create(1, "d", &json!({}))]).to_string();
    let reply = push(address, &ada.token(&server), write.as_bytes()).await;
    assert_eq!(reply.refused(), refused(429, "rate_limited"));
    assert_eq!(reply.retry_after(), 1);
    // Another device of the same user, another user, and reading.
    let (tablet, grace) = (Device::of("ada", 2), Device::of("grace", 3));
    for other in [&tablet, &grace] {
        let write = other.batch(&[other.create(1, &other.client, &json!({}))]).to_string();
        assert_eq!(judged(&push(address, &other.token(&server), write.as_bytes()).await), ["applied"]);
    }
    assert_eq!(get(&server, address, &ada, "pull").await.json()["changes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_user_and_a_tenant_have_limits_over_all_devices() {
    for (whose, is_limited) in [("user", [true, false, false]), ("tenant", [true, true, false])] {
        let limits = format!("limits: {{ rates: {{ {whose}: {{ pushes: 1, mutations: 17 }} }} }}\n");
        let server = Server::configured(&format!("{OPEN}{limits}")).await;
        let address = server.listen().await;
        let ada = Device::of("ada", 1);
        // Two of the largest batches pass at once, whatever is set.
        for round in 0..2 {
            let many: Vec<_> = (1..=1_000)
                .map(|n| ada.create(round * 1_000 + n, &format!("{round}-{n}"), &json!({})))
                .collect();
            let reply = push(address, &ada.token(&server), ada.batch(&many).to_string().as_bytes()).await;
            assert_eq!(judged(&reply).len(), 1_000);
        }
        let others = [Device::of("ada", 2), Device::of("grace", 3), Device::of("eve", 4).tenant("elsewhere")];
        for (device, is_limited) in others.iter().zip(is_limited) {
            let writes: Vec<_> = (1..=100).map(|n| device.create(n, &format!("{n}"), &json!({}))).collect();
            let reply =
                push(address, &device.token(&server), device.batch(&writes).to_string().as_bytes()).await;
            let expected = if is_limited { 429 } else { 200 };
            assert_eq!(reply.status, expected, "{whose}: {}", device.client);
        }
    }
}

#[tokio::test]
async fn while_pushes_wait_first_syncs_go_and_who_reads_on_is_answered() {
    let limits = "limits: { pushes_at_once: 1 }\n";
    let (server, ada) = (Server::configured(&format!("{OPEN}{limits}")).await, Device::of("ada", 1));
    let address = server.listen().await;
    let cursor = get(&server, address, &ada, "pull").await.json()["cursor"].as_str().unwrap().to_owned();
    // Somebody holds the tenant's counter, so the one push that there is room for waits.
    let (holds, held) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let sender = Sender {
        tenant: ada.caller.tenant.clone(),
        user: ada.caller.user.clone(),
        client: "operator".parse().unwrap(),
        now: (server.app.clock)(),
        said: None,
    };
    let store = server.app.store.clone();
    let parts = std::sync::Mutex::new(Some((holds, released)));
    let holder = tokio::spawn(async move {
        let hold = |push| {
            let (holds, released) = parts.lock().unwrap().take().unwrap();
            async move {
                holds.send(()).unwrap();
                released.await.ok();
                drop(push);
                Ok::<_, StoreError>(())
            }
            .boxed()
        };
        store.push(&sender, hold).await
    });
    held.await.unwrap();
    let write = |n| ada.batch(&[ada.create(n, &format!("d{n}"), &json!({}))]).to_string();
    let (first, token) = (write(1), ada.token(&server));
    let waiting = tokio::spawn(async move { push(address, &token, first.as_bytes()).await });
    while !server.app.metrics.text().contains("landfall_waiting_pushes 1\n") {
        tokio::task::yield_now().await;
    }
    let second = push(address, &ada.token(&server), write(2).as_bytes()).await;
    assert_eq!(second.refused(), refused(503, "unavailable"));
    assert!(second.retry_after() > 0);
    let cold = get(&server, address, &ada, "pull").await;
    assert_eq!(cold.refused(), refused(503, "unavailable"));
    assert!(cold.retry_after() > 0);
    assert_eq!(get(&server, address, &ada, &format!("pull?cursor={cursor}")).await.status, 200);
    let text = server.app.metrics.text();
    for line in ["shed_requests_total{kind=\"push\"} 1\n", "shed_requests_total{kind=\"first_sync\"} 1\n"] {
        assert!(text.contains(line), "{text}");
    }

    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    assert_eq!(judged(&waiting.await.unwrap()), ["applied"]);
    assert_eq!(judged(&push(address, &ada.token(&server), write(2).as_bytes()).await), ["applied"]);
    assert_eq!(get(&server, address, &ada, "pull").await.status, 200);
}
