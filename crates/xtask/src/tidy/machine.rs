//! Keeps the repository from knowing whose machine it was written on.
//!
//! A path into somebody's home works on one machine; a registry's host in a lock file makes every
//! other machine ask there.

use super::source::{Finding, Tree};

/// Spelled in two halves, or this file would be its own finding.
const HOMES: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("C:\\Us", "ers\\")];

pub(super) fn check_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for place in HOMES.iter().copied().chain([tree.root.as_str()]) {
                if starts_a_path(line, place) {
                    findings.push(file.finding(index + 1, format!("the path {place} exists on one machine")));
                }
            }
        }
    }
    findings
}

pub(super) fn check_registries(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        for (index, line) in file.text.lines().enumerate() {
            let line = line.trim();
            let named = match name {
                "package-lock.json" => line.starts_with("\"resolved\": \"http"),
                ".npmrc" => line.contains("registry=") || line.contains("_auth"),
                // The one spelling that every cargo understands as its default.
                "Cargo.lock" => {
                    line.starts_with("source = \"")
                        && line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
                }
                "Cargo.toml" => line.starts_with("registry") || line.contains(" registry = "),
                "config.toml" => line.starts_with("[source") || line.starts_with("[registr"),
                _ => false,
            };
            if named {
                findings.push(file.finding(index + 1, "names a registry: leave the choice to each machine"));
            }
        }
    }
    findings
}

/// Whether `place` stands where a path begins, not inside a longer one such as a URL's.
fn starts_a_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-/)}~".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::{HOMES, check_paths, check_registries};
    use crate::tidy::source::lines_found;

    #[test]
    fn a_home_and_the_checkout_itself_are_found() {
        for place in HOMES.iter().chain(&["/made/up"]) {
            let text = format!("first\npath = \"{place}x\"");
            assert_eq!(lines_found(check_paths, "README.md", &text), [2], "{text}");
        }
    }

    #[test]
    fn a_part_of_a_url_is_no_home() {
        for text in ["https://example.org/home/index.html", "see www/home/page.ts", "/usr/bin/chromium"] {
            assert!(lines_found(check_paths, "README.md", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_registry_is_found_in_every_kind_of_file() {
        for (path, text) in [
            ("pkg/package-lock.json", "  \"resolved\": \"https://registry.example.org/zod.tgz\","),
            ("www/.npmrc", "registry=https://registry.example.org/"),
            ("Cargo.lock", "source = \"registry+https://example.org/index\""),
            (".cargo/config.toml", "[source.crates-io]"),
            ("crates/a/Cargo.toml", "serde = { version = \"1\", registry = \"own\" }"),
        ] {
            assert_eq!(lines_found(check_registries, path, text), [1], "{path}");
        }
    }

    #[test]
    fn what_every_machine_understands_is_fine() {
        for (path, text) in [
            ("www/package-lock.json", "  \"resolved\": \"../pkg\","),
            ("www/.npmrc", "omit-lockfile-registry-resolved=true"),
            ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""),
        ] {
            assert!(lines_found(check_registries, path, text).is_empty(), "{path}");
        }
    }
}
