//! Requests to the server. What comes back is either our protocol or a [`Failure`]; nothing else counts
//! as an answer, whatever its status.

use std::cell::RefCell;

use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise, encode_uri_component};
use landfall_core::client::Failure;
use landfall_core::code::Code;
use landfall_core::id::User;
use landfall_core::json;
use landfall_core::time::Millis;
use landfall_core::wire::{Batch, BatchReply, PullReply};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Response};

use crate::boundary::{Error, to_json};
use crate::platform::within;
use crate::request::Request;

/// A network that neither answers nor breaks is not waited for longer.
const PATIENCE_MILLIS: u32 = 30_000;

/// The server, and the token it wants.
pub(crate) struct Transport {
    url: String,
    user: User,
    auth: Option<Function>,
    token: RefCell<Option<String>>,
}

/// The part of an error envelope (RFC 9457) that decides what to do, and what it says to people.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    code: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

/// Why there is no answer, and in whose words.
struct Trouble {
    failure: Failure,
    message: Option<String>,
}

impl Trouble {
    fn is_about_the_token(&self) -> bool {
        let code = self.failure.code();
        code == Code::TokenExpired.as_str() || code == Code::InvalidToken.as_str()
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble { failure, message: None }
    }
}

impl From<Trouble> for Error {
    fn from(Trouble { failure, message }: Trouble) -> Error {
        let message = message.unwrap_or_else(|| failure.code().to_owned());
        Error::named(failure.code().to_owned(), message)
    }
}

impl Transport {
    pub(crate) fn new(url: &str, user: User, auth: Option<Function>) -> Transport {
        Transport { url: url.trim_end_matches('/').to_owned(), user, auth, token: RefCell::default() }
    }

    pub(crate) async fn push(&self, batch: &Batch) -> Result<BatchReply, Failure> {
        self.exchange(self.request_to("POST", "/api/v1/sync/batch", Some(to_json(batch)))).await
    }

    pub(crate) async fn pull(&self, cursor: Option<&str>) -> Result<PullReply, Failure> {
        let user = encode_uri_component(self.user.as_str());
        // What is no cursor means the same as none.
        let cursor = encode_uri_component(cursor.unwrap_or_default());
        let path = format!("/api/v1/sync/pull?user={user}&cursor={cursor}");
        self.exchange(self.request_to("GET", &path, None)).await
    }

    /// A call of the app's own, with its token. Gives the body of the answer.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<String, Error> {
        let request = self.request_to(if method == "POST" { "POST" } else { "GET" }, path, body);
        let mut renewed = false;
        loop {
            match self.ask(&request).await {
                // The token may have run out since it was last used; the app is asked for another, once.
                Err(trouble) if !renewed && trouble.is_about_the_token() => {
                    renewed = true;
                    self.token.take();
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// Forgets the token and asks the app for another. Says whether there is one.
    pub(crate) async fn renew(&self) -> bool {
        self.token.take();
        matches!(self.token().await, Ok(Some(_)))
    }

    fn request_to(&self, method: &'static str, path: &str, body: Option<String>) -> Request {
        Request { method, url: format!("{}{path}", self.url), body }
    }

    async fn exchange<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let text = self.ask(&request).await.map_err(|trouble| trouble.failure)?;
        json::read(&text).map_err(|_| Failure::NotOurs)
    }

    /// A stream of events that has just begun.
    pub(crate) async fn listen(&self, abort: &AbortController) -> Result<Response, Failure> {
        let request = self.request_to("GET", "/api/v1/sync/live", None);
        let response = request.send(self.token().await?, abort).await?;
        let kind = header(&response, "content-type");
        match response.ok() {
            true if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) => Ok(response),
            true => Err(Failure::NotOurs),
            false => {
                let text = text(&response).await?;
                Err(trouble(&response, &text).failure)
            }
        }
    }

    async fn ask(&self, request: &Request) -> Result<String, Trouble> {
        let token = self.token().await?;
        let abort = AbortController::new().map_err(|_| Failure::Unreachable)?;
        let patience = Timeout::new(PATIENCE_MILLIS, {
            let abort = abort.clone();
            move || abort.abort()
        });
        let answer = async {
            let response = request.send(token, &abort).await?;
            let text = text(&response).await?;
            if response.ok() { Ok(text) } else { Err(trouble(&response, &text)) }
        };
        let answer = answer.await;
        patience.cancel();
        answer
    }

    /// The token at hand, or the one that the app gives.
    async fn token(&self) -> Result<Option<String>, Failure> {
        let Some(auth) = &self.auth else { return Ok(None) };
        if let Some(token) = self.token.borrow().clone() {
            return Ok(Some(token));
        }
        // The app's own request failed, as it does without a network: no word about being signed out.
        let given = auth.call0(&JsValue::NULL).map_err(|_| Failure::Unreachable)?;
        let given = match given.dyn_into::<Promise>() {
            // A sign-in that nobody finishes must not keep everything else waiting; the next try asks again.
            Ok(promise) => match within(PATIENCE_MILLIS, &promise).await {
                Some(Ok(given)) => given,
                Some(Err(_)) | None => return Err(Failure::Unreachable),
            },
            Err(value) => value,
        };
        let token = given.as_string().ok_or(Failure::SignedOut)?;
        *self.token.borrow_mut() = Some(token.clone());
        Ok(Some(token))
    }
}

/// All of an answer's body.
async fn text(response: &Response) -> Result<String, Failure> {
    let text = response.text().map_err(|_| Failure::Unreachable)?;
    let text = JsFuture::from(text).await.map_err(|_| Failure::Unreachable)?;
    text.as_string().ok_or(Failure::Unreachable)
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

fn trouble(response: &Response, text: &str) -> Trouble {
    let problem = json::read::<Problem>(text).ok();
    let header = header(response, "retry-after").as_deref().and_then(retry_after);
    let (code, message, asked) = match (problem, response.status()) {
        (Some(Problem { code, message, retry_after_ms }), _) => (code, message, retry_after_ms.map(Millis)),
        // Gateways in front of the server speak by status alone.
        (None, 401) => (Code::InvalidToken.to_string(), None, None),
        (None, 413) => (Code::PayloadTooLarge.to_string(), None, None),
        (None, 429) => (Code::RateLimited.to_string(), None, None),
        // A fault over this very request, as opposed to a server that is away: worth trying with less of it.
        (None, 500) => (Code::Internal.to_string(), None, None),
        (None, 408 | 501..) => (Code::Unavailable.to_string(), None, None),
        (None, _) => return Failure::NotOurs.into(),
    };
    Trouble { failure: Failure::Refused { code, retry_after: header.max(asked) }, message }
}

/// Seconds, or an HTTP date.
fn retry_after(header: &str) -> Option<Millis> {
    if let Ok(seconds) = header.trim().parse::<u64>() {
        return Some(Millis(seconds.saturating_mul(1_000)));
    }
    let wait = js_sys::Date::parse(header) - js_sys::Date::now();
    (wait > 0.0).then_some(Millis(wait as u64))
}
