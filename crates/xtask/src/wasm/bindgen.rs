//! The glue between WebAssembly and JavaScript.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

/// Names the library and its options below; part of the key that decides whether to generate again.
pub(super) const RECIPE: &str = "wasm-bindgen 0.2.130 web, names kept, no producers";

/// Writes the module and its glue into `directory`.
pub(super) fn generate(module: &Path, directory: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .web(true)?
        // The library leaves the path out by default, unlike the tool, and then the glue's own
        // initialiser does not know where its module is.
        .omit_default_module_path(false)
        // Kept for the table of parts; wasm-opt strips them from what is shipped.
        .remove_name_section(false)
        .remove_producers_section(true)
        .typescript(false);
    bindgen.generate(directory)
}

/// The schema of the sections that wasm-bindgen leaves in the module changes with each version, so
/// both halves must be the same one.
pub(super) fn check_locked_version(root: &Path) -> Result<()> {
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let tool =
        locked(&lock, "wasm-bindgen-cli-support").context("Cargo.lock has no wasm-bindgen-cli-support")?;
    let library = locked(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?;
    ensure!(
        tool == library,
        "wasm-bindgen is locked at {library} and wasm-bindgen-cli-support at {tool}: pin both to one version"
    );
    Ok(())
}

fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::{RECIPE, locked};

    #[test]
    fn a_package_is_found_by_its_whole_name() {
        let lock = "name = \"wasm-bindgen-shared\"\nversion = \"1.0.0\"\n\
                    name = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked(lock, "wasm-opt"), None);
    }

    #[test]
    fn the_recipe_names_the_version_that_is_linked_in() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, pinned) = manifest.split_once("wasm-bindgen-cli-support = \"=").unwrap();
        let version = pinned.split('"').next().unwrap();
        assert!(RECIPE.contains(version), "{RECIPE} does not name {version}");
    }
}
