//! Hybrid logical clock: orders writes from devices whose wall clocks disagree.
//!
//! Kulkarni et al., "Logical Physical Clocks" (2014), with one writer's random bits as the tie-break.

use std::fmt;
use std::str::FromStr;

use crate::id::{InvalidName, Writer, as_text, parse_hex, write_hex};
use crate::planted::{self, Bug};
use crate::time::WallTime;

const COUNTER_BITS: u32 = 16;
/// 48 bits of milliseconds last until the year 10889.
const MILLIS_MAX: u64 = (1 << 48) - 1;

/// When a write was made, for the purpose of deciding which of two wins.
///
/// On the wire `<12 hex milliseconds>-<4 hex counter>-<32 hex writer>`, which sorts as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Milliseconds in the high 48 bits, counter in the low 16.
    pub ticks: u64,
    /// Settles ties: a writer never issues a stamp twice.
    pub writer: Writer,
}

impl Stamp {
    /// Older than anything that anybody wrote.
    pub const ZERO: Stamp = Stamp { ticks: 0, writer: Writer(0) };

    /// The wall-clock part.
    pub const fn wall(self) -> WallTime {
        WallTime(self.ticks >> COUNTER_BITS)
    }

    /// The smallest stamp of `writer` that is above `self`.
    pub const fn raised_by(self, writer: Writer) -> Stamp {
        Stamp { ticks: self.ticks.saturating_add(1), writer }
    }

    /// The first stamp of `writer` at `wall`.
    pub fn at(wall: WallTime, writer: Writer) -> Stamp {
        Stamp { ticks: wall.0.min(MILLIS_MAX) << COUNTER_BITS, writer }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, u128::from(self.ticks >> COUNTER_BITS), 12)?;
        f.write_str("-")?;
        write_hex(f, u128::from(self.ticks & 0xffff), 4)?;
        f.write_str("-")?;
        write_hex(f, self.writer.0, 32)
    }
}

impl FromStr for Stamp {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parse = || {
            let mut parts = text.splitn(3, '-');
            let millis = parse_hex(parts.next()?, 12)? as u64;
            let counter = parse_hex(parts.next()?, 4)? as u64;
            let writer = parts.next()?.parse().ok()?;
            Some(Stamp { ticks: millis << COUNTER_BITS | counter, writer })
        };
        parse().ok_or(InvalidName("stamp"))
    }
}

as_text!(Stamp);

/// Issues stamps that only ever increase, even when `now` jumps backwards.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    latest: u64,
}

impl Clock {
    /// Stamps a write of `writer`, above everything this clock has issued or observed.
    pub fn tick(&mut self, now: WallTime, writer: Writer) -> Stamp {
        // Real time wins once it has moved on; until then the counter does. A full counter
        // carries into the milliseconds, so there is no overflow case to handle.
        let step = u64::from(!planted::is(Bug::ClockRepeats));
        self.latest = Stamp::at(now, writer).ticks.max(self.latest.saturating_add(step));
        Stamp { ticks: self.latest, writer }
    }

    /// Catches up with a stamp the server has vouched for, however far ahead of this device it is.
    ///
    /// The server bounds every stamp that it hands out, so refusing one here could only make a slow
    /// device lose to the text it has on its own screen. Drift is reported, never enforced.
    pub fn observe(&mut self, stamp: Stamp) {
        if !planted::is(Bug::ClockDeaf) {
            self.latest = self.latest.max(stamp.ticks);
        }
    }
}

/// How far the server's clock is from this device's, learnt from exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// Server minus device, in milliseconds, and the round trip it was read over.
    best: Option<(i64, u64)>,
}

impl Offset {
    /// Smaller offsets are within what networks and people do.
    const NEGLIGIBLE_MILLIS: u64 = 2_000;

    /// Learns from one exchange. The reading with the smallest round trip is kept: it is wrong by
    /// half of that at most (Cristian, "Probabilistic clock synchronization", 1989).
    pub fn observe(&mut self, sent: WallTime, server: WallTime, received: WallTime) {
        let round_trip = received.since(sent).0;
        let midpoint = sent.0 + round_trip / 2;
        let offset = server.0 as i64 - midpoint as i64;
        // A step of this device's clock makes the old reading wrong however small its round trip was.
        let stepped = self.best.is_some_and(|(best, trip)| {
            best.abs_diff(offset) > (trip + round_trip).max(Self::NEGLIGIBLE_MILLIS)
        });
        if stepped || self.best.is_none_or(|(_, best)| round_trip <= best) {
            self.best = Some((offset, round_trip));
        }
    }

    /// Whether there has been an exchange.
    pub fn is_known(self) -> bool {
        self.best.is_some()
    }

