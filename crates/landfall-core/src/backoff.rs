//! When to try again: full jitter, so that devices freed by the same event do not come back together.
//!
//! M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).

use crate::time::{Millis, WallTime};

/// Mean of the first delay is half of this.
const BASE: Millis = Millis::seconds(1);
/// No delay is longer, so the queue drains at most this long after whatever was wrong is mended.
pub const DELAY_MAX: Millis = Millis::seconds(120);
/// A server asking for more than this is not believed.
pub const RETRY_AFTER_MAX: Millis = Millis::seconds(300);
/// Nothing is ever put off for longer: a server's wish, and as much jitter again.
pub const REST_MAX: Millis = Millis(2 * RETRY_AFTER_MAX.0);
/// Every wake-up that many devices may share is spread over this.
pub const SPREAD: Millis = Millis::seconds(8);
/// After this many failures in a row the breaker is open: one probe at a time.
pub const FAST_ATTEMPTS: u32 = 3;

/// Numbers that look random, from a seed that is handed in. SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Somewhere in 0 ..= `span`.
    pub fn within(&mut self, span: Millis) -> Millis {
        Millis(self.next() % (span.0 + 1))
    }
}

/// Counts failures in a row and says how long to rest after each.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// An exchange succeeded: the next failure is a first one again.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// An exchange failed at `now`. Gives the time of the next try, never before `retry_after` has passed.
    pub fn fail(&mut self, now: WallTime, retry_after: Option<Millis>, random: &mut Random) -> WallTime {
        let ceiling = Millis((BASE.0 << self.failures.min(16)).min(DELAY_MAX.0));
        self.failures = self.failures.saturating_add(1);
        let delay = random.within(ceiling);
        match retry_after {
            None => now.after(delay),
            Some(asked) => {
                let asked = asked.min(RETRY_AFTER_MAX);
                now.after(asked).after(random.within(asked)).max(now.after(delay))
            }
        }
    }

    /// Whether only probes go out.
    pub fn is_open(&self) -> bool {
        self.failures >= FAST_ATTEMPTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However long the trouble lasts, the next try is never further away than the cap.
        #[test]
        fn the_next_try_is_near(seed: u64, failures in 1usize..200) {
            let (mut backoff, mut random, now) = (Backoff::default(), Random(seed), WallTime(1_000_000));
            for _ in 0..failures {
                let next = backoff.fail(now, None, &mut random);
                prop_assert!(next >= now && next <= now.after(DELAY_MAX));
            }
        }

        /// `Retry-After` is a lower bound, and one that a broken server cannot make endless.
        #[test]
        fn what_the_server_asks_for_is_kept(seed: u64, asked: u64) {
            let (mut backoff, mut random, now) = (Backoff::default(), Random(seed), WallTime(1_000_000));
            let next = backoff.fail(now, Some(Millis(asked)), &mut random);
            prop_assert!(next >= now.after(Millis(asked).min(RETRY_AFTER_MAX)));
            prop_assert!(next <= now.after(REST_MAX));
        }
    }

    /// The numbers that its authors publish for this seed: other implementations replay the same life.
    #[test]
    fn chance_is_that_of_splitmix64() {
        let mut random = Random(1_234_567);
        let numbers: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn the_whole_of_a_span_is_drawn_and_nothing_beyond_it() {
        let mut random = Random(1);
        let mut drawn: Vec<u64> = (0..100).map(|_| random.within(Millis(3)).0).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [0, 1, 2, 3]);
    }

    #[test]
    fn the_ceiling_doubles_from_a_second_to_two_minutes() {
        let longest = |failures: usize| {
            let after = |device: u64| {
                let (mut backoff, mut random) = (Backoff::default(), Random(device));
                (0..failures).map(|_| backoff.fail(WallTime(0), None, &mut random)).last()
            };
            (0..1_000).filter_map(after).max().expect("devices").0
        };
        for (failures, ceiling) in
            [(1, 1_000), (2, 2_000), (3, 4_000), (7, 64_000), (8, 120_000), (99, 120_000)]
        {
            let longest = longest(failures);
            assert!(longest <= ceiling && longest > ceiling * 98 / 100, "{longest} ms after {failures}");
        }
    }

    #[test]
    fn a_thousand_devices_do_not_come_back_together() {
        let mut per_second = [0; 8];
        for device in 0..1_000 {
            let (mut backoff, mut random) = (Backoff::default(), Random(device));
            let mut next = WallTime(0);
            for _ in 0..4 {
                next = backoff.fail(WallTime(0), None, &mut random);
            }
            per_second[(next.0 / 1_000).min(7) as usize] += 1;
        }
        assert!(per_second.iter().all(|n| *n < 200), "{per_second:?}");
    }

    #[test]
    fn the_breaker_opens_after_three_and_closes_on_success() {
        let (mut backoff, mut random) = (Backoff::default(), Random(1));
        for expected in [false, false, true] {
            backoff.fail(WallTime(0), None, &mut random);
            assert_eq!(backoff.is_open(), expected);
        }
        backoff.succeed();
        assert!(!backoff.is_open());
    }
}
