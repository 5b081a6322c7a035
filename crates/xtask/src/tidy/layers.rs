//! Keeps dependencies pointing one way, and the core's few.
//!
//! `www → pkg → landfall-web → landfall-core ← landfall-server`; tests see everything, nothing sees
//! tests. A shortcut against the arrow compiles today and makes the layer untestable alone for good.

use super::source::{Finding, Tree};
use serde_json::Value;

/// Each of our crates with those of ours that it may depend on.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("landfall-core", &[]),
    ("landfall-web", &["landfall-core"]),
    ("landfall-server", &["landfall-core"]),
    ("landfall-tests", &["landfall-core", "landfall-server"]),
    ("landfall-sim", &["landfall-core"]),
    ("xtask", &[]),
];
/// Everything that the core compiles into a product.
const CORE_ALLOWED: [&str; 5] = ["serde", "serde_json", "sha2", "thiserror", "uuid"];
/// Folders of TypeScript with paths they must not reach into.
const IMPORTS_BANNED: [(&str, &[&str]); 2] =
    [("pkg/src", &["www/", "crates/", "tests/"]), ("www/src", &["../pkg/", "crates/", "tests/"])];

pub(super) fn check(metadata: &Value, tree: &Tree) -> Vec<Finding> {
    let mut findings = crates(metadata);
    findings.extend(imports(tree));
    findings
}

fn crates(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            findings.push(Finding::about(name, "a new crate: give it its place in `tidy layers`"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let target = text(&dependency["name"]);
            let ours = ALLOWED.iter().any(|(known, _)| *known == target);
            if ours && !allowed.contains(&target) {
                findings.push(Finding::about(name, format!("must not depend on {target}")));
            }
            let product = text(&dependency["kind"]) != "dev";
            if name == "landfall-core" && product && !ours && !CORE_ALLOWED.contains(&target) {
                let message = format!("must not depend on {target}: it is downloaded by every visitor");
                findings.push(Finding::about(name, message));
            }
        }
    }
    findings
}

fn imports(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, banned) in IMPORTS_BANNED {
        for file in tree.with_extension(&["ts", "svelte", "js", "mjs"]).filter(|file| file.is_in(folder)) {
            for (number, line) in file.code_lines() {
                let path = imported(line).unwrap_or_default();
                for reached in banned.iter().filter(|part| path.starts_with('.') && path.contains(**part)) {
                    findings.push(file.finding(number, format!("{folder} reaches into {reached}")));
                }
            }
        }
    }
    findings
}

/// The path in `from "…"`, `import "…"` or `import("…")`.
fn imported(line: &str) -> Option<&str> {
    let (_, after) = line.split_once(" from ").or_else(|| line.split_once("import"))?;
    after.split(['"', '\'']).nth(1)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{CORE_ALLOWED, check, crates};
    use crate::tidy::source::Tree;
    use serde_json::{Value, json};

    fn workspace(name: &str, dependency: &str, kind: Option<&str>) -> Value {
        json!({ "packages": [{ "name": name, "dependencies": [{ "name": dependency, "kind": kind }] }] })
    }

    #[test]
    fn the_arrows_are_allowed_and_their_reverse_is_not() {
        for (name, dependency, findings) in [
            ("landfall-web", "landfall-core", 0),
            ("landfall-server", "landfall-core", 0),
            ("landfall-tests", "landfall-server", 0),
            ("landfall-core", "landfall-server", 1),
            ("landfall-web", "landfall-server", 1),
            ("landfall-server", "landfall-tests", 1),
            ("xtask", "landfall-core", 1),
        ] {
            let found = crates(&workspace(name, dependency, None)).len();
            assert_eq!(found, findings, "{name} → {dependency}");
        }
    }

    #[test]
    fn the_core_compiles_in_nothing_that_is_not_listed() {
        assert_eq!(crates(&workspace("landfall-core", "chrono", None)).len(), 1);
        assert_eq!(crates(&workspace("landfall-core", "cc", Some("build"))).len(), 1);
        assert_eq!(crates(&workspace("landfall-core", "proptest", Some("dev"))).len(), 0);
        assert_eq!(crates(&workspace("landfall-core", CORE_ALLOWED[0], None)).len(), 0);
    }

    #[test]
    fn tests_are_seen_by_nothing_even_in_tests() {
        assert_eq!(crates(&workspace("landfall-core", "landfall-tests", Some("dev"))).len(), 1);
    }

    #[test]
    fn an_unknown_crate_is_asked_for_its_place() {
        assert_eq!(crates(&workspace("landfall-extra", "serde", None)).len(), 1);
    }

    #[test]
    fn the_page_reaches_the_package_by_its_name_only() {
        for (path, text, findings) in [
            ("www/src/main.ts", "import { open } from \"landfall\";", 0),
            ("www/src/main.ts", "import { open } from \"../../pkg/src/index.ts\";", 1),
            ("pkg/src/index.ts", "import visits from '../../www/src/visits.ts';", 1),
            ("pkg/src/index.ts", "export * from \"./client.js\";", 0),
        ] {
            let found = check(&json!({}), &Tree::made_of(&[(path, text)])).len();
            assert_eq!(found, findings, "{text}");
        }
    }
}
