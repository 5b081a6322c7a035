//! How much one request may ask of the server.

use std::time::Duration;

use landfall_core::wire::{BATCH_MUTATIONS_MAX, BODY_BYTES_MAX, PAGE_CHANGES_MAX};
use serde::Deserialize;

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
    /// Sockets for hints on which no token has come yet.
    pub unsigned_sockets: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: BODY_BYTES_MAX,
            inflated_bytes: 4 * BODY_BYTES_MAX,
            batch_mutations: BATCH_MUTATIONS_MAX,
            page_changes: PAGE_CHANGES_MAX,
            body_millis: 15_000,
            unsigned_sockets: 1_024,
        }
    }
}

impl Limits {
    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_millis)
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
        check("unsigned_sockets", self.unsigned_sockets as u64, 1 << 16)
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
