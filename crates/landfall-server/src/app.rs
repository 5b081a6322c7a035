//! What every request handler has at hand.

use std::sync::Arc;
use std::time::SystemTime;

use landfall_core::time::{Millis, WallTime};
use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::limits::{Limits, Pace};
use crate::load::Load;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::rules::{Rules, Staff};
use crate::store::{Store, StoreError};
use crate::throttle::Throttle;
use crate::token::{Tokens, WeakKey};

const DAY: Millis = Millis::seconds(24 * 60 * 60);

/// A server's parts. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Documents, receipts and everything else that must outlive the process.
    pub store: Store,
    /// Who is asking.
    pub tokens: Arc<Tokens>,
    /// Who may do what.
    pub rules: Arc<Rules>,
    /// Who looks after the server.
    pub staff: Arc<Staff>,
    /// How much at a time.
    pub limits: Arc<Limits>,
    /// Which sites' pages may ask.
    pub origins: Arc<Origins>,
    /// Room for sockets on which no token has come yet.
    pub(crate) doors: Arc<Semaphore>,
    /// Who has pushed how much.
    pub(crate) throttle: Arc<Throttle>,
    /// How much is being answered.
    pub(crate) load: Arc<Load>,
    /// What time it is.
    pub clock: fn() -> WallTime,
    /// How hints are paced.
    pub pace: Pace,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Whether the server is about to end.
    pub ending: watch::Sender<bool>,
}

impl App {
    /// Puts a server together.
    ///
    /// # Errors
    /// The configured key for tokens is too short.
    pub fn new(config: Config, store: Store) -> Result<App, WeakKey> {
        let tokens = Tokens::new(config.key.as_deref(), config.jwks, config.expected)?;
        Ok(App {
            metrics: Arc::new(Metrics::new(store.meters())),
            store,
            tokens: Arc::new(tokens),
            rules: Arc::new(config.rules),
            staff: Arc::new(config.staff),
            doors: Arc::new(Semaphore::new(config.limits.unsigned_sockets)),
            throttle: Arc::new(Throttle::new(&config.limits.rates)),
            load: Arc::new(Load::new(&config.limits)),
            limits: Arc::new(config.limits),
            origins: Arc::new(config.origins),
            clock: system_time,
            pace: Pace::default(),
            ending: watch::Sender::new(false),
        })
    }

    /// The same server on another store.
    #[must_use]
    pub fn on(self, store: Store) -> App {
        App { store, ..self }
    }

    /// Counts the devices that were heard of within the last day.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn count_devices(&self) -> Result<(), StoreError> {
        let now = (self.clock)();
        let census = self.store.census(WallTime(now.0.saturating_sub(DAY.0))).await?;
        self.metrics.devices(census, now);
        Ok(())
    }

    /// Ends every stream and socket, for good. Requests run to their end.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until no stream and no socket is left.
    pub async fn ended(&self) {
        self.ending.closed().await;
    }
}

/// The machine's clock.
pub fn system_time() -> WallTime {
    // A clock before 1970 is a machine without one; stamps then start from zero and merging still works.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
