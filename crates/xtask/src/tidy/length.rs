//! Keeps files short enough to be about one thing.

use super::source::{Finding, Tree};

const LINES_MAX: usize = 500;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["rs", "ts", "svelte", "mjs"]) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            let message = format!("{lines} lines, more than {LINES_MAX}: look for the second noun");
            findings.push(file.finding(LINES_MAX + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, check};
    use crate::tidy::source::lines_found;

    #[test]
    fn the_line_after_the_last_allowed_one_is_found() {
        let text = "x\n".repeat(LINES_MAX);
        assert!(lines_found(check, "a.svelte", &text).is_empty());
        assert_eq!(lines_found(check, "a.svelte", &(text + "x")), [LINES_MAX + 1]);
    }

    #[test]
    fn data_may_be_long() {
        assert!(lines_found(check, "tests/golden/batch.json", &"x\n".repeat(LINES_MAX + 1)).is_empty());
    }
}
