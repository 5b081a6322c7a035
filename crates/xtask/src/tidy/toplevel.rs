//! Keeps the first thing a visitor sees: nine names, each of which earns its place.

use super::source::{Finding, Tree};
use std::collections::BTreeSet;

const ALLOWED: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "pkg",
    "tests",
    "www",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let names = tree.files.iter().filter_map(|file| file.path.split('/').next());
    let found: BTreeSet<&str> = names.filter(|name| !name.starts_with('.')).collect();
    let extra = found.iter().filter(|name| !ALLOWED.contains(name));
    let extra = extra.map(|name| Finding::about(*name, "does not belong at the top level"));
    let missing = ALLOWED.iter().filter(|name| !found.contains(*name));
    extra.chain(missing.map(|name| Finding::about(*name, "is missing at the top level"))).collect()
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED, check};
    use crate::tidy::source::Tree;

    fn findings(extra: &[&str], without: &str) -> usize {
        let names = ALLOWED.iter().chain(extra).filter(|name| **name != without);
        check(&Tree::made_of(&names.map(|name| (*name, "")).collect::<Vec<_>>())).len()
    }

    #[test]
    fn exactly_the_allowed_names_pass() {
        assert_eq!(findings(&[".github/workflows/ci.yml", "crates/xtask/Cargo.toml"], ""), 0);
        assert_eq!(findings(&["docs/notes.md"], ""), 1);
        assert_eq!(findings(&["package.json"], ""), 1);
        assert_eq!(findings(&[], "LICENSE-MIT"), 1);
    }
}
