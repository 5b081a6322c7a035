//! Tokens for the demo page, which has no sign-in of its own.

use axum::Json;
use axum::extract::State;
use landfall_core::id::User;
use landfall_core::time::{Millis, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::{Caller, Tenant};
use crate::error::ApiError;
use crate::openapi::{BODY, refusals, shapes};
use crate::payload::Payload;

/// Long enough for a working day offline; the page fetches another whenever it likes.
const TTL: Millis = Millis::seconds(12 * 60 * 60);

/// Who the page wants to be.
#[derive(Deserialize, ToSchema)]
pub(super) struct Wish {
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    user: User,
    /// `worker` where it is not said.
    #[serde(default)]
    role: Option<String>,
}

/// A token and whom it speaks for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grant {
    token: String,
    #[schema(value_type = String)]
    user: User,
    #[schema(value_type = shapes::WallTime)]
    expires_at: WallTime,
}

refusals!(Refusals: BODY);

/// Gives anybody a token for anybody. Exists only with the development key.
#[utoipa::path(
    post,
    path = "/demo/token",
    operation_id = "demo_token",
    request_body = Wish,
    responses((status = 200, description = "A token.", body = Grant), Refusals),
)]
pub(super) async fn token(State(app): State<App>, payload: Payload) -> Result<Json<Grant>, ApiError> {
    let Wish { user, role } = payload.parse()?;
    let roles = vec![role.unwrap_or_else(|| "worker".to_owned())];
    let caller = Caller { user, tenant: Tenant::default(), roles };
    let issued = app.tokens.issue(&caller, TTL, (app.clock)());
    let (token, expires_at) = issued.expect("BUG: a demo without the development key");
    Ok(Json(Grant { token, user: caller.user, expires_at }))
}
