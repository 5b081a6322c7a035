//! The words after `cargo xtask`.
//!
//! Six commands with three options between them do not pay for an argument parser's compile time on
//! the first command of a fresh clone.

use anyhow::{Result, bail};

/// Arguments not yet taken. Each method takes what it returns, so what is left at the end is unknown.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// The arguments this process was started with, without its name.
    pub(crate) fn from_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first argument if it is not an option.
    pub(crate) fn positional(&mut self) -> Option<String> {
        match self.0.first() {
            Some(first) if !first.starts_with('-') => Some(self.0.remove(0)),
            Some(_) | None => None,
        }
    }

    /// Takes `name` if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != name);
        self.0.len() < before
    }

    /// Takes `name VALUE` or `name=VALUE`.
    ///
    /// # Errors
    /// When the value is missing.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        let Some(at) = self.0.iter().position(|a| a == name || a.starts_with(&prefix)) else {
            return Ok(None);
        };
        let argument = self.0.remove(at);
        if let Some(value) = argument.strip_prefix(&prefix) {
            return Ok(Some(value.to_owned()));
        }
        if at == self.0.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.0.remove(at)))
    }

    /// Refuses what no command took, so that a mistyped option is not silently ignored.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(left) => bail!("unknown argument {left:?}; see `cargo xtask help`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(line: &str) -> Arguments {
        Arguments(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_value_is_taken_in_both_spellings() {
        for line in ["demo --listen 127.0.0.1:0", "demo --listen=127.0.0.1:0"] {
            let mut given = arguments(line);
            assert_eq!(given.positional().as_deref(), Some("demo"));
            assert_eq!(given.value("--listen").unwrap().as_deref(), Some("127.0.0.1:0"));
            given.finish().unwrap();
        }
    }

    #[test]
    fn a_missing_value_and_an_unknown_option_are_errors() {
        assert!(arguments("--listen").value("--listen").is_err());
        assert!(arguments("--lisen 1").finish().is_err());
    }

    #[test]
    fn a_flag_is_taken_once() {
        let mut given = arguments("wasm --planted");
        assert!(given.flag("--planted"));
        assert!(!given.flag("--planted"));
    }
}
