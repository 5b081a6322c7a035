//! What the server answers to, path by path.

#![allow(unused_qualifications, reason = "`utoipa::path` makes some")]

mod audit;
mod batch;
mod conflicts;
mod demo;
mod description;
mod devices;
mod health;
mod history;
mod live;
mod numbered;
mod pull;
mod resolve;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::description::Described;
use crate::app::App;
use crate::error::{ApiError, finish, method_not_allowed, not_found};
use crate::metrics::observe;
use crate::openapi::{self, Beginning};
use crate::origins::Origins;

/// Everything the server answers to, ready to be called or served.
pub fn router(app: App) -> Router {
    let mut router = OpenApiRouter::with_openapi(Beginning::openapi())
        .routes(routes!(batch::batch))
        .routes(routes!(live::live))
        .routes(routes!(pull::pull))
        .routes(routes!(conflicts::conflicts))
        .routes(routes!(resolve::resolve))
        .routes(routes!(history::history))
        .routes(routes!(audit::audit))
        .routes(routes!(status::status))
        .routes(routes!(devices::devices))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(description::openapi));
    // A server with a key of its own has no such door.
    if app.tokens.are_for_development() {
        router = router.routes(routes!(demo::token));
    }
    let metrics = Arc::clone(&app.metrics);
    let (router, api) = router.split_for_parts();
    router
        .layer(Extension(Described::of(&openapi::complete(api))))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(finish))
        .layer(from_fn_with_state(metrics, observe))
        .layer(CompressionLayer::new())
        .layer(cross_origin(Arc::clone(&app.origins)))
        .with_state(app)
}

/// What an app may do hangs on the token that it sends and on nothing that a browser would add by itself, so wherever
/// it is served from it may ask, unless the configuration says from where.
fn cross_origin(origins: Arc<Origins>) -> CorsLayer {
    // The demo's tokens are for the demo's own page.
    let is_allowed = move |origin: &HeaderValue, request: &Parts| {
        request.uri.path().starts_with("/api/") && origins.allow(origin)
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, CONTENT_ENCODING])
        .expose_headers([RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(Duration::from_secs(86_400))
}

/// A bug: whoever asked is told to try again, and everybody else is not affected.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    // Where, and why as far as it may be said, whoever has installed a hook has logged.
    tracing::error!("a request panicked");
    ApiError::internal().into_response()
}
