//! The app's files beside the API.

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use landfall_server::{router, www};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::harness::Server;

async fn site() -> (Server, TempDir, Router) {
    let (server, directory) = (Server::start().await, tempfile::tempdir().unwrap());
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    std::fs::create_dir(directory.path().join("assets")).unwrap();
    for name in ["index.html", "service-worker.js", "manifest.webmanifest", "assets/core-x1.wasm", "secret"] {
        write(name, name);
    }
    let router = www::with_files(router(server.app.clone()), &directory.path().join("."));
    (server, directory, router)
}

async fn get(router: &Router, path: &str, accept: &str) -> (Response<()>, String) {
    let request = Request::get(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (Response::from_parts(parts, ()), text)
}

#[tokio::test]
async fn files_come_with_their_type_and_the_right_time_to_keep_them() {
    let (_server, _directory, router) = site().await;
    let forever = "public, max-age=31536000, immutable";
    for (path, file, content_type, keep) in [
        ("/", "index.html", "text/html", "no-cache"),
        ("/service-worker.js", "service-worker.js", "text/javascript", "no-cache"),
        ("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json", "no-cache"),
        ("/assets/core-x1.wasm", "assets/core-x1.wasm", "application/wasm", forever),
    ] {
        let (response, text) = get(&router, path, "*/*").await;
        assert_eq!((response.status(), text.as_str()), (StatusCode::OK, file));
        assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        assert_eq!(response.headers()[CACHE_CONTROL], keep, "{path}");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'"), "{policy}");
    }
}

#[tokio::test]
async fn what_the_build_has_packed_goes_to_those_who_can_unpack_it() {
    let (_server, directory, router) = site().await;
    let path = "/assets/core-x1.wasm";
    std::fs::write(directory.path().join("assets/core-x1.wasm.br"), "packed").unwrap();
    for (takes, text) in [("gzip, br", "packed"), ("identity", "assets/core-x1.wasm")] {
        let request = Request::get(path).header(ACCEPT_ENCODING, takes).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let packed = (text == "packed").then_some("br");
        let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
        assert_eq!(encoding, packed);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/wasm");
        assert_eq!(response.headers()[VARY], "accept-encoding");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
    }
    std::fs::write(directory.path().join("service-worker.js.br"), "of an older version").unwrap();
    let request =
        Request::get("/service-worker.js").header(ACCEPT_ENCODING, "br").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "service-worker.js");
}

#[tokio::test]
async fn a_page_of_the_app_is_its_index_and_a_missing_file_is_missing() {
    let (_server, _directory, router) = site().await;
    let html = "text/html,application/xhtml+xml";
    let (response, text) = get(&router, "/visits/17", html).await;
    assert_eq!((response.status(), text.as_str()), (StatusCode::OK, "index.html"));
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
    for (path, accept) in [("/assets/gone-x2.js", "*/*"), ("/visits/17", "*/*"), ("/gone.html", html)] {
        let (response, _) = get(&router, path, accept).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-cache", "{path}");
    }
}

#[tokio::test]
async fn the_api_never_turns_into_a_page() {
    let (_server, _directory, router) = site().await;
    for path in ["/api", "/api/v1/sync/nowhere", "/demo/nothing"] {
        let (response, text) = get(&router, path, "text/html").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(text.contains(r#""code":"not_found""#), "{text}");
    }
    assert_eq!(get(&router, "/healthz", "*/*").await.1, "ok\n");
    assert_eq!(get(&router, "/api/v1/sync/pull", "*/*").await.0.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nothing_outside_the_directory_is_served() {
    let (_server, directory, _) = site().await;
    let server = Server::start().await;
    let router = www::with_files(router(server.app.clone()), &directory.path().join("assets"));
    for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "//secret", "/%5c..%5csecret"] {
        let (response, text) = get(&router, path, "*/*").await;
        assert!(!response.status().is_success() && text != "secret", "{path}");
    }
}
