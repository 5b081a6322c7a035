//! Where a device has come to, as text that it cannot forge.

use landfall_core::code::Code;
use landfall_core::id::Position;

use super::Store;
use crate::person::Person;

/// A place in one history, as `landfall-server` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) epoch: u64,
    pub(super) position: Position,
    pub(super) nonce: u64,
    pub(super) ordinal: u32,
    /// The newest commit when the device started from nothing.
    pub(super) floor: Position,
    /// What decided which changes it was shown on the way.
    pub(super) sight: u64,
}

impl Cursor {
    pub(super) fn write(&self, tenant: usize) -> String {
        let Cursor { epoch, position, nonce, ordinal, floor, sight } = self;
        let text = format!("{epoch} {} {nonce} {ordinal} {} {sight} {tenant}", position.0, floor.0);
        format!("{text} {}", mixed(&text))
    }

    /// Reads what this server has written for the caller's tenant.
    pub(super) fn read(text: &str, tenant: usize) -> Result<Cursor, Code> {
        let (body, seal) = text.rsplit_once(' ').ok_or(Code::InvalidCursor)?;
        if seal.parse() != Ok(mixed(body)) {
            return Err(Code::InvalidCursor);
        }
        let numbers = body.split(' ').map(|part| part.parse::<u64>().ok());
        let numbers: Vec<u64> = numbers.collect::<Option<_>>().ok_or(Code::InvalidCursor)?;
        let [epoch, position, nonce, ordinal, floor, sight, owner] = numbers[..] else {
            return Err(Code::InvalidCursor);
        };
        if owner != tenant as u64 {
            return Err(Code::TenantMismatch);
        }
        let ordinal = u32::try_from(ordinal).map_err(|_| Code::InvalidCursor)?;
        let (position, floor) = (Position(position), Position(floor));
        Ok(Cursor { epoch, position, nonce, ordinal, floor, sight })
    }
}

impl Store {
    /// Whether the commit that a cursor names is there, whatever the history is called.
    pub(super) fn has_commit(&self, cursor: &Cursor) -> bool {
        self.nonces.get(cursor.position.0 as usize) == Some(&cursor.nonce)
    }

    /// Whether somebody of a tenant has come to a place in the history that there is.
    pub fn is_of(&self, cursor: Option<&String>, tenant: usize) -> bool {
        let read = cursor.and_then(|text| Cursor::read(text, tenant).ok());
        read.is_some_and(|cursor| cursor.epoch == self.epoch && self.has_commit(&cursor))
    }
}

/// What decides which documents somebody may see: another number once that has changed.
pub(super) fn sight(person: &Person) -> u64 {
    mixed(&format!("{} {:?}", person.user, person.rights))
}

/// FNV-1a, of what nobody outside knows as well.
fn mixed(text: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ 0x5ea1, mix)
}
