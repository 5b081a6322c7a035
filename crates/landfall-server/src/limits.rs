//! How much may be asked of the server: by one request, at once, and over time.

use std::num::NonZeroU32;
use std::time::Duration;

use landfall_core::wire::{BATCH_MUTATIONS_MAX, BODY_BYTES_MAX, PAGE_CHANGES_MAX};
use serde::Deserialize;

/// Bytes of a request's head: a token and some cursors, and room for what stands between.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of a request.
pub const HEADERS_MAX: usize = 100;
/// Bytes of a socket's first frame. No other may come.
pub const FRAME_BYTES_MAX: usize = 16 << 10;

/// Bounds on requests. Those of the protocol are the largest that a configuration may set, because
/// clients rely on no server taking more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a body as it arrives.
    pub body_bytes: usize,
    /// Bytes of a body once unpacked.
    pub inflated_bytes: usize,
    /// Mutations in a batch.
    pub batch_mutations: usize,
    /// Changes in a page.
    pub page_changes: usize,
    /// Milliseconds that a body may take to arrive.
    pub body_millis: u64,
    /// Milliseconds that a request's head may take to arrive, and a connection may be silent. Behind a proxy that keeps
    /// connections open it has to be longer than the proxy does.
    pub head_millis: u64,
    /// Sockets for hints on which no token has come yet.
    pub unsigned_sockets: usize,
    /// Pushes that are answered at once, those included that wait for their turn.
    pub pushes_at_once: usize,
    /// Pulls and other readings that are answered at once.
    pub reads_at_once: usize,
    /// What is too much over time.
    pub rates: Rates,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: BODY_BYTES_MAX,
            inflated_bytes: 4 * BODY_BYTES_MAX,
            batch_mutations: BATCH_MUTATIONS_MAX,
            page_changes: PAGE_CHANGES_MAX,
            body_millis: 15_000,
            head_millis: 75_000,
            unsigned_sockets: 1_024,
            pushes_at_once: 1_024,
            reads_at_once: 1_024,
            rates: Rates::default(),
        }
    }
}

impl Limits {
    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_millis)
    }

    /// How long a request's head may take to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_millis)
    }

    /// Says which limit is out of bounds.
    ///
    /// # Errors
    /// The sentence names the limit and its bounds.
    pub fn check(&self) -> Result<(), String> {
        let most = Limits::default();
        let check = |name: &str, value: u64, max: u64| match value {
            value if (1..=max).contains(&value) => Ok(()),
            _ => Err(format!("limits.{name} must lie between 1 and {max}")),
        };
        check("body_bytes", self.body_bytes as u64, most.body_bytes as u64)?;
        check("inflated_bytes", self.inflated_bytes as u64, most.inflated_bytes as u64)?;
        check("batch_mutations", self.batch_mutations as u64, most.batch_mutations as u64)?;
        check("page_changes", self.page_changes as u64, most.page_changes as u64)?;
        check("body_millis", self.body_millis, 60_000)?;
        check("head_millis", self.head_millis, 600_000)?;
        check("unsigned_sockets", self.unsigned_sockets as u64, 1 << 16)?;
        check("pushes_at_once", self.pushes_at_once as u64, 1 << 16)?;
        check("reads_at_once", self.reads_at_once as u64, 1 << 16)
    }
}

/// How much may be pushed over time. What a minute has room for may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// By one device of one user.
    pub client: Rate,
    /// By all devices of one user.
    pub user: Rate,
    /// By all users of one tenant.
    pub tenant: Rate,
}

/// So much a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Batches, empty ones included.
    pub pushes: NonZeroU32,
    /// Mutations in them, discarded ones included.
    pub mutations: NonZeroU32,
}

impl Rate {
    const fn of(pushes: u32, mutations: u32) -> Rate {
        match (NonZeroU32::new(pushes), NonZeroU32::new(mutations)) {
            (Some(pushes), Some(mutations)) => Rate { pushes, mutations },
            (None, _) | (_, None) => panic!("BUG: nobody could push anything"),
        }
    }
}

impl Default for Rates {
    /// More than a device sends that empties an outbox of a hundred thousand writes as fast as it can.
    fn default() -> Rates {
        const CLIENT: Rate = Rate::of(200, 10_000);
        const USER: Rate = Rate::of(1_000, 20_000);
        const TENANT: Rate = Rate::of(5_000, 50_000);
        Rates { client: CLIENT, user: USER, tenant: TENANT }
    }
}

/// How hints are paced, on a stream and on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From one hint to the next, however many commits there are.
    pub gap: Duration,
    /// From one sign of life to the next, plus as much as two thirds of it again.
    pub beat: Duration,
    /// A client that takes longer for what it was sent is let go.
    pub patience: Duration,
    /// How long a socket waits for its token, and for the answer when it is closed.
    pub handshake: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            gap: Duration::from_millis(300),
            beat: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            handshake: Duration::from_secs(5),
        }
    }
}
