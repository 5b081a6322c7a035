//! Who is asking: every way of not being somebody looks the same from outside.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{Request, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server, verdicts};

const KEY: &str = "a key for tests that is long enough";
const CONFIG: &str = "
collections:
  visits: { read: 'true', create: 'true', update: 'true', delete: 'true' }
auth:
  key: a key for tests that is long enough
";

fn signed(header: &Header, claims: &Value, key: &str) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

async fn pull(server: &Server, authorization: Option<&str>) -> Answer {
    let mut request = Request::get("/api/v1/sync/pull");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    server.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_kind_of_invalid_token_gets_the_same_answer() {
    let server = Server::configured(CONFIG).await;
    let now = (server.app.clock)().0 / 1_000;
    let good = json!({ "sub": "ada", "exp": now + 60 });
    let hs256 = Header::new(Algorithm::HS256);
    let valid = signed(&hs256, &good, KEY);
    assert_eq!(pull(&server, Some(&format!("Bearer {valid}"))).await.status, StatusCode::OK);
    assert_eq!(pull(&server, Some(&format!("bearer {valid}"))).await.status, StatusCode::OK);

    let without = |member: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(member);
        signed(&hs256, &claims, KEY)
    };
    let with = |member: &str, value: Value| {
        let mut claims = good.clone();
        claims[member] = value;
        signed(&hs256, &claims, KEY)
    };
    let [_, payload, signature]: [&str; 3] =
        valid.split('.').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{valid}"));
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let none_signed = format!("eyJhbGciOiJub25lIn0.{payload}.{signature}");
    let kid = Header { kid: Some("other".to_owned()), ..hs256.clone() };
    let refused = [
        ("no token", None),
        ("empty", Some(String::new())),
        ("basic", Some("Basic YTpi".to_owned())),
        ("bare token", Some(valid.clone())),
        ("garbage", Some("Bearer x.y.z".to_owned())),
        ("alg none", Some(format!("Bearer {none}"))),
        ("alg none with a signature", Some(format!("Bearer {none_signed}"))),
        (
            "other key",
            Some(format!("Bearer {}", signed(&hs256, &good, "another key that is long enough too"))),
        ),
        ("other algorithm", Some(format!("Bearer {}", signed(&Header::new(Algorithm::HS512), &good, KEY)))),
        ("unknown kid", Some(format!("Bearer {}", signed(&kid, &good, KEY)))),
        ("no exp", Some(format!("Bearer {}", without("exp")))),
        ("exp as text", Some(format!("Bearer {}", with("exp", json!("tomorrow"))))),
        ("no sub", Some(format!("Bearer {}", without("sub")))),
        ("empty sub", Some(format!("Bearer {}", with("sub", json!(""))))),
        ("tenant of another type", Some(format!("Bearer {}", with("tenant", json!(7))))),
        ("not valid yet", Some(format!("Bearer {}", with("nbf", json!(now + 3_600))))),
        ("for another audience", Some(format!("Bearer {}", with("aud", json!("others"))))),
        ("cut", Some(format!("Bearer {}", &valid[..valid.len() - 1]))),
    ];
    for (what, authorization) in refused {
        let answer = pull(&server, authorization.as_deref()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(answer.refused_with(), "invalid_token", "{what}");
        assert_eq!(answer.json()["message"], "a valid token is needed", "{what}");
        assert_eq!(answer.headers[WWW_AUTHENTICATE], r#"Bearer error="invalid_token""#, "{what}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart_unless_it_is_wrong_otherwise() {
    let server = Server::configured(CONFIG).await;
    let now = (server.app.clock)().0 / 1_000;
    let expired = json!({ "sub": "ada", "exp": now - 1 });
    let hs256 = Header::new(Algorithm::HS256);
    let answer = pull(&server, Some(&format!("Bearer {}", signed(&hs256, &expired, KEY)))).await;
    assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::UNAUTHORIZED, "token_expired"));
    let forged = signed(&hs256, &expired, "another key that is long enough too");
    assert_eq!(pull(&server, Some(&format!("Bearer {forged}"))).await.refused_with(), "invalid_token");
}

#[tokio::test]
async fn a_batch_of_another_user_is_refused_and_nothing_of_it_is_in() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let batch = ada.batch(&[ada.create(1, "d", &json!({}))]);
    let answer = server.post(&ben, batch.to_string()).await;
    assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::FORBIDDEN, "user_mismatch"));
    assert!(server.pull(&ada, "").await.page().changes.is_empty());
    assert_eq!(verdicts(&server.post(&ada, batch.to_string()).await.batch()), ["applied"]);
}

