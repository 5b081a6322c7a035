//! Where in a document a field is: an array of keys, written as a JSON Pointer (RFC 6901) on the wire.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::id::{InvalidName, NAME_BYTES_MAX, as_text};
use crate::json::DEPTH_MAX;

/// Keys from the document's root to a field. The empty path is the document itself.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<[Box<str>]>);

impl Path {
    /// The keys, outermost first.
    pub fn keys(&self) -> &[Box<str>] {
        &self.0
    }

    /// The path of the member `key` of what this path names.
    pub fn child(&self, key: &str) -> Path {
        Path(self.0.iter().cloned().chain([key.into()]).collect())
    }

    /// Whether one of the two names the other or a part of it.
    pub fn overlaps(&self, other: &Path) -> bool {
        let shared = self.0.len().min(other.0.len());
        self.0[..shared] == other.0[..shared]
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|key| write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")))
    }
}

impl FromStr for Path {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = InvalidName("path");
        if text.is_empty() {
            return Ok(Path::default());
        }
        let keys = text.strip_prefix('/').ok_or(invalid)?.split('/').map(|key| {
            let mut parts = key.split('~').filter(|_| key.len() <= NAME_BYTES_MAX);
            let mut name = parts.next().ok_or(invalid)?.to_owned();
            for part in parts {
                let slash = part.strip_prefix('1').map(|rest| ('/', rest));
                let (escaped, rest) =
                    slash.or_else(|| Some(('~', part.strip_prefix('0')?))).ok_or(invalid)?;
                name.push(escaped);
                name.push_str(rest);
            }
            Ok(name.into())
        });
        let keys: Arc<[Box<str>]> = keys.collect::<Result<_, _>>()?;
        if keys.len() <= DEPTH_MAX { Ok(Path(keys)) } else { Err(invalid) }
    }
}

as_text!(Path);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_back_as_what_it_was() {
        for text in ["", "/a", "/a/b", "/", "/a~1b/m~0n", "/0", "/~01~10~0"] {
            assert_eq!(text.parse::<Path>().map(|p| p.to_string()), Ok(text.to_owned()));
        }
        for bad in ["a", "/~", "/~2", &"/x".repeat(33)] {
            assert!(bad.parse::<Path>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_overlaps_its_container_and_its_parts_only() {
        let [a, ab, ac, b] = ["/a", "/a/b", "/a/c", "/b"].map(|p| p.parse::<Path>().unwrap());
        assert!(a.overlaps(&ab) && ab.overlaps(&a) && a.overlaps(&a));
        assert!(!ab.overlaps(&ac) && !a.overlaps(&b));
    }
}
