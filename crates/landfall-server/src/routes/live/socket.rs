//! Hints on a WebSocket, for programs that cannot read a stream with a header of their own.
//!
//! ```text
//!   asked for ─▶ open ─ the token, in time ─▶ hints ─▶ closed
//!       │         └─ anything else, or nothing ───────────▲
//!       └─▶ refused, as any request
//! ```
//!
//! However it ends, the close frame says why, with a number and a code.

use std::pin::pin;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::response::Response;
use landfall_core::code::Code;
use serde::Deserialize;
use serde_json::error::Category;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tracing::Instrument;

use crate::app::App;
use crate::caller::Session;
use crate::error::{ApiError, status};
use crate::hints::{End, Hints, Word, until};
use crate::limits::FRAME_BYTES_MAX;

/// A client that sends more is heard out up to here, so that it gets the close frame and not a reset connection.
const FRAME_BYTES_HEARD: usize = 64 << 10;
/// Memory for what is on its way in or out. A socket is silent most of the time, and there are thousands.
const BUFFER_BYTES: usize = 1 << 10;
/// Pings and pongs between two frames of the server's. A client has a pong to send, and no reason for more.
const SIGNS_MAX: usize = 16;
const HINT: &str = r#"{"event":"hint","data":{}}"#;

/// A connection that is about to become a socket.
pub(in crate::routes) struct Door {
    upgrade: WebSocketUpgrade,
    permit: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Door {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Door, ApiError> {
        // What asks without a browser names no origin, and could name any.
        if parts.headers.get(ORIGIN).is_some_and(|origin| !app.origins.allow(origin)) {
            let message = "this server takes no connections from this site's pages";
            return Err(ApiError::new(Code::ForeignOrigin, message));
        }
        if parts.uri.query().is_some() {
            // It would be in somebody's log.
            let message = "nothing belongs into the address; the token comes in the first frame";
            return Err(ApiError::new(Code::InvalidRequest, message));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, app)
            .await
            .map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
        let permit =
            app.doors.clone().try_acquire_owned().map_err(|_| {
                ApiError::throttled(Code::Unavailable, "too many sockets wait for their token")
            })?;
        Ok(Door { upgrade, permit })
    }
}

impl Door {
    /// The answer, and what becomes of the connection behind it.
    pub(super) fn open(self, app: App) -> Response {
        let Door { upgrade, permit } = self;
        let span = tracing::Span::current();
        upgrade
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * BUFFER_BYTES)
            .max_frame_size(FRAME_BYTES_HEARD)
            .max_message_size(FRAME_BYTES_HEARD)
            .on_upgrade(|socket| serve(socket, app, permit).instrument(span))
    }
}

/// The first frame.
#[derive(Deserialize)]
struct Hello {
    token: String,
}

/// How a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// The client has gone.
    Gone,
    /// We close it: with a number, and a code that says the same.
    Said(u16, Code),
}

impl Farewell {
    /// As the request would have been refused, had it brought what the socket did.
    fn refused(code: Code) -> Farewell {
        let status = status(code).expect("BUG: a code that no request is refused with");
        Farewell::Said(4_000 + status.as_u16(), code)
    }
}

async fn serve(mut socket: WebSocket, app: App, permit: OwnedSemaphorePermit) {
    // Whoever waits for all sockets to be closed waits for the close frame, too.
    let _open = app.ending.subscribe();
    let farewell = match enter(&mut socket, &app, permit).await {
        Ok(hints) => pass_on(&mut socket, hints, &app).await,
        Err(farewell) => farewell,
    };
    let parting = async {
        if let Farewell::Said(number, code) = farewell {
            tracing::debug!(number, %code, "socket closed");
            let close = CloseFrame { code: number, reason: Utf8Bytes::from_static(code.as_str()) };
            socket.send(Message::Close(Some(close))).await.ok();
        }
        // A connection that is dropped with something unread in it is reset, and what was said last is lost.
        while let Some(Ok(_)) = socket.recv().await {}
    };
    timeout(app.pace.handshake, parting).await.ok();
}

