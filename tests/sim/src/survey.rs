//! Many seeds at once, one on each processor; what comes of them does not depend on how many there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use landfall_sim::check::{Invariant, Violation};
use landfall_sim::mark::Marks;
use landfall_sim::story::tell;

use crate::busy::Busy;

/// One seed in so many is lived through twice.
const AGAIN: u64 = 100;

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) mutations: u64,
    /// Seconds that processors were busy with it, all together.
    pub(crate) busy: f64,
    pub(crate) events: u64,
    pub(crate) stuck: u64,
    /// Mixed from the hashes of all seeds, in any order.
    pub(crate) hash: u64,
    pub(crate) marks: Marks,
    /// By seed.
    pub(crate) violations: Vec<(u64, Violation)>,
    /// Seeds that went another way the second time.
    pub(crate) fickle: Vec<u64>,
}

impl Survey {
    /// Lives through `count` seeds from `first` on.
    pub(crate) fn of(first: u64, count: u64) -> Survey {
        let (next, whole) = (AtomicU64::new(first), Mutex::new(Survey::default()));
        thread::scope(|scope| {
            for _ in 0..processors() {
                scope.spawn(|| {
                    let (mut part, begun) = (Survey::default(), Busy::now());
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= first + count {
                            break;
                        }
                        part.live(seed);
                    }
                    part.busy = begun.seconds();
                    whole.lock().expect("BUG: a seed's panic is part of its story").add(part);
                });
            }
        });
        let mut whole = whole.into_inner().expect("BUG: a seed's panic is part of its story");
        whole.violations.sort_by_key(|(seed, _)| *seed);
        whole.fickle.sort_unstable();
        whole
    }

    fn live(&mut self, seed: u64) {
        let story = tell(seed, false);
        if seed.is_multiple_of(AGAIN) && tell(seed, false).hash != story.hash {
            self.fickle.push(seed);
        }
        self.mutations += story.mutations;
        self.events += story.events;
        self.hash ^= story.hash.rotate_left(seed as u32 % 64).wrapping_mul(seed | 1);
        self.marks.add(&story.marks);
        if let Some(found) = story.violation {
            self.stuck += u64::from(found.invariant == Invariant::Stuck);
            self.violations.push((seed, found));
        }
    }

    fn add(&mut self, part: Survey) {
        self.mutations += part.mutations;
        self.busy += part.busy;
        self.events += part.events;
        self.stuck += part.stuck;
        self.hash ^= part.hash;
        self.marks.add(&part.marks);
        self.violations.extend(part.violations);
        self.fickle.extend(part.fickle);
    }
}

/// How many seeds are lived through at once.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
