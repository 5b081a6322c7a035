//! What the server answers to, for programs.

use std::sync::Arc;

use axum::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi;

use crate::openapi::refusals;

/// The description of the API as text.
#[derive(Clone)]
pub(super) struct Described(Arc<str>);

impl Described {
    pub(super) fn of(api: &OpenApi) -> Described {
        Described(serde_json::to_string(api).expect("BUG: a description is always JSON").into())
    }
}

refusals!(Refusals:);

/// This document (OpenAPI 3.1).
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((status = 200, description = "The document.", body = serde_json::Value), Refusals),
)]
pub(super) async fn openapi(Extension(Described(text)): Extension<Described>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
