//! What the server answers to, path by path.

mod batch;
mod demo;
mod health;
mod pull;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::error::{ApiError, finish, method_not_allowed, not_found};

/// Everything the server answers to, ready to be called or served.
pub fn router(app: App) -> Router {
    let mut router = Router::new()
        .route("/api/v1/sync/batch", post(batch::batch))
        .route("/api/v1/sync/pull", get(pull::pull))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    // A server with a key of its own has no such door.
    if app.tokens.are_for_development() {
        router = router.route("/demo/token", post(demo::token));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(finish))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// A bug: whoever asked is told to try again, and everybody else is not affected.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    tracing::error!(panic = text, "a request panicked");
    ApiError::internal().into_response()
}
