//! Keeps `any` out of the package's TypeScript.
//!
//! One `any` in a public type switches off the checking of everything that an app does with it, and
//! nothing tells the app's author.

use super::source::{Finding, Tree, has_word};

/// Where a type stands, so that the word in a string or an identifier is not meant.
const BEFORE: [&str; 9] = [": any", "as any", "<any", ", any", "| any", "any |", "& any", "any[]", "=> any"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["ts"]).filter(|file| file.is_in("pkg")) {
        for (number, line) in file.code_lines() {
            if BEFORE.iter().any(|place| has_word(code(line), place)) {
                findings
                    .push(file.finding(number, "`any` in the package: take `unknown` and narrow it once"));
            }
        }
    }
    findings
}

/// The line without a comment at its end.
fn code(line: &str) -> &str {
    line.split_once(" // ").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::lines_found;

    #[test]
    fn every_spelling_is_found() {
        for text in [
            "function f(x: any) {}",
            "const y = x as any;",
            "const z = <any>x;",
            "type A = Record<string, any>;",
            "type B = any[];",
            "type C = Promise<any>;",
            "type D = string | any;",
            "type E = () => any;",
        ] {
            assert_eq!(lines_found(check, "pkg/src/index.ts", text), [1], "{text}");
        }
    }

    #[test]
    fn the_word_elsewhere_is_fine() {
        for text in [
            "// as any reader knows",
            "const anything: anyhow = 1;",
            "const x = 1; // : any",
            "Promise.any(x)",
        ] {
            assert!(lines_found(check, "pkg/src/index.ts", text).is_empty(), "{text}");
        }
        assert!(lines_found(check, "www/src/main.ts", "x as any").is_empty());
    }
}
