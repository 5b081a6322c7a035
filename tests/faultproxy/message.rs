//! Messages as they pass through: read whole, so that a fault can come before, between or after.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A reply that is complete.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Why there is no reply.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads a message's body to its end.
pub(crate) async fn body(incoming: Incoming) -> Result<Bytes, hyper::Error> {
    Ok(incoming.collect().await?.to_bytes())
}

/// Asks the server and reads its whole answer; by then it has done what it was asked to.
pub(crate) async fn forward(
    upstream: &str,
    request: Request<Full<Bytes>>,
) -> Result<(Reply, Bytes), Failure> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async { connection.await.ok() });
    let (head, incoming) = sender.send_request(request).await?.into_parts();
    let bytes = body(incoming).await?;
    let mut reply = Response::from_parts(head, Full::new(bytes.clone()));
    forget_connection(reply.headers_mut());
    Ok((reply, bytes))
}

/// Takes out what speaks of one connection; each of the two says that for itself.
pub(crate) fn forget_connection(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove("keep-alive");
}

/// A reply made here.
pub(crate) fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
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
