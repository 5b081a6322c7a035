//! Requests as bytes on a connection, for what no client library would send.

use std::fmt::Write;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Device, Server};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code of a refusal.
    pub(crate) fn refused(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned())
    }

    /// What `Retry-After` asks for, in seconds, which has to be what the body says in milliseconds.
    pub(crate) fn retry_after(&self) -> u64 {
        let seconds = self.header("retry-after").parse().unwrap();
        assert_eq!(self.json()["retryAfterMs"].as_u64().unwrap().div_ceil(1_000), seconds, "{self:?}");
        assert_eq!(self.json()["retryable"], true);
        seconds
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).unwrap_or_else(|| panic!("no {name}: {self:?}")).1
    }
}

/// Verdicts in the body of an answer to a push.
pub(crate) fn judged(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let results = reply.json()["results"].as_array().unwrap().clone();
    results.iter().map(|result| result["verdict"].as_str().unwrap().to_owned()).collect()
}

/// The head of a push of so many bytes. `more` is further headers, each with its line end.
pub(crate) fn head(token: &str, length: usize, more: &str) -> String {
    let mut head = String::from("POST /api/v1/sync/batch HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    write!(head, "authorization: Bearer {token}\r\ncontent-length: {length}\r\n{more}\r\n").unwrap();
    head
}

const JSON: &str = "content-type: application/json\r\n";

/// Sends bytes, says with `end` that there are no more, and takes whatever comes until the connection is closed.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8], end: bool) -> Option<Reply> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // The server need not hear all of it.
    if connection.write_all(bytes).await.is_ok() && end {
        connection.shutdown().await.ok();
    }
    let mut text = Vec::new();
    connection.read_to_end(&mut text).await.ok();
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// Pushes a body.
pub(crate) async fn push(address: SocketAddr, token: &str, body: &[u8]) -> Reply {
    push_with(address, token, JSON, body).await
}

/// Pushes a body with these headers and no content type of its own.
pub(crate) async fn push_with(address: SocketAddr, token: &str, headers: &str, body: &[u8]) -> Reply {
    let bytes = [head(token, body.len(), headers).as_bytes(), body].concat();
    exchange(address, &bytes, false).await.expect("an answer")
}

/// Asks for something below `/api/v1/sync/`.
pub(crate) async fn get(server: &Server, address: SocketAddr, device: &Device, path: &str) -> Reply {
    let token = device.token(server);
    let text = format!(
        "GET /api/v1/sync/{path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    exchange(address, text.as_bytes(), false).await.expect("an answer")
}
