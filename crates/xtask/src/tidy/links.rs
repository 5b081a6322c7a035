//! Follows the relative links of every Markdown file.

use super::source::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["md"]) {
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in targets(line).filter(|target| is_relative(target)) {
                let path = target.split(['#', '?']).next().unwrap_or_default();
                if !path.is_empty() && !exists(tree, &resolved(directory, path)) {
                    findings.push(file.finding(index + 1, format!("the link to {target} leads nowhere")));
                }
            }
        }
    }
    findings
}

/// Targets of `](…)`, `src="…"`, `srcset="…"` and `href="…"`; a title after the target is dropped.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')].into_iter().flat_map(
        move |(open, close)| {
            line.split(open)
                .skip(1)
                .filter_map(move |rest| rest.split(close).next()?.split_whitespace().next())
        },
    )
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with("data:")
}

fn resolved(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A file, a folder that holds one, or the top.
fn exists(tree: &Tree, path: &str) -> bool {
    path.is_empty() || tree.files.iter().any(|file| file.path == path || file.is_in(path))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Tree;

    fn findings(text: &str) -> usize {
        check(&Tree::made_of(&[
            ("crates/NOTES.md", text),
            ("crates/xtask/src/main.rs", ""),
            ("README.md", ""),
        ]))
        .len()
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        for text in [
            "see [this](xtask/src/lib.rs)",
            "![shot](../www/screenshots/phone.png)",
            "<img alt=\"x\" src=\"missing.png\">",
            "[a](../README.md) and [b](b.md)",
        ] {
            assert_eq!(findings(text), 1, "{text}");
        }
    }

    #[test]
    fn files_folders_anchors_and_the_web_are_fine() {
        for text in [
            "[main](xtask/src/main.rs#L10)",
            "[folder](xtask/src/) [top](..)",
            "[readme](../README.md \"the readme\")",
            "[here](#words) [web](https://example.org/x.md)",
            "```md\n[example](no/such/file.md)\n```",
        ] {
            assert_eq!(findings(text), 0, "{text}");
        }
    }
}
