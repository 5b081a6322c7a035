//! The fault proxy against a real server on loopback: a tool that finds bugs must have none to lend.

use std::convert::Infallible;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

#[tokio::test]
async fn without_a_rule_everything_passes() {
    let world = World::start().await;
    assert_eq!(world.post("/a?b=c", "{}").await, Some((200, "POST /a?b=c {}".to_owned())));
    let log = world.log("path=/a&count=1").await;
    assert_eq!(log[0]["fault"], "pass");
    assert_eq!(log[0]["request"], "{}");
    assert_eq!(log[0]["status"], 200);
    assert_eq!(log[0]["replied"], true);
}

#[tokio::test]
async fn a_cut_reply_is_lost_after_the_server_has_acted() {
    let world = World::start().await;
    world.rule(json!({ "path": "/a", "times": 1, "fault": { "kind": "cut_reply" } })).await;
    assert_eq!(world.post("/a", "{}").await, None);
    assert_eq!(world.served(), 1);
    let log = world.log("fault=cut_reply&stage=done&count=1").await;
    assert_eq!((&log[0]["status"], &log[0]["replied"]), (&json!(200), &json!(false)));
    assert!(world.post("/a", "{}").await.is_some(), "the rule was for one exchange");
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_server() {
    let world = World::start().await;
    world.rule(json!({ "path": "/", "fault": { "kind": "refuse" } })).await;
    assert_eq!(world.post("/a", "{}").await, None);
    assert_eq!(world.post("/b", "{}").await, None);
    assert_eq!(world.served(), 0);
    world.clear().await;
    assert!(world.post("/a", "{}").await.is_some());
}

#[tokio::test]
async fn a_held_reply_waits_after_the_server_has_acted() {
    let world = World::start().await;
    world.rule(json!({ "path": "/a", "times": 1, "fault": { "kind": "hold" } })).await;
    let (reply, served) = tokio::join!(world.post("/a", "{}"), async {
        world.log("stage=held&count=1").await;
        let served = world.served();
        world.release().await;
        served
    });
    assert_eq!(served, 1);
    assert!(reply.is_some());
}

#[tokio::test]
async fn a_held_request_waits_before_the_server_has_heard_of_it() {
    let world = World::start().await;
    world.rule(json!({ "path": "/a", "times": 1, "fault": { "kind": "hold", "at": "request" } })).await;
    let (reply, served) = tokio::join!(world.post("/a", "{}"), async {
        world.log("stage=held&count=1").await;
        let served = world.served();
        world.release().await;
        served
    });
    assert_eq!(served, 0);
    assert!(reply.is_some());
    assert_eq!(world.served(), 1);
}

#[tokio::test]
async fn a_delayed_reply_comes_late() {
    let world = World::start().await;
    world.rule(json!({ "path": "/a", "fault": { "kind": "delay", "millis": 120 } })).await;
    assert!(world.post("/a", "{}").await.is_some());
    let log = world.log("stage=done&count=1").await;
    let took = log[0]["endedAt"].as_u64().zip(log[0]["beganAt"].as_u64()).map(|(end, begin)| end - begin);
    assert!(took >= Some(120), "{took:?}");
}

#[tokio::test]
async fn events_pass_as_they_come_and_are_placed_among_the_exchanges() {
    let world = World::start().await;
    let (head, mut events) = world.begin(&world.proxy, Method::GET, "/events", "").await.expect("a reply");
    assert_eq!(head.headers["content-type"], "text/event-stream");
    let first = events.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert_eq!(first, EVENT);
    let log = world.log("path=/events&stage=streaming&events=1&count=1").await;
    assert_eq!(
        (&log[0]["status"], &log[0]["events"], &log[0]["reply"]),
        (&json!(200), &json!([1]), &json!(EVENT))
    );
    drop(events);
    world.log("path=/events&stage=done&count=1").await;
}

#[tokio::test]
async fn a_rule_that_refuses_ends_a_stream_under_way() {
    let world = World::start().await;
    let (_, mut events) = world.begin(&world.proxy, Method::GET, "/events", "").await.expect("a reply");
    assert!(events.frame().await.expect("a frame").is_ok());
    world.rule(json!({ "path": "/b", "fault": { "kind": "refuse" } })).await;
    world.rule(json!({ "path": "/events", "fault": { "kind": "portal" } })).await;
    assert!(world.post("/a", "{}").await.is_some(), "neither is about streams");
    assert_eq!(world.log("stage=streaming").await.len(), 1);
    world.clear().await;
    world.rule(json!({ "path": "/", "times": 1, "fault": { "kind": "cut_reply" } })).await;
    assert!(events.frame().await.is_none_or(|frame| frame.is_err()));
    world.log("path=/events&stage=done&count=1").await;
    assert!(world.post("/a", "{}").await.is_some(), "the rule was for one exchange");
}

#[tokio::test]
async fn another_reply_comes_instead_of_the_servers() {
    let world = World::start().await;
    let fault = json!({ "kind": "status", "code": 503, "body": "busy", "headers": { "retry-after": "7" } });
    world.rule(json!({ "path": "/a", "times": 1, "fault": fault })).await;
    world.rule(json!({ "path": "/a", "times": 1, "fault": { "kind": "portal" } })).await;
    let (head, body) = world.send(&world.proxy, Method::POST, "/a", "{}").await.expect("a reply");
    assert_eq!((head.status.as_u16(), body.as_str()), (503, "busy"));
    assert_eq!(head.headers["retry-after"], "7");
    let (head, body) = world.send(&world.proxy, Method::POST, "/a", "{}").await.expect("a reply");
    assert_eq!((head.status.as_u16(), &head.headers["content-type"] == "text/html"), (200, true));
    assert!(body.starts_with("<!doctype html>"), "{body}");
    assert_eq!(world.served(), 0);
}

#[tokio::test]
async fn a_server_that_is_down_looks_like_a_network_that_is() {
    let world = World::start_before("127.0.0.1:1").await;
    assert_eq!(world.post("/a", "{}").await, None);
    let log = world.log("stage=done&count=1").await;
    assert_eq!(log[0]["status"], Value::Null);
}

#[tokio::test]
async fn waiting_for_what_does_not_come_ends_at_the_timeout() {
    let world = World::start().await;
    let (head, body) = world.ask(Method::GET, "/log?count=1&timeout=1", "").await;
    assert_eq!((head.status.as_u16(), body.as_str()), (408, "[]"));
}

#[tokio::test]
async fn a_rule_or_a_filter_with_a_slip_is_refused() {
    let world = World::start().await;
    for rule in
        ["{}", r#"{"path":"/","fault":{"kind":"cut"}}"#, r#"{"path":"/","time":1,"fault":{"kind":"pass"}}"#]
    {
        assert_eq!(world.ask(Method::POST, "/rules", rule).await.0.status.as_u16(), 400, "{rule}");
    }
    assert_eq!(world.ask(Method::GET, "/log?pth=/a", "").await.0.status.as_u16(), 400);
    assert_eq!(world.ask(Method::GET, "/logs", "").await.0.status.as_u16(), 400);
}

/// A proxy in front of a server that echoes and counts.
struct World {
    proxy: String,
    control: String,
    served: Arc<AtomicU32>,
    /// Killed when dropped.
    _process: Child,
}

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE_MILLIS: u32 = 5_000;

impl World {
    async fn start() -> World {
        let served = Arc::new(AtomicU32::new(0));
        let upstream = echo(Arc::clone(&served)).await;
        World { served, ..World::start_before(&upstream).await }
    }

    async fn start_before(upstream: &str) -> World {
        let mut process = Command::new(env!("CARGO_BIN_EXE_faultproxy"))
            .args(["--upstream", &format!("http://{upstream}")])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the proxy starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let control = address(&mut lines, "control on http://").await;
        let proxy = address(&mut lines, "listening on http://").await;
        World { proxy, control, served: Arc::default(), _process: process }
    }

    fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }

    /// Status and body, or nothing if the connection ended without a reply.
    async fn post(&self, path: &str, body: &str) -> Option<(u16, String)> {
        let (head, body) = self.send(&self.proxy, Method::POST, path, body).await?;
        Some((head.status.as_u16(), body))
    }

    async fn rule(&self, rule: Value) {
        let (head, body) = self.ask(Method::POST, "/rules", &rule.to_string()).await;
        assert_eq!(head.status.as_u16(), 200, "{body}");
    }

    async fn clear(&self) {
        assert_eq!(self.ask(Method::DELETE, "/rules", "").await.1, "[]");
    }

    async fn release(&self) {
        self.ask(Method::POST, "/release", "").await;
    }

    async fn log(&self, filter: &str) -> Vec<Value> {
        let (head, body) =
            self.ask(Method::GET, &format!("/log?{filter}&timeout={PATIENCE_MILLIS}"), "").await;
        assert_eq!(head.status.as_u16(), 200, "{filter}: {body}");
        serde_json::from_str(&body).expect("a list of exchanges")
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> (hyper::http::response::Parts, String) {
        self.send(&self.control, method, path, body).await.expect("the control answers")
    }

    async fn send(
        &self,
        to: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> Option<(hyper::http::response::Parts, String)> {
        let (head, body) = self.begin(to, method, path, body).await?;
        let bytes = body.collect().await.ok()?.to_bytes();
        Some((head, String::from_utf8(bytes.to_vec()).expect("text")))
    }

    /// The reply while it is still coming.
    async fn begin(
        &self,
        to: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> Option<(hyper::http::response::Parts, Incoming)> {
        let stream = TcpStream::connect(to).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(async { connection.await.ok() });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", to)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        Some(sender.send_request(request).await.ok()?.into_parts())
    }
}

const EVENT: &str = "event: hint\ndata: {}\n\n";

/// One event, and then nothing for ever.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    let line = lines.next_line().await.expect("readable output").expect("a line");
    line.strip_prefix(prefix).expect(prefix).to_owned()
}

/// A server that says what it was asked; returns its address.
async fn echo(served: Arc<AtomicU32>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let served = Arc::clone(&served);
            let service = service_fn(move |request: Request<Incoming>| {
                let served = Arc::clone(&served);
                async move {
                    let line = format!("{} {}", request.method(), request.uri());
                    let bytes = request.into_body().collect().await?.to_bytes();
                    served.fetch_add(1, Ordering::SeqCst);
                    let text = format!("{line} {}", String::from_utf8_lossy(&bytes));
                    let reply = Response::new(Full::new(Bytes::from(text)).boxed());
                    if line != "GET /events" {
                        return Ok::<_, hyper::Error>(reply);
                    }
                    let mut reply = reply.map(|_| Endless(Some(EVENT.into())).boxed());
                    let kind = HeaderValue::from_static("text/event-stream");
                    reply.headers_mut().insert("content-type", kind);
                    Ok(reply)
                }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async { connection.await.ok() });
        }
    });
    address
}
