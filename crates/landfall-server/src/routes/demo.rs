//! Tokens for the demo page, which has no sign-in of its own.

use axum::Json;
use axum::extract::State;
use landfall_core::id::User;
use landfall_core::time::{Millis, WallTime};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::caller::{Caller, Tenant};
use crate::error::ApiError;
use crate::payload::Payload;

/// Long enough for a working day offline; the page fetches another whenever it likes.
const TTL: Millis = Millis::seconds(12 * 60 * 60);

/// Who the page wants to be.
#[derive(Deserialize)]
pub(super) struct Wish {
    user: User,
    #[serde(default)]
    role: Option<String>,
}

/// A token and whom it speaks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grant {
    token: String,
    user: User,
    expires_at: WallTime,
}

/// `POST /demo/token`: gives anybody a token for anybody. Exists only with the development key.
pub(super) async fn token(State(app): State<App>, payload: Payload) -> Result<Json<Grant>, ApiError> {
    let Wish { user, role } = payload.parse()?;
    let roles = vec![role.unwrap_or_else(|| "worker".to_owned())];
    let caller = Caller { user, tenant: Tenant::default(), roles };
    let issued = app.tokens.issue(&caller, TTL, (app.clock)());
    let (token, expires_at) = issued.expect("BUG: a demo without the development key");
    Ok(Json(Grant { token, user: caller.user, expires_at }))
}
