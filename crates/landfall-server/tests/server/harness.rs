//! A server on a database of its own, and devices that talk to it without a socket.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use landfall_core::time::Millis;
use landfall_core::wire::{BatchReply, PullChange, PullReply};
use landfall_server::accept::accept;
use landfall_server::caller::Caller;
use landfall_server::limits::Pace;
use landfall_server::{App, Config, Store, router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tower::ServiceExt;

use crate::database::Database;
use crate::description::Description;

/// A server whose database lives as long as it does.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) database: Arc<Database>,
    router: Router,
    description: OnceCell<Description>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a refusal, whose envelope must be whole.
    pub(crate) fn refused_with(&self) -> String {
        let body = self.json();
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["requestId"], self.headers["x-request-id"].to_str().unwrap());
        assert_eq!(body["type"], "about:blank");
        assert!(body["retryable"].is_boolean() && body["title"].is_string());
        assert_eq!(body["message"], body["detail"]);
        body["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn batch(&self) -> BatchReply {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn page(&self) -> Page {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store");
        let reply: PullReply =
            serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let changes = reply.read().unwrap_or_else(|| panic!("what is changed cannot be read: {self:?}"));
        Page { reply, changes }
    }
}

/// A page and what is on it.
#[derive(Debug)]
pub(crate) struct Page {
    reply: PullReply,
    pub(crate) changes: Vec<PullChange>,
}

impl Deref for Page {
    type Target = PullReply;

    fn deref(&self) -> &PullReply {
        &self.reply
    }
}

impl Server {
    /// A server with the demo's rules.
    pub(crate) async fn start() -> Server {
        Server::with(Config::demo()).await
    }

    /// A server with rules of its own, as YAML.
    pub(crate) async fn configured(yaml: &str) -> Server {
        match Config::parse(yaml, "landfall.yaml") {
            Ok(config) => Server::with(config).await,
            Err(error) => panic!("{error}"),
        }
    }

    async fn with(config: Config) -> Server {
        Server::on(Database::new().await, config).await
    }

    /// A server on this database.
    pub(crate) async fn on(database: Database, config: Config) -> Server {
        let store = Store::open(&database.url()).await.unwrap();
        let app = App::new(config, store).unwrap();
        Server::of(app, Arc::new(database))
    }

    fn of(app: App, database: Arc<Database>) -> Server {
        Server { router: router(app.clone()), app, database, description: OnceCell::new() }
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Another server on the same database.
    pub(crate) async fn beside(&self, config: Config) -> Server {
        let store = Store::open(&self.database.url()).await.unwrap();
        let app = App::new(config, store).unwrap();
        Server::of(app, Arc::clone(&self.database))
    }

    /// Ends the server and starts another one on the same database.
    pub(crate) async fn restart(self) -> Server {
        self.restart_after(async |_| ()).await
    }

    /// As [`Server::restart`]; in between, the database is copied.
    pub(crate) async fn keep_copy(self) -> Server {
        self.restart_after(Database::keep_copy).await
    }

    /// As [`Server::restart`]; in between, the copy comes in the place of the database.
    pub(crate) async fn set_back(self) -> Server {
        self.restart_after(Database::set_back).await
    }

    async fn restart_after(self, happens: impl AsyncFnOnce(&Database)) -> Server {
        let Server { app, database, .. } = self;
        app.store.close().await;
        happens(&database).await;
        let store = Store::open(&database.url()).await.unwrap();
        Server::of(app.on(store), database)
    }

    /// How many rows a query counts.
    pub(crate) async fn rows(&self, count: &'static str) -> i64 {
        self.database.read(count).await[0][0].as_i64().unwrap()
    }

    /// Changes how streams are paced, from the next one on.
    pub(crate) fn pace(&mut self, change: impl FnOnce(&mut Pace)) {
        change(&mut self.app.pace);
        self.router = router(self.app.clone());
    }

    /// Serves on a port of this machine for as long as the test runs; gives the address.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let patience = self.app.limits.head_timeout();
        tokio::spawn(accept(listener, self.router.clone(), patience, std::future::pending()));
        address
    }

    /// The answer while it is still coming.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The answer, which has to be one that the server says it gives.
    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.ask(request).await;
        let ask = Request::get("/openapi.json").body(Body::empty()).unwrap();
        let described = async || Description::of(&self.ask(ask).await.text);
        self.description.get_or_init(described).await.check(&method, &path, &answer);
        answer
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn push(&self, device: &Device, mutations: &[Value]) -> Answer {
        self.post(device, device.batch(mutations).to_string()).await
    }

    /// Asks what became of discarded mutations.
    pub(crate) async fn void(&self, device: &Device, ids: &[Value]) -> Answer {
        let mut batch = device.batch(&[]);
        batch["void"] = ids.into();
        self.post(device, batch.to_string()).await
    }

    /// Posts anything as a batch.
    pub(crate) async fn post(&self, device: &Device, body: impl Into<Body>) -> Answer {
        self.call(device.post(self, body)).await
    }

    pub(crate) async fn pull(&self, device: &Device, query: &str) -> Answer {
        self.get(device, &format!("pull?{query}")).await
    }

    /// The conflicts that a device sees, newest first.
    pub(crate) async fn conflicts(&self, device: &Device) -> Vec<Value> {
        let answer = self.get(device, "conflicts").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["conflicts"].as_array().unwrap().clone()
    }

    pub(crate) async fn resolve(&self, device: &Device, decision: Value) -> Answer {
        self.call(device.post_to(self, "resolve", decision.to_string())).await
    }

