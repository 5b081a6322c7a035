//! Who changed a document, for whoever may read it.

use axum::Json as Reply;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use landfall_core::code::Code;
use landfall_core::id::{DocumentKey, Version};
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::numbered::Ask;
use super::pull::PAGE_BYTES;
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::store::Entry;

/// A page of changes of one document.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryReply)]
pub(super) struct Told {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    /// Identity of the history that versions and positions are of.
    epoch: String,
    changes: Vec<Entry>,
    /// Behind this page; null where nothing is.
    #[schema(required)]
    cursor: Option<String>,
    more: bool,
}

/// Whose history is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Which {
    #[param(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    collection: String,
    #[param(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    document: String,
}

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::InvalidCursor, Code::NotFound]);

/// One page of what was done to a document, newest first, and where the next one begins.
///
/// A document that the caller may not read now is answered for like one that there never was. One that was deleted
/// is judged by what it was last.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{collection}/{document}/history",
    operation_id = "history",
    security(("token" = [])),
    params(Which, Ask),
    responses((status = 200, description = "A page.", body = Told), Refusals),
)]
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller,
    which: Result<Path<Which>, PathRejection>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Told>, ApiError> {
    let (before, limit) = Ask::page(ask, &app.limits)?;
    // What cannot name a document names none.
    let key = which.ok().and_then(|Path(which)| key(&which)).ok_or_else(nothing)?;
    let _room = app.load.enter(Kind::Read, &app.metrics)?;
    let mut snapshot = app.store.snapshot(&caller.tenant).await?;
    let fields = snapshot.fields(&key).await?;
    let rules = app.rules.of(&caller);
    if !fields.is_some_and(|fields| rules.may_read(&key.collection, &fields)) {
        return Err(nothing());
    }
    let found = snapshot.history(&key, Version(before), limit, PAGE_BYTES).await?;
    Ok(Reply(Told {
        server_time: (app.clock)(),
        epoch: snapshot.epoch().to_string(),
        changes: found.entries,
        cursor: found.rest.map(|version| version.0.to_string()),
        more: found.rest.is_some(),
    }))
}

fn nothing() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such document")
}

fn key(which: &Which) -> Option<DocumentKey> {
    let Which { collection, document } = which;
    Some(DocumentKey { collection: collection.parse().ok()?, document: document.parse().ok()? })
}
