//! Refusals of a whole request, as `application/problem+json` (RFC 9457).
//!
//! What is wrong with one mutation is no error of the request: it is a verdict in the reply.

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use landfall_core::code::{Class, Code};
use landfall_core::mutation::Refusal;
use landfall_core::time::Millis;
use landfall_core::wire::PROTOCOL;
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use crate::random;
use crate::store::{Failure, StoreError};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a client is told to wait before it tries an overloaded server again.
const PATIENCE: Millis = Millis::seconds(2);

/// Why the server does not answer a request. The client looks at `code`, people at `message`.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Code,
    message: String,
    limit: Option<u64>,
    retry_after: Option<Millis>,
    contended: bool,
}

impl ApiError {
    /// A refusal with a code for programs and a text for people.
    ///
    /// # Panics
    /// For a code that no server answers a request with.
    pub fn new(code: Code, message: impl Into<String>) -> ApiError {
        let status = status(code).expect("BUG: no code for a request");
        ApiError { status, code, message: message.into(), limit: None, retry_after: None, contended: false }
    }

    /// The bound that was crossed, for the client to cut its requests by.
    #[must_use]
    pub fn limited(self, limit: usize) -> ApiError {
        ApiError { limit: Some(limit as u64), ..self }
    }

    /// Too much for now; later it may not be.
    pub fn throttled(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { retry_after: Some(PATIENCE), ..ApiError::new(code, message) }
    }

    /// The same, with how long it will be too much.
    #[must_use]
    pub fn after(self, wait: Millis) -> ApiError {
        ApiError { retry_after: Some(wait), ..self }
    }

    /// What programs look at.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The fault is the server's. The text says nothing about it; the log does.
    pub fn internal() -> ApiError {
        ApiError::new(Code::Internal, "the server has a problem")
    }
}

impl From<Refusal> for ApiError {
    /// A request that is about one write is refused for the write's own reason.
    fn from(refusal: Refusal) -> ApiError {
        ApiError::new(refusal.code, refusal.message)
    }
}

/// The status of a request that is refused with a code, if a server ever does that.
pub fn status(code: Code) -> Option<StatusCode> {
    Some(match code {
        Code::TooDeep
        | Code::MalformedJson
        | Code::InvalidRequest
        | Code::InvalidCursor
        | Code::BatchTooLarge => StatusCode::BAD_REQUEST,
        Code::InvalidToken | Code::TokenExpired => StatusCode::UNAUTHORIZED,
        Code::Forbidden
        | Code::ForeignOrigin
        | Code::UserMismatch
        | Code::TenantMismatch
        | Code::WriterMismatch => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        // What would refuse a write in a push.
        Code::InvalidMutation
        | Code::InvalidPath
        | Code::InvalidOperation
        | Code::InvalidTimestamp
        | Code::ReservedField
        | Code::UnknownCollection
        | Code::Gone
        | Code::Discarded
        | Code::IdReused
        | Code::ValidationFailed
        | Code::DocumentTooLarge
        | Code::TooManyKeys
        | Code::GroupRefused
        | Code::MaybeApplied
        | Code::ConflictResolved => StatusCode::CONFLICT,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::UnsupportedProtocol => StatusCode::UPGRADE_REQUIRED,
        Code::RateLimited | Code::SettleFirst => StatusCode::TOO_MANY_REQUESTS,
        Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Held
        | Code::ProtocolViolation
        | Code::Unreachable
        | Code::NotOurs
        | Code::InvalidOptions
        | Code::InvalidCollection
        | Code::InvalidDocument
        | Code::SchemaInvalid
        | Code::AlreadyExists
        | Code::StorageUnavailable
        | Code::StorageBlocked
        | Code::CoreUnavailable
        | Code::CoreCrashed
        | Code::SignedOut
        | Code::PendingWrites
        | Code::Closed
        | Code::Timeout
        | Code::NeedsAttention
        | Code::GroupTooLarge
        | Code::Suspect
        | Code::MigrationFailed
        | Code::Unmetered => return None,
    })
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::ForeignWriter => {
                ApiError::new(Code::WriterMismatch, "this writer or this client belongs to somebody else")
            }
            StoreError::Busy(_) | StoreError::Contended(_) => {
                tracing::warn!(%error, "the database is busy");
                let contended = error.is_contended();
                ApiError { contended, ..ApiError::throttled(Code::Unavailable, "the server is busy") }
            }
            StoreError::Unreachable(_) => {
                tracing::error!(%error, "the database is away");
                ApiError::throttled(Code::Unavailable, "the server cannot reach its database")
            }
            StoreError::Full(_) => {
                tracing::error!(%error, "the disk is full");
                let message = "the server has no room for this";
                ApiError::new(Code::StorageFull, message)
            }
            StoreError::Database(_) | StoreError::Corrupt { .. } => {
                tracing::error!(%error, "the database cannot be used");
                ApiError::internal()
            }
        }
    }
}

impl Failure for ApiError {
    fn is_contended(&self) -> bool {
        self.contended
    }
}

/// The body of a refusal (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    /// As `message`.
    detail: &'a str,
    /// A stable name: what programs look at.
    #[schema(value_type = String)]
    code: Code,
    /// For people.
    message: &'a str,
    /// Whether the same may succeed later.
    retryable: bool,
    /// How long to wait at least, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<u64>,
    request_id: &'a str,
    /// The bound that was crossed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<u64>,
    /// The first and the last version of the protocol that the server speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    supported: Option<[u32; 2]>,
}

impl ApiError {
    fn write(&self, request_id: &str) -> Response {
        let retryable = match self.code.class() {
            Class::Transient | Class::Throttle => true,
            Class::Definite | Class::Auth | Class::Protocol | Class::Local => false,
        };
        let problem = Problem {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.message,
            code: self.code,
            message: &self.message,
            retryable,
            retry_after_ms: self.retry_after.map(|wait| wait.0),
            request_id,
            limit: self.limit,
            supported: (self.code == Code::UnsupportedProtocol).then_some([PROTOCOL, PROTOCOL]),
        };
        let body = serde_json::to_string(&problem).expect("BUG: a problem is always JSON");
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(CONTENT_TYPE, content_type)], body).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.0.div_ceil(1_000)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // The text is written by `finish`, the one place that knows the id of the request.
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every answer an id that the log knows too, writes refusals out and forbids caches to keep either.
///
/// Whatever is logged meanwhile bears the id. Of a request it says the route and no more: a path, a query or a body is
/// what somebody wrote.
pub async fn finish(request: Request, next: Next) -> Response {
    let id = format!("{:032x}", random::number());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("other", MatchedPath::as_str);
    // As severe as anything, so that it is there for whatever is logged.
    let span = tracing::error_span!("request", id, route);
    let response = next.run(request).instrument(span.clone()).await;
    let _entered = span.entered();
    let mut response = match response.extensions().get::<ApiError>() {
        Some(error) => {
            let (status, code) = (error.status.as_u16(), error.code);
            tracing::info!(status, %code, "refused");
            error.write(&id)
        }
        None => {
            tracing::debug!(status = response.status().as_u16(), "answered");
            response
        }
    };
    let id = HeaderValue::try_from(id).expect("BUG: digits are a header value");
    response.headers_mut().insert(REQUEST_ID, id);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// There is nothing under this path.
pub async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "there is nothing here")
}

/// There is something under this path, but not for this method.
pub async fn method_not_allowed() -> ApiError {
    let message = "this path does not know this method";
    ApiError::new(Code::MethodNotAllowed, message)
}
