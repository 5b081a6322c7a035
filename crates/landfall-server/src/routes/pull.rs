//! Pulls: what changed since a cursor, as far as the caller may see it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use landfall_core::code::Code;
use landfall_core::id::{Position, User};
use landfall_core::wire::{CURSORS_MAX, Reset};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::{Cursor, CursorError};
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::page::Page;
use crate::rules::CallerRules;
use crate::store::{Change, Snapshot, StoreError};

/// A page ends once this many bytes were looked through, sent or not: neither side holds more at once,
/// and nobody waits for long because others have written much.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// Which page is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Whose database the changes are for: the token's user.
    #[serde(default)]
    #[param(nullable = false, min_length = 1, max_length = 256)]
    user: Option<String>,
    /// What an earlier pull has named; the start where there is none. Others may follow, each after a `~`.
    #[serde(default)]
    cursor: String,
    /// Most changes on the page; 1,000 where it is not said, and at most, whatever is.
    #[param(value_type = u64, required = false, minimum = 1, maximum = 18_446_744_073_709_551_615_u64)]
    limit: Option<String>,
}

refusals!(Refusals: SIGNED, STORE, &[
    Code::InvalidRequest,
    Code::InvalidCursor,
    Code::UserMismatch,
    Code::TenantMismatch,
]);

