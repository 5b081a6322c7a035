//! One exchange from end to end, with whatever is to go wrong on the way.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::sync::watch;

use crate::fault::{Fault, Side};
use crate::log::{Log, Stage};
use crate::message::{self, Failure, Reply};
use crate::rules::Rules;

/// What a public network shows until somebody accepts its terms.
const PORTAL: &str = "<!doctype html><html><head><title>Welcome</title></head><body><form method=\"post\" \
    action=\"/login\"><h1>Free Wi-Fi</h1><button>Accept and connect</button></form></body></html>";

/// The proxy's state: the rules, the log and the gate at which messages are held.
pub(crate) struct Relay {
    upstream: String,
    pub(crate) rules: Mutex<Rules>,
    pub(crate) log: Log,
    gate: watch::Sender<()>,
}

impl Relay {
    pub(crate) fn new(upstream: String) -> Relay {
        let (gate, _) = watch::channel(());
        Relay { upstream, rules: Mutex::default(), log: Log::default(), gate }
    }

    /// Lets all messages go that are held now; what comes later is held again.
    pub(crate) fn release(&self) {
        self.gate.send_replace(());
    }

    /// Carries one exchange.
    ///
    /// # Errors
    /// The connection is to end without a reply: because a rule wants it so, or because there is none.
    pub(crate) async fn exchange(&self, request: Request<Incoming>) -> Result<Reply, Failure> {
        let method = request.method().as_str();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let rule = self.rules.lock().expect("BUG: a panic while the rules were locked").take(method, path);
        let end = Ending { log: &self.log, id: self.log.begin(method, path, rule.name()) };
        let id = end.id;

        if rule == Fault::Refuse {
            return Err("refused".into());
        }
        let (mut head, incoming) = request.into_parts();
        message::forget_connection(&mut head.headers);
        let body = message::body(incoming).await?;
        self.log.update(id, |exchange| {
            exchange.request = message::json_text(&head.headers, &body);
            exchange.request_bytes = body.len();
        });

        self.detain(id, &rule, Side::Request).await;
        let (reply, bytes) = match made_here(&rule) {
            Some(made) => made,
            None => message::forward(&self.upstream, Request::from_parts(head, Full::new(body))).await?,
        };
        self.log.update(id, |exchange| {
            exchange.status = Some(reply.status().as_u16());
            exchange.reply = message::json_text(reply.headers(), &bytes);
            exchange.reply_bytes = bytes.len();
        });
        self.detain(id, &rule, Side::Reply).await;

        if rule == Fault::CutReply {
            return Err("cut".into());
        }
        self.log.update(id, |exchange| exchange.replied = true);
        Ok(reply)
    }

    /// Keeps one of the two messages back, if the rule says so.
    async fn detain(&self, id: u64, rule: &Fault, side: Side) {
        match rule {
            Fault::Delay { millis, at } if *at == side => {
                tokio::time::sleep(Duration::from_millis(*millis)).await;
            }
            Fault::Hold { at } if *at == side => {
                // Before the log tells of it, or a test could release it and be forgotten.
                let mut gate = self.gate.subscribe();
                self.log.update(id, |exchange| exchange.stage = Stage::Held);
                gate.changed().await.expect("BUG: the gate outlives whoever waits at it");
            }
            Fault::Pass
            | Fault::CutReply
            | Fault::Delay { .. }
            | Fault::Hold { .. }
            | Fault::Status { .. }
            | Fault::Portal
            | Fault::Refuse => {}
        }
    }
}

/// The reply that comes instead of the server's.
fn made_here(rule: &Fault) -> Option<(Reply, Bytes)> {
    let reply = match rule {
        Fault::Status { code, body, headers } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = message::reply(status, "text/plain", body.clone());
            for (name, value) in headers {
                let pair = (HeaderName::from_str(name), HeaderValue::from_str(value));
                if let (Ok(name), Ok(value)) = pair {
                    reply.headers_mut().insert(name, value);
                }
            }
            (reply, Bytes::from(body.clone()))
        }
        Fault::Portal => (message::reply(StatusCode::OK, "text/html", PORTAL), Bytes::from(PORTAL)),
        Fault::Pass | Fault::CutReply | Fault::Delay { .. } | Fault::Hold { .. } | Fault::Refuse => {
            return None;
        }
    };
    Some(reply)
}

/// Notes the end of an exchange however it ends; a browser that is killed ends it anywhere.
struct Ending<'a> {
    log: &'a Log,
    id: u64,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.log.update(self.id, |exchange| exchange.stage = Stage::Done);
    }
}
