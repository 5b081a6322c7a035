//! What the store measures of itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Meters of one store. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    /// Pushes that wait for their turn.
    pub(super) waiting: Gauge,
    /// Pushes that were run again because another transaction was in the way.
    pub(super) retries: Counter,
    /// How long the database takes for a commit.
    pub(super) commits: Histogram,
    /// Commits that did not come to pass, or of which nobody knows.
    pub(super) failed: Counter,
}

impl Default for Meters {
    fn default() -> Meters {
        Meters {
            waiting: Gauge::default(),
            retries: Counter::default(),
            commits: Histogram::new(latencies()),
            failed: Counter::default(),
        }
    }
}

impl Meters {
    /// Names them for whoever asks.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let waiting = "Pushes that wait for their turn";
        registry.register("waiting_pushes", waiting, self.waiting.clone());
        let retries = "Pushes run again because another transaction was in the way";
        registry.register("push_retries", retries, self.retries.clone());
        let commits = "Time that the database took for a commit, which may be of several pushes";
        registry.register_with_unit("commit", commits, Unit::Seconds, self.commits.clone());
        let failed = "Commits that failed, or of which nobody knows";
        registry.register("failed_commits", failed, self.failed.clone());
    }
}

/// Bounds of times: from half a millisecond, each twice the one before, to 16 seconds.
pub(crate) fn latencies() -> impl Iterator<Item = f64> {
    exponential_buckets(0.000_5, 2.0, 16)
}
