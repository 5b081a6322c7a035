//! Where the module's bytes are: function bodies by crate, and the sections around them.
//!
//! A total says that the module grew; only this says whose fault it is.

use anyhow::Result;
use std::collections::BTreeMap;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Parts below this many bytes are summed up in one line.
const SHOWN_BYTES_MIN: usize = 2048;
const REST: &str = "everything smaller";

/// A crate's functions, or a section.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: usize,
}

/// Splits a module that still has its function names, largest part first.
pub(super) fn of(module: &[u8]) -> Result<Vec<Part>> {
    let mut imported = 0;
    let mut bodies = Vec::new();
    let mut names = BTreeMap::new();
    let mut parts: BTreeMap<String, usize> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                *parts.entry("[imports]".into()).or_default() += section.range().len();
                for import in section.into_imports() {
                    imported += usize::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range().len()),
            Payload::DataSection(section) => {
                *parts.entry("[data: strings and tables]".into()).or_default() += section.range().len();
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(subsections) = section.as_known() {
                    for subsection in subsections {
                        if let Name::Function(map) = subsection? {
                            for naming in map {
                                let naming = naming?;
                                names.insert(naming.index as usize, naming.name.to_owned());
                            }
                        }
                    }
                }
            }
            other => {
                if let Some((_, range)) = other.as_section() {
                    let code = matches!(other, Payload::CodeSectionStart { .. });
                    if !code {
                        *parts.entry("[types, tables, exports]".into()).or_default() += range.len();
                    }
                }
            }
        }
    }
    for (index, bytes) in bodies.into_iter().enumerate() {
        let name = names.get(&(imported + index)).map_or("", String::as_str);
        *parts.entry(crate_of(name).to_owned()).or_default() += bytes;
    }
    Ok(largest_first(parts))
}

fn largest_first(parts: BTreeMap<String, usize>) -> Vec<Part> {
    let mut rest = 0;
    let mut shown = Vec::new();
    for (name, bytes) in parts {
        if bytes < SHOWN_BYTES_MIN {
            rest += bytes;
        } else {
            shown.push(Part { name, bytes });
        }
    }
    shown.sort_by_key(|part| std::cmp::Reverse(part.bytes));
    shown.push(Part { name: REST.into(), bytes: rest });
    shown
}

/// The crate that a function's demangled name starts with: the first lower-case name before a `::`.
///
/// In `<serde_json::Error as core::fmt::Display>::fmt` that is whose code it is, not whose trait.
fn crate_of(function: &str) -> &str {
    let mut rest = function;
    while let Some(at) = rest.find("::") {
        // The standard library's crates carry a hash: `core[c5930c85a12de822]::fmt`.
        let path = &rest[..at];
        let path =
            path.strip_suffix(']').and_then(|path| path.rsplit_once('[')).map_or(path, |(name, _)| name);
        let start = path.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        let word = &path[start..];
        if word.starts_with(|c: char| c.is_ascii_lowercase()) {
            return word;
        }
        rest = &rest[at + 2..];
    }
    "[allocator, memory, glue]"
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_BYTES_MIN, crate_of, largest_first};

    #[test]
    fn a_function_belongs_to_the_crate_that_implements_it() {
        for (function, owner) in [
            ("landfall_core::merge::apply", "landfall_core"),
            ("<serde_json::error::Error as core::fmt::Display>::fmt", "serde_json"),
            ("<&T as core::fmt::Debug>::fmt", "core"),
            ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "alloc"),
            ("core::ptr::drop_in_place<landfall_web::Store>", "core"),
            ("T::method::helper", "method"),
            ("<core[c5930c85a12de822]::fmt::Formatter>::pad", "core"),
            ("__rustc[b7974e8690430dd9]::__rust_dealloc", "[allocator, memory, glue]"),
            ("dlmalloc", "[allocator, memory, glue]"),
            ("", "[allocator, memory, glue]"),
        ] {
            assert_eq!(crate_of(function), owner, "{function}");
        }
    }

    #[test]
    fn small_parts_are_summed_up_at_the_end() {
        let sizes = [("a", 10), ("b", SHOWN_BYTES_MIN), ("c", 2 * SHOWN_BYTES_MIN), ("d", 5)];
        let parts = largest_first(sizes.map(|(name, bytes)| (name.to_owned(), bytes)).into());
        let shown: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.bytes)).collect();
        assert_eq!(shown, [("c", 2 * SHOWN_BYTES_MIN), ("b", SHOWN_BYTES_MIN), ("everything smaller", 15)]);
    }
}
