//! One push of a tenant at a time, as far as this server is concerned.
//!
//! The database would make them wait as well, but each with a connection in its hands; a busy tenant would leave none
//! for the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::StoreError;
use crate::caller::Tenant;

/// How long somebody waits for others of the tenant.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tenants whose turns are kept before those are let go of that nobody waits for.
const KEPT: usize = 1_000;

type Lane = Arc<tokio::sync::Mutex<()>>;

/// Whose turn it is, tenant by tenant.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    lanes: Arc<Mutex<BTreeMap<Tenant, Lane>>>,
}

/// Nobody else of the tenant has one.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits behind everybody of the tenant who came before.
    pub(super) async fn wait(&self, tenant: &Tenant) -> Result<Turn, StoreError> {
        let turn = tokio::time::timeout(PATIENCE, self.lane(tenant).lock_owned()).await;
        turn.map_err(|_| StoreError::Busy("too many pushes of one tenant".to_owned()))
    }

    fn lane(&self, tenant: &Tenant) -> Lane {
        let mut lanes = self.lanes.lock().expect("BUG: a panic while the turns were locked");
        if lanes.len() >= KEPT {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(tenant.clone()).or_default())
    }
}
