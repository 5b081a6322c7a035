//! One push at a time, as far as this server is concerned, and one commit for those that would wait for another's.
//!
//! The database would make them wait as well, but each with a connection in its hands; a busy tenant would leave none
//! for the others. A push that has written all it has to while others wait for their turn does not commit. It leaves
//! its transaction to the next one, and so on, until the turn has come round to what was left: so those that waited
//! when the first one was done wait for the disk once, together. Where one of them fails, all of them have changed
//! nothing; each of the others is run again, alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landfall_core::id::Position;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::StoreError;
use super::commits::Commits;
use super::database::{Database, Transaction};
use super::meters::Meters;
use crate::caller::Tenant;
use crate::faults::{self, Bug, Point};

/// How long somebody waits for others.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lanes that are kept before those are let go of in which nobody waits.
const KEPT: usize = 1_000;

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// Whether pushes of one tenant wait for those of others: they would in the database.
    is_one_lane: bool,
    lanes: Arc<Mutex<BTreeMap<Option<Tenant>, Arc<Lane>>>>,
    meters: Meters,
}

/// Pushes that wait for each other.
#[derive(Default)]
struct Lane {
    /// What the last one has left to be committed.
    left: Arc<tokio::sync::Mutex<Option<Joined>>>,
    waiting: AtomicUsize,
}

/// An open transaction, and the pushes that are in it from beginning to end.
pub(super) struct Joined {
    pub(super) tx: Box<dyn Transaction>,
    members: Vec<Member>,
}

struct Member {
    tenant: Tenant,
    /// The position that it takes, if it changes anything.
    position: Option<Position>,
    told: oneshot::Sender<Result<(), StoreError>>,
}

/// Nobody else in the lane has one.
pub(super) struct Turn {
    lane: Arc<Lane>,
    left: OwnedMutexGuard<Option<Joined>>,
    is_alone: bool,
    meters: Meters,
}

impl Turns {
    /// Turns for the pushes into a database.
    pub(super) fn of(database: &dyn Database, meters: Meters) -> Turns {
        Turns { is_one_lane: !database.is_shared(), lanes: Arc::default(), meters }
    }

    /// Waits behind everybody who came before.
    pub(super) async fn wait(&self, tenant: &Tenant, is_alone: bool) -> Result<Turn, StoreError> {
        let lane = self.lane((!self.is_one_lane).then(|| tenant.clone()));
        let waits = Waits::in_lane(&lane, &self.meters);
        let left = tokio::time::timeout(PATIENCE, Arc::clone(&lane.left).lock_owned()).await;
        drop(waits);
        let left = left.map_err(|_| StoreError::Busy("too many pushes at once".to_owned()))?;
        Ok(Turn { lane, left, is_alone, meters: self.meters.clone() })
    }

    fn lane(&self, name: Option<Tenant>) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().expect("BUG: a panic while the turns were locked");
        if lanes.len() >= KEPT {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(name).or_default())
    }
}

/// Somebody in a lane, for as long as this is there.
struct Waits<'a>(&'a AtomicUsize, &'a Meters);

impl Waits<'_> {
    fn in_lane<'a>(lane: &'a Lane, meters: &'a Meters) -> Waits<'a> {
        lane.waiting.fetch_add(1, Ordering::SeqCst);
        meters.waiting.inc();
        Waits(&lane.waiting, meters)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        self.1.waiting.dec();
    }
}

impl Turn {
    /// What was left, or else a transaction of its own.
    pub(super) async fn begin(
        &mut self,
        database: &dyn Database,
        commits: &Commits,
    ) -> Result<Joined, StoreError> {
        match self.left.take() {
            Some(left) if self.is_alone => left.commit(commits, &self.meters).await,
            Some(left) => return Ok(left),
            None => {}
        }
        Ok(Joined { tx: database.write().await?, members: Vec::new() })
    }

    /// Waits until what was written is durable, having committed it or left that to others.
    pub(super) async fn end(
        self,
        mut joined: Joined,
        tenant: Tenant,
        position: Option<Position>,
        commits: Commits,
    ) -> Result<(), StoreError> {
        let Turn { lane, mut left, is_alone, meters } = self;
        let (told, done) = oneshot::channel();
        joined.members.push(Member { tenant, position, told });
        let is_first = joined.members.len() == 1;
        *left = Some(joined);
        // Whatever becomes of whoever sent this: others may be in it by now.
        if is_alone || lane.waiting.load(Ordering::SeqCst) == 0 {
            tokio::spawn(close(left, commits, meters));
        } else if is_first {
            drop(left);
            let left = Arc::clone(&lane.left);
            tokio::spawn(async move { close(left.lock_owned().await, commits, meters).await });
        } else {
            drop(left);
        }
        if faults::is(Bug::RepliesBeforeCommit) {
            return Ok(());
        }
        done.await.unwrap_or_else(|_| Err(StoreError::Contended("a push beside it has failed".to_owned())))
    }
}

/// Commits what was left, if it still is.
async fn close(mut left: OwnedMutexGuard<Option<Joined>>, commits: Commits, meters: Meters) {
    if let Some(left) = left.take() {
        left.commit(&commits, &meters).await;
    }
}

impl Joined {
    async fn commit(self, commits: &Commits, meters: &Meters) {
        if faults::is(Bug::RepliesBeforeCommit) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        faults::pass(Point::BeforeCommit);
        let began = Instant::now();
        let outcome = self.tx.commit().await;
        meters.commits.observe(began.elapsed().as_secs_f64());
        faults::pass(Point::AfterCommit);
        if outcome.is_err() {
            meters.failed.inc();
        }
        for Member { tenant, position, told } in self.members {
            if let (Ok(()), Some(position)) = (&outcome, position) {
                commits.tell(&tenant, position);
            }
            // Whoever sent it may be gone.
            told.send(outcome.clone()).ok();
        }
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}
