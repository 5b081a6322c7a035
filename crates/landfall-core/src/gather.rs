//! Filling maps and sets.

/// Puts items into a map or a set one by one.
///
/// `collect` would first sort them in a list. For the sizes met here that is no faster, and every
/// type of item brings another copy of the sort to what a page downloads: 12 KB in all.
pub(crate) fn gathered<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut gathered = C::default();
    gathered.extend(items);
    gathered
}
