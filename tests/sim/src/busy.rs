//! How long a thread has worked: other programs on the machine would make a rate by the wall clock mean nothing.

use std::time::{Duration, Instant};

/// When a thread began to work.
#[derive(Debug)]
pub(crate) struct Busy {
    wall: Instant,
    processor: Option<Duration>,
}

impl Busy {
    /// The calling thread begins.
    pub(crate) fn now() -> Busy {
        Busy { wall: Instant::now(), processor: processor() }
    }

    /// Seconds of a processor that the calling thread has had since; of the wall clock, where nobody counts the former.
    pub(crate) fn seconds(&self) -> f64 {
        let busy = self.processor.zip(processor()).map(|(from, to)| to.saturating_sub(from));
        busy.unwrap_or_else(|| self.wall.elapsed()).as_secs_f64()
    }
}

/// What Linux has counted for the calling thread.
fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
