//! What happened, as one number and, if somebody wants to read it, as lines.

use landfall_core::time::WallTime;

/// The story of one seed.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: u64,
    /// Lines, where they are wanted.
    pub lines: Option<Vec<String>>,
    /// How many events there were.
    pub events: u64,
}

impl Trace {
    /// One more thing has happened: mixed into the hash always, written down where that is wanted.
    pub fn note(&mut self, now: WallTime, facts: [u64; 3], line: impl FnOnce() -> String) {
        self.events += 1;
        [now.0].into_iter().chain(facts).for_each(|fact| self.mix(fact));
        self.say(now, line);
    }

    /// What has come of it.
    pub fn end(&mut self, text: &str) {
        self.mix(text.len() as u64);
        text.bytes().for_each(|byte| self.mix(u64::from(byte)));
    }

    fn mix(&mut self, fact: u64) {
        self.hash = (self.hash.rotate_left(5) ^ fact).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Something that follows from what has happened.
    pub fn say(&mut self, now: WallTime, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9} {}", now.0 - crate::world::START.0, line()));
        }
    }

    /// The same for the same seed and the same code.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}
