//! Hints on real WebSockets: who gets one, how many come, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use futures_util::{SinkExt, StreamExt};
use landfall_core::time::Millis;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Device, Server};

const HINT: &str = r#"{"event":"hint","data":{}}"#;
/// Bytes of the greatest frame that is taken.
const FRAME_BYTES_MAX: usize = 16 << 10;

/// A client's end.
struct Socket(WebSocketStream<TcpStream>);

/// What a refusal said: its status, its code, and whether to come again.
type Refused = (StatusCode, String, bool);

impl Socket {
    /// One that has brought no token yet.
    async fn open(address: SocketAddr) -> Socket {
        Socket::ask(address, "", None).await.unwrap()
    }

    async fn ask(address: SocketAddr, query: &str, origin: Option<&'static str>) -> Result<Socket, Refused> {
        let mut request = format!("ws://{address}/api/v1/sync/live{query}").into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert(ORIGIN, HeaderValue::from_static(origin));
        }
        match client_async(request, TcpStream::connect(address).await.unwrap()).await {
            Ok((socket, response)) => {
                assert!(response.headers().contains_key("x-request-id"));
                Ok(Socket(socket))
            }
            Err(Error::Http(response)) => {
                let body: serde_json::Value =
                    serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
                let later = response.headers().contains_key(RETRY_AFTER);
                Err((response.status(), body["code"].as_str().unwrap().to_owned(), later))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// One that is listened for.
    async fn of(server: &Server, address: SocketAddr, device: &Device) -> Socket {
        let mut socket = Socket::open(address).await;
        socket.sign_in(&device.token(server)).await;
        assert_eq!(socket.next().await, Message::text(HINT), "the first one comes at once");
        socket
    }

    async fn sign_in(&mut self, token: &str) {
        self.send(Message::text(json!({ "token": token }).to_string())).await;
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Bytes that need not be a frame.
    async fn send_raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        self.0.next().await.unwrap().unwrap()
    }

    /// What comes before the answer to a ping: whatever the server has to say by now.
    async fn ready(&mut self) -> Vec<Message> {
        self.send(Message::Ping("there?".into())).await;
        let mut said = Vec::new();
        loop {
            match self.next().await {
                Message::Pong(_) => return said,
                message => said.push(message),
            }
        }
    }

    /// How the server closes it, whatever it says before.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.unwrap();
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

fn close(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn every_commit_of_the_tenant_is_a_hint_on_a_socket_and_nobody_elses_is() {
    let server = Server::start().await;
    let (ada, grace) = (Device::of("ada", 1), Device::of("grace", 2));
    let stranger = Device::of("eve", 3).tenant("elsewhere");
    let address = server.listen().await;
    let mut socket = Socket::of(&server, address, &ada).await;
    assert!(server.app.metrics.text().contains("landfall_live_connections 1\n"));
    server.push(&stranger, &[stranger.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(socket.ready().await, []);
    server.push(&grace, &[grace.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(socket.next().await, Message::text(HINT));
    server.push(&ada, &[ada.create(1, "e", &json!({}))]).await.batch();
    assert_eq!(socket.next().await, Message::text(HINT));
    socket.0.close(None).await.unwrap();
    server.app.ended().await;
    assert!(server.app.metrics.text().contains("landfall_live_connections 0\n"));
}

#[tokio::test]
async fn many_commits_are_one_hint_on_a_socket_until_the_next_may_be_given() {
    let mut server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.pace(|pace| pace.gap = Duration::from_secs(3_600));
    let mut socket = Socket::of(&server, server.listen().await, &ada).await;
    for n in 1..=3 {
        server.push(&ada, &[ada.create(n, &format!("d{n}"), &json!({}))]).await.batch();
    }
    assert_eq!(socket.ready().await, [], "the first one was one, and the next is an hour away");

    server.pace(|pace| pace.gap = Duration::from_millis(1));
    let mut socket = Socket::of(&server, server.listen().await, &ada).await;
    for n in 4..=5 {
        server.push(&ada, &[ada.create(n, &format!("d{n}"), &json!({}))]).await.batch();
        assert_eq!(socket.next().await, Message::text(HINT));
    }
}

#[tokio::test]
async fn a_quiet_socket_shows_that_it_lives() {
    let mut server = Server::start().await;
    server.pace(|pace| pace.beat = Duration::from_millis(1));
    let mut socket = Socket::of(&server, server.listen().await, &Device::of("ada", 1)).await;
    assert!(socket.next().await.is_ping() && socket.next().await.is_ping());
}

#[tokio::test]
async fn a_socket_without_a_token_is_closed_when_the_time_for_it_is_over() {
    let mut server = Server::start().await;
    server.pace(|pace| {
        pace.handshake = Duration::from_millis(1);
        pace.patience = Duration::from_secs(3_600);
    });
    let mut socket = Socket::open(server.listen().await).await;
    assert_eq!(socket.closed().await, close(4408, "request_timeout"));
}

#[tokio::test]
async fn a_first_frame_that_is_no_valid_token_closes_the_socket_as_a_request_would_be_refused() {
    let server = Server::start().await;
    let address = server.listen().await;
    let check = async |frame: Message, expected: (u16, String)| {
        let mut socket = Socket::open(address).await;
        socket.send(frame).await;
        assert_eq!(socket.closed().await, expected);
    };
    let token = Device::of("ada", 1).token(&server);
    check(Message::text(r#"{"token":"x.y.z"}"#), close(4401, "invalid_token")).await;
    check(Message::text(token.clone()), close(4400, "malformed_json")).await;
    check(Message::text(r#"{"bearer":"x"}"#), close(4400, "invalid_request")).await;
    check(Message::text("[".repeat(FRAME_BYTES_MAX)), close(4400, "invalid_request")).await;
    check(Message::text(" ".repeat(FRAME_BYTES_MAX + 1)), close(1009, "payload_too_large")).await;
    let hello = json!({ "token": token, "more": 1 }).to_string();
    check(Message::binary(hello.clone()), close(1003, "unsupported_media_type")).await;
    let mut socket = Socket::open(address).await;
    socket.send(Message::text(hello)).await;
    assert_eq!(socket.next().await, Message::text(HINT), "members that are not known are skipped");
}

#[tokio::test]
async fn a_socket_ends_when_the_token_runs_out() {
    let server = Server::start().await;
    let (ada, now) = (Device::of("ada", 1), (server.app.clock)());
    let (token, expires) = server.app.tokens.issue(&ada.caller, Millis(1), now).unwrap();
    let mut socket = Socket::open(server.listen().await).await;
    socket.sign_in(&token).await;
    assert_eq!(socket.closed().await, close(4401, "token_expired"));
    assert!((server.app.clock)() >= expires);
}

#[tokio::test]
async fn a_client_that_goes_on_talking_is_closed() {
    let server = Server::start().await;
    let (address, ada) = (server.listen().await, Device::of("ada", 1));
    let check = async |frames: Vec<Message>, expected: (u16, String)| {
        let mut socket = Socket::of(&server, address, &ada).await;
        for frame in frames {
            socket.0.feed(frame).await.unwrap();
        }
        socket.0.flush().await.unwrap();
        assert_eq!(socket.closed().await, expected);
    };
    check(vec![Message::text("more")], close(1008, "invalid_request")).await;
    check(vec![Message::binary("more")], close(1003, "unsupported_media_type")).await;
    check(vec![Message::Ping("".into()); 17], close(1008, "rate_limited")).await;
    let many = Message::text("x".repeat(FRAME_BYTES_MAX + 1));
    check(vec![many], close(1009, "payload_too_large")).await;
}

/// Case 20 of the reliability programme.
#[tokio::test]
async fn what_is_no_frame_closes_a_socket_with_the_number_that_the_standard_has_for_it() {
    let server = Server::start().await;
    let (address, ada) = (server.listen().await, Device::of("ada", 1));
    let mask = [0; 4];
    let gibibyte = (1_u64 << 30).to_be_bytes();
    for (bytes, expected) in [
        (vec![0x81, 0x02, b'{', b'}'], close(1002, "invalid_request")),
        ([&[0x81, 0xff][..], &gibibyte, &mask].concat(), close(1009, "payload_too_large")),
        ([&[0x81, 0x82][..], &mask, &[0xc3, 0x28]].concat(), close(1007, "malformed_json")),
        ([&[0x83, 0x80][..], &mask].concat(), close(1002, "invalid_request")),
    ] {
        for mut socket in [Socket::open(address).await, Socket::of(&server, address, &ada).await] {
            socket.send_raw(&bytes).await;
            assert_eq!(socket.closed().await, expected);
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_take_what_a_socket_brings_is_let_go() {
    let mut server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.pace(|pace| pace.patience = Duration::ZERO);
    let mut socket = Socket::open(server.listen().await).await;
    socket.sign_in(&ada.token(&server)).await;
    assert_eq!(socket.closed().await, close(4408, "request_timeout"));
}

#[tokio::test]
async fn a_client_that_leaves_pings_unanswered_is_let_go() {
    let mut server = Server::start().await;
    server.pace(|pace| {
        pace.beat = Duration::from_millis(1);
        pace.patience = Duration::from_millis(100);
    });
    let socket = Socket::of(&server, server.listen().await, &Device::of("ada", 1)).await;
    // The rest of it answers nothing.
    let (mut connection, mut said) = (socket.0.into_inner(), Vec::new());
    while !said.ends_with(b"\x11\x38request_timeout") {
        assert_ne!(connection.read_buf(&mut said).await.unwrap(), 0, "{said:?}");
    }
}

#[tokio::test]
async fn all_sockets_are_closed_with_the_server_and_none_is_left() {
    let server = Server::start().await;
    let address = server.listen().await;
    let waiting = Socket::open(address).await;
    let open = Socket::of(&server, address, &Device::of("ada", 1)).await;
    server.app.end();
    for mut socket in [waiting, open, Socket::open(address).await] {
        assert_eq!(socket.closed().await, close(1001, "unavailable"));
        // Reads on, which answers the close.
        assert!(socket.0.next().await.is_none());
    }
    server.app.ended().await;
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_socket_and_no_answer_where_sites_are_listed() {
    let listed = Server::configured("collections: {}\norigins: ['https://app.example']\n").await;
    let any = Server::configured("collections: {}\n").await;
    for (server, origin, is_allowed) in [
        (&listed, "https://app.example", true),
        (&listed, "https://evil.example", false),
        (&listed, "null", false),
        (&any, "https://evil.example", true),
        (&any, "null", true),
    ] {
        let opened = Socket::ask(server.listen().await, "", Some(origin)).await;
        match opened {
            Ok(_) => assert!(is_allowed, "{origin}"),
            Err(refused) => {
                assert!(!is_allowed, "{origin}");
                assert_eq!(refused, (StatusCode::FORBIDDEN, "foreign_origin".to_owned(), false));
            }
        }
        let request = Request::builder().method(Method::OPTIONS).uri("/api/v1/sync/batch");
        let request = request.header(ORIGIN, origin).header("access-control-request-method", "POST");
        let response = server.respond(request.body(Body::empty()).unwrap()).await;
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some_and(|allowed| allowed == origin), is_allowed, "{origin}");
    }
    assert!(Socket::ask(listed.listen().await, "", None).await.is_ok(), "what is no browser names no site");
}

#[tokio::test]
async fn nothing_in_the_address_opens_a_socket() {
    let server = Server::start().await;
    let address = server.listen().await;
    let query = format!("?token={}", Device::of("ada", 1).token(&server));
    let refused = Socket::ask(address, &query, None).await.err().unwrap();
    assert_eq!(refused, (StatusCode::BAD_REQUEST, "invalid_request".to_owned(), false));
    // Nor does a request that is not quite one for a socket.
    let request = Request::get("/api/v1/sync/live").header("upgrade", "websocket");
    let request = request.header(AUTHORIZATION, Device::of("ada", 1).bearer(&server));
    let answer = server.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
}

#[tokio::test]
async fn no_more_sockets_wait_for_their_token_than_there_is_room_for() {
    let server = Server::configured("collections: {}\nlimits: { unsigned_sockets: 1 }\n").await;
    let (address, ada) = (server.listen().await, Device::of("ada", 1));
    let mut first = Socket::open(address).await;
    let refused = Socket::ask(address, "", None).await.err().unwrap();
    assert_eq!(refused, (StatusCode::SERVICE_UNAVAILABLE, "unavailable".to_owned(), true));
    first.sign_in(&ada.token(&server)).await;
    assert_eq!(first.next().await, Message::text(HINT));
    let mut second = Socket::of(&server, address, &ada).await;
    assert_eq!(second.ready().await, []);
}
