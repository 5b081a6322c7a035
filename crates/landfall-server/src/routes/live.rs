//! Hints on their way: as a stream of server-sent events, or on a socket.

mod socket;

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderName;
use axum::http::header::{CONTENT_TYPE, UPGRADE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use landfall_core::code::Code;

use self::socket::Door;
use crate::app::App;
use crate::caller::Session;
use crate::error::ApiError;
use crate::hints::{Hints, Word};
use crate::openapi::{SIGNED, STORE, refusals};

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::ForeignOrigin]);

/// A hint after each commit of the caller's tenant, until the token runs out.
///
/// Where the connection is to become a WebSocket, the token comes in its first frame and not in a header.
#[utoipa::path(
    get,
    path = "/api/v1/sync/live",
    operation_id = "live",
    security(("token" = []), ()),
    responses(
        (status = 101, description = "A WebSocket."),
        (status = 200, description = "Server-sent events.", body = str, content_type = "text/event-stream"),
        Refusals,
    ),
)]
pub(super) async fn live(State(app): State<App>, way: Way) -> Result<Response, ApiError> {
    match way {
        Way::Events(session) => Ok(events(Hints::begin(&app, &session).await?)),
        Way::Socket(door) => Ok(door.open(app)),
    }
}

/// How hints are to travel.
pub(super) enum Way {
    Events(Session),
    Socket(Door),
}

impl FromRequestParts<App> for Way {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Way, ApiError> {
        if parts.headers.contains_key(UPGRADE) {
            Ok(Way::Socket(Door::from_request_parts(parts, app).await?))
        } else {
            Ok(Way::Events(Session::from_request_parts(parts, app).await?))
        }
    }
}

fn events(hints: Hints) -> Response {
    let texts = stream::unfold(hints, async |mut hints| {
        let text = match hints.next().await.ok()? {
            Word::Hint => "event: hint\ndata: {}\n\n",
            // A comment, which nobody reads.
            Word::Beat => ":\n\n",
        };
        Some((Ok::<_, Infallible>(text), hints))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Body::from_stream(texts)).into_response()
}
