//! Word of commits to those who wait for them: of this server's at once, of others' soon.
//!
//! Others' commits are looked for; where the database can pass the word on as well, they are heard of sooner.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use landfall_core::id::Position;
use tokio::sync::{Notify, watch};

use super::database::{Database, Statement, sql};
use super::{StoreError, count};
use crate::caller::Tenant;
use crate::random;

/// How often others' commits are looked for: between this and twice as long.
const LOOK: Duration = Duration::from_secs(1);

/// Tells of commits, tenant by tenant. However many there were since somebody looked, it is one word
/// to them, so nobody who is slow costs anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    tenants: Arc<Mutex<BTreeMap<Tenant, Followed>>>,
    news: Arc<News>,
}

/// The newest of this server's commits that others have not been told of.
#[derive(Debug, Default)]
struct News {
    /// Whether there is anybody who tells them.
    is_told: AtomicBool,
    untold: Mutex<BTreeMap<Tenant, Position>>,
    come: Notify,
}

/// A tenant of whose commits somebody wants to hear.
#[derive(Debug)]
struct Followed {
    word: watch::Sender<()>,
    /// The newest commit that is known of.
    position: Position,
}

impl Commits {
    /// Hears of every commit of `tenant` from now on.
    pub(super) fn follow(&self, tenant: &Tenant) -> watch::Receiver<()> {
        let new = || Followed { word: watch::Sender::new(()), position: Position(0) };
        self.lock().entry(tenant.clone()).or_insert_with(new).word.subscribe()
    }

    /// Tells of a commit of this server's.
    pub(super) fn tell(&self, tenant: &Tenant, position: Position) {
        self.announce(tenant, position);
        if self.news.is_told.load(Ordering::Relaxed) {
            self.untold().insert(tenant.clone(), position);
            self.news.come.notify_one();
        }
    }

    /// Waits for commits of this server's and gives the newest one of each tenant. Somebody asks for them from now on.
    pub(super) async fn untold_ones(&self) -> BTreeMap<Tenant, Position> {
        self.news.is_told.store(true, Ordering::Relaxed);
        loop {
            let untold = std::mem::take(&mut *self.untold());
            if !untold.is_empty() {
                return untold;
            }
            self.news.come.notified().await;
        }
    }

    fn untold(&self) -> MutexGuard<'_, BTreeMap<Tenant, Position>> {
        self.news.untold.lock().expect("BUG: a panic while the news were locked")
    }

    /// Takes in what another server says: it may come late.
    pub(super) fn hear(&self, tenant: &Tenant, position: Position) {
        let is_new = self.lock().get(tenant).is_some_and(|followed| followed.position < position);
        if is_new {
            self.announce(tenant, position);
        }
    }

    /// Tells of the newest commit, whoever made it, unless that is known.
    pub(super) fn announce(&self, tenant: &Tenant, position: Position) {
        let mut tenants = self.lock();
        let Some(followed) = tenants.get_mut(tenant) else { return };
        // A lower one is news too: the database was set back.
        if followed.position == position {
            return;
        }
        followed.position = position;
        if followed.word.send(()).is_err() {
            // Nobody is left to hear of it.
            tenants.remove(tenant);
        }
    }

    /// Takes in a commit that `follower` finds by itself: only a later one is news to it.
    pub(super) fn know(&self, tenant: &Tenant, position: Position, follower: &mut watch::Receiver<()>) {
        if let Some(followed) = self.lock().get_mut(tenant) {
            followed.position = followed.position.max(position);
            if followed.position == position {
                follower.mark_unchanged();
            }
        }
    }

    fn followed(&self) -> Vec<Tenant> {
        let mut tenants = self.lock();
        tenants.retain(|_, followed| followed.word.receiver_count() > 0);
        tenants.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, Followed>> {
        self.tenants.lock().expect("BUG: a panic while the tenants were locked")
    }
}

/// Looks for other servers' commits for as long as there is a store.
pub(super) async fn look(database: Weak<dyn Database>, commits: Commits) {
    loop {
        let spread = f64::from(u16::from_le_bytes(random::bytes())) / f64::from(u16::MAX);
        tokio::time::sleep(LOOK + LOOK.mul_f64(spread)).await;
        let Some(database) = database.upgrade() else { return };
        let tenants = commits.followed();
        match positions(&*database, &tenants).await {
            Ok(positions) => {
                for (tenant, position) in tenants.iter().zip(positions) {
                    commits.announce(tenant, position);
                }
            }
            // Hints are late, then; whoever asks for more is told.
            Err(error) => tracing::debug!(%error, "other servers' commits are not known"),
        }
    }
}

/// The newest commit of each of these.
pub(super) async fn positions(
    database: &dyn Database,
    tenants: &[Tenant],
) -> Result<Vec<Position>, StoreError> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let ask = |tenant: &Tenant| -> Statement {
        sql("SELECT position FROM tenants WHERE tenant = $1").bind(tenant.as_str())
    };
    let asked = tenants.iter().map(ask).collect();
    let positions: Vec<Option<i64>> = database.read().await?.each(asked).await?;
    Ok(positions.into_iter().map(|position| Position(position.map_or(0, count))).collect())
}
