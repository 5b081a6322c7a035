//! Parts of worlds, each kept once and named by a number: worlds are made of few parts.

use std::collections::BTreeMap;

use super::fingerprint::fingerprint;

/// Names a part.
pub(super) type Id = u32;

/// All parts of one kind.
#[derive(Debug)]
pub(super) struct Pool<T> {
    parts: Vec<T>,
    ids: BTreeMap<u64, Id>,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { parts: vec![], ids: BTreeMap::new() }
    }
}

impl<T> Pool<T> {
    /// The number of a part that looks so.
    pub(super) fn name(&mut self, part: T, looks: &str) -> Id {
        *self.ids.entry(fingerprint(looks)).or_insert_with(|| {
            self.parts.push(part);
            self.parts.len() as Id - 1
        })
    }

    /// A part.
    pub(super) fn get(&self, id: Id) -> &T {
        &self.parts[id as usize]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }
}
