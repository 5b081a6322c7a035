//! What a server measures, in the form that Prometheus collects (OpenMetrics).
//!
//! No label says anything of users, tenants or documents, and each has a few values that are known beforehand: so
//! nothing leaks, and nobody can make a server remember more and more. Which server it is, the collector knows.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use landfall_core::code::Code;
use landfall_core::time::WallTime;
use landfall_core::wire::{PushResult, Verdict};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::load::Kind;
use crate::store::{Census, Meters, latencies};

/// The meters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    times: Family<Route, Histogram, fn() -> Histogram>,
    pushes: Counter,
    mutations: Family<Judged, Counter>,
    pulled: Counter,
    live: Gauge,
    shed: Family<Shed, Counter>,
    devices: Gauge,
    oldest: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shed {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Judged {
    verdict: &'static str,
    code: &'static str,
}

impl Metrics {
    /// All at zero, beside those of a store.
    pub(crate) fn new(store: &Meters) -> Metrics {
        let mut registry = Registry::with_prefix("landfall");
        let requests = Family::<Answered, Counter>::default();
        let help = "Requests by the route that they were for, and the status that they got";
        registry.register("requests", help, requests.clone());
        let times = Family::new_with_constructor((|| Histogram::new(latencies())) as fn() -> Histogram);
        let help = "Time from the head of a request to that of its answer";
        registry.register_with_unit("request", help, Unit::Seconds, times.clone());
        let pushes = Counter::default();
        registry.register("pushes", "Batches that were judged", pushes.clone());
        let mutations = Family::<Judged, Counter>::default();
        let help = "Mutations by verdict, `duplicate` for those sent again, and the code of a refusal";
        registry.register("mutations", help, mutations.clone());
        let pulled = Counter::default();
        registry.register("pulled_changes", "Changes on the pages that were pulled", pulled.clone());
        let live = Gauge::default();
        registry.register("live_connections", "Streams of hints that are open", live.clone());
        let shed = Family::<Shed, Counter>::default();
        let help = "Requests that were turned away because too many were being answered";
        registry.register("shed_requests", help, shed.clone());
        let devices = Gauge::default();
        let help = "Devices that have pushed within the last day";
        registry.register("devices", help, devices.clone());
        let oldest = Gauge::default();
        let help = "Age of the oldest write that waits on one of these, as far as they have said";
        registry.register_with_unit("oldest_pending", help, Unit::Seconds, oldest.clone());
        store.register(&mut registry);
        Metrics { registry, requests, times, pushes, mutations, pulled, live, shed, devices, oldest }
    }

    /// Counts a batch that was judged.
    pub(crate) fn judged(&self, results: &[PushResult]) {
        self.pushes.inc();
        for result in results {
            let verdict = match result.verdict {
                _ if result.duplicate => "duplicate",
                Verdict::Applied => "applied",
                Verdict::Merged => "merged",
                Verdict::Conflict => "conflict",
                Verdict::Rejected => "rejected",
                Verdict::Held => "held",
            };
            // One of the codes that there are, however it came to be in a receipt.
            let known = |name: &String| Code::ALL.iter().find(|code| code.as_str() == name);
            let code =
                result.code.as_ref().map_or("", |name| known(name).map_or("other", |code| code.as_str()));
            self.mutations.get_or_create(&Judged { verdict, code }).inc();
        }
    }

    /// Counts what is on a page.
    pub(crate) fn pulled(&self, changes: usize) {
        self.pulled.inc_by(changes as u64);
    }

    /// Counts a request that was turned away.
    pub(crate) fn shed(&self, kind: Kind) {
        self.shed.get_or_create(&Shed { kind: kind.as_str() }).inc();
    }

    /// Takes in what was counted at `now`.
    pub(crate) fn devices(&self, census: Census, now: WallTime) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.devices.set(whole(census.devices));
        self.oldest.set(whole(census.oldest.map_or(0, |oldest| now.since(oldest).0 / 1_000)));
    }

    /// Counts a stream of hints for as long as what this gives is there.
    pub(crate) fn stream(&self) -> Open {
        self.live.inc();
        Open(self.live.clone())
    }

    /// Everything, as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("BUG: a string takes any text");
        text
    }
}

/// A stream of hints that is open.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts and times every answer.
pub(crate) async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    metrics.times.get_or_create(&Route { route: route.clone() }).observe(began.elapsed().as_secs_f64());
    metrics.requests.get_or_create(&Answered { route, status }).inc();
    response
}

/// `GET /metrics` and nothing else, for a listener of its own.
///
/// A collector has no user to ask for, and how busy a server is concerns nobody who has a token for its data. So who
/// reads this is decided by whoever says where it is listened for.
pub fn router(metrics: Arc<Metrics>) -> Router {
    const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = async move || ([(CONTENT_TYPE, FORM)], metrics.text()).into_response();
    Router::new().route("/metrics", get(page))
}
