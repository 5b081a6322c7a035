//! What a page downloads because it uses Landfall, in the bytes that cross the network.
//!
//! Size grows by a little at a time and nobody decides it. The budget makes each step a decision: it
//! is a number in the repository, and raising it is a line in somebody's commit.

mod loaded;
mod parts;

use crate::layout::Layout;
use crate::{setup, shell, wasm};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No budget goes above it: 150 KiB is what users are promised.
const CAP_BYTES: u64 = 150 * 1024;
const BUDGET: &str = "pkg/size-budget.json";
/// Node's encoder is the one that servers and CDNs use, and anyone can repeat the figure with it.
const BROTLI_11: &str = "
const { readFileSync } = require('node:fs');
const { brotliCompressSync, constants } = require('node:zlib');
const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
const size = (file) => brotliCompressSync(readFileSync(file), { params }).length;
console.log(JSON.stringify(process.argv.slice(1).map(size)));
";

/// The weight of the built package.
pub(crate) struct Weight {
    files: Vec<File>,
    parts: Vec<parts::Part>,
}

struct File {
    path: PathBuf,
    raw: u64,
    brotli: u64,
}

/// Weighs what the built package loads by default.
pub(crate) fn weigh(layout: &Layout) -> Result<Weight> {
    let pkg = layout.pkg();
    let paths = loaded::by_default(&pkg)?;
    ensure!(
        paths.iter().any(|path| path.ends_with(wasm::MODULE)),
        "the package's default entry does not lead to {}",
        wasm::MODULE
    );
    let brotli = brotli_sizes(&pkg, &paths)?;
    let mut files = Vec::new();
    for (path, brotli) in paths.into_iter().zip(brotli) {
        let raw = std::fs::metadata(pkg.join(&path))?.len();
        files.push(File { path, raw, brotli });
    }
    files.sort_by(|a, b| b.brotli.cmp(&a.brotli).then_with(|| a.path.cmp(&b.path)));
    let named = wasm::named_module(layout);
    let module = std::fs::read(&named).with_context(|| format!("cannot read {}", named.display()))?;
    Ok(Weight { files, parts: parts::of(&module)? })
}

impl Weight {
    /// Prints files and parts, largest first; the last line is `total brotli=BYTES`.
    pub(crate) fn print(&self) {
        println!("largest parts of the module, raw bytes before names are stripped:");
        for part in &self.parts {
            println!("  {:>9}  {}", part.bytes, part.name);
        }
        println!("loaded by default:");
        for file in &self.files {
            println!("  brotli={:<8} raw={:<8} {}", file.brotli, file.raw, file.path.display());
        }
        println!("total brotli={}", self.brotli());
    }

    /// Fails when the package is heavier than the budget, or the budget than the promise. Judges only what is built as
    /// what is published is.
    pub(crate) fn check(&self, layout: &Layout) -> Result<()> {
        if setup::toolchain()? != setup::Toolchain::Sources {
            shell::say("not judged: without rust-src the module is a tenth larger than the published one");
            return Ok(());
        }
        let budget = layout.root.join(BUDGET);
        let text = std::fs::read_to_string(&budget).with_context(|| format!("cannot read {BUDGET}"))?;
        check(self.brotli(), &text)
    }

    fn brotli(&self) -> u64 {
        self.files.iter().map(|file| file.brotli).sum()
    }
}

fn check(total: u64, budget: &str) -> Result<()> {
    let budget: Value = serde_json::from_str(budget).with_context(|| format!("{BUDGET} is no JSON"))?;
    let bytes = budget["brotliBytes"].as_u64().with_context(|| format!("{BUDGET} has no brotliBytes"))?;
    let why = budget["why"].as_str().with_context(|| format!("{BUDGET} does not say why"))?;
    ensure!(!why.trim().is_empty(), "{BUDGET} does not say why");
    ensure!(bytes <= CAP_BYTES, "{BUDGET} allows {bytes} bytes; nothing goes above {CAP_BYTES}");
    ensure!(
        total <= bytes,
        "the package loads {total} bytes, {} over the budget of {bytes}: make it smaller, or, if what it \
         gained is worth that to every visitor, set brotliBytes in {BUDGET} to {total} and say there why",
        total - bytes
    );
    Ok(())
}

fn brotli_sizes(pkg: &Path, paths: &[PathBuf]) -> Result<Vec<u64>> {
    let text =
        shell::output(Command::new("node").args(["-e", BROTLI_11, "--"]).args(paths).current_dir(pkg))?;
    let sizes: Vec<u64> = serde_json::from_str(&text)?;
    ensure!(sizes.len() == paths.len(), "asked for {} sizes, got {}", paths.len(), sizes.len());
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::check;

    const BUDGET: &str = r#"{ "why": "as measured", "brotliBytes": 1000 }"#;

    #[test]
    fn a_package_within_the_budget_passes() {
        check(1000, BUDGET).unwrap();
    }

    #[test]
    fn a_package_over_the_budget_is_told_how_to_raise_it() {
        let error = check(1010, BUDGET).unwrap_err().to_string();
        assert!(error.contains("10 over the budget of 1000"), "{error}");
        assert!(error.contains("set brotliBytes in pkg/size-budget.json to 1010"), "{error}");
    }

    #[test]
    fn a_budget_above_the_cap_is_refused() {
        assert!(check(1, r#"{ "why": "greedy", "brotliBytes": 167937 }"#).is_err());
    }

    #[test]
    fn a_budget_without_a_reason_is_refused() {
        assert!(check(1, r#"{ "brotliBytes": 1000 }"#).is_err());
        assert!(check(1, r#"{ "why": " ", "brotliBytes": 1000 }"#).is_err());
    }
}