    /// What to add to a reading of this device; zero where the difference is negligible.
    pub fn millis(self) -> i64 {
        match self.best {
            Some((offset, trip)) if offset.unsigned_abs() > trip.max(Self::NEGLIGIBLE_MILLIS) => offset,
            Some(_) | None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Stamps of one clock order its writes, however the wall clock misbehaves.
        #[test]
        fn a_device_never_contradicts_itself(
            readings in proptest::collection::vec((any::<u64>(), any::<Option<u64>>()), 2..64)
        ) {
            let mut clock = Clock::default();
            let mut last = Stamp::ZERO;
            for (now, seen) in readings {
                if let Some(ticks) = seen {
                    // Half of the range: the server bounds what it hands out, so ticks never run out.
                    let seen = Stamp { ticks: ticks >> 1, writer: Writer(9) };
                    clock.observe(seen);
                    last = last.max(seen);
                }
                let stamp = clock.tick(WallTime(now >> 20), Writer(u128::MAX));
                prop_assert!(stamp > last);
                last = stamp;
            }
        }

        /// The text form sorts as the stamps do and reads back as what it was.
        #[test]
        fn text_sorts_like_stamps(a: (u64, u128), b: (u64, u128)) {
            let (a, b) = (Stamp { ticks: a.0, writer: Writer(a.1) }, Stamp { ticks: b.0, writer: Writer(b.1) });
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
        }
    }

    #[test]
    fn the_smallest_round_trip_gives_the_offset() {
        let mut offset = Offset::default();
        offset.observe(WallTime(1_000), WallTime(63_000), WallTime(5_000));
        assert_eq!(offset.millis(), 60_000);
        offset.observe(WallTime(10_000), WallTime(70_100), WallTime(10_200));
        assert_eq!(offset.millis(), 60_000);
        offset.observe(WallTime(20_000), WallTime(79_000), WallTime(23_000));
        assert_eq!(offset.millis(), 60_000, "a slower exchange teaches nothing");
    }

    #[test]
    fn a_small_offset_counts_as_none_and_a_step_is_noticed() {
        let mut offset = Offset::default();
        offset.observe(WallTime(1_000), WallTime(2_900), WallTime(1_010));
        assert_eq!(offset.millis(), 0);
        offset.observe(WallTime(1_000), WallTime(3_601_000), WallTime(1_400));
        assert_eq!(offset.millis(), 3_599_800, "the device's clock was set back by an hour");
    }

    #[test]
    fn two_readings_agree_that_differ_by_no_more_than_both_may_be_wrong() {
        let told = |server: u64| {
            let mut offset = Offset::default();
            offset.observe(WallTime(10_000), WallTime(71_500), WallTime(13_000));
            offset.observe(WallTime(20_000), WallTime(server), WallTime(24_000));
            offset.millis()
        };
        // A minute, give or take 1.5 s; and then a reading that may be wrong by 2 s.
        assert_eq!(told(82_000), 60_000);
        assert_eq!(told(89_000), 60_000, "seven seconds apart over round trips of seven");
        assert_eq!(told(89_001), 67_001, "further apart, so the clock was set");
        assert_eq!(told(74_999), 52_999);
    }

    #[test]
    fn two_seconds_or_a_round_trip_are_nothing() {
        let told = |server: u64, received: u64| {
            let mut offset = Offset::default();
            offset.observe(WallTime(10_000), WallTime(server), WallTime(received));
            offset.millis()
        };
        assert_eq!((told(12_000, 10_000), told(12_001, 10_000)), (0, 2_001));
        assert_eq!((told(8_000, 10_000), told(7_999, 10_000)), (0, -2_001));
        assert_eq!((told(16_000, 14_000), told(16_001, 14_000)), (0, 4_001));
    }

    #[test]
    fn a_clock_beyond_what_a_stamp_can_say_reads_the_last_of_it() {
        let last = Stamp::at(WallTime(u64::MAX), Writer(7));
        assert_eq!(last.to_string(), "ffffffffffff-0000-00000000000000000000000000000007");
        assert_eq!(last, Stamp::at(WallTime((1 << 48) - 1), Writer(7)));
    }

    #[test]
    fn a_stamp_has_one_spelling() {
        let text = "0192f0c1a2b3-0001-000000000000000000000000000000ff";
        assert_eq!(text.parse::<Stamp>().map(|s| s.to_string()), Ok(text.to_owned()));
        for bad in ["", "0", &text[1..], &text.to_uppercase(), &format!("{text}0"), "-1"] {
            assert!(bad.parse::<Stamp>().is_err(), "{bad}");
        }
    }
}
