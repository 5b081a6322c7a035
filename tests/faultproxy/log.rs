//! What passed, and waiting for what is still to pass.
//!
//! A test that waits for an exchange instead of for a while is as fast as the machine allows and never
//! too fast. So the log is something to wait on: [`Log::until`] resolves at the very change that
//! fulfils its condition.

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The proxy has heard of it.
    Received,
    /// It waits to be released.
    Held,
    /// The reply is a stream of events and has begun.
    Streaming,
    /// Nothing more will happen.
    Done,
}

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exchange {
    /// Counts up from 1.
    pub id: u64,
    pub method: String,
    /// With the query.
    pub path: String,
    /// What was done to it.
    pub fault: &'static str,
    pub stage: Stage,
    /// The status that the server answered, or the proxy in its place.
    pub status: Option<u16>,
    /// Whether the browser got the answer.
    pub replied: bool,
    /// The request's body where it is text.
    pub request: Option<String>,
    pub request_bytes: usize,
    /// The reply's body where it is JSON that was not compressed.
    pub reply: Option<String>,
    pub reply_bytes: usize,
    /// For each event that a stream brought, the id of the last exchange that had begun before it.
    pub events: Vec<u64>,
    /// Milliseconds since the proxy was started.
    pub began_at: u64,
    pub ended_at: Option<u64>,
}

/// Which exchanges a test asks for; what it leaves out fits all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Filter {
    /// What the path begins with.
    pub path: String,
    pub method: Option<String>,
    pub fault: Option<String>,
    /// How far it has come, now.
    pub stage: Option<Stage>,
    pub status: Option<u16>,
    /// Only exchanges with a greater id.
    pub after: u64,
    /// Only streams with so many events or more.
    pub events: usize,
}

impl Filter {
    fn fits(&self, exchange: &Exchange) -> bool {
        exchange.id > self.after
            && exchange.events.len() >= self.events
            && exchange.path.starts_with(&self.path)
            && self.method.as_ref().is_none_or(|method| *method == exchange.method)
            && self.fault.as_ref().is_none_or(|fault| fault == exchange.fault)
            && self.stage.is_none_or(|stage| exchange.stage == stage)
            && self.status.is_none_or(|status| exchange.status == Some(status))
    }
}

/// All exchanges since the proxy was started.
pub(crate) struct Log {
    started: Instant,
    exchanges: Mutex<Vec<Exchange>>,
    changes: watch::Sender<()>,
}

impl Default for Log {
    fn default() -> Log {
        let (changes, _) = watch::channel(());
        Log { started: Instant::now(), exchanges: Mutex::default(), changes }
    }
}

impl Log {
    /// Notes an exchange that has begun.
    pub(crate) fn begin(&self, method: &str, path: &str, fault: &'static str) -> u64 {
        let mut exchanges = self.lock();
        let id = exchanges.len() as u64 + 1;
        exchanges.push(Exchange {
            id,
            method: method.to_owned(),
            path: path.to_owned(),
            fault,
            stage: Stage::Received,
            status: None,
            replied: false,
            request: None,
            request_bytes: 0,
            reply: None,
            reply_bytes: 0,
            events: vec![],
            began_at: self.elapsed(),
            ended_at: None,
        });
        drop(exchanges);
        self.changes.send_replace(());
        id
    }

    /// Notes what a stream has brought.
    pub(crate) fn stream(&self, id: u64, bytes: &[u8]) {
        let last = self.lock().len() as u64;
        self.update(id, |exchange| {
            let text = String::from_utf8_lossy(bytes);
            exchange.events.extend(text.matches("event:").map(|_| last));
            exchange.reply.get_or_insert_default().push_str(&text);
            exchange.reply_bytes += bytes.len();
        });
    }

    /// Notes what has become of an exchange.
    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Exchange)) {
        let mut exchanges = self.lock();
        let exchange = &mut exchanges[id as usize - 1];
        change(exchange);
        if exchange.stage == Stage::Done && exchange.ended_at.is_none() {
            exchange.ended_at = Some(self.elapsed());
        }
        drop(exchanges);
        self.changes.send_replace(());
    }

    /// The exchanges that fit.
    pub(crate) fn list(&self, filter: &Filter) -> Vec<Exchange> {
        self.lock().iter().filter(|exchange| filter.fits(exchange)).cloned().collect()
    }

    /// Resolves as soon as at least `count` exchanges fit.
    pub(crate) async fn until(&self, filter: &Filter, count: usize) -> Vec<Exchange> {
        let mut changes = self.changes.subscribe();
        loop {
            // Changes after this line wake the next one, so none is missed in between.
            changes.borrow_and_update();
            let found = self.list(filter);
            if found.len() >= count {
                return found;
            }
            changes.changed().await.expect("BUG: the log outlives whoever waits on it");
        }
    }

    fn elapsed(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().expect("BUG: a panic while the log was locked")
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn waiting_ends_at_the_change_that_fulfils_the_condition() {
        let log = Log::default();
        let held = Filter { path: "/a".to_owned(), stage: Some(Stage::Held), ..Filter::default() };
        let mut waiting = pin!(log.until(&held, 1));
        let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        let id = log.begin("POST", "/a?b", "hold");
        assert!(poll().is_pending());
        log.update(id, |exchange| exchange.stage = Stage::Held);
        let Poll::Ready(found) = poll() else { panic!("still waiting") };
        assert_eq!(found.iter().map(|exchange| exchange.id).collect::<Vec<_>>(), [id]);
    }

    #[test]
    fn a_filter_fits_only_what_it_names() {
        let log = Log::default();
        let first = log.begin("GET", "/a", "pass");
        log.begin("POST", "/b", "refuse");
        let count = |filter: Filter| log.list(&filter).len();
        assert_eq!(count(Filter::default()), 2);
        assert_eq!(count(Filter { method: Some("GET".to_owned()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { fault: Some("refuse".to_owned()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { after: first, ..Filter::default() }), 1);
        assert_eq!(count(Filter { status: Some(200), ..Filter::default() }), 0);
    }
}
