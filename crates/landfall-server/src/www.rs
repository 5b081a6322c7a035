//! The app's own files, for a server that serves its app: one address, one certificate, no CORS.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any_service;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

/// Where the build puts files that are named by their content.
const HASHED: &str = "/assets/";
/// Answered by the server itself; misspelt, they never turn into a page.
const OURS: [&str; 6] = ["/api", "/api/{*rest}", "/demo", "/demo/{*rest}", "/healthz", "/readyz"];
const HEADERS: [(HeaderName, &str); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; \
         frame-ancestors 'self'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Serves the files in `directory` beside the server's own paths. Where `x.br` stands beside an `x` that
/// is named by its content, browsers that take brotli get that.
pub fn with_files(api: Router, directory: &Path) -> Router {
    let directory: Arc<Path> = directory.into();
    let files = Router::new()
        .fallback(move |request: Request| {
            let directory = directory.clone();
            async move { answer(&directory, request).await }
        })
        .layer(CompressionLayer::new());
    let router = Router::new().fallback_service(files);
    OURS.into_iter().fold(router, |router, path| router.route(path, any_service(api.clone())))
}

async fn answer(directory: &Path, request: Request) -> Response {
    let navigation = is_navigation(&request);
    let hashed = request.uri().path().starts_with(HASHED);
    let mut response = file(directory, request).await;
    if response.status() == StatusCode::NOT_FOUND && navigation {
        // A page that is no file is one of the app's own: it finds out from the address which.
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static("/index.html");
        response = file(directory, request).await;
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Asked about every time, so that a new version is noticed; but what is named by its content never changes.
    let forever = hashed && response.status().is_success();
    let keep = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

async fn file(directory: &Path, request: Request) -> Response {
    let files = ServeDir::new(directory);
    // Packed once, as well as it can be. Only what never changes under its name: elsewhere, what was packed
    // might be older than what stands beside it.
    let packed = request.uri().path().starts_with(HASHED);
    let Ok(response) = if packed { files.precompressed_br() } else { files }.oneshot(request).await;
    let mut response = response.map(Body::new);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Whether a person goes to a page, as opposed to a page fetching one of its files.
fn is_navigation(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    request.method() == Method::GET
        && accepts.is_some_and(|accepts| accepts.contains("text/html"))
        && !last.contains('.')
}
