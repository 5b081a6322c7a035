//! How many requests are answered at once, and who is turned away where that is too many.
//!
//! Writes that exist on one device only come first: a push is turned away only where there are too many pushes. A first
//! sync is what can wait best, and costs most, so it has to go where half of the room is taken, by whatever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_core::code::Code;

use crate::error::ApiError;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// What a request is about, as far as it matters who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Push,
    /// Somebody reads on who has something.
    Read,
    /// Somebody begins with nothing.
    FirstSync,
}

impl Kind {
    /// Its name as a label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Push => "push",
            Kind::Read => "read",
            Kind::FirstSync => "first_sync",
        }
    }
}

/// The requests that a server is answering.
pub(crate) struct Load {
    pushes: Arc<AtomicUsize>,
    pushes_max: usize,
    reads: Arc<AtomicUsize>,
    reads_max: usize,
}

/// A request's room, for as long as this is there.
#[derive(Debug)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// None yet.
    pub(crate) fn new(limits: &Limits) -> Load {
        Load {
            pushes: Arc::default(),
            pushes_max: limits.pushes_at_once,
            reads: Arc::default(),
            reads_max: limits.reads_at_once,
        }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// `unavailable`, with the time after which there may be room.
    pub(crate) fn enter(&self, kind: Kind, metrics: &Metrics) -> Result<Room, ApiError> {
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let (taken, max) = match kind {
            Kind::Push => (&self.pushes, self.pushes_max),
            Kind::Read => (&self.reads, self.reads_max),
            Kind::FirstSync if load(&self.pushes) >= self.pushes_max.div_ceil(2) => (&self.reads, 0),
            Kind::FirstSync => (&self.reads, self.reads_max.div_ceil(2)),
        };
        // Taken first and given back, so that two who come together do not both get the last one.
        let room = Room(Arc::clone(taken));
        if taken.fetch_add(1, Ordering::Relaxed) < max {
            return Ok(room);
        }
        metrics.shed(kind);
        Err(ApiError::throttled(Code::Unavailable, "the server is busy"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Meters;

    #[test]
    fn first_syncs_go_first_and_room_that_is_left_is_there_again() {
        let limits = Limits { pushes_at_once: 4, reads_at_once: 4, ..Limits::default() };
        let (load, metrics) = (Load::new(&limits), Metrics::new(&Meters::default()));
        let enter = |kind| load.enter(kind, &metrics);
        let mut reads = vec![enter(Kind::FirstSync).unwrap(), enter(Kind::FirstSync).unwrap()];
        enter(Kind::FirstSync).unwrap_err();
        reads.extend([enter(Kind::Read).unwrap(), enter(Kind::Read).unwrap()]);
        enter(Kind::Read).unwrap_err();
        let pushes = [Kind::Push; 4].map(|kind| enter(kind).unwrap());
        enter(Kind::Push).unwrap_err();
        drop(reads);
        enter(Kind::FirstSync).unwrap_err();
        enter(Kind::Read).unwrap();
        drop(pushes);
        enter(Kind::FirstSync).unwrap();
    }
}
