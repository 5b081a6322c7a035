//! A set: a map of nothing but keys.

use std::fmt;
use std::iter::FusedIterator;

use super::{IntoIter, Map};

/// Keys without values.
#[derive(Clone, PartialEq, Eq)]
pub struct Set<K: Ord>(Map<K, ()>);

impl<K: Ord> Set<K> {
    /// An empty set.
    pub const fn new() -> Set<K> {
        Set(Map::new())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `key` is in it.
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Adds `key`; says whether it is new.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// Takes `key` out; says whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    /// The keys, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &K> + FusedIterator {
        self.0.keys()
    }

    /// The keys from the first up to and without the second, in their order.
    pub fn range<'a>(
        &'a self,
        from: &K,
        to: &K,
    ) -> impl DoubleEndedIterator<Item = &'a K> + FusedIterator + use<'a, K> {
        self.0.range(from, to).map(|(key, ())| key)
    }
}

impl<K: Ord> Default for Set<K> {
    fn default() -> Set<K> {
        Set::new()
    }
}

impl<K: Ord + fmt::Debug> fmt::Debug for Set<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<K: Ord> Extend<K> for Set<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key);
        }
    }
}

impl<K: Ord> FromIterator<K> for Set<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Set<K> {
        let mut set = Set::new();
        set.extend(keys);
        set
    }
}

impl<K: Ord> IntoIterator for Set<K> {
    type Item = K;
    type IntoIter = IntoKeys<K>;

    fn into_iter(self) -> IntoKeys<K> {
        IntoKeys(self.0.into_iter())
    }
}

/// The keys of a [`Set`], taken out of it.
#[derive(Debug)]
pub struct IntoKeys<K>(IntoIter<K, ()>);

impl<K> Iterator for IntoKeys<K> {
    type Item = K;

    fn next(&mut self) -> Option<K> {
        self.0.next().map(|(key, ())| key)
    }
}
