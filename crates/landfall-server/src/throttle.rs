//! How much one device, one user and one tenant may push over time.
//!
//! Each server counts for itself, in memory: what matters is that nobody keeps it from the others.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use landfall_core::code::Code;
use landfall_core::id::{Client, User};
use landfall_core::time::Millis;
use landfall_core::wire::BATCH_MUTATIONS_MAX;

use crate::caller::{Caller, Tenant};
use crate::error::ApiError;
use crate::limits::{Rate, Rates};

/// Seconds of which all may come at once.
const BURST_SECONDS: u32 = 60;
/// Names that are remembered before those are let go of that have been quiet for as long.
const KEPT: usize = 10_000;

/// The meters of one server.
pub(crate) struct Throttle<C: Clock = MonotonicClock> {
    clock: C,
    devices: Meter<(Tenant, User, Client), C>,
    users: Meter<(Tenant, User), C>,
    tenants: Meter<Tenant, C>,
}

/// What everybody of one kind has left.
struct Meter<K: Hash + Eq + Clone, C: Clock> {
    who: &'static str,
    pushes: Bucket<K, C>,
    mutations: Bucket<K, C>,
    /// How many names there may be before the quiet ones are let go of.
    full_at: AtomicUsize,
}

type Bucket<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl Throttle {
    /// Nobody has pushed anything yet.
    pub(crate) fn new(rates: &Rates) -> Throttle {
        Throttle::by(MonotonicClock, rates)
    }
}

impl<C: Clock + Clone> Throttle<C> {
    fn by(clock: C, rates: &Rates) -> Throttle<C> {
        Throttle {
            devices: Meter::of("device", rates.client, &clock),
            users: Meter::of("user", rates.user, &clock),
            tenants: Meter::of("tenant", rates.tenant, &clock),
            clock,
        }
    }

    /// Lets a push in.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which there is room for it.
    pub(crate) fn admit(&self, caller: &Caller, client: &Client, mutations: usize) -> Result<(), ApiError> {
        let Caller { tenant, user, .. } = caller;
        let now = self.clock.now();
        // The narrowest first, so that a device that is out of hand uses up little of what others share.
        self.devices.admit(&(tenant.clone(), user.clone(), client.clone()), mutations, now)?;
        self.users.admit(&(tenant.clone(), user.clone()), mutations, now)?;
        self.tenants.admit(tenant, mutations, now)
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Meter<K, C> {
    fn of(who: &'static str, rate: Rate, clock: &C) -> Meter<K, C> {
        // A batch of any size passes a bucket that is full.
        let bucket = |a_second: NonZeroU32, least: u32| {
            let burst = a_second.saturating_mul(nonzero(BURST_SECONDS)).max(nonzero(least));
            let quota = Quota::per_second(a_second).allow_burst(burst);
            RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
        };
        Meter {
            who,
            pushes: bucket(rate.pushes, 1),
            mutations: bucket(rate.mutations, 2 * BATCH_MUTATIONS_MAX as u32),
            full_at: AtomicUsize::new(KEPT),
        }
    }

    fn admit(&self, key: &K, mutations: usize, now: C::Instant) -> Result<(), ApiError> {
        self.let_go();
        let pushes = self.pushes.check_key(key).map_err(|not| not.wait_time_from(now));
        let count = u32::try_from(mutations).ok().and_then(NonZeroU32::new);
        let admitted =
            pushes.and_then(|()| match count.map(|count| self.mutations.check_key_n(key, count)) {
                Some(Ok(Err(not))) => Err(not.wait_time_from(now)),
                Some(Ok(Ok(()))) | None => Ok(()),
                Some(Err(_)) => unreachable!("BUG: a batch that is larger than any bucket"),
            });
        admitted.map_err(|wait| {
            let message = format!("this {} has sent too much for now; later it may", self.who);
            ApiError::throttled(Code::RateLimited, message).after(millis(wait))
        })
    }

    /// Forgets who has been quiet for so long that nothing is held against them, once there are many.
    fn let_go(&self) {
        if self.pushes.len() >= self.full_at.load(Ordering::Relaxed) {
            self.pushes.retain_recent();
            self.mutations.retain_recent();
            self.full_at.store(KEPT.max(2 * self.pushes.len()), Ordering::Relaxed);
        }
    }
}

fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("BUG: no bucket is empty")
}

fn millis(wait: Duration) -> Millis {
    Millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) + 1)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const PUSHES: u32 = 2;
    const MUTATIONS: u32 = 100;

    fn throttle(clock: &FakeRelativeClock, change: impl FnOnce(&mut Rates)) -> Throttle<FakeRelativeClock> {
        let mut rates = Rates::default();
        change(&mut rates);
        Throttle::by(clock.clone(), &rates)
    }

    fn caller(user: &str) -> Caller {
        Caller { user: user.parse().unwrap(), tenant: Tenant::default(), roles: Vec::new() }
    }

    fn slow() -> Rate {
        Rate { pushes: nonzero(PUSHES), mutations: nonzero(MUTATIONS) }
    }

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_as_much_as_is_allowed() {
        let clock = FakeRelativeClock::default();
        let throttle = throttle(&clock, |rates| rates.client = slow());
        let (ada, client) = (caller("ada"), "phone".parse().unwrap());
        for _ in 0..PUSHES * BURST_SECONDS {
            throttle.admit(&ada, &client, 0).unwrap();
        }
        assert_eq!(throttle.admit(&ada, &client, 0).unwrap_err().code(), Code::RateLimited);
        throttle.admit(&ada, &"tablet".parse().unwrap(), 0).unwrap();
        clock.advance(Duration::from_secs(1));
        for _ in 0..PUSHES {
            throttle.admit(&ada, &client, 0).unwrap();
        }
        throttle.admit(&ada, &client, 0).unwrap_err();
    }

    #[test]
    fn mutations_count_by_themselves_and_the_largest_batch_passes_in_the_end() {
        let clock = FakeRelativeClock::default();
        let throttle = throttle(&clock, |rates| rates.user = Rate { mutations: nonzero(1), ..slow() });
        let (ada, client) = (caller("ada"), "phone".parse().unwrap());
        for _ in 0..2 {
            throttle.admit(&ada, &client, BATCH_MUTATIONS_MAX).unwrap();
        }
        throttle.admit(&ada, &client, 1).unwrap_err();
        throttle.admit(&ada, &client, 0).unwrap();
        throttle.admit(&caller("grace"), &client, BATCH_MUTATIONS_MAX).unwrap();
        clock.advance(Duration::from_secs(BATCH_MUTATIONS_MAX as u64));
        throttle.admit(&ada, &client, BATCH_MUTATIONS_MAX).unwrap();
    }

    #[test]
    fn who_has_been_quiet_is_forgotten() {
        let clock = FakeRelativeClock::default();
        let throttle = throttle(&clock, |_| ());
        let ada = caller("ada");
        let push = |n: usize| throttle.admit(&ada, &format!("{n}").parse().unwrap(), 1).unwrap();
        (0..KEPT).for_each(push);
        clock.advance(Duration::from_secs(3_600));
        push(KEPT);
        assert_eq!(throttle.devices.pushes.len(), 1);
    }
}
