//! The list of conflicts, as far as the caller may see the documents that they are about.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use landfall_core::code::Code;
use landfall_core::time::WallTime;
use serde::Serialize;

use super::pull::{Ask, PAGE_BYTES, limit};
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::store::{Place, Recorded};

/// A page of conflicts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    server_time: WallTime,
    conflicts: Vec<Recorded>,
    cursor: Option<String>,
    more: bool,
}

/// `GET /api/v1/sync/conflicts`: one page of conflicts, newest first, and where the next one begins.
///
/// A page ends after so many conflicts were looked through, shown or not.
pub(super) async fn conflicts(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Listed>, ApiError> {
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    let limit = limit(&ask.limit, app.limits.page_changes)?;
    let behind = if ask.cursor.is_empty() { Ok(Place::END) } else { ask.cursor.parse() };
    let behind =
        behind.map_err(|_| ApiError::new(Code::InvalidCursor, "this server did not give out this cursor"))?;
    let rules = app.rules.of(&caller);
    let mut snapshot = app.store.snapshot(&caller.tenant).await?;
    let found = snapshot.conflicts(behind, limit, PAGE_BYTES).await?;
    let is_visible = |conflict: &Recorded| rules.may_read(&conflict.key().collection, conflict.data());
    Ok(Reply(Listed {
        server_time: (app.clock)(),
        conflicts: found.rows.into_iter().filter(is_visible).collect(),
        cursor: found.rest.map(|place| place.to_string()),
        more: found.rest.is_some(),
    }))
}
