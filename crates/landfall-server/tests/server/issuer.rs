//! Tokens that somebody else signs: their keys are read, change while the server runs, and are not always there.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use landfall_core::time::Millis;
use landfall_server::token::Issuer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Device, Server};

/// Keys that nothing but these tests is signed with.
static KEYS: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("issuer.json")).unwrap());

fn signing(name: &str) -> (Algorithm, EncodingKey) {
    let der = STANDARD.decode(KEYS[name]["der"].as_str().unwrap()).unwrap();
    match name {
        "rsa" | "weak" => (Algorithm::RS256, EncodingKey::from_rsa_der(&der)),
        "ec" => (Algorithm::ES256, EncodingKey::from_ec_der(&der)),
        "ed" => (Algorithm::EdDSA, EncodingKey::from_ed_der(&der)),
        other => panic!("no key {other}"),
    }
}

/// A key set with these keys, each under its name.
fn key_set(names: &[&str]) -> String {
    let key = |name: &&str| {
        let mut key = KEYS[*name]["jwk"].clone();
        key["kid"] = json!(name);
        key
    };
    json!({ "keys": names.iter().map(key).collect::<Vec<_>>() }).to_string()
}

fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }
}

fn claims(server: &Server) -> Value {
    json!({ "sub": "ada", "aud": "landfall", "exp": (server.app.clock)().0 / 1_000 + 60 })
}

/// A token of the issuer's, signed with a key under its name.
fn token(server: &Server, name: &str) -> String {
    let (algorithm, key) = signing(name);
    jsonwebtoken::encode(&header(algorithm, Some(name)), &claims(server), &key).unwrap()
}

async fn pull(server: &Server, token: &str) -> Answer {
    let request = Request::get("/api/v1/sync/pull").header(AUTHORIZATION, format!("Bearer {token}"));
    server.call(request.body(Body::empty()).unwrap()).await
}

async fn status(server: &Server, token: &str) -> StatusCode {
    pull(server, token).await.status
}

/// A server that takes tokens of whoever has the keys at a place.
async fn trusting(jwks: &str) -> Server {
    let open = "{ read: 'true', create: 'true', update: 'true', delete: 'true' }";
    let auth = format!("auth:\n  audience: landfall\n  jwks: {jwks}\n");
    Server::configured(&format!("collections:\n  visits: {open}\n{auth}")).await
}

/// The same, with keys in a file.
async fn with_keys(names: &[&str]) -> (Server, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    std::fs::write(&file, key_set(names)).unwrap();
    (trusting(file.to_str().unwrap()).await, directory)
}

fn issuer(server: &Server) -> &Issuer {
    server.app.tokens.issuer().unwrap()
}

#[tokio::test]
async fn tokens_of_an_issuer_count_whichever_of_three_algorithms_its_key_is_for() {
    let (server, _directory) = with_keys(&["rsa", "ec", "ed"]).await;
    for name in ["rsa", "ec", "ed"] {
        assert_eq!(status(&server, &token(&server, name)).await, StatusCode::OK, "{name}");
    }
    let ours =
        server.app.tokens.issue(&Device::of("ada", 1).caller, Millis::seconds(60), (server.app.clock)());
    assert!(ours.unwrap_err().to_string().contains("auth.jwks"), "and nobody else's");
}

#[tokio::test]
async fn what_a_token_says_of_its_own_key_decides_nothing() {
    let (server, _directory) = with_keys(&["rsa", "ec"]).await;
    let sign = |algorithm, kid, key: &EncodingKey, claims: &Value| {
        jsonwebtoken::encode(&header(algorithm, kid), claims, key).unwrap()
    };
    let good = claims(&server);
    let (rs256, rsa) = signing("rsa");
    let (es256, ec) = signing("ec");
    let published = URL_SAFE_NO_PAD.decode(KEYS["rsa"]["jwk"]["n"].as_str().unwrap()).unwrap();
    let shared = EncodingKey::from_secret(&published);
    let with = |member: &str, value: Value| {
        let mut claims = good.clone();
        claims[member] = value;
        sign(rs256, Some("rsa"), &rsa, &claims)
    };
    let refused = [
        ("a public key as a secret", sign(Algorithm::HS256, Some("rsa"), &shared, &good)),
        ("the key of another name", sign(es256, Some("rsa"), &ec, &good)),
        ("another algorithm of the same key", sign(Algorithm::RS512, Some("rsa"), &rsa, &good)),
        ("an unknown key", sign(rs256, Some("other"), &rsa, &good)),
        ("no name where there is a choice", sign(rs256, None, &rsa, &good)),
        ("for somebody else", with("aud", json!("others"))),
        ("not valid yet", with("nbf", json!(4_000_000_000_u64))),
    ];
    for (what, token) in refused {
        assert_eq!(pull(&server, &token).await.refused_with(), "invalid_token", "{what}");
    }
    assert_eq!(pull(&server, &with("exp", json!(1))).await.refused_with(), "token_expired");
    assert_eq!(
        status(&server, &with("iss", json!("anybody"))).await,
        StatusCode::OK,
        "where none is asked for"
    );
}

#[tokio::test]
async fn a_new_key_counts_at_once_and_one_that_was_withdrawn_until_keys_are_read_next() {
    let (server, directory) = with_keys(&["rsa"]).await;
    issuer(&server).look().await.unwrap();
    let (old, new) = (token(&server, "rsa"), token(&server, "ed"));
    std::fs::write(directory.path().join("keys.json"), key_set(&["ed"])).unwrap();
    assert_eq!(status(&server, &old).await, StatusCode::OK);
    assert_eq!(status(&server, &new).await, StatusCode::OK);
    assert_eq!(pull(&server, &old).await.refused_with(), "invalid_token");
    // Nor does it help a stranger to send many of them.
    std::fs::write(directory.path().join("keys.json"), key_set(&["rsa", "ed"])).unwrap();
    assert_eq!(pull(&server, &old).await.refused_with(), "invalid_token");
    issuer(&server).look().await.unwrap();
    assert_eq!(status(&server, &old).await, StatusCode::OK);
}

#[tokio::test]
async fn while_the_issuer_cannot_be_reached_the_keys_that_were_read_last_count() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = trusting(&format!("http://{address}/keys")).await;
    let token = token(&server, "ec");
    drop(listener);
    assert_eq!(pull(&server, &token).await.refused_with(), "unavailable", "nobody has to sign in again");
    assert!(issuer(&server).look().await.unwrap_err().contains("/keys"));

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let keys = Router::new().route("/keys", get(|| async { key_set(&["ec"]) }));
    let serving = tokio::spawn(async { axum::serve(listener, keys).await });
    issuer(&server).look().await.unwrap();
    assert_eq!(status(&server, &token).await, StatusCode::OK);
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert!(issuer(&server).look().await.is_err());
    assert_eq!(status(&server, &token).await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_set_that_must_not_be_trusted_is_refused_and_says_why() {
    let (server, directory) = with_keys(&["rsa"]).await;
    let secret = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": "s" }] }).to_string();
    for (text, reason) in [
        (key_set(&["weak"]), "fewer than 2,048 bits"),
        (secret, "no key in it"),
        (key_set(&[]), "no key in it"),
        ("<html>".to_owned(), "not a JSON Web Key Set"),
    ] {
        std::fs::write(directory.path().join("keys.json"), text).unwrap();
        let refused = issuer(&server).look().await.unwrap_err();
        assert!(refused.contains(reason) && refused.contains("keys.json"), "{refused}");
    }
}
