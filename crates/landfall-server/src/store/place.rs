//! Where a conflict stands among the others, and how it is called.

use std::fmt;
use std::str::FromStr;

use landfall_core::id::{InvalidName, Position};
use serde::Serialize;

/// Names a conflict: the commit that met it, its place there, and that commit's nonce, so that after a
/// rollback it names no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConflictId {
    /// Where it stands among all conflicts of the tenant.
    pub place: Place,
    pub(super) nonce: u64,
}

/// Where a conflict stands: those of later commits are newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) position: Position,
    pub(super) ordinal: u64,
}

impl Place {
    /// Behind every conflict that there is.
    pub const END: Place = Place { position: Position(i64::MAX as u64), ordinal: 0 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.position.0, self.ordinal)
    }
}

impl FromStr for Place {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Place, InvalidName> {
        let number = |digits: &str| digits.parse::<u64>().ok().filter(|n| i64::try_from(*n).is_ok());
        let parse = || {
            let (position, ordinal) = text.split_once('-')?;
            Some(Place { position: Position(number(position)?), ordinal: number(ordinal)? })
        };
        // One place has one spelling.
        parse().filter(|place| place.to_string() == text).ok_or(InvalidName("place of a conflict"))
    }
}

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.place, self.nonce)
    }
}

impl FromStr for ConflictId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<ConflictId, InvalidName> {
        let parse = || {
            let (place, nonce) = text.rsplit_once('-')?;
            let nonce = u64::from_str_radix(nonce, 16).ok()?;
            Some(ConflictId { place: place.parse().ok()?, nonce })
        };
        parse().filter(|id| id.to_string() == text).ok_or(InvalidName("conflict id"))
    }
}

impl Serialize for ConflictId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_has_one_name() {
        let id = ConflictId { place: Place { position: Position(12), ordinal: 3 }, nonce: 0xab };
        assert_eq!(id.to_string(), "12-3-00000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "12", "12-3", "012-3-00000000000000ab", "12-3-ab", "-1-3-00000000000000ab"] {
            assert!(bad.parse::<ConflictId>().is_err(), "{bad}");
        }
        for bad in ["", "1", "1-", "-1", "+1-0", "1-0-0", "18446744073709551615-0"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
