//! Who is asking: the user, tenant and roles that a verified token names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use landfall_core::code::Code;
use landfall_core::id::{InvalidName, NAME_BYTES_MAX, User};
use landfall_core::time::WallTime;

use crate::app::App;
use crate::error::ApiError;
use crate::token::TokenError;

/// An organisation: nothing of one is ever seen by another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// Where there is only one, tokens need not name it.
    fn default() -> Tenant {
        Tenant("default".into())
    }
}

impl FromStr for Tenant {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Tenant, InvalidName> {
        let bounded = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
        let printable = !text.chars().any(char::is_control);
        if bounded && printable { Ok(Tenant(text.into())) } else { Err(InvalidName("tenant")) }
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody whose token was valid when the request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's `sub`.
    pub user: User,
    /// The token's `tenant`.
    pub tenant: Tenant,
    /// The token's `roles`.
    pub roles: Vec<String>,
}

/// A caller, and until when that is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who is asking.
    pub caller: Caller,
    /// When the token runs out.
    pub expires: WallTime,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
        Ok(Session::from_request_parts(parts, app).await?.caller)
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Session, ApiError> {
        Session::of(bearer(parts), app).await
    }
}

impl Session {
    /// Whoever a token speaks for.
    ///
    /// # Errors
    /// It is not valid here, or not any more; or that cannot be said now.
    pub async fn of(token: Option<&str>, app: &App) -> Result<Session, ApiError> {
        let verified = match token {
            Some(token) => app.tokens.verify_anew(token, (app.clock)()).await,
            None => Err(TokenError::Invalid("there is none")),
        };
        // One text for all: which check failed is nothing that a stranger should learn.
        let refused = |reason| {
            tracing::debug!(reason, "token refused");
            ApiError::new(Code::InvalidToken, "a valid token is needed")
        };
        verified.map_err(|error| match error {
            TokenError::Invalid(reason) => refused(reason),
            TokenError::UnknownKey => refused("signed with an unknown key"),
            // Nobody has to sign in again because of it.
            TokenError::NoKeys => {
                ApiError::new(Code::Unavailable, "the keys that tokens are signed with cannot be read now")
            }
            TokenError::Expired => {
                let message = "the token has expired; fetch another";
                ApiError::new(Code::TokenExpired, message)
            }
        })
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
