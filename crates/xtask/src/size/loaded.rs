//! Which of the package's files a page loads when it imports the package and nothing else.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Paths in `pkg`, reached from its default entry.
pub(super) fn by_default(pkg: &Path) -> Result<Vec<PathBuf>> {
    let manifest = std::fs::read_to_string(pkg.join("package.json")).context("pkg has no package.json")?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    let entry = entry(&manifest["exports"]["."]).context("pkg/package.json exports no default entry")?;
    let read = |path: &Path| std::fs::read(pkg.join(path)).ok();
    reached(&normal(Path::new(entry)), read).context("the package's default entry is not built")
}

/// What a bundler for browsers resolves; conditions stand in the manifest's own order of preference.
fn entry(exports: &Value) -> Option<&str> {
    match exports {
        Value::String(path) => Some(path),
        Value::Object(conditions) => {
            ["browser", "import", "default"].iter().find_map(|condition| entry(conditions.get(*condition)?))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Follows every quoted relative path that is a file: static and dynamic imports, `export … from`,
/// and `new URL(…, import.meta.url)`. Lazy ones count too: better a figure too high than one too low.
fn reached(entry: &Path, read: impl Fn(&Path) -> Option<Vec<u8>>) -> Option<Vec<PathBuf>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![(entry.to_owned(), read(entry)?)];
    while let Some((path, content)) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "js" && extension != "mjs") {
            continue;
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        for target in quoted(&String::from_utf8_lossy(&content)) {
            // wasm-bindgen writes the module's name without a leading `./`.
            let relative = target.starts_with("./") || target.starts_with("../");
            // A declaration is named in a comment and read by editors only.
            if (relative && !target.ends_with(".d.ts")) || target.ends_with(".wasm") {
                let target = normal(&directory.join(target));
                open.extend(read(&target).map(|content| (target, content)));
            }
        }
    }
    Some(seen.into_iter().collect())
}

/// The contents of all string literals without an escape or a line break.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        for quote in ['"', '\'', '`'] {
            // Each gap between two quotes is taken, inside or outside a literal: one of them is the
            // literal, and the others name no file.
            let mut pieces = line.split(quote);
            pieces.next();
            found.extend(pieces);
        }
    }
    found
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::{entry, reached};
    use serde_json::json;
    use std::path::Path;

    fn reach(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(found.1.as_bytes().to_vec())
        };
        let paths = reached(Path::new("dist/index.js"), read).unwrap();
        paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn imports_and_urls_are_followed_to_the_module() {
        let reached = reach(&[
            ("dist/index.js", "import { a } from \"./a.js\"; export * from './b.js';"),
            ("dist/a.js", "const glue = await import(\"../wasm/glue.js\");"),
            ("dist/b.js", ""),
            ("dist/node.js", "never imported"),
            ("wasm/glue.js", "/* @ts-self-types=\"./glue.d.ts\" */ new URL('glue_bg.wasm', import.meta.url)"),
            ("wasm/glue.d.ts", ""),
            ("wasm/glue_bg.wasm", "\0asm"),
        ]);
        assert_eq!(reached, ["dist/a.js", "dist/b.js", "dist/index.js", "wasm/glue.js", "wasm/glue_bg.wasm"]);
    }

    #[test]
    fn a_cycle_and_a_missing_file_end() {
        let index = "import \"./index.js\"; import \"./missing.js\"; import \"zod\";";
        assert_eq!(reach(&[("dist/index.js", index)]), ["dist/index.js"]);
    }

    #[test]
    fn the_default_condition_is_found_inside_others() {
        assert_eq!(entry(&json!({ "types": "./t", "node": "./n", "default": "./d" })), Some("./d"));
        assert_eq!(entry(&json!({ "import": { "default": "./d" } })), Some("./d"));
        assert_eq!(entry(&json!({ "types": "./t" })), None);
    }
}
