//! What the server knows of whoever asks and of their device: for support, and for an app's own eyes.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use landfall_core::code::Code;
use landfall_core::id::{Client, Position, User};
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::store::{Seen, StoreError};

/// Which device is asked about; none for the user alone.
#[derive(Deserialize)]
pub(super) struct Ask {
    client: Option<String>,
}

/// What the server knows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    server_time: WallTime,
    epoch: String,
    position: Position,
    user: User,
    tenant: String,
    roles: Vec<String>,
    client: Option<Device>,
    limits: Bounds,
}

/// A device that has sent something before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    first_seen: WallTime,
    last_seen: WallTime,
    pending_conflicts: usize,
}

/// How much the server takes and gives at a time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    body_bytes: usize,
    inflated_bytes: usize,
    batch_mutations: usize,
    page_changes: usize,
}

/// `GET /api/v1/sync/status`: the caller as the server sees them, and one device of theirs.
pub(super) async fn status(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Status>, ApiError> {
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    let named = ask.client.map(|client| client.parse::<Client>()).transpose();
    let named = named.map_err(|error| ApiError::new(Code::InvalidRequest, error.to_string()))?;
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
