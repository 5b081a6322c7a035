//! Streams of hints: when one comes, how many, and how a stream ends.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use landfall_core::time::Millis;
use serde_json::json;

use crate::harness::{Device, Server};

pub(crate) const HINT: &str = "event: hint\ndata: {}\n\n";
const BEAT: &str = ":\n\n";

/// An open stream.
pub(crate) struct Live(BodyDataStream);

impl Live {
    pub(crate) async fn of(server: &Server, device: &Device) -> Live {
        Live::with(server, device.bearer(server)).await
    }

    async fn with(server: &Server, bearer: String) -> Live {
        let request = Request::get("/api/v1/sync/live").header(AUTHORIZATION, bearer);
        let response = server.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.headers().contains_key("x-request-id"));
        Live(response.into_body().into_data_stream())
    }

    /// What comes next; `None` where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let bytes = self.0.next().await?.unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// What is there already.
    async fn ready(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            next = self.next() => next,
            () = tokio::task::yield_now() => None,
        }
    }
}

#[tokio::test]
async fn every_commit_of_the_tenant_is_a_hint_and_nobody_elses_is() {
    let server = Server::start().await;
    let (ada, grace) = (Device::of("ada", 1), Device::of("grace", 2));
    let stranger = Device::of("eve", 3).tenant("elsewhere");
    let mut live = Live::of(&server, &ada).await;
    server.push(&stranger, &[stranger.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(live.ready().await, None);
    server.push(&grace, &[grace.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(live.next().await.as_deref(), Some(HINT));
    // The same once more, and a refusal: nothing has changed.
    server.push(&grace, &[grace.create(1, "d", &json!({})), grace.patch(2, "x", 1, "/a", &json!(1))]).await;
    assert_eq!(live.ready().await, None);
    server.push(&ada, &[ada.create(1, "e", &json!({}))]).await.batch();
    assert_eq!(live.next().await.as_deref(), Some(HINT));
}

#[tokio::test]
async fn what_was_committed_before_the_stream_stood_is_no_hint() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(Live::of(&server, &ada).await.ready().await, None);
}

#[tokio::test]
async fn many_commits_are_one_hint_until_the_next_may_be_given() {
    let mut server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.pace(|pace| pace.gap = Duration::from_secs(3_600));
    let mut live = Live::of(&server, &ada).await;
    for n in 1..=3 {
        server.push(&ada, &[ada.create(n, &format!("d{n}"), &json!({}))]).await.batch();
    }
    assert_eq!(live.ready().await.as_deref(), Some(HINT));
    server.push(&ada, &[ada.create(4, "d4", &json!({}))]).await.batch();
    assert_eq!(live.ready().await, None, "the next one is an hour away");

    server.pace(|pace| pace.gap = Duration::from_millis(1));
    let mut live = Live::of(&server, &ada).await;
    for n in 5..=6 {
        server.push(&ada, &[ada.create(n, &format!("d{n}"), &json!({}))]).await.batch();
        assert_eq!(live.next().await.as_deref(), Some(HINT));
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let mut server = Server::start().await;
    server.pace(|pace| pace.beat = Duration::from_millis(1));
    let mut live = Live::of(&server, &Device::of("ada", 1)).await;
    assert_eq!(live.next().await.as_deref(), Some(BEAT));
    assert_eq!(live.next().await.as_deref(), Some(BEAT));
}

#[tokio::test]
async fn a_client_that_does_not_take_what_it_is_sent_is_let_go() {
    let mut server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.pace(|pace| pace.patience = Duration::ZERO);
    let mut live = Live::of(&server, &ada).await;
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(live.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_when_the_token_runs_out() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let now = (server.app.clock)();
    let (token, expires) = server.app.tokens.issue(&ada.caller, Millis(1), now).unwrap();
    let mut live = Live::with(&server, format!("Bearer {token}")).await;
    assert_eq!(live.next().await, None);
    assert!((server.app.clock)() >= expires);
}

#[tokio::test]
async fn all_streams_end_with_the_server_and_none_begins() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    let mut live = Live::of(&server, &ada).await;
    assert_eq!(live.ready().await, None);
    server.app.end();
    assert_eq!(live.next().await, None);
    assert_eq!(Live::of(&server, &ada).await.next().await, None);
}

#[tokio::test]
async fn a_stream_is_for_those_with_a_token_wherever_the_app_comes_from() {
    let server = Server::start().await;
    let ask = |request: axum::http::request::Builder| request.body(Body::empty()).unwrap();
    let answer = server.call(ask(Request::get("/api/v1/sync/live"))).await;
    assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::UNAUTHORIZED, "invalid_token"));
    let ada = Device::of("ada", 1).bearer(&server);
    let request = Request::get("/api/v1/sync/live").header(AUTHORIZATION, ada);
    let response = server.respond(ask(request.header(ORIGIN, "https://app.example"))).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    let posted = server.call(ask(Request::post("/api/v1/sync/live"))).await;
    assert_eq!(posted.refused_with(), "method_not_allowed");
}
