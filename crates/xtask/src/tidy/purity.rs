//! Keeps the core free of everything that a simulator could not replay from a seed.
//!
//! `crates/landfall-core/clippy.toml` bans the same by resolved path; this scan also sees code that is
//! compiled out here, such as a `cfg(target_arch = "wasm32")` branch.

use super::source::{Finding, Tree, has_word};

const CORE: &str = "crates/landfall-core/src";
const BANNED: [(&str, &str); 9] = [
    ("Instant", "take the time as an argument"),
    ("SystemTime", "take the time as an argument"),
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("async", "the core is driven, it never waits"),
    (".await", "the core is driven, it never waits"),
    ("println!", "return what happened as an effect"),
    ("eprintln!", "return what happened as an effect"),
    ("thread_local!", "state belongs to a value that the caller owns"),
];
/// Modules of std that reach out of the process.
const BANNED_MODULES: [&str; 6] = ["fs", "net", "thread", "io", "env", "process"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["rs"]).filter(|file| file.is_in(CORE)) {
        for (number, line) in file.code_lines() {
            for (word, instead) in BANNED {
                if has_word(line, word) {
                    findings.push(file.finding(number, format!("`{word}` in the core: {instead}")));
                }
            }
            for module in BANNED_MODULES.iter().filter(|module| uses(line, module)) {
                let message = format!("`std::{module}` in the core: storage and network are outputs");
                findings.push(file.finding(number, message));
            }
        }
    }
    findings
}

/// Whether the line names `std::module`, alone or in braces.
fn uses(line: &str, module: &str) -> bool {
    let alone = has_word(line, &format!("std::{module}"));
    let in_braces = line.split_once("std::{").is_some_and(|(_, rest)| {
        rest.split(['}', ';'])
            .next()
            .unwrap_or_default()
            .split(',')
            .any(|item| item.trim().split("::").next().is_some_and(|first| first == module))
    });
    alone || in_braces
}

#[cfg(test)]
mod tests {
    use super::{CORE, check};
    use crate::tidy::source::lines_found;

    fn found(text: &str) -> usize {
        lines_found(check, &format!("{CORE}/clock.rs"), text).len()
    }

    #[test]
    fn clocks_hash_maps_and_io_are_found() {
        for text in [
            "let now = std::time::Instant::now();",
            "use std::time::SystemTime;",
            "use std::collections::{BTreeMap, HashMap};",
            "fn f(seen: &HashSet<Id>) {}",
            "use std::fs;",
            "use std::{fmt, net::TcpStream};",
            "std::thread::spawn(work);",
            "async fn push() {}",
            "reply.await",
            "println!(\"{x}\");",
        ] {
            assert_eq!(found(text), 1, "{text}");
        }
    }

    #[test]
    fn durations_ordered_maps_and_prose_are_fine() {
        for text in [
            "use std::time::Duration;",
            "use std::{collections::BTreeMap, fmt};",
            "/// A HashMap would order differently; Instant::now is never called.",
            "let instantly = asynchronous;",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn other_crates_may_read_the_clock() {
        assert!(lines_found(check, "crates/landfall-server/src/main.rs", "Instant::now()").is_empty());
    }
}
