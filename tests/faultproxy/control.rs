//! The test's side of the proxy.
//!
//! | request | does |
//! |---|---|
//! | `POST /rules` | adds a rule: `{"path":"/api","times":1,"fault":{"kind":"cut_reply"}}`; one that refuses or cuts ends streams under way too; `"holds":"text"` asks for that in the request's body |
//! | `GET /rules` | what is left of them |
//! | `DELETE /rules?path=` | forgets those for exactly this path, or all |
//! | `POST /release` | lets go what is held |
//! | `GET /log?path=&method=&fault=&stage=&status=&after=&events=` | what passed |
//! | the same with `&count=N&timeout=MILLIS` | waits until N exchanges fit; 408 if they do not in time |

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::log::Filter;
use crate::message::{self, Failure, Reply};
use crate::relay::Relay;

/// Answers a test.
pub(crate) async fn handle(relay: &Relay, request: Request<Incoming>) -> Reply {
    match answer(relay, request).await {
        Ok(reply) => reply,
        Err(failure) => message::reply(StatusCode::BAD_REQUEST, "text/plain", failure.to_string()),
    }
}

async fn answer(relay: &Relay, request: Request<Incoming>) -> Result<Reply, Failure> {
    let rules = || relay.rules.lock().expect("BUG: a panic while the rules were locked");
    let mut query = query(request.uri().query().unwrap_or_default())?;
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/rules") => {
            let rule = serde_json::from_slice(&message::body(request.into_body()).await?)?;
            relay.rule(rule);
            Ok(json(StatusCode::OK, rules().list()))
        }
        (&Method::GET, "/rules") => Ok(json(StatusCode::OK, rules().list())),
        (&Method::DELETE, "/rules") => {
            rules().clear(query.get("path").and_then(Value::as_str));
            Ok(json(StatusCode::OK, rules().list()))
        }
        (&Method::POST, "/release") => {
            relay.release();
            Ok(json(StatusCode::OK, &()))
        }
        (&Method::GET, "/log") => {
            let mut number = |name| query.remove(name).and_then(|value| value.as_u64());
            let (count, timeout) = (number("count").unwrap_or(0), number("timeout").unwrap_or(0));
            let filter: Filter = serde_json::from_value(Value::Object(query))?;
            let until = relay.log.until(&filter, count as usize);
            match tokio::time::timeout(Duration::from_millis(timeout), until).await {
                Ok(found) => Ok(json(StatusCode::OK, &found)),
                Err(_) => Ok(json(StatusCode::REQUEST_TIMEOUT, &relay.log.list(&filter))),
            }
        }
        (method, path) => Err(format!("there is no {method} {path}").into()),
    }
}

fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Reply {
    let text = serde_json::to_vec(value).expect("BUG: a reply that is no JSON");
    message::reply(status, "application/json", text)
}

/// The query as an object; what looks like a number is one.
fn query(text: &str) -> Result<Map<String, Value>, Failure> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(format!("{pair}: not name=value"))?;
            let number = value.parse::<u64>().map(Value::from);
            Ok((name.to_owned(), number.unwrap_or_else(|_| Value::from(value))))
        })
        .collect()
}
