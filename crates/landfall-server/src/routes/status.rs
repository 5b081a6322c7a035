//! What the server knows of whoever asks and of their device: for support, and for an app's own eyes.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use landfall_core::code::Code;
use landfall_core::id::{Client, Position, User};
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::store::{Seen, StoreError};

/// Which device is asked about; none for the user alone.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// An installation of the caller's.
    #[param(nullable = false, min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    client: Option<String>,
}

/// What the server knows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    epoch: String,
    #[schema(value_type = u64)]
    position: Position,
    #[schema(value_type = String)]
    user: User,
    tenant: String,
    roles: Vec<String>,
    /// Null where none is asked about or it has sent nothing yet.
    #[schema(required)]
    client: Option<Device>,
    limits: Bounds,
}

/// A device that has sent something before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Device {
    #[schema(value_type = shapes::WallTime)]
    first_seen: WallTime,
    #[schema(value_type = shapes::WallTime)]
    last_seen: WallTime,
    pending_conflicts: usize,
}

/// How much the server takes and gives at a time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    body_bytes: usize,
    inflated_bytes: usize,
    batch_mutations: usize,
    page_changes: usize,
}

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::WriterMismatch]);

/// The caller as the server sees them, and one device of theirs.
#[utoipa::path(
    get,
    path = "/api/v1/sync/status",
    operation_id = "status",
    security(("token" = [])),
    params(Ask),
    responses((status = 200, description = "What the server knows.", body = Status), Refusals),
)]
pub(super) async fn status(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Status>, ApiError> {
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    let named = ask.client.map(|client| client.parse::<Client>()).transpose();
    let named = named.map_err(|error| ApiError::new(Code::InvalidRequest, error.to_string()))?;
    let _room = app.load.enter(Kind::Read, &app.metrics)?;
    let mut snapshot = app.store.snapshot(&caller.tenant).await?;
    let mut client = None;
    if let Some(name) = named
        && let Some(Seen { first, last, tenant, user }) = snapshot.client(&name).await?
    {
        if (tenant.as_str(), user.as_str()) != (caller.tenant.as_str(), caller.user.as_str()) {
            return Err(StoreError::ForeignWriter.into());
        }
        let rules = app.rules.of(&caller);
        let open = snapshot.open_conflicts(&name, app.limits.page_changes).await?;
        let visible = open.iter().filter(|one| rules.may_read(&one.key().collection, one.data()));
        client = Some(Device { first_seen: first, last_seen: last, pending_conflicts: visible.count() });
    }
    let Limits { body_bytes, inflated_bytes, batch_mutations, page_changes, .. } = *app.limits;
    Ok(Reply(Status {
        server_time: (app.clock)(),
        epoch: snapshot.epoch().to_string(),
        position: snapshot.head(),
        user: caller.user,
        tenant: caller.tenant.to_string(),
        roles: caller.roles,
        client,
        limits: Bounds { body_bytes, inflated_bytes, batch_mutations, page_changes },
    }))
}
