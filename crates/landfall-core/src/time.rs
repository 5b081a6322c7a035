//! Time as a value. Nothing here reads a clock: whoever drives the core says what time it is.

use serde::{Deserialize, Serialize};

/// A reading of some wall clock: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl WallTime {
    /// This reading, later by `by`.
    pub const fn after(self, by: Millis) -> WallTime {
        WallTime(self.0.saturating_add(by.0))
    }

    /// How long ago `earlier` was; zero where the clock has been set back in between.
    pub const fn since(self, earlier: WallTime) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// The reading corrected by a signed offset in milliseconds.
    pub const fn shifted(self, offset: i64) -> WallTime {
        WallTime(self.0.saturating_add_signed(offset))
    }
}

impl Millis {
    /// `n` seconds.
    pub const fn seconds(n: u64) -> Millis {
        Millis(n * 1_000)
    }
}
