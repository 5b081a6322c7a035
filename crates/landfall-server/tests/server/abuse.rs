//! The cases of the reliability programme about what hostile or broken clients send, over real connections. Those
//! about WebSockets are in `socket`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_core::time::Millis;
use landfall_server::Config;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Device, Server};
use crate::wire::{exchange, get, head, judged, push, push_with};

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn nothing_is_there(server: &Server, device: &Device) {
    assert!(server.pull(device, "").await.page().changes.is_empty());
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Case 4.
#[tokio::test]
async fn a_body_that_ends_early_or_a_connection_that_does_applies_nothing() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let text = ada.batch(&[ada.create(1, "d", &json!({ "name": "Hütte" }))]).to_string().into_bytes();
    for length in (0..text.len()).step_by(7) {
        let reply = push(address, &token, &text[..length]).await;
        assert_eq!(reply.refused(), refused(400, "malformed_json"));
        // As many bytes are announced as the whole has.
        let announced = head(&token, text.len(), "content-type: application/json\r\n");
        let reply = exchange(address, &[announced.as_bytes(), &text[..length]].concat(), true).await;
        assert!(reply.is_none_or(|reply| reply.refused() == refused(400, "invalid_request")));
    }
    for (before, after) in [("\u{feff}", ""), ("", "}"), ("", "\0")] {
        let body = [before.as_bytes(), &text, after.as_bytes()].concat();
        assert_eq!(push(address, &token, &body).await.refused(), refused(400, "malformed_json"));
    }
    nothing_is_there(&server, &ada).await;
    assert_eq!(judged(&push(address, &token, &text).await), ["applied"]);
}

/// Case 5.
#[tokio::test]
async fn a_document_that_is_too_deep_or_has_too_many_keys_is_one_refusal_and_a_body_that_is_too_deep_another()
{
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let nested = |depth: usize| {
        let text = ada.batch(&[ada.create(1, "d", &json!({ "a": "DEEP" }))]).to_string();
        text.replace(r#""DEEP""#, &format!("{}{}", "[".repeat(depth), "]".repeat(depth))).into_bytes()
    };
    let code = |body: Value| body["results"][0]["code"].as_str().unwrap_or_default().to_owned();
    assert_eq!(code(push(address, &token, &nested(33)).await.json()), "too_deep");
    for depth in [129, 100_000] {
        assert_eq!(push(address, &token, &nested(depth)).await.refused(), refused(400, "too_deep"));
    }
    let keys: serde_json::Map<String, Value> = (0..1_001).map(|n| (format!("k{n}"), json!(n))).collect();
    let many = ada.batch(&[ada.create(2, "e", &json!({ "a": keys }))]).to_string();
    assert_eq!(code(push(address, &token, many.as_bytes()).await.json()), "too_many_keys");
    nothing_is_there(&server, &ada).await;
}

/// What one reader takes for one value and another for another must not pass.
#[tokio::test]
async fn a_member_that_is_there_twice_is_refused_where_it_means_something() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let batch = ada.batch(&[ada.create(1, "d", &json!({ "a": 1 }))]).to_string();
    let twice = batch.replacen(r#""user":"#, r#""user":"eve","user":"#, 1);
    assert_eq!(push(address, &token, twice.as_bytes()).await.refused(), refused(400, "invalid_request"));
    let twice = batch.replacen(r#""op":"create""#, r#""op":"delete","op":"create""#, 1);
    let reply = push(address, &token, twice.as_bytes()).await.json();
    assert_eq!(reply["results"][0]["code"], "invalid_mutation");
    nothing_is_there(&server, &ada).await;
}

/// Case 6.
#[tokio::test]
async fn a_body_that_is_too_large_packed_or_not_is_heard_out_and_refused_with_the_limit() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let padded = |length: usize| {
        let mut text = ada.batch(&[ada.create(1, "d", &json!({}))]).to_string();
        text.push_str(&" ".repeat(length - text.len()));
        text.into_bytes()
    };
    let reply = push(address, &token, &padded((1 << 20) + 1)).await;
    assert_eq!(
        (reply.refused(), reply.json()["limit"].as_u64()),
        (refused(413, "payload_too_large"), Some(1 << 20))
    );
    let packed = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    // Four hundred megabytes in four hundred kilobytes.
    let bomb = gzip(&padded(400 << 20));
    assert!(bomb.len() < 4 << 20, "{}", bomb.len());
    let reply = push_with(address, &token, packed, &bomb[..bomb.len().min(1 << 20)]).await;
    assert_eq!(
        (reply.refused(), reply.json()["limit"].as_u64()),
        (refused(413, "payload_too_large"), Some(4 << 20))
    );
    let large = ada.create(2, "large", &json!({ "notes": "x".repeat(256 << 10) }));
    let batch = ada.batch(&[large, ada.create(3, "small", &json!({}))]).to_string();
    let reply = push(address, &token, batch.as_bytes()).await.json();
    assert_eq!(reply["results"][0]["code"], "document_too_large");
    assert_eq!(reply["results"][1]["verdict"], "applied");
}

/// Case 7.
#[tokio::test]
async fn what_is_not_said_to_be_json_or_is_packed_in_another_way_is_not_read() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let body = ada.batch(&[ada.create(1, "d", &json!({}))]).to_string();
    for headers in [
        "",
        "content-type: text/plain\r\n",
        "content-type: application/json; charset=utf-16\r\n",
        "content-type: application/json\r\ncontent-encoding: br\r\n",
        "content-type: application/json\r\ncontent-encoding: gzip, gzip\r\n",
    ] {
        let reply = push_with(address, &token, headers, body.as_bytes()).await;
        assert_eq!(reply.refused(), refused(415, "unsupported_media_type"), "{headers}");
    }
    nothing_is_there(&server, &ada).await;
}

