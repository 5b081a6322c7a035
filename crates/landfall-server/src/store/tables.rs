//! The tables, version by version, and what to do with those that are found.

use super::OpenError;
use crate::random;

/// What makes the tables: each step those of one version out of those of the version before.
const STEPS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("conflicts.sql"),
    include_str!("wholes.sql"),
    include_str!("settled.sql"),
    include_str!("backups.sql"),
    include_str!("history.sql"),
    include_str!("devices.sql"),
];
/// The form of the tables that this binary knows.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Which tables a database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Landfall's, of this version.
    Ours(i64),
    /// Somebody else's.
    Foreign,
}

/// The steps from what was found to what this binary knows.
///
/// # Errors
/// The database is not for this binary.
pub(super) fn missing(found: Found, url: &str) -> Result<&'static [&'static str], OpenError> {
    match found {
        Found::Nothing => Ok(&STEPS),
        Found::Ours(version @ 1..=VERSION) => Ok(&STEPS[usize::try_from(version).unwrap_or_default()..]),
        Found::Ours(found) if found > VERSION => Err(OpenError::Newer { url: url.to_owned(), found }),
        Found::Ours(_) | Found::Foreign => Err(OpenError::Foreign(url.to_owned())),
    }
}

/// What a new database knows from the start.
pub(super) fn beginnings() -> [(&'static str, String); 2] {
    ["epoch", "cursor_key"].map(|name| (name, format!("{:032x}", random::number())))
}
