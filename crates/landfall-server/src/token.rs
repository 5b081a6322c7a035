//! Tokens: JSON Web Tokens signed with a shared key (HS256), or by an issuer whose public keys are known (RS256, ES256,
//! EdDSA).

mod issuer;
mod keys;

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use landfall_core::time::{Millis, WallTime};
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Session};

pub use issuer::{Issuer, Place};

/// The key of a server that was given none. Everybody knows it, so such a server must stay on this machine.
const DEVELOPMENT_KEY: &str = "landfall development key, known to everybody";
/// Shorter keys can be guessed from one token (RFC 7518, 3.2).
const KEY_BYTES_MIN: usize = 32;
/// How far ahead the clock of whoever issues tokens may be.
const EARLY_MAX: Millis = Millis::seconds(30);

/// A key that is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key for tokens must have at least {KEY_BYTES_MIN} bytes")]
pub struct WeakKey;

/// A server that signs no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this server has no key of its own: tokens come from whoever has the keys that `auth.jwks` names")]
pub struct NoOwnKey;

/// What a valid token must say beside having a valid signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The `iss` claim.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The `aud` claim.
    #[serde(default)]
    pub audience: Option<String>,
    /// The `kid` in the header.
    #[serde(default)]
    pub key_id: Option<String>,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is none of ours. The reason is for the log.
    Invalid(&'static str),
    /// It was signed with a key that is not known, and may be by now.
    UnknownKey,
    /// Nothing can be said of it, for the issuer's keys could never be read.
    NoKeys,
    /// It was ours and has run out.
    Expired,
}

/// What others may have written. Times may have fractions (RFC 7519, NumericDate).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

/// What we write.
#[derive(Serialize)]
struct OwnClaims<'a> {
    sub: &'a str,
    tenant: &'a str,
    roles: &'a [String],
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Issues and verifies tokens.
pub struct Tokens {
    shared: Option<Shared>,
    issuer: Option<Arc<Issuer>>,
    expected: Expected,
    development: bool,
}

/// The key that we sign with, and whoever else knows it.
struct Shared {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Tokens {
    /// Tokens signed with `key` or by an issuer, or with the development key where there is neither.
    ///
    /// # Errors
    /// The key is too short.
    pub fn new(key: Option<&str>, jwks: Option<Place>, expected: Expected) -> Result<Tokens, WeakKey> {
        let development = key.is_none() && jwks.is_none();
        let shared = match key.or(development.then_some(DEVELOPMENT_KEY)).map(str::as_bytes) {
            Some(key) if key.len() < KEY_BYTES_MIN => return Err(WeakKey),
            Some(key) => {
                let (encoding, decoding) = (EncodingKey::from_secret(key), DecodingKey::from_secret(key));
                Some(Shared { encoding, decoding })
            }
            None => None,
        };
        let issuer = jwks.map(|place| Arc::new(Issuer::at(place)));
        Ok(Tokens { shared, issuer, expected, development })
    }

    /// Whose keys tokens may be signed with beside our own.
    pub fn issuer(&self) -> Option<&Arc<Issuer>> {
        self.issuer.as_ref()
    }

    /// Whether these are signed with the key that everybody knows.
    pub fn are_for_development(&self) -> bool {
        self.development
    }

    /// Finds out who a token speaks for, and reads the issuer's keys once more where it names one that is not known.
    ///
    /// # Errors
    /// As of [`Tokens::verify`].
    pub async fn verify_anew(&self, token: &str, now: WallTime) -> Result<Session, TokenError> {
        match (self.verify(token, now), &self.issuer) {
            (Err(TokenError::UnknownKey | TokenError::NoKeys), Some(issuer)) => {
                issuer.look_again().await;
                self.verify(token, now)
            }
            (verified, _) => verified,
        }
    }

