//! The store as the rest of the server sees it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::commits::{self, Commits};
use super::database::{Database, sql};
use super::meters::Meters;
use super::postgres::Postgres;
use super::push::Push;
use super::snapshot::Snapshot;
use super::sqlite::{self, Sqlite};
use super::turns::Turns;
use super::{Epoch, Sender, StoreError, postgres, tables};
use crate::caller::Tenant;
use crate::random;

/// Why a database cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address of the database is of another form, or of another kind of database.
    #[error(
        "`{0}` is not the address of a database; it looks like sqlite://./landfall.db or postgres://user@host/name"
    )]
    Address(String),
    /// The database cannot be opened or created.
    #[error("{url} cannot be opened: {reason}")]
    Unusable {
        /// The address.
        url: String,
        /// What the database says.
        reason: String,
    },
    /// A database of somebody else's.
    #[error("{0} holds other tables than Landfall's; name another database")]
    Foreign(String),
    /// Tables of a form that this binary does not know yet.
    #[error(
        "{url} was written by a newer Landfall (tables of version {found}, this one knows {}); start that one",
        tables::VERSION
    )]
    Newer {
        /// The address.
        url: String,
        /// The version of its tables.
        found: i64,
    },
    /// The database would lose acknowledged writes.
    #[error("{url} does not keep what was written: {setting} is `{found}` instead of `{wanted}`")]
    NotDurable {
        /// The address.
        url: String,
        /// The setting at fault.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) database: Arc<dyn Database>,
    cursor_key: Arc<[u8]>,
    commits: Commits,
    turns: Turns,
    meters: Meters,
}

impl Store {
    /// Opens the database at an address such as `sqlite://./landfall.db`; creates its tables where there are none.
    ///
    /// # Errors
    /// It cannot be used, or would not keep what it is told to.
    pub async fn open(url: &str) -> Result<Store, OpenError> {
        let database: Arc<dyn Database> = match url.split_once(':') {
            Some(("sqlite", _)) => Arc::new(Sqlite::open(url).await?),
            Some(("postgres" | "postgresql", _)) => Arc::new(Postgres::open(url).await?),
            Some(_) | None => return Err(OpenError::Address(shown(url))),
        };
        let unusable = |error: StoreError| OpenError::Unusable { url: shown(url), reason: error.to_string() };
        let mut tx = database.read().await.map_err(unusable)?;
        let key = tx.one::<String>(sql("SELECT value FROM meta WHERE name = 'cursor_key'"));
        let cursor_key = key.await.map_err(unusable)?.as_bytes().into();
        drop(tx);
        let commits = Commits::default();
        if database.is_shared() {
            tokio::spawn(commits::look(Arc::downgrade(&database), commits.clone()));
        }
        database.pass_on(&commits).await;
        let meters = Meters::default();
        let turns = Turns::of(&*database, meters.clone());
        Ok(Store { database, cursor_key, commits, turns, meters })
    }

    /// Opens a database for something that makes no sense where there was none.
    ///
    /// # Errors
    /// As [`Store::open`]; there is no file at the address.
    pub async fn open_existing(url: &str) -> Result<Store, OpenError> {
        match sqlite::path(url) {
            Some(path) if !path.exists() => {
                Err(OpenError::Unusable { url: url.to_owned(), reason: "there is no such file".to_owned() })
            }
            Some(_) | None => Store::open(url).await,
        }
    }

    /// What it measures of itself.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What cursors are signed with.
    pub fn cursor_key(&self) -> &[u8] {
        &self.cursor_key
    }

    /// Runs a push, maybe committed together with others; again, from the start and alone, where another one was in its
    /// way.
    ///
    /// # Errors
    /// Those of the attempt; or the database does not work, or others hold it for too long.
    pub async fn push<'a, T, E: Failure>(
        &self,
        sender: &Sender,
        attempt: impl Fn(Push) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E> {
        let mut left = ATTEMPTS;
        loop {
            let is_alone = left < ATTEMPTS;
            left -= 1;
            let outcome = match self.begin(sender.clone(), is_alone).await {
                Ok(push) => attempt(push).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Err(error) if error.is_contended() && left > 0 => {
                    self.meters.retries.inc();
                    tracing::info!("another transaction was in the way of a push; it is tried again");
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits for its turn and holds the tenant's counter until it ends.
    async fn begin(&self, sender: Sender, is_alone: bool) -> Result<Push, StoreError> {
        let turn = self.turns.wait(&sender.tenant, is_alone).await?;
        Push::begin(&*self.database, sender, self.commits.clone(), turn).await
    }

    /// Changes with every commit of `tenant`, from now on.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn commits(&self, tenant: &Tenant) -> Result<watch::Receiver<()>, StoreError> {
        let mut follower = self.commits.follow(tenant);
        if self.database.is_shared() {
            let tenants = [tenant.clone()];
            for position in commits::positions(&*self.database, &tenants).await? {
                self.commits.know(tenant, position, &mut follower);
            }
        }
        Ok(follower)
    }

    /// What `tenant` has at this moment.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn snapshot(&self, tenant: &Tenant) -> Result<Snapshot, StoreError> {
        Snapshot::take(self.database.read().await?, tenant).await
    }

    /// Leaves `old` behind: what clients know of it no longer fits what is here.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn leave_epoch(&self, old: Epoch) -> Result<(), StoreError> {
        let leave = sql("UPDATE meta SET value = $1 WHERE name = 'epoch' AND value = $2");
        let mut tx = self.database.write().await?;
        tx.run(leave.bind(Epoch(random::number()).to_string()).bind(old.to_string())).await?;
        tx.commit().await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut tx = self.database.read().await?;
        tx.one::<String>(sql("SELECT value FROM meta WHERE name = 'epoch'")).await.map(|_| ())
    }

    /// Waits for what is running and lets go of the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// How often a push is tried that others are in the way of.
const ATTEMPTS: u32 = 5;

/// Why an attempt failed.
pub trait Failure: From<StoreError> {
    /// Whether another one may succeed at once.
    fn is_contended(&self) -> bool;
}

impl Failure for StoreError {
    fn is_contended(&self) -> bool {
        matches!(self, StoreError::Contended(_))
    }
}

/// The address of a database as it may be shown: without a password.
pub fn shown(url: &str) -> String {
    postgres::without_password(url)
}
