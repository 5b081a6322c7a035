//! Keeps tests from being switched off, retried or made to pass by waiting.
//!
//! A test that sleeps is either slow or flaky and usually both; one that is retried hides the very
//! race it was written to find.

use super::source::{File, Finding, Tree, has_word};

const RUST: [(&str, &str); 3] = [
    ("#[ignore", "an ignored test protects nothing: mend it or delete it"),
    ("thread::sleep", "wait for the event, not for a while"),
    ("time::sleep", "wait for the event, not for a while"),
];
const SCRIPT: [(&str, &str); 11] = [
    (".skip(", "a skipped test protects nothing: mend it or delete it"),
    ("skip:", "a skipped test protects nothing: mend it or delete it"),
    ("todo:", "a test that is not written protects nothing"),
    ("only:", "the other tests would not run"),
    (".fixme(", "a skipped test protects nothing: mend it or delete it"),
    (".todo(", "a test that is not written protects nothing"),
    (".only(", "the other tests would not run"),
    ("waitForTimeout", "wait for the event, not for a while"),
    ("timers/promises", "wait for the event, not for a while"),
    ("retries:", "a retried test hides the race it found"),
    ("retry:", "a retried test hides the race it found"),
];
/// Delay is what the fault proxy is for.
const MAY_DELAY: &str = "faultproxy";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["rs"]) {
        let tests_from = if file.is_in("tests") { 0 } else { first_test_line(file) };
        for (number, line) in file.code_lines() {
            for (pattern, reason) in RUST {
                let tested = number > tests_from && !file.path.contains(MAY_DELAY);
                if contains(line, pattern) && (tested || pattern == RUST[0].0) {
                    findings.push(file.finding(number, format!("`{pattern}`: {reason}")));
                }
            }
        }
    }
    for file in tree.with_extension(&["ts", "mts", "js", "mjs"]).filter(|file| is_test(file)) {
        for (number, line) in file.code_lines() {
            for (pattern, reason) in SCRIPT.iter().filter(|(pattern, _)| contains(line, pattern)) {
                // `retries: 0` says the rule aloud.
                if !line.contains(&format!("{pattern} 0")) {
                    findings.push(file.finding(number, format!("`{pattern}`: {reason}")));
                }
            }
        }
    }
    findings
}

/// A pattern inside a string is a test of this guard.
fn contains(line: &str, pattern: &str) -> bool {
    has_word(line, pattern) && !line.contains(&format!("\"{pattern}"))
}

fn first_test_line(file: &File) -> usize {
    let mut lines = file.text.lines();
    lines.position(|line| line.trim_start().starts_with("#[cfg(test)]")).unwrap_or(usize::MAX)
}

fn is_test(file: &File) -> bool {
    file.is_in("tests")
        || file.is_in("pkg/test")
        || [".test.", ".spec.", "playwright.config", "vitest.config"]
            .iter()
            .any(|part| file.path.contains(part))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::lines_found;

    #[test]
    fn skipping_retrying_and_sleeping_are_found() {
        for (path, text) in [
            ("tests/http.rs", concat!("#[", "ignore]")),
            ("crates/a/src/lib.rs", concat!("#[", "ignore = \"slow\"]")),
            ("tests/http.rs", concat!("std::thread::", "sleep(second);")),
            ("tests/http.rs", concat!("tokio::time::", "sleep(second).await;")),
            ("tests/browser/a.spec.ts", "test.skip('x', () => {});"),
            ("tests/browser/a.spec.ts", "test.only('x', () => {});"),
            ("pkg/test/a.test.ts", "it.todo('x');"),
            ("tests/browser/specs/a.spec.mjs", "test('x', { skip: true }, () => {});"),
            ("tests/browser/a.spec.ts", "await page.waitForTimeout(100);"),
            ("tests/browser/playwright.config.ts", "retries: 2,"),
        ] {
            assert_eq!(lines_found(check, path, text), [1], "{text}");
        }
    }

    #[test]
    fn a_sleep_in_the_tests_beside_the_code_is_found() {
        let text =
            concat!("fn f() { thread::", "sleep(a); }\n#[cfg(test)]\nfn g() { thread::", "sleep(b); }");
        assert_eq!(lines_found(check, "crates/a/src/lib.rs", text), [3]);
    }

    #[test]
    fn the_fault_proxy_may_delay_and_products_may_skip() {
        for (path, text) in [
            ("tests/faultproxy/reply.rs", concat!("tokio::time::", "sleep(delay).await;")),
            ("tests/browser/playwright.config.ts", "retries: 0,"),
            ("crates/a/src/lib.rs", "lines.skip(1)"),
            ("pkg/src/index.ts", "retry: boolean,"),
        ] {
            assert!(lines_found(check, path, text).is_empty(), "{text}");
        }
    }
}
