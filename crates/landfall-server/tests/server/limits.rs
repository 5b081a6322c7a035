//! What is too much, too deep, too late or not ours is refused with a code, and the server goes on.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;
use serde_json::json;

use crate::harness::{Answer, Device, Server, verdicts};

const BODY_BYTES: usize = 1 << 20;
const INFLATED_BYTES: usize = 4 << 20;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn post_packed(server: &Server, device: &Device, encoding: &'static str, body: Vec<u8>) -> Answer {
    let mut request = device.post(server, body);
    request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    server.call(request).await
}

/// A batch of one creation, with white space behind it up to a length.
fn padded(device: &Device, length: usize) -> String {
    let mut text = device.batch(&[device.create(1, "d", &json!({}))]).to_string();
    text.push_str(&" ".repeat(length - text.len()));
    text
}

#[track_caller]
fn assert_refused(answer: &Answer, status: StatusCode, code: &str, limit: Option<usize>) {
    assert_eq!((answer.status, answer.refused_with().as_str()), (status, code));
    assert_eq!(answer.json()["limit"].as_u64(), limit.map(|limit| limit as u64));
}

#[tokio::test]
async fn one_byte_too_many_is_too_many() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let answer = server.post(&ada, padded(&ada, BODY_BYTES + 1)).await;
    assert_refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", Some(BODY_BYTES));
    assert!(server.pull(&ada, "").await.page().changes.is_empty());
    let answer = server.post(&ada, padded(&ada, BODY_BYTES)).await;
    assert_eq!(verdicts(&answer.batch()), ["applied"]);
}

#[tokio::test]
async fn a_packed_body_counts_by_what_is_in_it() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let bomb = gzip(padded(&ada, INFLATED_BYTES + 1).as_bytes());
    assert!(bomb.len() < BODY_BYTES);
    let answer = post_packed(&server, &ada, "gzip", bomb).await;
    assert_refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", Some(INFLATED_BYTES));
    let answer = post_packed(&server, &ada, "gzip", gzip(padded(&ada, INFLATED_BYTES).as_bytes())).await;
    assert_eq!(verdicts(&answer.batch()), ["applied"]);
    let cut = gzip(padded(&ada, 1_000).as_bytes())[..50].to_vec();
    assert_eq!(post_packed(&server, &ada, "gzip", cut).await.refused_with(), "malformed_json");
    let plain = padded(&ada, 1_000).into_bytes();
    let answer = post_packed(&server, &ada, "br", plain.clone()).await;
    assert_refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", None);
    assert_eq!(post_packed(&server, &ada, "identity", plain).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let mut request = ada.post(&server, padded(&ada, 1_000));
        request.headers_mut().remove(CONTENT_TYPE);
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let answer = server.call(request).await;
        assert_refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", None);
    }
}

#[tokio::test]
async fn a_body_cut_anywhere_is_malformed_and_nothing_is_applied() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let text = ada.batch(&[ada.create(1, "d", &json!({ "name": "Hütte" }))]).to_string();
    for length in 0..text.len() {
        let answer = server.post(&ada, Bytes::copy_from_slice(&text.as_bytes()[..length])).await;
        assert_refused(&answer, StatusCode::BAD_REQUEST, "malformed_json", None);
        assert!(answer.json()["message"].as_str().unwrap().contains(" at byte "), "{answer:?}");
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let broken = text.replace("Hütte", "H\u{1}tte");
    let not_utf8 = text.as_bytes().iter().map(|b| if *b == 0xc3 { 0xff } else { *b }).collect();
    let others =
        [format!("{text}}}").into(), format!("\u{feff}{text}").into(), utf16, broken.into(), not_utf8];
    for body in others {
        assert_refused(&server.post(&ada, body).await, StatusCode::BAD_REQUEST, "malformed_json", None);
    }
    assert!(server.pull(&ada, "").await.page().changes.is_empty());
    let answer = server.post(&ada, format!("{text}}}")).await;
    let place = format!(" at byte {}:", text.len());
    assert!(answer.json()["message"].as_str().unwrap().contains(&place), "{answer:?}");
}

