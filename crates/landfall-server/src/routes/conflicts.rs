//! The list of conflicts, as far as the caller may see the documents that they are about.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use landfall_core::code::Code;
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pull::{PAGE_BYTES, limit};
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::store::{Place, Recorded};

/// A page of conflicts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConflictsReply)]
pub(super) struct Listed {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    conflicts: Vec<Recorded>,
    /// Behind this page; null where nothing is.
    #[schema(required)]
    cursor: Option<String>,
    more: bool,
}

/// Which page is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Where an earlier page ended; the newest conflict where there is none.
    #[serde(default)]
    #[param(pattern = "^((0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17}))?$", max_length = 37)]
    cursor: String,
    /// How many are looked through; 1,000 where it is not said, and at most, whatever is.
    #[param(value_type = u64, required = false, minimum = 1, maximum = 18_446_744_073_709_551_615_u64)]
    limit: Option<String>,
}

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::InvalidCursor]);

/// One page of conflicts, newest first, and where the next one begins.
///
/// A page ends after so many conflicts were looked through, shown or not.
#[utoipa::path(
    get,
    path = "/api/v1/sync/conflicts",
    operation_id = "conflicts",
    security(("token" = [])),
    params(Ask),
    responses((status = 200, description = "A page.", body = Listed), Refusals),
)]
pub(super) async fn conflicts(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Listed>, ApiError> {
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    let limit = limit(ask.limit.as_deref(), app.limits.page_changes)?;
    let behind = if ask.cursor.is_empty() { Ok(Place::END) } else { ask.cursor.parse() };
    let behind =
        behind.map_err(|_| ApiError::new(Code::InvalidCursor, "this server did not give out this cursor"))?;
    let _room = app.load.enter(Kind::Read, &app.metrics)?;
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
