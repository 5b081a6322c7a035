//! Hints: "there may be something to pull", as a stream of server-sent events.
//!
//! A hint says nothing else, so nothing has to be decided on, kept or sent again: whoever misses one
//! finds out at the next pull.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::caller::Session;
use crate::error::ApiError;
use crate::limits::Pace;
use crate::metrics::Open;
use crate::openapi::{SIGNED, STORE, refusals};
use crate::random;

const HINT: &str = "event: hint\ndata: {}\n\n";
/// A comment. Nobody reads it, but a connection that is dead shows by it.
const BEAT: &str = ":\n\n";

refusals!(Refusals: SIGNED, STORE);

/// A hint after each commit of the caller's tenant, until the token runs out.
#[utoipa::path(
    get,
    path = "/api/v1/sync/live",
    operation_id = "live",
    security(("token" = [])),
    responses(
        (status = 200, description = "Server-sent events.", body = str, content_type = "text/event-stream"),
        Refusals,
    ),
)]
pub(super) async fn live(State(app): State<App>, session: Session) -> Result<Response, ApiError> {
    let now = Instant::now();
    let left = Duration::from_millis(session.expires.since((app.clock)()).0);
    let spread = f64::from(u16::from_le_bytes(random::bytes())) / f64::from(u16::MAX);
    let hints = Hints {
        commits: app.store.commits(&session.caller.tenant).await?,
        ending: app.ending.subscribe(),
        // A token that lasts longer than a clock can count lasts for ever.
        expires: now.checked_add(left),
        beat: app.pace.beat + app.pace.beat.mul_f64(spread * 2.0 / 3.0),
        pace: app.pace,
        free_at: now,
        said_at: now,
        _open: app.metrics.stream(),
    };
    let texts = stream::unfold(hints, async |mut hints| {
        let text = hints.next().await?;
        Some((Ok::<_, Infallible>(text), hints))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Body::from_stream(texts)).into_response())
}

/// One stream of hints.
struct Hints {
    commits: watch::Receiver<()>,
    ending: watch::Receiver<bool>,
    expires: Option<Instant>,
    pace: Pace,
    beat: Duration,
    /// When the next hint may be given.
    free_at: Instant,
    /// When something was said last.
    said_at: Instant,
    _open: Open,
}

impl Hints {
    /// What to say next, as soon as there is something; `None` at the end.
    ///
    /// Asked for only once there is room for it, so a client that does not read is noticed here.
    async fn next(&mut self) -> Option<&'static str> {
        let asked_at = Instant::now();
        if asked_at - self.said_at > self.pace.patience {
            return None;
        }
        let text = tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => return None,
            () = until(self.expires) => return None,
            text = hint(&mut self.commits, self.free_at) => text,
            () = sleep_until(asked_at + self.beat) => BEAT,
        };
        self.said_at = Instant::now();
        if text == HINT {
            self.free_at = self.said_at + self.pace.gap;
        }
        Some(text)
    }
}

/// The next hint. What was committed meanwhile is part of it.
async fn hint(commits: &mut watch::Receiver<()>, free_at: Instant) -> &'static str {
    sleep_until(free_at).await;
    if commits.changed().await.is_err() {
        // A store that is gone commits nothing more; the server is about to end.
        std::future::pending::<()>().await;
    }
    HINT
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
