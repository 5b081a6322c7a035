//! Holds the error codes in Rust against the list in the protocol.
//!
//! A code that is in no list cannot be handled by an app on purpose, and nobody would notice that two
//! places use one code for different things.

use super::source::{File, Finding, Tree};

const PROTOCOL: &str = "crates/PROTOCOL.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let listed = tree.file(PROTOCOL).map(|file| listed(&file.text)).unwrap_or_default();
    let mut findings = Vec::new();
    for file in tree.with_extension(&["rs"]).filter(|file| file.path.starts_with("crates/landfall-")) {
        for (line, code) in used(file) {
            if !listed.contains(&code) {
                findings.push(file.finding(line, format!("the code `{code}` is in no table of {PROTOCOL}")));
            }
        }
    }
    findings
}

/// The first cells of table rows that are one code each.
fn listed(protocol: &str) -> Vec<&str> {
    let cells = protocol.lines().filter_map(|line| line.trim().strip_prefix('|')?.split('|').next());
    cells.filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`')).collect()
}

/// The strings in the arms of every `fn code`.
fn used(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    // Indentation of the function being read; rustfmt closes it at the same one.
    let mut inside: Option<usize> = None;
    for (number, line) in file.code_lines() {
        let indent = line.len() - line.trim_start().len();
        match inside {
            None if line.contains("fn code(") && line.ends_with('{') => inside = Some(indent),
            Some(start) if line.trim() == "}" && indent == start => inside = None,
            Some(_) => {
                let literals = line.split('"').skip(1).step_by(2);
                let is_code = |text: &&str| {
                    !text.is_empty()
                        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                };
                found.extend(literals.filter(is_code).map(|code| (number, code)));
            }
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Tree;

    const ERROR: &str = "\
impl Refusal {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => \"forbidden\",
            Self::Gone => \"gone\",
        }
    }

    fn other(&self) -> &str {
        \"no_code\"
    }
}
";

    fn findings(protocol: &str) -> Vec<String> {
        let path = "crates/landfall-core/src/error.rs";
        let tree = Tree::made_of(&[(path, ERROR), ("crates/PROTOCOL.md", protocol)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_code_missing_from_the_table_is_found_with_its_line() {
        let found =
            findings("| code | meaning |\n|---|---|\n| `forbidden` | no |\n\nAlso `gone`, in prose.\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/landfall-core/src/error.rs:5: the code `gone`"), "{found:?}");
    }

    #[test]
    fn a_complete_table_passes() {
        assert!(findings("| `forbidden` | 403 | no |\n| `gone` | 200 | erased |\n").is_empty());
    }

    #[test]
    fn without_a_protocol_every_code_is_found() {
        assert_eq!(check(&Tree::made_of(&[("crates/landfall-core/src/error.rs", ERROR)])).len(), 2);
    }
}