#[tokio::test]
async fn json_of_another_shape_is_an_invalid_request() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let batch = ada.batch(&[]);
    let mut bodies = vec![json!(null), json!([]), json!({}), json!("batch")];
    for member in ["client", "user", "sentAt", "mutations"] {
        let mut body = batch.clone();
        body.as_object_mut().unwrap().remove(member);
        bodies.push(body);
        let mut body = batch.clone();
        body[member] = json!(true);
        bodies.push(body);
    }
    for body in bodies {
        let answer = server.post(&ada, body.to_string()).await;
        assert_refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", None);
    }
}

#[tokio::test]
async fn no_depth_exhausts_the_stack() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let nested = |depth: usize| {
        let text = ada.batch(&[ada.create(1, "d", &json!({ "a": "DEEP" }))]).to_string();
        text.replace(r#""DEEP""#, &format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
    };
    assert_eq!(verdicts(&server.post(&ada, nested(33)).await.batch()), ["rejected too_deep"]);
    for depth in [129, 100_000] {
        let answer = server.post(&ada, nested(depth)).await;
        assert_refused(&answer, StatusCode::BAD_REQUEST, "too_deep", Some(64));
    }
    let open = server.post(&ada, "[".repeat(1_000_000)).await;
    assert_refused(&open, StatusCode::BAD_REQUEST, "too_deep", Some(64));
}

/// Case 17 of the reliability programme.
#[tokio::test]
async fn a_thousand_mutations_are_taken_and_one_more_is_not() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let mutations: Vec<_> = (1..=1_001).map(|n| ada.create(n, &format!("d{n}"), &json!({}))).collect();
    let answer = server.push(&ada, &mutations).await;
    assert_refused(&answer, StatusCode::BAD_REQUEST, "batch_too_large", Some(1_000));
    assert!(server.pull(&ada, "").await.page().changes.is_empty());
    let reply = server.push(&ada, &mutations[..1_000]).await.batch();
    assert!(reply.results.iter().all(|result| result.code.is_none()));
}

#[tokio::test]
async fn one_document_over_its_limit_is_one_refusal() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let large = ada.create(1, "large", &json!({ "notes": "x".repeat(256 << 10) }));
    let reply = server.push(&ada, &[large, ada.create(2, "small", &json!({}))]).await.batch();
    assert_eq!(verdicts(&reply), ["rejected document_too_large", "applied"]);
}

/// Case 8 of the reliability programme.
#[tokio::test]
async fn another_protocol_is_told_which_one_is_spoken() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    for protocol in [0, 2, 99] {
        let answer = server.post(&ada, json!({ "protocol": protocol, "letters": [] }).to_string()).await;
        assert_refused(&answer, StatusCode::UPGRADE_REQUIRED, "unsupported_protocol", None);
        assert_eq!(answer.json()["supported"], json!([1, 1]));
    }
}

#[tokio::test]
async fn a_batch_that_names_no_protocol_is_of_the_first() {
    let (server, ada) = (Server::start().await, Device::of("ada", 1));
    let mut batch = ada.batch(&[ada.create(1, "a", &json!({}))]);
    batch.as_object_mut().expect("an object").remove("protocol");
    let reply = server.post(&ada, batch.to_string()).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let yaml = "collections: {}\nlimits: { body_millis: 20 }\n";
    let (server, ada) = (Server::configured(yaml).await, Device::of("ada", 1));
    let answer = server.post(&ada, Body::from_stream(Endless)).await;
    assert_refused(&answer, StatusCode::REQUEST_TIMEOUT, "request_timeout", None);
    assert_eq!(answer.json()["retryable"], true);
}

/// A body whose next byte never comes.
struct Endless;

impl Stream for Endless {
    type Item = std::io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_get_the_envelope_too() {
    let server = Server::start().await;
    let call = async |method: Method, path: &str| {
        server.call(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    };
    let answer = call(Method::GET, "/api/v1/nowhere").await;
    assert_refused(&answer, StatusCode::NOT_FOUND, "not_found", None);
    let answer = call(Method::DELETE, "/api/v1/sync/batch").await;
    assert_refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None);
    assert_eq!(answer.headers["allow"], "POST");
    assert_eq!(call(Method::GET, "/healthz").await.status, StatusCode::OK);
    assert_eq!(call(Method::GET, "/readyz").await.status, StatusCode::OK);
    server.app.store.close().await;
    assert_eq!(call(Method::GET, "/healthz").await.status, StatusCode::OK);
    assert_refused(&call(Method::GET, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "unavailable", None);
}
