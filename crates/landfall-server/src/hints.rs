//! Hints: "there may be something to pull", paced for one connection, whatever frames they travel in.
//!
//! A hint says nothing else, so nothing has to be decided on, kept or sent again: whoever misses one
//! finds out at the next pull.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::caller::Session;
use crate::limits::Pace;
use crate::metrics::Open;
use crate::random;
use crate::store::StoreError;

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// There may be something to pull.
    Hint,
    /// Nothing, but a connection that is dead shows by it.
    Beat,
}

/// Why nothing more is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server ends.
    Server,
    /// The token has run out.
    Token,
    /// The client did not take what it was sent.
    Patience,
}

/// The hints for one connection.
pub(crate) struct Hints {
    commits: watch::Receiver<()>,
    ending: watch::Receiver<bool>,
    expires: Option<Instant>,
    pace: Pace,
    beat: Duration,
    /// Whether one is due for the connection as such.
    is_owed: bool,
    /// When the next hint may be given.
    free_at: Instant,
    /// When something was said last.
    said_at: Instant,
    _open: Open,
}

impl Hints {
    /// A hint after each commit of the caller's tenant from now on, until the token runs out.
    pub(crate) async fn begin(app: &App, session: &Session) -> Result<Hints, StoreError> {
        let now = Instant::now();
        let left = Duration::from_millis(session.expires.since((app.clock)()).0);
        let spread = f64::from(u16::from_le_bytes(random::bytes())) / f64::from(u16::MAX);
        Ok(Hints {
            commits: app.store.commits(&session.caller.tenant).await?,
            ending: app.ending.subscribe(),
            // A token that lasts longer than a clock can count lasts for ever.
            expires: now.checked_add(left),
            beat: app.pace.beat + app.pace.beat.mul_f64(spread * 2.0 / 3.0),
            pace: app.pace,
            is_owed: false,
            free_at: now,
            said_at: now,
            _open: app.metrics.stream(),
        })
    }

    /// The same with one at once, where nothing else tells the client that it is listened for.
    pub(crate) fn with_one_at_once(self) -> Hints {
        Hints { is_owed: true, ..self }
    }

    /// What to say next, as soon as there is something.
    ///
    /// Asked for only once there is room for it, so a client that does not read is noticed here.
    pub(crate) async fn next(&mut self) -> Result<Word, End> {
        let asked_at = Instant::now();
        if asked_at - self.said_at > self.pace.patience {
            return Err(End::Patience);
        }
        let is_owed = std::mem::take(&mut self.is_owed);
        let word = tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => return Err(End::Server),
            () = until(self.expires) => return Err(End::Token),
            () = std::future::ready(()), if is_owed => Word::Hint,
            () = commit(&mut self.commits, self.free_at) => Word::Hint,
            () = sleep_until(asked_at + self.beat) => Word::Beat,
        };
        self.said_at = Instant::now();
        if word == Word::Hint {
            self.free_at = self.said_at + self.pace.gap;
        }
        Ok(word)
    }
}

/// The next commit to give a hint of. What was committed meanwhile is part of it.
async fn commit(commits: &mut watch::Receiver<()>, free_at: Instant) {
    sleep_until(free_at).await;
    if commits.changed().await.is_err() {
        // A store that is gone commits nothing more; the server is about to end.
        std::future::pending::<()>().await;
    }
}

/// Waits for a moment; for ever where there is none.
pub(crate) async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
