//! Whether the process runs, and whether it can do its work.

use axum::extract::State;
use landfall_core::code::Code;

use crate::app::App;
use crate::error::ApiError;
use crate::openapi::refusals;

refusals!(Sick:);
refusals!(Unready: &[Code::Unavailable]);

/// The process answers. Where it does not, restart it.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    responses((status = 200, description = "It does.", body = str, content_type = "text/plain"), Sick),
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers too. Where it does not, send requests elsewhere.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    responses((status = 200, description = "It does.", body = str, content_type = "text/plain"), Unready),
)]
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
