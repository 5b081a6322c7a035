//! The list of a tenant's devices: who may see it, what it says, and what is measured of it.

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, StatusCode};
use landfall_core::time::WallTime;
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server, verdicts};

const OPERATED: &str = r#"
collections: { visits: { read: 'true', create: 'true' } }
operators: '"operator" in user.roles'
"#;

async fn list(server: &Server, device: &Device, query: &str) -> Answer {
    let request =
        Request::get(format!("/api/v1/devices?{query}")).header(AUTHORIZATION, device.bearer(server));
    server.call(request.body(Body::empty()).unwrap()).await
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let devices = answer.json()["devices"].as_array().unwrap().clone();
    devices.iter().map(|device| device["client"].as_str().unwrap().to_owned()).collect()
}

async fn say(server: &Server, device: &Device, word: Value) -> Answer {
    let mut batch = device.batch(&[]);
    batch["device"] = word;
    server.post(device, batch.to_string()).await
}

fn operator() -> Device {
    Device::of("olga", 9).role("operator")
}

fn clock() -> WallTime {
    WallTime(1_800_000_000_000)
}

async fn start() -> Server {
    let mut server = Server::configured(OPERATED).await;
    server.app.clock = clock;
    server.pace(|_| ());
    server
}

#[tokio::test]
async fn the_list_says_of_each_device_whose_it_is_and_what_it_said_last() {
    let (server, ada) = (start().await, Device::of("ada", 1));
    let word = json!({ "sdk": "landfall 0.1.0", "open": 3, "oldestAt": 1_799_999_940_000_u64, "attention": 1,
        "reason": "storage_full", "more": [1] });
    say(&server, &ada, json!({ "open": 9, "attention": 0 })).await.batch();
    say(&server, &ada, word).await.batch();
    // One that says nothing of itself.
    let grace = Device::of("grace", 2);
    let reply = server.push(&grace, &[grace.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    let answer = list(&server, &operator(), "").await;
    let device = |client: &str, user: &str, said: Value| {
        let mut device = json!({ "client": client, "user": user, "firstSeen": clock().0, "lastSeen": clock().0,
            "protocol": 1 });
        device.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        device
    };
    let nothing = json!({ "sdk": null, "open": null, "oldestAt": null, "attention": null, "reason": null });
    let all = json!({ "sdk": "landfall 0.1.0", "open": 3, "oldestAt": 1_799_999_940_000_u64, "attention": 1,
        "reason": "storage_full" });
    assert_eq!(
        answer.json(),
        json!({ "serverTime": clock().0, "cursor": null, "more": false,
            "devices": [device("client-1", "ada", all), device("client-2", "grace", nothing)] })
    );
    // A word counts as long as it is the last one.
    say(&server, &ada, Value::Null).await.batch();
    assert_eq!(list(&server, &operator(), "").await.json()["devices"][0]["open"], Value::Null);
}

#[tokio::test]
async fn the_list_is_for_operators_of_the_tenant_and_for_nobody_where_none_are_named() {
    let server = start().await;
    let (ada, stranger) = (Device::of("ada", 1), operator().tenant("elsewhere"));
    say(&server, &ada, Value::Null).await.batch();
    assert_eq!(names(&list(&server, &operator(), "").await), ["client-1"]);
    assert!(names(&list(&server, &stranger, "").await).is_empty());
    let refused = list(&server, &ada, "").await;
    assert_eq!((refused.status, refused.refused_with().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let unnamed = Server::configured("collections: {}\n").await;
    assert_eq!(list(&unnamed, &operator(), "").await.refused_with(), "forbidden");
}

#[tokio::test]
async fn the_list_comes_page_by_page_without_the_servers_own_writers() {
    let server = start().await;
    for name in ["b", "Ä", "a", "server-7", "c/?&", "\u{1f3e0}"] {
        let device = Device { client: name.to_owned(), ..Device::of("ada", 1) };
        say(&server, &device, Value::Null).await.batch();
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = list(&server, &operator(), &format!("limit=2&cursor={cursor}")).await;
        found.extend(names(&answer));
        let page = answer.json();
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break assert_eq!(page["more"], false),
        }
    }
    assert_eq!(found, ["a", "b", "c/?&", "Ä", "\u{1f3e0}"]);
    assert_eq!(list(&server, &operator(), "cursor=*").await.refused_with(), "invalid_cursor");
    assert_eq!(list(&server, &operator(), "limit=0").await.refused_with(), "invalid_request");
}

#[tokio::test]
async fn a_word_that_cannot_be_kept_is_refused_with_its_batch() {
    let (server, ada) = (start().await, Device::of("ada", 1));
    let long = "x".repeat(257);
    for word in [
        json!("fine"),
        json!({}),
        json!({ "open": -1, "attention": 0 }),
        json!({ "open": 1_u64 << 53, "attention": 0 }),
        json!({ "open": 0, "attention": 0, "sdk": long }),
        json!({ "open": 0, "attention": 0, "reason": "a\nb" }),
    ] {
        assert_eq!(say(&server, &ada, word).await.refused_with(), "invalid_request");
    }
    assert!(names(&list(&server, &operator(), "").await).is_empty());
}

#[tokio::test]
async fn devices_of_the_last_day_are_counted_with_the_oldest_write_that_waits_on_one() {
    let (server, ada, grace) = (start().await, Device::of("ada", 1), Device::of("grace", 2));
    let oldest = |age: u64| json!({ "open": 1, "attention": 0, "oldestAt": clock().0 - age * 1_000 });
    say(&server, &ada, oldest(100)).await.batch();
    say(&server, &grace, oldest(7_000)).await.batch();
    let counted = async || {
        server.app.count_devices().await.unwrap();
        let text = server.app.metrics.text();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name}: {text}")).parse::<u64>().unwrap()
        };
        (value("landfall_devices"), value("landfall_oldest_pending_seconds"))
    };
    assert_eq!(counted().await, (2, 7_000));
    let a_day_ago = "UPDATE clients SET last_seen = last_seen - 86400001 WHERE client = 'client-2'";
    server.database.change(a_day_ago).await;
    assert_eq!(counted().await, (1, 100));
}
