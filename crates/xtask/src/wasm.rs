//! The npm package: Rust to WebAssembly to glue to the smallest module, then the TypeScript facade.
//!
//! wasm-bindgen is linked in as a library, so Cargo.lock pins it and no tool has to be installed by
//! hand. wasm-opt comes from npm for the same reason.

mod bindgen;
mod staging;

use crate::layout::Layout;
use crate::setup::{self, Toolchain};
use crate::{shell, size};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use staging::Staging;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The module's file, in the package and in staging; the glue asks for it by this name.
pub(crate) const MODULE: &str = "landfall_web_bg.wasm";
/// What wasm-bindgen writes beside it.
const GLUE: &str = "landfall_web.js";
/// Inside pkg/node_modules.
const WASM_OPT: &str = "binaryen/bin/wasm-opt";
/// Inside pkg.
const BUNDLE: &str = "bundle.mjs";
/// `-g` keeps function names until the parts have been weighed; [`STRIP`] takes them out.
/// The module says itself, in `target_features`, which instructions it may use.
/// Nothing is ever stored in the first kilobyte: it is the far end of the stack. Measured, together with
/// `--gufa-optimizing`: 1.4 KB less over the network than `-Oz --converge`.
const OPTIMISE: [&str; 16] = [
    "--low-memory-unused",
    "-Oz",
    "--gufa-optimizing",
    "-Oz",
    // Control flow made anew from what is left of it: a kilobyte.
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    // What is computed twice is computed once, and locals get the numbers that their use suggests: 0.4 KB.
    "--local-cse",
    "--coalesce-locals-learning",
    "--remove-unused-brs",
    "--optimize-instructions",
    "--coalesce-locals-learning",
    "--reorder-locals",
    "--vacuum",
    "-g",
];
/// The names by which module and glue know each other hold hashes, which no compression makes shorter.
const STRIP: [&str; 5] = [
    // What has a similar name is similar code, and compresses well beside it.
    "--reorder-functions-by-name",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
    "--minify-imports-and-exports-and-modules",
];

/// Which module to build.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// What users get.
    Product,
    /// With the feature `planted`: bugs that the tests must catch.
    Planted,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Product => "wasm",
            Self::Planted => "wasm-planted",
        }
    }

    /// A cdylib's file name holds no hash of its features, so in one directory cargo would take one
    /// variant's file for the other's.
    fn target(self, layout: &Layout) -> PathBuf {
        match self {
            Self::Product => layout.target.clone(),
            Self::Planted => layout.target.join("planted"),
        }
    }
}

/// Builds the package and prints its weight; the last line is `total brotli=BYTES`.
pub(crate) fn build_and_weigh(layout: &Layout) -> Result<()> {
    build(layout)?;
    size::weigh(layout)?.print();
    Ok(())
}

/// Builds the package: pkg/wasm and pkg/dist.
pub(crate) fn build(layout: &Layout) -> Result<()> {
    build_module(layout, Variant::Product)?;
    shell::run(&mut shell::npm(&layout.pkg(), &["run", "--silent", "build"]))
}

/// Builds pkg/wasm-planted.
pub(crate) fn build_planted(layout: &Layout) -> Result<()> {
    build_module(layout, Variant::Planted)
}

/// The product's module before its function names were stripped.
pub(crate) fn named_module(layout: &Layout) -> PathBuf {
    Staging::of(&layout.target, Variant::Product.name()).named()
}

fn build_module(layout: &Layout, variant: Variant) -> Result<()> {
    bindgen::check_locked_version(&layout.root)?;
    let node = setup::node()?;
    setup::packages(&layout.pkg(), &node)?;
    let toolchain = setup::toolchain()?;
    let compiled = compile(layout, variant, &toolchain)?;

    let staging = Staging::of(&layout.target, variant.name());
    let destination = layout.pkg().join(variant.name());
    let key = key(layout, &compiled)?;
    if staging.is_current(&key, &destination) {
        return Ok(());
    }
    staging.clear()?;
    shell::say(format!("wasm-bindgen and wasm-opt for pkg/{}", variant.name()));
    bindgen::generate(&compiled, &staging.files())?;
    optimise(layout, &staging)?;
    minify(layout, &staging)?;
    staging.install(&key, &destination)
}

fn compile(layout: &Layout, variant: Variant, toolchain: &Toolchain) -> Result<PathBuf> {
    let target = variant.target(layout);
    let mut cargo = toolchain.build(&layout.root, &target, &["--package", "landfall-web"]);
    if variant == Variant::Planted {
        cargo.args(["--features", "planted"]);
    }
    shell::run(&mut cargo)?;
    Ok(toolchain.module(&target, "landfall_web.wasm"))
}

fn optimise(layout: &Layout, staging: &Staging) -> Result<()> {
    let wasm_opt = |input: &Path, flags: &[&str], output: &Path| {
        let mut command = Command::new("node");
        command.arg(layout.pkg().join("node_modules").join(WASM_OPT));
        command.arg(input).args(flags).arg("-o").arg(output);
        shell::output(&mut command)
    };
    let module = staging.files().join(MODULE);
    wasm_opt(&module, &OPTIMISE, &staging.named())?;
    let names = wasm_opt(&staging.named(), &STRIP, &module)?;
    std::fs::write(staging.names(), names).context("cannot write the names that the module goes by")
}

fn minify(layout: &Layout, staging: &Staging) -> Result<()> {
    let mut bundle = Command::new("node");
    bundle.current_dir(layout.pkg()).arg(BUNDLE).arg(staging.files().join(GLUE)).arg(staging.names());
    shell::run(&mut bundle)
}

/// Everything that decides the bytes of the result: cargo's output, the tools and their options.
fn key(layout: &Layout, compiled: &Path) -> Result<String> {
    let tools = ["node_modules/binaryen/package.json", "node_modules/rolldown/package.json", BUNDLE];
    let tools = tools.map(|file| layout.pkg().join(file));
    let mut hash = Sha256::new();
    for file in tools.iter().map(PathBuf::as_path).chain([compiled]) {
        hash.update(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    hash.update(bindgen::RECIPE);
    hash.update(OPTIMISE.concat());
    hash.update(STRIP.concat());
    Ok(staging::hex(&hash.finalize()))
}
