//! Where a client has come to in the stream of changes, as text that it cannot forge.
//!
//! The key lies in the database, not in the configuration: cursors stay valid over restarts and
//! over a change of the key for tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use landfall_core::id::Position;
use sha2::{Digest, Sha256};

use crate::caller::Tenant;
use crate::store::Epoch;

/// First byte of a cursor that says nothing of what its client may see.
const PLACE: u8 = 1;
/// First byte of a cursor that does.
const SEEN: u8 = 2;
const TAG_BYTES: usize = 32;

/// A place in the changes of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The history it is a place in.
    pub epoch: Epoch,
    /// The last commit of which anything was delivered.
    pub position: Position,
    /// That commit's nonce: what tells it from another commit at this position, after a rollback.
    pub nonce: u64,
    /// The last document of that commit that was looked at, counted within the commit.
    pub ordinal: u32,
    /// Nothing that the client has is older: the newest commit when it last had everything, or started from nothing.
    pub floor: Position,
    /// What decided which changes the client was shown on the way, as a hash: another one once the rules or its
    /// user's claims have changed. Not known of cursors that older servers gave out, and of the place of a push.
    pub sight: Option<u64>,
}

/// Why a text is no cursor here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorError {
    /// It was not given out by this server.
    Invalid,
    /// It was given to another tenant.
    Tenant,
}

impl Cursor {
    /// [`Cursor::ordinal`] at the end of a commit.
    pub const END: u32 = u32::MAX;

    /// Writes the cursor down for a client of `tenant`.
    pub fn seal(&self, key: &[u8], tenant: &Tenant) -> String {
        let mut bytes = vec![if self.sight.is_some() { SEEN } else { PLACE }];
        bytes.extend(name_tag(tenant));
        bytes.extend(self.epoch.0.to_be_bytes());
        bytes.extend(self.position.0.to_be_bytes());
        bytes.extend(self.nonce.to_be_bytes());
        bytes.extend(self.ordinal.to_be_bytes());
        bytes.extend(self.floor.0.to_be_bytes());
        bytes.extend(self.sight.iter().flat_map(|sight| sight.to_be_bytes()));
        let tag = mac(key, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that came from a client of `tenant`.
    ///
    /// # Errors
    /// It is not one of ours, or not one of theirs.
    pub fn open(text: &str, key: &[u8], tenant: &Tenant) -> Result<Cursor, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Invalid)?;
        let (body, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(CursorError::Invalid)?;
        mac(key, body).verify_slice(tag).map_err(|_| CursorError::Invalid)?;
        let (form, mut rest) = body.split_first().ok_or(CursorError::Invalid)?;
        if take::<8>(&mut rest) != name_tag(tenant) {
            return Err(CursorError::Tenant);
        }
        Ok(Cursor {
            epoch: Epoch(u128::from_be_bytes(take(&mut rest))),
            position: Position(u64::from_be_bytes(take(&mut rest))),
            nonce: u64::from_be_bytes(take(&mut rest)),
            ordinal: u32::from_be_bytes(take(&mut rest)),
            floor: Position(u64::from_be_bytes(take(&mut rest))),
            sight: (*form == SEEN).then(|| u64::from_be_bytes(take(&mut rest))),
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk().expect("BUG: a cursor was sealed that is too short");
    *bytes = rest;
    *taken
}

fn mac(key: &[u8], body: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("BUG: HMAC takes keys of any length").chain_update(body)
}

/// Names of tenants may be long; enough of their hash to tell a mix-up is not.
fn name_tag(tenant: &Tenant) -> [u8; 8] {
    let hash = Sha256::digest(tenant.as_str());
    *hash.first_chunk().expect("BUG: a hash of less than eight bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURSOR: Cursor = Cursor {
        epoch: Epoch(7),
        position: Position(42),
        nonce: u64::MAX,
        ordinal: Cursor::END,
        floor: Position(3),
        sight: Some(5),
    };
    const OLDER: Cursor = Cursor { sight: None, ..CURSOR };

    #[test]
    fn a_cursor_reads_back_as_what_it_was_and_is_short() {
        let tenant = Tenant::default();
        for cursor in [CURSOR, OLDER] {
            let text = cursor.seal(b"key", &tenant);
            assert!(text.len() <= 512, "{}", text.len());
            assert_eq!(Cursor::open(&text, b"key", &tenant), Ok(cursor));
        }
    }

    #[test]
    fn one_changed_character_makes_a_cursor_invalid() {
        let tenant = Tenant::default();
        let text = CURSOR.seal(b"key", &tenant);
        for i in 0..text.len() {
            let other = if &text[i..=i] == "A" { "B" } else { "A" };
            let tampered = format!("{}{other}{}", &text[..i], &text[i + 1..]);
            assert_eq!(Cursor::open(&tampered, b"key", &tenant), Err(CursorError::Invalid), "{i}");
        }
        for bad in ["", "x", &text[1..], &format!("{text}A"), &text.repeat(9)] {
            assert_eq!(Cursor::open(bad, b"key", &tenant), Err(CursorError::Invalid));
        }
        assert_eq!(Cursor::open(&text, b"other key", &tenant), Err(CursorError::Invalid));
    }

    #[test]
    fn a_cursor_of_another_tenant_is_told_apart() {
        let text = CURSOR.seal(b"key", &Tenant::default());
        assert_eq!(Cursor::open(&text, b"key", &"other".parse().unwrap()), Err(CursorError::Tenant));
    }
}