/// Waits for the token, and for nothing longer than that.
async fn enter(socket: &mut WebSocket, app: &App, _permit: OwnedSemaphorePermit) -> Result<Hints, Farewell> {
    let mut ending = app.ending.subscribe();
    let text = tokio::select! {
        biased;
        _ = ending.wait_for(|ending| *ending) => return Err(ENDING),
        text = timeout(app.pace.handshake, first(socket)) => text.map_err(|_| LATE)??,
    };
    let hello: Hello = serde_json::from_str(&text).map_err(|error| match error.classify() {
        Category::Data => Farewell::refused(Code::InvalidRequest),
        Category::Io | Category::Syntax | Category::Eof => Farewell::refused(Code::MalformedJson),
    })?;
    let session = Session::of(Some(&hello.token), app).await;
    let session = session.map_err(|error| Farewell::refused(error.code()))?;
    let hints = Hints::begin(app, &session).await;
    let hints = hints.map_err(|error| Farewell::refused(ApiError::from(error).code()))?;
    Ok(hints.with_one_at_once())
}

async fn first(socket: &mut WebSocket) -> Result<Utf8Bytes, Farewell> {
    for _ in 0..SIGNS_MAX {
        match hear(socket).await? {
            Heard::Text(text) => return Ok(text),
            Heard::Ping | Heard::Pong => {}
        }
    }
    Err(FLOOD)
}

/// Says what there is to say until the end.
async fn pass_on(socket: &mut WebSocket, mut hints: Hints, app: &App) -> Farewell {
    let patience = app.pace.patience;
    let mut unanswered = None;
    loop {
        let word = match next(socket, &mut hints, &mut unanswered).await {
            Ok(word) => word,
            Err(farewell) => return farewell,
        };
        let frame = match word {
            Word::Hint => Message::Text(Utf8Bytes::from_static(HINT)),
            Word::Beat => {
                unanswered = unanswered.or(Instant::now().checked_add(patience));
                Message::Ping(Default::default())
            }
        };
        match timeout(patience, socket.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Farewell::Gone,
            Err(_) => return LATE,
        }
    }
}

/// What to say next. Until then the client is listened to, and may say nothing but that it lives.
async fn next(
    socket: &mut WebSocket,
    hints: &mut Hints,
    unanswered: &mut Option<Instant>,
) -> Result<Word, Farewell> {
    let mut word = pin!(hints.next());
    let mut signs = 0;
    loop {
        let heard = tokio::select! {
            biased;
            word = &mut word => return word.map_err(|end| match end {
                End::Server => ENDING,
                End::Token => Farewell::refused(Code::TokenExpired),
                End::Patience => LATE,
            }),
            () = until(*unanswered) => return Err(LATE),
            heard = hear(socket) => heard?,
        };
        signs += 1;
        match heard {
            Heard::Text(_) => return Err(Farewell::Said(1008, Code::InvalidRequest)),
            Heard::Ping | Heard::Pong if signs > SIGNS_MAX => return Err(FLOOD),
            Heard::Ping => {}
            Heard::Pong => *unanswered = None,
        }
    }
}

const ENDING: Farewell = Farewell::Said(1001, Code::Unavailable);
const FLOOD: Farewell = Farewell::Said(1008, Code::RateLimited);
const TOO_LARGE: Farewell = Farewell::Said(1009, Code::PayloadTooLarge);
const LATE: Farewell = Farewell::Said(4408, Code::RequestTimeout);

/// What a client may say at one time or another.
enum Heard {
    Text(Utf8Bytes),
    Ping,
    Pong,
}

async fn hear(socket: &mut WebSocket) -> Result<Heard, Farewell> {
    match socket.recv().await {
        Some(Ok(Message::Text(text))) if text.len() > FRAME_BYTES_MAX => Err(TOO_LARGE),
        Some(Ok(Message::Text(text))) => Ok(Heard::Text(text)),
        Some(Ok(Message::Binary(_))) => Err(Farewell::Said(1003, Code::UnsupportedMediaType)),
        Some(Ok(Message::Ping(_))) => Ok(Heard::Ping),
        Some(Ok(Message::Pong(_))) => Ok(Heard::Pong),
        Some(Ok(Message::Close(_))) | None => Err(Farewell::Gone),
        Some(Err(error)) => Err(fault(error)),
    }
}

/// What a client has done that is no frame, or none that we take.
fn fault(error: axum::Error) -> Farewell {
    use tungstenite::error::{Error, ProtocolError};

    let error = error.into_inner();
    match error.downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => TOO_LARGE,
        Some(Error::Utf8(_)) => Farewell::Said(1007, Code::MalformedJson),
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Farewell::Gone,
        Some(Error::Protocol(_)) => Farewell::Said(1002, Code::InvalidRequest),
        Some(_) | None => Farewell::Gone,
    }
}
