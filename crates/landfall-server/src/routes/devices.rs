//! The devices of a tenant, for whoever looks after them: which are silent, and which are stuck.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use landfall_core::code::Code;
use landfall_core::id::Client;
use landfall_core::time::WallTime;
use landfall_core::wire::Condition;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pull::limit;
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::store::{Heard, is_itself};

/// Which devices are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// What an earlier page has named; the first page where there is none.
    #[serde(default)]
    cursor: String,
    /// How many are looked through; 1,000 where it is not said, and at most, whatever is.
    #[param(value_type = u64, required = false, minimum = 1, maximum = 18_446_744_073_709_551_615_u64)]
    limit: Option<String>,
}

/// Some devices.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Devices {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    devices: Vec<KnownDevice>,
    /// Where the next page begins; null with the last one.
    #[schema(required)]
    cursor: Option<String>,
    more: bool,
}

/// A device as it was last heard of. What it has not said is null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KnownDevice {
    client: String,
    user: String,
    #[schema(value_type = shapes::WallTime)]
    first_seen: WallTime,
    #[schema(value_type = shapes::WallTime)]
    last_seen: WallTime,
    #[schema(required)]
    protocol: Option<u32>,
    #[schema(required)]
    sdk: Option<String>,
    /// Writes that waited on it.
    #[schema(required)]
    open: Option<u64>,
    /// When the oldest of these was made.
    #[schema(required, value_type = Option<shapes::WallTime>)]
    oldest_at: Option<WallTime>,
    /// Writes that needed somebody's attention.
    #[schema(required)]
    attention: Option<u64>,
    /// Why it was stuck: a code.
    #[schema(required)]
    reason: Option<String>,
}

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::InvalidCursor, Code::Forbidden]);

/// One page of the tenant's devices, by name, as they were last heard of.
#[utoipa::path(
    get,
    path = "/api/v1/devices",
    operation_id = "devices",
    security(("token" = [])),
    params(Ask),
    responses((status = 200, description = "A page.", body = Devices), Refusals),
)]
pub(super) async fn devices(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Devices>, ApiError> {
    if !app.staff.operates(&caller) {
        return Err(ApiError::new(Code::Forbidden, "the devices are for whoever looks after them"));
    }
    let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
    let limit = limit(ask.limit.as_deref(), app.limits.page_changes)?;
    let behind = behind(&ask.cursor)
        .ok_or_else(|| ApiError::new(Code::InvalidCursor, "this server did not give out this cursor"))?;
    let _room = app.load.enter(Kind::Read, &app.metrics)?;
    let mut snapshot = app.store.snapshot(&caller.tenant).await?;
    // One more than asked for tells whether there is more.
    let mut found = snapshot.devices(&behind, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let cursor = found.last().filter(|_| more).map(|last| BASE64_URL_SAFE_NO_PAD.encode(&last.client));
    let devices = found.into_iter().filter(|heard| !is_itself(&heard.client)).map(shown).collect();
    Ok(Reply(Devices { server_time: (app.clock)(), devices, cursor, more }))
}

/// The name behind which a page begins.
fn behind(cursor: &str) -> Option<String> {
    if cursor.is_empty() {
        return Some(String::new());
    }
    let name = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    name.parse::<Client>().is_ok().then_some(name)
}

fn shown(Heard { client, user, first, last, said }: Heard) -> KnownDevice {
    let protocol = said.as_ref().map(|said| said.protocol);
    let device = said.and_then(|said| said.device);
    let (open, attention) = device.as_ref().map(|device| (device.open, device.attention)).unzip();
    let Condition { sdk, oldest_at, reason, .. } = device.unwrap_or_default();
    KnownDevice {
        client,
        user,
        first_seen: first,
        last_seen: last,
        protocol,
        sdk,
        open,
        oldest_at,
        attention,
        reason,
    }
}
