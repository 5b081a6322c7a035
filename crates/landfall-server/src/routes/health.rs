//! Whether the process runs, and whether it can do its work.

use axum::extract::State;
use landfall_core::code::Code;

use crate::app::App;
use crate::error::ApiError;

/// `GET /healthz`: the process answers. Where it does not, restart it.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers too. Where it does not, send requests elsewhere.
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, ApiError> {
    match app.store.ping().await {
        Ok(()) => Ok("ok\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            let message = "the database does not answer";
            Err(ApiError::new(Code::Unavailable, message))
        }
    }
}
