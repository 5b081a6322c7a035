//! The description of the API against the API: every answer of every test is held against it, here and in `harness`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use jsonschema::Validator;
use landfall_core::code::Code;
use serde_json::{Value, json};

use crate::harness::{Answer, Device, Server};

/// What a server says that it answers.
pub(crate) struct Description {
    document: Value,
    bodies: Mutex<BTreeMap<String, Validator>>,
}

impl Description {
    pub(crate) fn of(text: &str) -> Description {
        let mut document: Value = serde_json::from_str(text).unwrap();
        // A client ignores what it does not know; a server that says what it does not tell of is a mistake here.
        for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
            let is_part_of_another = name == "DocumentKey";
            let has_members = schema.get("properties").is_some() || schema.get("allOf").is_some();
            if has_members && !is_part_of_another {
                schema["unevaluatedProperties"] = false.into();
            }
        }
        Description { document, bodies: Mutex::default() }
    }

    /// Holds an answer against what is said of it.
    #[track_caller]
    pub(crate) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let status = answer.status.as_str();
        let paths = self.document["paths"].as_object().unwrap();
        let described = paths.keys().find(|described| fits(path, described)).map_or(path, String::as_str);
        let operation = &self.document["paths"][described][method.as_str().to_lowercase()];
        if operation.is_null() {
            let is_refused = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status);
            assert!(is_refused || *method == Method::OPTIONS, "{method} {path} is not described: {answer:?}");
            return;
        }
        let response = &operation["responses"][status];
        assert!(response.is_object(), "{method} {path}: {status} is not described: {answer:?}");
        for header in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            assert!(answer.headers.contains_key(header), "{method} {path}: no {header}: {answer:?}");
        }
        let media = answer.headers[CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap();
        let content = &response["content"][media];
        assert!(content.is_object(), "{method} {path}: {media} is not described: {answer:?}");
        if media.ends_with("json") {
            let json = match serde_json::from_str(&answer.text) {
                Ok(json) => json,
                // What somebody has stored may be a number that no reader here has room for.
                Err(error) if error.to_string().starts_with("number out of range") => return,
                Err(error) => panic!("{error}: {answer:?}"),
            };
            let mut bodies = self.bodies.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let body = bodies.entry(format!("{method} {described} {status}")).or_insert_with(|| {
                let mut schema = content["schema"].clone();
                schema["components"] = self.document["components"].clone();
                jsonschema::validator_for(&schema).unwrap()
            });
            let wrong: Vec<String> =
                body.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(wrong.is_empty(), "{method} {path}: {wrong:?}: {answer:?}");
        }
    }
}

/// Whether a path is one of those that are described together.
fn fits(path: &str, described: &str) -> bool {
    let (mut parts, mut names) = (path.split('/'), described.split('/'));
    let is_one = names.by_ref().all(|name| {
        let part = parts.next();
        part.is_some_and(|part| part == name || name.starts_with('{') && !part.is_empty())
    });
    is_one && parts.next().is_none()
}

async fn document(server: &Server) -> Value {
    let answer = server.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn what_is_described_is_routed_and_what_is_routed_is_described() {
    for (config, is_for_development) in
        [("", true), ("auth: { key: 0123456789abcdef0123456789abcdef }", false)]
    {
        let server = Server::configured(&format!("collections: {{}}\n{config}\n")).await;
        let document = document(&server).await;
        let described: BTreeMap<&String, BTreeSet<String>> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, methods)| {
                (path, methods.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect())
            })
            .collect();
        // The router tells nobody but who debugs it.
        let routed = format!("{:?}", server.router());
        let routed = routed.split("fallback_router").next().unwrap();
        let routed: BTreeSet<&str> = routed.split('"').filter(|text| text.starts_with('/')).collect();
        assert_eq!(routed, described.keys().map(|path| path.as_str()).collect());
        assert_eq!(routed.contains("/demo/token"), is_for_development);
        for (path, methods) in described {
            let request = Request::builder().method("BREW").uri(path).body(Body::empty()).unwrap();
            let answer = server.call(request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}: {answer:?}");
            let allowed = answer.headers[ALLOW].to_str().unwrap().split(',').map(str::to_owned);
            // Whoever answers GET answers HEAD.
            let allowed: BTreeSet<String> = allowed.filter(|method| method != "HEAD").collect();
            assert_eq!(allowed, methods, "{path}");
        }
    }
}

#[tokio::test]
async fn every_refusal_is_described_with_a_code_that_has_its_status() {
    let server = Server::start().await;
    let document = document(&server).await;
    let mut described = BTreeSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap())
    {
        for (status, response) in operation.1["responses"].as_object().unwrap() {
            let body = &response["content"]["application/problem+json"]["schema"]["allOf"];
            let Some(body) = body.as_array() else {
                assert!(status.starts_with(['1', '2']), "{operation:?}");
                continue;
            };
            for name in body[1]["properties"]["code"]["enum"].as_array().unwrap() {
                let code = Code::ALL.iter().find(|code| code.as_str() == name).unwrap();
                assert_eq!(landfall_server::error::status(*code).unwrap().as_str(), status);
                described.insert(code.as_str());
            }
        }
    }
    for code in ["invalid_token", "batch_too_large", "conflict_resolved", "settle_first", "internal"] {
        assert!(described.contains(code), "{code}");
    }
}

#[tokio::test]
async fn what_is_sent_is_described_as_it_is_taken() {
    let server = Server::start().await;
    let document = document(&server).await;
    let schema = |name: &str| {
        let mut schema = document["components"]["schemas"][name].clone();
        schema["components"] = document["components"].clone();
        jsonschema::validator_for(&schema).unwrap()
    };
    let (batch, mutation) = (schema("Batch"), schema("Mutation"));
    let ada = Device::of("ada", 1);
    let create = ada.create(1, "d", &json!({ "notes": "x" }));
    let mut sent = ada.batch(std::slice::from_ref(&create));
    sent["settled"] = json!({ (ada.writer.clone()): [[2, 3]] });
    sent["void"] = json!([format!("{}:9", ada.writer)]);
    assert!(batch.is_valid(&sent) && mutation.is_valid(&create));
    assert_eq!(server.post(&ada, sent.to_string()).await.status, StatusCode::OK);
    for member in ["client", "user", "sentAt", "mutations"] {
        let mut without = sent.clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(!batch.is_valid(&without), "{member}");
        assert_eq!(
            server.post(&ada, without.to_string()).await.refused_with(),
            "invalid_request",
            "{member}"
        );
    }
    for member in create.as_object().unwrap().keys() {
        let mut without = create.clone();
        without.as_object_mut().unwrap().remove(member);
        without["id"] = if member == "id" { Value::Null } else { format!("{}:7", ada.writer).into() };
        if member == "id" {
            without.as_object_mut().unwrap().remove("id");
        }
        let reply = server.push(&ada, std::slice::from_ref(&without)).await.batch();
        let is_read = reply.results[0].code.as_deref() != Some("invalid_mutation");
        assert_eq!(mutation.is_valid(&without), is_read, "{member}: {:?}", reply.results[0]);
    }
}
