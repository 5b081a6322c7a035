//! Messages as they pass through: read whole, so that a fault can come before, between or after.

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A reply, complete or still coming.
pub(crate) type Reply = Response<BoxBody<Bytes, Failure>>;

/// Why there is no reply.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads a message's body to its end.
pub(crate) async fn body(incoming: Incoming) -> Result<Bytes, hyper::Error> {
    Ok(incoming.collect().await?.to_bytes())
}

/// What the server answers.
pub(crate) enum Answer {
    /// All of it. By then the server has done what it was asked to.
    Whole(Reply, Bytes),
    /// Events, as they come.
    Stream(Response<Incoming>),
}

/// Asks the server.
pub(crate) async fn forward(upstream: &str, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async { connection.await.ok() });
    let mut reply = sender.send_request(request).await?;
    forget_connection(reply.headers_mut());
    if reply.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        return Ok(Answer::Stream(reply));
    }
    let (head, incoming) = reply.into_parts();
    let bytes = body(incoming).await?;
    Ok(Answer::Whole(Response::from_parts(head, whole(bytes.clone())), bytes))
}

/// A body that is there.
fn whole(bytes: Bytes) -> BoxBody<Bytes, Failure> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// Takes out what speaks of one connection; each of the two says that for itself.
pub(crate) fn forget_connection(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove("keep-alive");
}

/// A reply made here.
pub(crate) fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(whole(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type.parse().expect("BUG: no content type"));
    reply
}

/// A body that a person can read, for the log.
pub(crate) fn json_text(headers: &HeaderMap, bytes: &Bytes) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.contains("json") || headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    String::from_utf8(bytes.to_vec()).ok()
}
