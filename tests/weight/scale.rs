//! Counts what is allocated, thread by thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: the system's allocator does the work; counting it touches no memory but a thread's own two numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

/// What this thread has allocated since.
pub(crate) struct Scale(isize);

impl Scale {
    /// From now on.
    pub(crate) fn new() -> Scale {
        PEAK.set(HELD.get());
        Scale(HELD.get())
    }

    /// The most that was held at any moment.
    pub(crate) fn peak(&self) -> usize {
        (PEAK.get() - self.0).try_into().unwrap_or(0)
    }

    /// What was given back.
    pub(crate) fn freed(&self) -> usize {
        (self.0 - HELD.get()).try_into().unwrap_or(0)
    }
}
