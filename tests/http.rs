//! Asking a server over HTTP.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Nobody waits for an answer for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What `Retry-After` says, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Bytes,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// `GET` or `POST`.
    pub method: Method,
    /// With the query.
    pub path: &'a str,
    /// Who asks.
    pub token: &'a str,
    /// JSON, where it is not empty.
    pub body: Bytes,
}

impl<'a> Ask<'a> {
    /// A question.
    pub fn get(path: &'a str, token: &'a str) -> Ask<'a> {
        Ask { method: Method::GET, path, token, body: Bytes::new() }
    }

    /// Something to be done.
    pub fn post(path: &'a str, token: &'a str, body: impl Into<Bytes>) -> Ask<'a> {
        Ask { method: Method::POST, path, token, body: body.into() }
    }
}

/// A connection that stays open from one request to the next.
#[derive(Debug)]
pub struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects; nothing where nobody listens.
    pub async fn to(address: &str) -> Option<Connection> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Connection::over(address, stream).await
    }

    /// Speaks over a stream that is connected.
    pub async fn over(address: &str, stream: TcpStream) -> Option<Connection> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        // How it ends, whoever waits for an answer is told.
        tokio::spawn(async { connection.await.ok() });
        Some(Connection { address: address.to_owned(), sender })
    }

    /// The beginning of an answer; nothing where the connection has ended without one.
    pub async fn begin(&mut self, ask: &Ask<'_>) -> Option<Response<Incoming>> {
        let request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.path)
            .header(HOST, &self.address)
            .header(AUTHORIZATION, format!("Bearer {}", ask.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(ask.body.clone()));
        self.sender.ready().await.ok()?;
        self.sender.send_request(request.expect("BUG: a request that is none")).await.ok()
    }

    /// The whole answer.
    pub async fn ask(&mut self, ask: &Ask<'_>) -> Option<Answer> {
        let (head, body) = self.begin(ask).await?.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status.as_u16(), retry_after, body })
    }
}

/// Asks over a connection of its own; nothing where there is no answer, or none in time.
pub async fn ask(address: &str, ask: Ask<'_>) -> Option<Answer> {
    let answer = async { Connection::to(address).await?.ask(&ask).await };
    tokio::time::timeout(PATIENCE, answer).await.ok()?
}
