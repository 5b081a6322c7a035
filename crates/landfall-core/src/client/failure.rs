//! What comes back instead of an answer.

use crate::code::Code;
use crate::time::Millis;

/// Why there is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or no answer in time.
    Unreachable,
    /// Something answered that is not a Landfall server.
    NotOurs,
    /// The app has no token: it is signed out.
    SignedOut,
    /// The server refused the request as a whole.
    Refused {
        /// The code of the error envelope.
        code: String,
        /// What `Retry-After` said.
        retry_after: Option<Millis>,
    },
}

impl Failure {
    /// What is told about it.
    pub fn code(&self) -> &str {
        match self {
            Failure::Unreachable => Code::Unreachable.as_str(),
            Failure::NotOurs => Code::NotOurs.as_str(),
            Failure::SignedOut => Code::InvalidToken.as_str(),
            Failure::Refused { code, .. } => code,
        }
    }

    /// When the server may be asked again.
    pub(super) fn retry_after(&self) -> Option<Millis> {
        match self {
            Failure::Unreachable | Failure::NotOurs | Failure::SignedOut => None,
            Failure::Refused { retry_after, .. } => *retry_after,
        }
    }

    /// What it is about, if it has a code of this version.
    pub(super) fn known(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|known| known.as_str() == self.code())
    }
}
