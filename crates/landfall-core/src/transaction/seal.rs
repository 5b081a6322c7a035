//! Gives a database up, unless there is something in it that nobody has heard of.

use super::{Outcome, Rows, Write};
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::stored::{self, Key, SEAL, Store};

pub(super) fn seal(through: u64, known: &Set<u64>, journal: &Rows) -> (Vec<Write>, Outcome) {
    let is_lost = |(key, text): &(Key, String)| match key {
        // What cannot be read is known to nobody.
        Key::Counted(key) if *key <= through => !known.contains(key) && stored::read_journal(text).is_some(),
        Key::Counted(_) | Key::Text(_) => *key != SEAL,
    };
    if journal.iter().any(is_lost) && !planted::is(Bug::SealsUnknown) {
        return (vec![], Outcome::Missed);
    }
    let mut writes: Vec<_> = Store::ALL.into_iter().map(Write::Clear).collect();
    writes.push(Write::Put(Store::Journal, SEAL, String::new()));
    (writes, Outcome::Sealed)
}
