//! Holds the error codes in Rust and TypeScript against the list in the protocol.
//!
//! A code that is in no list cannot be handled by an app on purpose, and nobody would notice that two
//! places use one code for different things.

use super::source::{File, Finding, Tree};

const PROTOCOL: &str = "crates/PROTOCOL.md";
const CORE: &str = "crates/landfall-core/src";
const RUST: [Block; 2] =
    [Block { begins: "codes! {", ends: Ends::Brace }, Block { begins: "fn code(", ends: Ends::Brace }];
const SCRIPT: [Block; 1] = [Block { begins: "ErrorCode =", ends: Ends::Semicolon }];

/// A stretch of source whose strings are codes.
struct Block {
    begins: &'static str,
    ends: Ends,
}

#[derive(Clone, Copy)]
enum Ends {
    /// At a closing brace as deep as the beginning, which is where the formatter puts it.
    Brace,
    /// At the first line that ends a statement.
    Semicolon,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let listed = tree.file(PROTOCOL).map(|file| listed(&file.text)).unwrap_or_default();
    let mut findings = Vec::new();
    let mut core_has_codes = false;
    for (file, blocks) in subjects(tree) {
        for (line, code) in used(file, blocks) {
            core_has_codes |= file.is_in(CORE);
            if !listed.contains(&code) {
                findings.push(file.finding(line, format!("the code `{code}` is in no table of {PROTOCOL}")));
            }
        }
    }
    if !core_has_codes {
        // Else a new spelling of the list would switch this guard off.
        findings.push(Finding::about(CORE, "no error codes found: teach `tidy codes` where they are"));
    }
    findings
}

fn subjects(tree: &Tree) -> impl Iterator<Item = (&File, &'static [Block])> {
    let rust = tree.with_extension(&["rs"]).filter(|file| file.path.starts_with("crates/landfall-"));
    let script = tree.with_extension(&["ts"]).filter(|file| file.is_in("pkg/src"));
    rust.map(|file| (file, RUST.as_slice())).chain(script.map(|file| (file, SCRIPT.as_slice())))
}

/// The first cells of table rows that are one code each.
fn listed(protocol: &str) -> Vec<&str> {
    let cells = protocol.lines().filter_map(|line| line.trim().strip_prefix('|')?.split('|').next());
    cells.filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`')).collect()
}

/// The strings in `blocks` that look like codes, with their lines.
fn used<'a>(file: &'a File, blocks: &[Block]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut inside: Option<(usize, Ends)> = None;
    for (number, line) in file.code_lines() {
        let indent = line.len() - line.trim_start().len();
        if inside.is_none() {
            let begun = blocks.iter().find(|block| line.contains(block.begins));
            inside = begun.map(|block| (indent, block.ends));
        }
        let Some((start, ends)) = inside else { continue };
        let literals = line.split('"').skip(1).step_by(2).filter(|text| is_code(text));
        found.extend(literals.map(|code| (number, code)));
        let closed = match ends {
            Ends::Brace => indent == start && line.ends_with('}'),
            Ends::Semicolon => line.ends_with(';'),
        };
        if closed {
            inside = None;
        }
    }
    found
}

fn is_code(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Tree;

    const TABLE: &str = "\
codes! {
    /// Not \"this\".
    Forbidden = \"forbidden\", Definite;
    Gone = \"gone\", Definite;
}

const OTHER: &str = \"no_code\";
";
    const METHOD: &str = "\
impl StoreError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Full => \"storage_full\",
        }
    }

    fn other(&self) -> &str {
        \"no_code\"
    }
}
";
    const UNION: &str = "\
export type ClientErrorCode =
  | \"timeout\"
  | \"closed\";

const other = \"no_code\";
";

    fn findings(protocol: &str) -> Vec<String> {
        let tree = Tree::made_of(&[
            ("crates/landfall-core/src/code.rs", TABLE),
            ("crates/landfall-web/src/store.rs", METHOD),
            ("pkg/src/errors.ts", UNION),
            ("crates/PROTOCOL.md", protocol),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_code_missing_from_the_table_is_found_with_its_line() {
        let protocol =
            "| code | meaning |\n|---|---|\n| `forbidden` | no |\n| `closed` | |\n\nAlso `gone`.\n";
        let found = findings(protocol);
        let starts = [
            "crates/landfall-core/src/code.rs:4: the code `gone`",
            "crates/landfall-web/src/store.rs:4: the code `storage_full`",
            "pkg/src/errors.ts:2: the code `timeout`",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}");
        }
    }

    #[test]
    fn a_complete_table_passes() {
        let rows = ["forbidden", "gone", "storage_full", "timeout", "closed"];
        assert_eq!(findings(&rows.map(|code| format!("| `{code}` | 403 |\n")).concat()), [""; 0]);
    }

    #[test]
    fn a_core_without_codes_is_found() {
        assert_eq!(check(&Tree::made_of(&[("crates/landfall-core/src/code.rs", "//! Nothing.")])).len(), 1);
    }
}
