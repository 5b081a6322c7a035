//! Random bits from the operating system.

/// 128 random bits.
///
/// # Panics
/// Where the operating system has none to give: whatever would be built on others could be guessed.
pub(crate) fn number() -> u128 {
    u128::from_le_bytes(bytes())
}

/// `N` random bytes.
///
/// # Panics
/// As [`number`].
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
