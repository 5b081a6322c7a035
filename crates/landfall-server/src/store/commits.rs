//! Word of commits to those who wait for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::caller::Tenant;

/// Tells of commits, tenant by tenant. However many there were since somebody looked, it is one word
/// to them, so nobody who is slow costs anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    tenants: Arc<Mutex<BTreeMap<Tenant, watch::Sender<()>>>>,
}

impl Commits {
    /// Hears of every commit of `tenant` from now on.
    pub(super) fn follow(&self, tenant: &Tenant) -> watch::Receiver<()> {
        let mut tenants = self.tenants.lock().expect("BUG: a panic while the tenants were locked");
        tenants.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// There is something new.
    pub(super) fn announce(&self, tenant: &Tenant) {
        let mut tenants = self.tenants.lock().expect("BUG: a panic while the tenants were locked");
        if tenants.get(tenant).is_some_and(|followers| followers.send(()).is_err()) {
            // Nobody is left to hear of it.
            tenants.remove(tenant);
        }
    }
}