/// Case 10.
#[tokio::test]
async fn a_batch_whose_token_has_run_out_is_applied_once_and_whole_with_the_next_token() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let address = server.listen().await;
    let long_ago = landfall_core::time::WallTime((server.app.clock)().0 - 3_600_000);
    let (expired, _) = server.app.tokens.issue(&ada.caller, Millis::seconds(60), long_ago).unwrap();
    for n in 1..=20 {
        let batch = ada.batch(&[ada.create(n, &format!("d{n}"), &json!({}))]).to_string();
        if n == 10 {
            let reply = push(address, &expired, batch.as_bytes()).await;
            assert_eq!(reply.refused(), refused(401, "token_expired"));
        }
        assert_eq!(judged(&push(address, &ada.token(&server), batch.as_bytes()).await), ["applied"]);
    }
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 20);
}

/// Case 16.
#[test]
fn a_rule_cannot_be_a_pattern_that_takes_for_ever() {
    let yaml = r#"collections: { visits: { read: 'document.name.matches("(a+)+$")' } }"#;
    let error = Config::parse(yaml, "landfall.yaml").err().expect("a refusal").to_string();
    assert!(error.contains("no function `matches`"), "{error}");
}

/// Case 31.
#[tokio::test]
async fn who_sends_slowly_is_let_go_and_keeps_nobody_waiting() {
    let yaml = "collections: { visits: { read: 'true', create: 'true' } }\nlimits: { head_millis: 300, body_millis: 300 }\n";
    let (server, ada) = (Server::configured(yaml).await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let body = ada.batch(&[ada.create(1, "d", &json!({}))]).to_string();
    let announced = head(&token, body.len(), "content-type: application/json\r\n");
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(&announced.as_bytes()[..40]).await.unwrap();
        heads.push(connection);
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(announced.as_bytes()).await.unwrap();
        connection.write_all(&body.as_bytes()[..10]).await.unwrap();
        bodies.push(connection);
    }
    assert_eq!(judged(&push(address, &token, body.as_bytes()).await), ["applied"]);
    for mut connection in bodies {
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("request_timeout"), "{text}");
    }
    for mut connection in heads {
        assert_eq!(connection.read(&mut [0; 1]).await.unwrap_or(0), 0, "it is closed");
    }
}

/// Case 31.
#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let (address, token) = (server.listen().await, ada.token(&server));
    let large = format!("x-much: {}\r\n", "x".repeat(256 << 10));
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    for headers in [large, many] {
        let bytes = head(&token, 0, &headers);
        assert_eq!(exchange(address, bytes.as_bytes(), false).await.expect("an answer").status, 431);
    }
    assert_eq!(get(&server, address, &ada, "pull").await.status, 200);
}
