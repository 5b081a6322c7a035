//! What PostgreSQL says went wrong, as what the store says.

use std::error::Error as _;

use tokio_postgres::Error;

use super::super::StoreError;

/// An error of a statement.
pub(super) fn fault(error: Error) -> StoreError {
    let reason = text(&error);
    let Some(code) = error.code() else {
        // Without a code it did not come from the server: the connection is lost, or a value could not be read.
        let lost = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
        return if lost { StoreError::Unreachable(reason) } else { StoreError::Database(reason) };
    };
    match code.code() {
        // Deadlock, serialisation.
        "40P01" | "40001" => StoreError::Contended(reason),
        // A lock or a statement took too long; no connection is left.
        "55P03" | "57014" | "53300" => StoreError::Busy(reason),
        "53100" => StoreError::Full(reason),
        // It goes down, comes up, or has become one that only reads.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25006" => {
            StoreError::Unreachable(reason)
        }
        // Of connections, and of the system below it, such as a disk that fails.
        other if other.starts_with("08") || other.starts_with("58") => StoreError::Unreachable(reason),
        _ => StoreError::Database(reason),
    }
}

/// An error of connecting: whatever it is, there is no database.
pub(super) fn unreachable(error: Error) -> StoreError {
    StoreError::Unreachable(text(&error))
}

/// What is wrong, without the values that a statement had.
pub(super) fn text(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