#[tokio::test]
async fn a_pull_into_the_database_of_another_user_is_refused() {
    let server = Server::start().await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    assert_eq!(server.pull(&ada, "user=ada").await.page().changes.len(), 1);
    for query in ["user=ada", "user=ada&cursor=&limit=1", "user="] {
        let answer = server.pull(&ben, query).await;
        assert_eq!((answer.status, answer.refused_with().as_str()), (StatusCode::FORBIDDEN, "user_mismatch"));
    }
}

#[tokio::test]
async fn a_writer_or_client_of_somebody_else_is_refused_and_nothing_is_applied() {
    let server = Server::start().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "a", &json!({}))]).await.batch();
    let ben = Device::of("ben", 2);
    let other_tenant = Device::of("ada", 1).tenant("north");
    let thieves = [
        Device { writer: ada.writer.clone(), ..ben.clone() },
        Device { client: ada.client.clone(), ..ben.clone() },
        Device { client: "fresh".to_owned(), ..other_tenant.clone() },
        Device { writer: format!("{:032x}", 9), ..other_tenant },
    ];
    for thief in &thieves {
        // The first mutation of the batch is nobody else's; even so, none of it may be in.
        let own = Device { writer: format!("{:032x}", 77), ..thief.clone() };
        let batch = [own.create(1, "b", &json!({})), thief.create(2, "c", &json!({}))];
        let answer = server.push(thief, &batch).await;
        assert_eq!(
            (answer.status, answer.refused_with().as_str()),
            (StatusCode::FORBIDDEN, "writer_mismatch")
        );
    }
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 1);
    assert_eq!(server.rows("SELECT COUNT(*) FROM writers").await, 1);
    assert_eq!(server.rows("SELECT COUNT(*) FROM clients").await, 1);
    let settled = json!({
        "protocol": 1, "client": "client-2", "user": "ben", "sentAt": 1, "mutations": [],
        "settled": { (ada.writer): [[1, 1]] },
    });
    assert_eq!(server.post(&ben, settled.to_string()).await.refused_with(), "writer_mismatch");
}

#[tokio::test]
async fn a_server_with_a_key_of_its_own_gives_no_tokens_away() {
    let ask = |user: &str| {
        let body = Body::from(json!({ "user": user }).to_string());
        Request::post("/demo/token").header("content-type", "application/json").body(body).unwrap()
    };
    let closed = Server::configured(CONFIG).await;
    assert_eq!(closed.call(ask("ada")).await.refused_with(), "not_found");

    let demo = Server::start().await;
    let grant = demo.call(ask("ada")).await.json();
    assert_eq!(grant["user"], "ada");
    assert!(grant["expiresAt"].as_u64().unwrap() > (demo.app.clock)().0);
    let token = grant["token"].as_str().unwrap();
    assert_eq!(pull(&demo, Some(&format!("Bearer {token}"))).await.status, StatusCode::OK);
    assert_eq!(demo.call(ask("")).await.refused_with(), "invalid_request");
}

#[tokio::test]
async fn an_app_from_another_origin_may_ask_and_the_token_decides() {
    let server = Server::start().await;
    let asked = Request::options("/api/v1/sync/batch")
        .header("origin", "https://app.example.org")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Body::empty())
        .unwrap();
    let answer = server.call(asked).await;
    assert!(answer.status.is_success());
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.org");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let pull =
        Request::get("/api/v1/sync/pull").header("origin", "https://app.example.org").body(Body::empty());
    let answer = server.call(pull.unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.headers.contains_key("access-control-allow-origin"), "refusals can be read too");
    let demo = Request::post("/demo/token").header("origin", "https://app.example.org").body(Body::empty());
    let answer = server.call(demo.unwrap()).await;
    assert!(
        !answer.headers.contains_key("access-control-allow-origin"),
        "the demo's door is for the demo's page"
    );
}
