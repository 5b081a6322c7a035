//! The checkout as the guards see it: paths and texts, so that a test can make one up.

use crate::shell;
use anyhow::Result;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// All files that are, or could be, committed.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Where the checkout is; what must not be written into it.
    pub(super) root: String,
}

/// A file with its path from the root, with `/` between the parts.
pub(super) struct File {
    pub(super) path: String,
    /// Empty for a file that is no text.
    pub(super) text: String,
}

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    path: String,
    /// Counted from 1; 0 means the file as a whole.
    line: usize,
    message: String,
}

impl Tree {
    /// Asks git, so ignored files do not count and files not yet added do.
    pub(super) fn of_checkout(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let listed = shell::output(&mut git)?;
        let mut paths: Vec<&str> = listed.split_terminator('\0').collect();
        paths.sort_unstable();
        paths.dedup();
        // A file can be listed and gone: deleted, and the deletion not yet staged.
        let files = paths.iter().filter_map(|path| {
            let bytes = std::fs::read(root.join(path)).ok()?;
            Some(File { path: (*path).to_owned(), text: String::from_utf8(bytes).unwrap_or_default() })
        });
        Ok(Self { files: files.collect(), root: root.to_string_lossy().into_owned() })
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Files whose name ends in one of `extensions`.
    pub(super) fn with_extension(&self, extensions: &[&str]) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| {
            file.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
        })
    }
}

impl File {
    /// Whether the file is below `directory`.
    pub(super) fn is_in(&self, directory: &str) -> bool {
        self.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }

    /// A finding about `line`, counted from 1.
    pub(super) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Lines with their numbers, without those that are comment from start to end.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| {
            let line = line.trim_start();
            !["//", "/*", "*"].iter().any(|start| line.starts_with(start))
        })
    }
}

impl Finding {
    /// A finding about something that is no file, such as a folder or a crate.
    pub(super) fn about(thing: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: thing.into(), line: 0, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Whether `word` stands in `line` with no letter, digit or underscore on either side of it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_name);
        let after = line[at + word.len()..].chars().next().is_some_and(part_of_name);
        !(before && word.starts_with(part_of_name) || after && word.ends_with(part_of_name))
    })
}

#[cfg(test)]
impl Tree {
    /// A made-up checkout.
    pub(super) fn made_of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        Self { files: files.iter().map(file).collect(), root: "/made/up".into() }
    }
}

/// Checks a guard against one file: the lines where it finds something.
#[cfg(test)]
pub(super) fn lines_found(guard: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    guard(&Tree::made_of(&[(path, text)])).iter().map(|finding| finding.line).collect()
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert!(has_word("let x: Instant = now", "Instant"));
        assert!(!has_word("Instantly", "Instant"));
        assert!(has_word("f(x).await;", ".await"));
        assert!(!has_word("x.awaited", ".await"));
        assert!(has_word("Instantly, an Instant", "Instant"));
    }
}
