//! Numbers that look random, one stream for each concern.
//!
//! Streams are apart so that what is drawn for one concern does not change what happens in another: a
//! seed whose network is made better keeps its users and its crashes.

use landfall_core::time::Millis;

use crate::script::Script;

/// One stream of chance. SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed for one concern.
    pub fn new(seed: u64, concern: u64) -> Chance {
        let mut mixed = Chance(seed ^ concern.wrapping_mul(0xd6e8_feb8_6659_fd93));
        // Neighbouring seeds would otherwise begin alike.
        Chance(mixed.bits() ^ seed.rotate_left(32))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of 0 .. `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// Once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// So many times in a thousand.
    pub fn per_mille(&mut self, n: u32) -> bool {
        self.below(1_000) < n as usize
    }

    /// One of several.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Somewhere in `from` ..= `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.bits() % (to - from + 1)
    }

    /// A delay of at most `longest`, most often much shorter.
    pub fn delay(&mut self, longest: Millis) -> Millis {
        let cut = longest.0 >> self.below(8);
        Millis(self.bits() % (cut + 1))
    }
}

/// Streams of chance, one for each concern.
#[derive(Debug)]
pub struct Chances {
    /// What disks do.
    pub disk: Chance,
    /// What users do.
    pub work: Chance,
    /// What breaks.
    pub fault: Chance,
    /// What breaks when somebody has just decided something.
    pub rash: Chance,
    /// What becomes of tabs when there is another version of the app.
    pub upgrade: Chance,
    /// What people do with what is not everybody's.
    pub people: Chance,
    /// What of it can be left out.
    pub script: Script,
}

impl Chances {
    /// The streams of a seed.
    pub fn new(seed: u64) -> Chances {
        let [disk, work, fault, rash, upgrade, people] =
            [3, 4, 5, 12, 15, 22].map(|concern| Chance::new(seed, concern));
        Chances { disk, work, fault, rash, upgrade, people, script: Script::default() }
    }
}