    /// Asks for something below `/api/v1/sync/`.
    pub(crate) async fn get(&self, device: &Device, path: &str) -> Answer {
        self.get_at(device, &format!("/api/v1/sync/{path}")).await
    }

    /// Asks for a page of a document's history.
    pub(crate) async fn history(&self, device: &Device, document: &str, query: &str) -> Answer {
        self.get_at(device, &format!("/api/v1/documents/{document}/history?{query}")).await
    }

    /// Asks for anything.
    pub(crate) async fn get_at(&self, device: &Device, address: &str) -> Answer {
        let request = Request::get(address);
        let request = request.header(AUTHORIZATION, device.bearer(self));
        self.call(request.body(Body::empty()).unwrap()).await
    }

    /// Pulls to the end in pages of `limit` and gives all of them.
    pub(crate) async fn pull_all(&self, device: &Device, cursor: &str, limit: usize) -> Vec<Page> {
        let mut pages: Vec<Page> = Vec::new();
        loop {
            let cursor = pages.last().map_or(cursor, |page| &page.cursor);
            let page = self.pull(device, &format!("cursor={cursor}&limit={limit}")).await.page();
            let more = page.more;
            pages.push(page);
            if !more {
                return pages;
            }
        }
    }
}

/// One installation with one writer.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) caller: Caller,
    pub(crate) client: String,
    pub(crate) writer: String,
}

impl Device {
    /// A worker's device; `number` tells it from others.
    pub(crate) fn of(user: &str, number: u64) -> Device {
        let roles = vec!["worker".to_owned()];
        let caller = Caller { user: user.parse().unwrap(), tenant: Default::default(), roles };
        Device { caller, client: format!("client-{number}"), writer: format!("{number:032x}") }
    }

    pub(crate) fn role(mut self, role: &str) -> Device {
        self.caller.roles = vec![role.to_owned()];
        self
    }

    pub(crate) fn tenant(mut self, tenant: &str) -> Device {
        self.caller.tenant = tenant.parse().unwrap();
        self
    }

    pub(crate) fn token(&self, server: &Server) -> String {
        let issued = server.app.tokens.issue(&self.caller, Millis::seconds(60), (server.app.clock)());
        issued.unwrap().0
    }

    pub(crate) fn bearer(&self, server: &Server) -> String {
        format!("Bearer {}", self.token(server))
    }

    pub(crate) fn post(&self, server: &Server, body: impl Into<Body>) -> Request<Body> {
        self.post_to(server, "batch", body)
    }

    /// A request to something below `/api/v1/sync/`.
    pub(crate) fn post_to(&self, server: &Server, path: &str, body: impl Into<Body>) -> Request<Body> {
        let request = Request::post(format!("/api/v1/sync/{path}")).header(CONTENT_TYPE, "application/json");
        request.header(AUTHORIZATION, self.bearer(server)).body(body.into()).unwrap()
    }

    pub(crate) fn batch(&self, mutations: &[Value]) -> Value {
        json!({
            "protocol": 1, "client": self.client, "user": self.caller.user, "sentAt": 1,
            "mutations": mutations,
        })
    }

    /// The `n`th mutation: creates a visit.
    pub(crate) fn create(&self, n: u64, document: &str, data: &Value) -> Value {
        self.create_in("visits", n, document, data)
    }

    pub(crate) fn create_in(&self, collection: &str, n: u64, document: &str, data: &Value) -> Value {
        let fields = data.as_object().unwrap().iter();
        let set = |(key, value)| json!({ "path": format!("/{key}"), "op": "set", "value": value });
        self.mutation(collection, n, document, "create", fields.map(set).collect(), 0)
    }

    /// The `n`th mutation: sets one field of a visit, known at version `base`.
    pub(crate) fn patch(&self, n: u64, document: &str, base: u64, path: &str, value: &Value) -> Value {
        let fields = vec![json!({ "path": path, "op": "set", "value": value })];
        self.mutation("visits", n, document, "patch", fields, base)
    }

    pub(crate) fn delete_in(&self, collection: &str, n: u64, document: &str, base: u64) -> Value {
        self.mutation(collection, n, document, "delete", Vec::new(), base)
    }

    pub(crate) fn delete(&self, n: u64, document: &str, base: u64) -> Value {
        self.delete_in("visits", n, document, base)
    }

    pub(crate) fn mutation(
        &self,
        collection: &str,
        n: u64,
        document: &str,
        op: &str,
        fields: Vec<Value>,
        base: u64,
    ) -> Value {
        json!({
            "id": format!("{}:{n}", self.writer), "group": null, "replaces": null, "needs": [],
            "firstSentAt": null, "collection": collection, "document": document, "op": op, "fields": fields,
            "base": base, "after": null, "stamp": format!("0192f0c1a2b3-{n:04x}-{}", self.writer), "schema": 1,
        })
    }
}

/// `mutation` with one member changed.
pub(crate) fn with(mut mutation: Value, member: &str, value: Value) -> Value {
    mutation[member] = value;
    mutation
}

/// What the results say, shortly.
pub(crate) fn verdicts(reply: &BatchReply) -> Vec<String> {
    let short = |result: &landfall_core::wire::PushResult| {
        let verdict = json!(result.verdict).as_str().unwrap().to_owned();
        result.code.as_ref().map_or(verdict.clone(), |code| format!("{verdict} {code}"))
    };
    reply.results.iter().map(short).collect()
}
