//! One exchange from end to end, with whatever is to go wrong on the way.

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::sync::watch;

use crate::fault::{Fault, Side};
use crate::log::{Log, Stage};
use crate::message::{self, Answer, Failure, Reply};
use crate::rules::{Rule, Rules};
use crate::streaming;

/// What a public network shows until somebody accepts its terms.
const PORTAL: &str = "<!doctype html><html><head><title>Welcome</title></head><body><form method=\"post\" \
    action=\"/login\"><h1>Free Wi-Fi</h1><button>Accept and connect</button></form></body></html>";

/// The proxy's state: the rules, the log and the gate at which messages are held.
pub(crate) struct Relay {
    upstream: String,
    pub(crate) rules: Mutex<Rules>,
    pub(crate) log: Log,
    gate: watch::Sender<()>,
    /// Changes with every rule that is added.
    ruled: watch::Sender<()>,
}

impl Relay {
    pub(crate) fn new(upstream: String) -> Relay {
        let (gate, ruled) = (watch::Sender::new(()), watch::Sender::new(()));
        Relay { upstream, rules: Mutex::default(), log: Log::default(), gate, ruled }
    }

    /// Adds a rule, which is in force once this returns.
    pub(crate) fn rule(&self, rule: Rule) {
        self.rules().push(rule);
        self.ruled.send_replace(());
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().expect("BUG: a panic while the rules were locked")
    }

    /// Resolves once a rule ends exchanges like this one.
    pub(crate) async fn ended(&self, method: &str, path: &str) {
        let mut ruled = self.ruled.subscribe();
        while !self.rules().ends(method, path) {
            ruled.changed().await.expect("BUG: the rules outlive every exchange");
        }
    }

    /// Lets all messages go that are held now; what comes later is held again.
    pub(crate) fn release(&self) {
        self.gate.send_replace(());
    }

    /// Carries one exchange.
    ///
    /// # Errors
    /// The connection is to end without a reply: because a rule wants it so, or because there is none.
    pub(crate) async fn exchange(self: &Arc<Relay>, request: Request<Incoming>) -> Result<Reply, Failure> {
        let method = request.method().as_str().to_owned();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let early = self.rules().take(&method, &path, None);
        let id = self.log.begin(&method, &path, early.as_ref().unwrap_or(&Fault::Pass).name());
        let end = Ending { relay: Arc::clone(self), id };

        if early == Some(Fault::Refuse) {
            return Err("refused".into());
        }
        let (mut head, incoming) = request.into_parts();
        message::forget_connection(&mut head.headers);
        let body = message::body(incoming).await?;
        let late = || self.rules().take(&method, &path, Some(&body));
        let rule = early.or_else(late).unwrap_or(Fault::Pass);
        self.log.update(id, |exchange| {
            exchange.fault = rule.name();
            exchange.request = message::json_text(&head.headers, &body);
            exchange.request_bytes = body.len();
        });

        if rule == Fault::Refuse {
            return Err("refused".into());
        }
        self.detain(id, &rule, Side::Request).await;
        let answer = match made_here(&rule) {
            Some((reply, bytes)) => Answer::Whole(reply, bytes),
            None => message::forward(&self.upstream, Request::from_parts(head, Full::new(body))).await?,
        };
        let (reply, bytes) = match answer {
            Answer::Whole(reply, bytes) => (reply, bytes),
            Answer::Stream(reply) => {
                self.log.update(id, |exchange| exchange.status = Some(reply.status().as_u16()));
                self.detain(id, &rule, Side::Reply).await;
                if rule == Fault::CutReply {
                    return Err("cut".into());
                }
                return Ok(streaming::relay(reply, end, method, path));
            }
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
pub(crate) struct Ending {
    pub(crate) relay: Arc<Relay>,
    pub(crate) id: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.relay.log.update(self.id, |exchange| exchange.stage = Stage::Done);
    }
}