    /// Finds out who a token speaks for.
    ///
    /// # Errors
    /// Expiry is told apart only for a token that is valid in every other respect.
    pub fn verify(&self, token: &str, now: WallTime) -> Result<Session, TokenError> {
        let invalid = |error: jsonwebtoken::errors::Error| TokenError::Invalid(reason(error.kind()));
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        let is_ours = header.kid.is_none() || header.kid == self.expected.key_id;
        let claims = match &self.shared {
            Some(shared) if header.alg == Algorithm::HS256 && is_ours => {
                jsonwebtoken::decode(token, &shared.decoding, &self.validation(Algorithm::HS256))
            }
            Some(_) | None => {
                let Some(issuer) = &self.issuer else {
                    return Err(TokenError::Invalid("signed with another key or algorithm"));
                };
                let keys = issuer.keys().ok_or(TokenError::NoKeys)?;
                let key = keys.of(&header).ok_or(TokenError::UnknownKey)?;
                jsonwebtoken::decode(token, &key.decoding, &self.validation(key.algorithm))
            }
        };
        let claims: Claims = claims.map_err(invalid)?.claims;
        let (Ok(user), Ok(tenant)) =
            (claims.sub.parse(), claims.tenant.map_or_else(|| Ok(Default::default()), |name| name.parse()))
        else {
            return Err(TokenError::Invalid("`sub` or `tenant` is not a name"));
        };
        let seconds = |time: WallTime| time.0 as f64 / 1_000.0;
        let caller = Caller { user, tenant, roles: claims.roles };
        if claims.nbf.is_some_and(|nbf| nbf > seconds(now.after(EARLY_MAX))) {
            return Err(TokenError::Invalid("not valid yet"));
        }
        if claims.exp <= seconds(now) {
            return Err(TokenError::Expired);
        }
        // A float becomes an integer by saturating, so a time beyond all times is the last one.
        Ok(Session { caller, expires: WallTime((claims.exp * 1_000.0) as u64) })
    }

    /// What is asked of a token that was signed with a key for this algorithm, and with no other.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // Time is compared with the clock that everything else here goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.expected.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.expected.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    /// Signs a token for `caller` and says when it runs out.
    ///
    /// # Errors
    /// There is no key to sign with.
    pub fn issue(&self, caller: &Caller, ttl: Millis, now: WallTime) -> Result<(String, WallTime), NoOwnKey> {
        let shared = self.shared.as_ref().ok_or(NoOwnKey)?;
        let expires = WallTime(now.after(ttl).0.div_ceil(1_000) * 1_000);
        let claims = OwnClaims {
            sub: caller.user.as_str(),
            tenant: caller.tenant.as_str(),
            roles: &caller.roles,
            exp: expires.0 / 1_000,
            iss: self.expected.issuer.as_deref(),
            aud: self.expected.audience.as_deref(),
        };
        let header = Header { kid: self.expected.key_id.clone(), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &shared.encoding);
        Ok((token.expect("BUG: claims that cannot be signed"), expires))
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the signature is wrong",
        ErrorKind::InvalidAlgorithm => "signed with another algorithm",
        ErrorKind::InvalidIssuer => "another issuer",
        ErrorKind::InvalidAudience => "another audience",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        // The list is the library's and grows; these are the ones worth telling apart.
        _ => "not a token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_700_000_000_000);

    fn caller() -> Caller {
        let roles = vec!["worker".to_owned()];
        Caller { user: "u_17".parse().unwrap(), tenant: "north".parse().unwrap(), roles }
    }

    fn tokens(expected: Expected) -> Tokens {
        Tokens::new(None, None, expected).unwrap()
    }

    #[test]
    fn a_token_speaks_for_whom_it_was_issued_until_it_expires() {
        let tokens = tokens(Expected::default());
        let (token, expires) = tokens.issue(&caller(), Millis::seconds(60), NOW).unwrap();
        assert_eq!(expires, NOW.after(Millis::seconds(60)));
        let session = Session { caller: caller(), expires };
        assert_eq!(tokens.verify(&token, NOW), Ok(session.clone()));
        assert_eq!(tokens.verify(&token, WallTime(expires.0 - 1)), Ok(session));
        assert_eq!(tokens.verify(&token, expires), Err(TokenError::Expired));
    }

    #[test]
    fn issuer_audience_and_key_id_count_where_they_are_configured() {
        let expected = Expected {
            issuer: Some("us".to_owned()),
            audience: Some("landfall".to_owned()),
            key_id: Some("2026".to_owned()),
        };
        let (strict, plain) = (tokens(expected), tokens(Expected::default()));
        let (token, _) = strict.issue(&caller(), Millis::seconds(60), NOW).unwrap();
        assert_eq!(strict.verify(&token, NOW).unwrap().caller, caller());
        assert!(matches!(plain.verify(&token, NOW), Err(TokenError::Invalid(_))));
        let (token, _) = plain.issue(&caller(), Millis::seconds(60), NOW).unwrap();
        assert!(matches!(strict.verify(&token, NOW), Err(TokenError::Invalid(_))));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Tokens::new(Some("short"), None, Expected::default()).is_err());
        assert!(Tokens::new(Some(&"k".repeat(KEY_BYTES_MIN)), None, Expected::default()).is_ok());
    }
}
