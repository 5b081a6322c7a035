//! What makes two states one: everything that is in them, apart from what changes nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use landfall_core::backoff::{FAST_ATTEMPTS, REST_MAX};

use super::NOW;

/// Numbers that name or count, for people or for nothing: nothing that happens depends on them.
const COUNTERS: [&str; 8] =
    ["Random", "TransactionId", "transaction_count", "revision", "attempts", "successes", "bytes", "total"];

/// A number that is as good as unique to what is written in the words of `Debug`.
pub(super) fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        before.hash(&mut hasher);
        seen(before, digits).hash(&mut hasher);
        rest = after;
    }
    rest.hash(&mut hasher);
    hasher.finish()
}

/// What a number is taken for, that stands behind a name.
fn seen<'a>(before: &str, digits: &'a str) -> &'a str {
    let name = before.trim_end_matches(['(', ':', ' ']);
    let is = |wanted: &str| name.len() < before.len() && name.ends_with(wanted);
    let number = digits.parse().unwrap_or(u64::MAX);
    let horizon = NOW.after(REST_MAX).0;
    if COUNTERS.iter().any(|counter| is(counter)) {
        ""
    } else if (NOW.0..=horizon).contains(&number) || is("WallTime") {
        // What counts is whether it is time. What lies too far ahead is due as well.
        if number <= NOW.0 || number > horizon { "due" } else { "later" }
    } else if is("failures") && number >= u64::from(FAST_ATTEMPTS) {
        "many"
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_makes_no_difference_and_everything_else_does() {
        let same = |one: &str, other: &str| fingerprint(one) == fingerprint(other);
        assert!(same("Random(1) TransactionId(2), revision: 3", "Random(4) TransactionId(50), revision: 6"));
        assert!(same("failures: 3", "failures: 7") && !same("failures: 2", "failures: 3"));
        let later = |millis| format!("pull_at: WallTime({})", NOW.0 + millis);
        assert!(same(&later(1), &later(2)) && !same(&later(0), &later(1)));
        assert!(!same("Version(1)", "Version(2)") && !same("a1", "a2") && !same("1", "11"));
    }
}