/// One page of changes, oldest first, and the cursor behind it.
#[utoipa::path(
    get,
    path = "/api/v1/sync/pull",
    operation_id = "pull",
    security(("token" = [])),
    params(Ask),
    responses((status = 200, description = "A page.", body = shapes::PullReply), Refusals),
)]
pub(super) async fn pull(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    if ask.user.is_some_and(|user| user != caller.user.as_str()) {
        let message = "this pull is for another user than the token's";
        return Err(ApiError::new(Code::UserMismatch, message));
    }
    let kind = if ask.cursor.is_empty() { Kind::FirstSync } else { Kind::Read };
    let _room = app.load.enter(kind, &app.metrics)?;
    let limit = limit(ask.limit.as_deref(), app.limits.page_changes)?;
    // What the client has seen beside the place where it goes on: answers to pushes, and where earlier pulls have ended.
    let mut seen = Vec::new();
    for text in ask.cursor.split('~').take(CURSORS_MAX) {
        seen.push(cursor(&app, &caller, text)?);
    }
    let cursor = seen[0];
    let now = (app.clock)();

    let mut snapshot = app.store.snapshot(&caller.tenant).await?;
    for seen in seen.iter().flatten() {
        if seen.epoch == snapshot.epoch() && snapshot.nonce(seen.position).await? != Some(seen.nonce) {
            // A commit that this client has seen is not the one that is here: the database was set
            // back. Everybody has to hear of it, so the history gets another name.
            drop(snapshot);
            app.store.leave_epoch(seen.epoch).await?;
            snapshot = app.store.snapshot(&caller.tenant).await?;
        }
    }
    let rules = app.rules.of(&caller);
    let sight = app.rules.sight(&caller);
    let start = match cursor {
        Some(cursor) if cursor.epoch != snapshot.epoch() => {
            Start::Over("new_epoch", restored_through(&mut snapshot, &seen[1..], sight).await?)
        }
        // What was left out on the way may be visible by now, and what was shown may be so no longer.
        Some(cursor) if cursor.sight != Some(sight) => Start::Over("resync_required", Position(0)),
        // Who could see what since then is forgotten.
        Some(cursor) if cursor.floor < snapshot.expired() => Start::Over("resync_required", Position(0)),
        Some(cursor) => Start::Behind(cursor),
        None => Start::Cold,
    };
    let reset = match start {
        Start::Over(reason, restored_through) => Some(Reset { reason: reason.to_owned(), restored_through }),
        Start::Cold | Start::Behind(_) => None,
    };
    let mut page = Page::begin(now, &snapshot, reset);
    let (mut place, floor) = match start {
        Start::Behind(cursor) => ((cursor.position, cursor.ordinal), cursor.floor),
        // Whoever has something is told what is gone since.
        Start::Over(_, through) if through > Position(0) => ((Position(0), Cursor::END), through),
        Start::Cold | Start::Over(..) => ((Position(0), Cursor::END), snapshot.head()),
    };
    let from = place;
    let mut bytes = 0;
    let more = loop {
        let changes = snapshot.changes(place, limit - page.len(), PAGE_BYTES - bytes).await?;
        bytes += changes.bytes;
        for change in &changes.rows {
            place = (change.position, change.ordinal);
            deliver(&mut page, &mut snapshot, (&rules, &caller.user), change, floor).await?;
        }
        if !changes.more || page.len() == limit || bytes >= PAGE_BYTES {
            break changes.more;
        }
    };
    let remaining = if from.0 == Position(0) { snapshot.count(place).await? } else { None };
    let head = snapshot.head();
    let ((position, ordinal), floor) = if more { (place, floor) } else { ((head, Cursor::END), head) };
    let nonce = snapshot.nonce(position).await?.ok_or_else(|| StoreError::Corrupt {
        what: format!("commit {}", position.0),
        reason: "it is not there".to_owned(),
    })?;
    app.metrics.pulled(page.len());
    let cursor = Cursor { epoch: snapshot.epoch(), position, nonce, ordinal, floor, sight: Some(sight) };
    let text = page.end(&cursor.seal(app.store.cursor_key(), &caller.tenant), more, remaining);
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

/// The newest of the ends of pulls that a client has shown that this history has too, and that all it was shown up to
/// there is still its to see; 0 where there is none.
async fn restored_through(
    snapshot: &mut Snapshot,
    shown: &[Option<Cursor>],
    sight: u64,
) -> Result<Position, StoreError> {
    // Of what came before, nobody knows any more who could see it.
    let oldest = snapshot.expired().max(Position(1));
    let mut through = Position(0);
    for end in shown.iter().flatten() {
        let is_end = end.ordinal == Cursor::END && end.sight == Some(sight) && end.position > through;
        let is_end = is_end && end.position >= oldest;
        if is_end && snapshot.nonce(end.position).await? == Some(end.nonce) {
            through = end.position;
        }
    }
    Ok(through)
}

/// Where a pull begins.
enum Start {
    /// With nothing.
    Cold,
    /// From the start, though the client has something: why, and up to which commit that is part of this history.
    Over(&'static str, Position),
    /// Behind what the client has.
    Behind(Cursor),
}

/// Puts a change on the page, in the form in which the caller may have it.
async fn deliver(
    page: &mut Page,
    snapshot: &mut Snapshot,
    (rules, user): (&CallerRules<'_>, &User),
    change: &Change,
    floor: Position,
) -> Result<(), StoreError> {
    // Of what was erased nobody knows any more who could see it.
    let visible = change.erased || rules.may_read(&change.collection, &change.data);
    let had_nothing = change.position <= floor;
    match (&change.hidden_by, visible) {
        (None, true) => page.document(change),
        // Who started when it was gone already has nothing to take away.
        (Some(_), _) | (None, false) if had_nothing => {}
        (Some(stamp), true) => page.tombstone(change, stamp),
        (Some(_) | None, false) => {
            let sees = |data: &str| rules.may_read(&change.collection, data);
            if rules.reads_depend_on_documents(&change.collection)
                && snapshot.may_have(user, change, floor, sees).await?
            {
                page.eviction(change);
            }
        }
    }
    Ok(())
}

pub(super) fn limit(text: Option<&str>, max: usize) -> Result<usize, ApiError> {
    match text.map(str::parse::<usize>) {
        None => Ok(max),
        Some(Ok(limit)) if limit > 0 => Ok(limit.min(max)),
        Some(Ok(_) | Err(_)) => {
            let message = "`limit` must be a number above 0";
            Err(ApiError::new(Code::InvalidRequest, message))
        }
    }
}

fn cursor(app: &App, caller: &Caller, text: &str) -> Result<Option<Cursor>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    Cursor::open(text, app.store.cursor_key(), &caller.tenant).map(Some).map_err(|error| match error {
        CursorError::Invalid => {
            ApiError::new(Code::InvalidCursor, "this server did not give out this cursor")
        }
        CursorError::Tenant => ApiError::new(Code::TenantMismatch, "this cursor belongs to another tenant"),
    })
}
