//! What pending writes cost: memory of their tab, and the time to write, to open and to drain.
//!
//! Bytes are counted and have bounds. Times are printed and have none: `cargo xtask bench outbox` prints them for a
//! hundred thousand writes.

mod device;
mod scale;

use std::time::Instant;

use crate::device::Device;
use crate::scale::Scale;

/// How many writes wait.
fn pending() -> usize {
    std::env::var("LANDFALL_PENDING").map_or(4_000, |count| count.parse().expect("a number"))
}

#[test]
fn a_pending_write_weighs_little_beside_what_it_says() {
    let count = pending();
    let mut device = Device::default();
    device.open();
    device.pull();
    let empty = device.close();

    device.open();
    let begun = Instant::now();
    (0..count).for_each(|n| device.write(n));
    let write = begun.elapsed() / count as u32;
    let written = (device.close() - empty) / count;
    let journal = device.journal() / count;

    let scale = Scale::new();
    let begun = Instant::now();
    device.open();
    let open = begun.elapsed();
    let peak_of_open = scale.peak() / count;
    assert_eq!(device.pending(), count);
    let opened = (device.close() - empty) / count;

    device.open();
    let scale = Scale::new();
    let begun = Instant::now();
    let pushes = device.drain();
    let drain = begun.elapsed();
    let peak_of_drain = scale.peak() / count;
    let drained = device.close().saturating_sub(empty) / count;

    println!(
        "outbox pending={count} write={write:?} open={open:?} drain={drain:?} pushes={pushes} bytes of each: \
         journal={journal} written={written} opened={opened} drained={drained}, at most: opening={peak_of_open} draining={peak_of_drain}"
    );
    assert!(written < 1_600, "{written} bytes for each in the tab that wrote them");
    // Of those behind the first MiB of the journal there is only what their order and their state need.
    assert!(opened < 950, "{opened} bytes for each in a tab that was opened since");
    assert!(peak_of_open < 1_850, "{peak_of_open} bytes for each while opening");
    // Most of it is the documents that were written to: a tab keeps what it has read.
    assert!(drained < 500, "{drained} bytes for each are left of what the server has");
}
