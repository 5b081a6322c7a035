//! Where a device has come to, as text.

use landfall_core::id::Position;

/// A place in one history, as `landfall-server` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) epoch: u64,
    pub(super) position: Position,
    pub(super) nonce: u64,
    pub(super) ordinal: u32,
    /// The newest commit when the device started from nothing.
    pub(super) floor: Position,
}

impl Cursor {
    pub(super) fn write(&self) -> String {
        let Cursor { epoch, position, nonce, ordinal, floor } = self;
        format!("{epoch} {} {nonce} {ordinal} {}", position.0, floor.0)
    }

    pub(super) fn read(text: &str) -> Option<Cursor> {
        let mut parts = text.split(' ');
        let mut next = || parts.next()?.parse::<u64>().ok();
        Some(Cursor {
            epoch: next()?,
            position: Position(next()?),
            nonce: next()?,
            ordinal: u32::try_from(next()?).ok()?,
            floor: Position(next()?),
        })
    }
}
