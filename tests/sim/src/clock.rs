//! What a device's clock says, which may be anything.

use landfall_core::time::WallTime;

/// A clock that is wrong by something, may jump, and may stand still.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    skew: i64,
    frozen: Option<WallTime>,
    /// Whether it ever jumped or stood still.
    pub unsteady: bool,
}

impl Clock {
    /// A clock that is ahead of the true time by `skew` milliseconds.
    pub fn skewed(skew: i64) -> Clock {
        Clock { skew, ..Clock::default() }
    }

    /// What it says at a true time.
    pub fn read(&self, now: WallTime) -> WallTime {
        self.frozen.unwrap_or(now.shifted(self.skew))
    }

    /// Whether it has always been right, or as good as that.
    pub fn is_right(&self) -> bool {
        !self.unsteady && self.skew.abs() <= 1_000
    }

    /// It is set.
    pub fn jump(&mut self, by: i64) {
        self.unsteady = true;
        self.skew = (self.skew + by).clamp(-MOST, MOST);
    }

    /// It stands still.
    pub fn freeze(&mut self, now: WallTime) {
        self.unsteady = true;
        self.frozen = Some(self.read(now));
    }

    /// It goes on from where it should be.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }
}

/// Fifty years.
const MOST: i64 = 50 * 365 * 86_400_000;
