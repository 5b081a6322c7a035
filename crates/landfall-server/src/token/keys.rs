//! Public keys of whoever issues tokens, as a JSON Web Key Set (RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};

/// Shorter RSA keys can be factored by those who try hard (RFC 7518, 3.3).
const RSA_BYTES_MIN: usize = 256;

/// Why a text is no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It has another form.
    #[error("not a JSON Web Key Set: {0}")]
    Form(String),
    /// There is nothing in it that a token can be verified with.
    #[error("no key in it is for signatures with RS256, ES256 or EdDSA")]
    Empty,
    /// A key can be broken.
    #[error("the RSA key {0:?} has fewer than 2,048 bits")]
    Weak(String),
}

/// A key, with the one algorithm that it is for: what a token says of itself decides nothing.
pub struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys that there are at one time.
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads a key set. Keys of other kinds and for other uses are left out, as are shared ones: a secret that is
    /// published is none.
    ///
    /// # Errors
    /// It is none, or nothing in it can be used, or something in it must not be.
    pub fn read(text: &str) -> Result<Keys, KeysError> {
        let set: JwkSet = serde_json::from_str(text).map_err(|error| KeysError::Form(error.to_string()))?;
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let Some(algorithm) = algorithm(jwk) else { continue };
            let decoding = DecodingKey::from_jwk(jwk).map_err(|error| KeysError::Form(error.to_string()))?;
            let id = jwk.common.key_id.clone();
            if is_weak(jwk)? {
                return Err(KeysError::Weak(id.unwrap_or_default()));
            }
            keys.push(Key { id, algorithm, decoding });
        }
        if keys.is_empty() { Err(KeysError::Empty) } else { Ok(Keys(keys)) }
    }

    /// The key that a token was signed with, as far as its header says. A token that names none is taken where there is
    /// no choice.
    pub fn of(&self, header: &Header) -> Option<&Key> {
        match (&header.kid, &self.0[..]) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_ref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

/// The algorithm that a key is for, where it is one that tokens may be signed with.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        // The library's list of kinds grows.
        _ => return None,
    };
    let fits = jwk.common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    (is_for_signatures && fits).then_some(algorithm)
}

fn is_weak(jwk: &Jwk) -> Result<bool, KeysError> {
    use base64::Engine;
    let AlgorithmParameters::RSA(key) = &jwk.algorithm else { return Ok(false) };
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&key.n);
    let modulus = modulus.map_err(|error| KeysError::Form(error.to_string()))?;
    Ok(modulus.iter().skip_while(|byte| **byte == 0).count() < RSA_BYTES_MIN)
}
