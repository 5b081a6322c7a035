//! Wants a `//!` at the top of every Rust module.
//!
//! The reader who opens a file needs to know why it exists before what is in it, and the author is
//! the only one who can say so cheaply.

use super::source::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let starts_with_doc = |text: &str| {
        text.lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.strip_prefix("//!").is_some_and(|sentence| !sentence.trim().is_empty()))
    };
    let files = tree.with_extension(&["rs"]).filter(|file| !starts_with_doc(&file.text));
    files.map(|file| file.finding(1, "the module does not begin with `//!` and why it exists")).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::lines_found;

    #[test]
    fn a_module_without_its_reason_is_found() {
        for text in ["use std::fmt;", "", "//!\nuse std::fmt;", "// Not a doc comment."] {
            assert_eq!(lines_found(check, "crates/a/src/lib.rs", text), [1], "{text}");
        }
    }

    #[test]
    fn a_module_with_its_reason_is_fine() {
        assert!(lines_found(check, "crates/a/src/lib.rs", "//! Orders writes.\n").is_empty());
        assert!(lines_found(check, "pkg/src/index.ts", "export {};").is_empty());
    }
}
