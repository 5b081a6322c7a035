//! `landfall.yaml`: what a server is told, checked as a whole before it listens.
//!
//! A mistake is refused with its line. A server that started with half of its rules would let in or
//! give away what nobody can take back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::limits::Limits;
use crate::origins::Origins;
use crate::retention::Retention;
use crate::rules::{CollectionEntry, Rules, Staff};
use crate::token::{Expected, Place};

/// What runs where no configuration is given: the demo's own.
const DEMO: &str = include_str!("../../../www/landfall.yaml");

/// A configuration that can be run.
pub struct Config {
    /// Who may do what.
    pub rules: Rules,
    /// Who looks after the server.
    pub staff: Staff,
    /// How much at a time.
    pub limits: Limits,
    /// Which sites' pages may ask.
    pub origins: Origins,
    /// How long it is kept who changed what.
    pub retention: Retention,
    /// The key for tokens.
    pub key: Option<String>,
    /// Where the keys of whoever else issues tokens are.
    pub jwks: Option<Place>,
    /// What tokens must say.
    pub expected: Expected,
}

/// Where a configuration is wrong, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    place: Option<(u64, u64)>,
    reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A mistake at a place in the file.
pub(crate) struct Mistake {
    place: Option<(u64, u64)>,
    reason: String,
}

impl Mistake {
    /// What is wrong with a value.
    pub(crate) fn at<T>(value: &Spanned<T>, reason: impl Into<String>) -> Mistake {
        let place = Some((value.referenced.line(), value.referenced.column()));
        Mistake { place, reason: reason.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    collections: BTreeMap<String, Spanned<CollectionEntry>>,
    /// Who reads the audit log.
    auditors: Option<Spanned<String>>,
    /// For collections that say nothing of it.
    history_days: Option<Spanned<u64>>,
    #[serde(default)]
    auth: Auth,
    #[serde(default)]
    limits: Option<Spanned<Limits>>,
    operators: Option<Spanned<String>>,
    #[serde(default)]
    origins: Option<Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    key: Option<String>,
    jwks: Option<Spanned<String>>,
    issuer: Option<String>,
    audience: Option<String>,
    key_id: Option<String>,
}

impl Config {
    /// The configuration of the demo.
    pub fn demo() -> Config {
        match Config::parse(DEMO, "landfall.yaml") {
            Ok(config) => config,
            Err(error) => panic!("BUG: the demo's configuration is wrong: {error}"),
        }
    }

    /// Reads a configuration from a file.
    ///
    /// # Errors
    /// The file cannot be read, or what it says is wrong somewhere.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                let config = Config::parse_in(&text, &file, directory)?;
                Ok(Config { jwks: config.jwks.map(|jwks| jwks.from(directory)), ..config })
            }
            Err(error) => Err(ConfigError { file, place: None, reason: error.to_string() }),
        }
    }

    /// Reads a configuration; `file` is what errors call it.
    ///
    /// # Errors
    /// What it says is wrong somewhere.
    pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
        Config::parse_in(text, file, Path::new(""))
    }

    fn parse_in(text: &str, file: &str, directory: &Path) -> Result<Config, ConfigError> {
        Config::build(text, directory).map_err(|Mistake { place, reason }| ConfigError {
            file: file.to_owned(),
            place,
            reason,
        })
    }

    fn build(text: &str, directory: &Path) -> Result<Config, Mistake> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| Mistake {
            place: error.location().map(|place| (place.line(), place.column())),
            reason: one_line(&error),
        })?;
        let limits = match file.limits {
            Some(limits) => {
                limits.value.check().map_err(|reason| Mistake::at(&limits, reason))?;
                limits.value
            }
            None => Limits::default(),
        };
        let origins = match file.origins {
            Some(listed) => Origins::listed(listed)?,
            None => Origins::Any,
        };
        let Auth { key, jwks, issuer, audience, key_id } = file.auth;
        let jwks = match jwks {
            Some(jwks) if audience.is_none() => {
                let reason = "`auth.audience` is needed beside it: an issuer signs tokens for others, too";
                return Err(Mistake::at(&jwks, format!("`jwks`: {reason}")));
            }
            Some(jwks) => {
                Some(jwks.value.parse().map_err(|reason| Mistake::at(&jwks, format!("`jwks`: {reason}")))?)
            }
            None => None,
        };
        let days = file.collections.iter().map(|(name, entry)| (&**name, entry.value.history_days.as_ref()));
        let retention = Retention::build(file.history_days.as_ref(), days)?;
        let expected = Expected { issuer, audience, key_id };
        let staff = Staff::build(file.operators, file.auditors)?;
        let rules = Rules::build(file.collections, directory)?;
        Ok(Config { rules, staff, limits, origins, retention, key, jwks, expected })
    }
}

/// The library's message without the excerpt of the file and the place, which is told in front.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or("not a configuration");
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        match Config::parse(text, "landfall.yaml") {
            Ok(_) => panic!("taken: {text}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_demo_runs() {
        assert_eq!(Config::demo().limits, Limits::default());
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let check = |text: &str, place: &str, reason: &str| {
            let mistake = mistake(text);
            assert!(mistake.starts_with(&format!("landfall.yaml:{place}:")), "{mistake}");
            assert!(mistake.contains(reason), "{mistake}");
        };
        check("collections:\n  visits:\n    raed: 'true'\n", "3", "raed");
        check("collections:\n  visits:\n    read: 'true &&'\n", "3", "read");
        check("collections:\n  visits:\n    read: 'usr.id == \"\"'\n", "3", "usr");
        check("collections:\n  visits:\n    read: '1 + 1'\n", "3", "true or false");
        check("collections:\n  visits:\n    read: 'shout(user.id) == \"\"'\n", "3", "shout");
        check("collections:\n  visits:\n    read: 'user.roles.exists(r, s == \"\")'\n", "3", "`s`");
        check("collections: {}\nlimits:\n  body_bytes: 0\n", "3", "body_bytes");
        check("collections: {}\nlimits:\n  batch_mutations: many\n", "3", "");
        check(
            "collections: {}\norigins:\n  - https://app.example/\n",
            "3",
            "`https://app.example/` is no origin",
        );
        check("collections: {}\norigins: ['*']\n", "2", "leave `origins` out");
        check("collections:\n  _visits: {}\n", "2", "_visits");
        check("collections: {}\noperators: 'document.a == 1'\n", "2", "there is no document");
        check("collections: {}\nstuff: 1\n", "2", "stuff");
        check("collections: {}\nauditors: document.owner == user.id\n", "2", "there is no document");
        check("collections: {}\nauditors: [auditor]\n", "2", "");
        check("collections: {}\nauditors: '\"auditor\" in user.role == 1 +'\n", "2", "auditors");
        check("collections: {}\nhistory_days: 0\n", "2", "between 1 and 36500");
        check("collections:\n  visits:\n    history_days: 36501\n", "3", "between 1 and 36500");
        check("collections:\n  visits:\n    history_days: -1\n", "3", "");
        check("collections: {}\nauth:\n  jwks: keys.json\n", "3", "`auth.audience` is needed");
        let jwks = |place: &str| format!("collections: {{}}\nauth:\n  audience: us\n  jwks: {place}\n");
        check(&jwks("http://issuer.example/keys"), "4", "https");
        check(&jwks("ftp://issuer.example/keys"), "4", "https");
        check("collections:\n  visits: {}\n  visits: {}\n", "3", "visits");
        check("collections:\n  visits:\n    fields:\n      photos: sum\n", "4", "sum");
        check("collections:\n  visits:\n    fields:\n      _photos: counter\n", "4", "_photos");
        check("collections:\n  visits:\n    policy: whoever shouts\n", "3", "whoever shouts");
        let schema = |schema: &str| format!("collections:\n  visits:\n    schema: {schema}\n");
        check(&schema("{ properties: { a: { type: txt } } }"), "3", "/properties/a");
        check(&schema("nowhere.json"), "3", "nowhere.json");
        check("collections:\n  visits:\n    references: { site: sites }\n", "3", "sites");
        check("collections:\n  visits:\n    normalize: { name: [tidy] }\n", "3", "tidy");
        let both = "    references: { site: visits }\n    normalize: { site: [trim] }\n";
        check(&format!("collections:\n  visits:\n{both}"), "3", "no other form");
        let whole = "    policy: document-last-write-wins\n    normalize: { name: [trim] }\n";
        check(&format!("collections:\n  visits:\n{whole}"), "4", "does not go with");
        let rule = "      - { name: n, check: 'true', field: notes, message: m }\n";
        check(&format!("collections:\n  visits:\n    rules:\n{rule}"), "4", "field");
    }

    #[test]
    fn a_schema_may_be_in_a_file_beside_the_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("landfall.yaml");
        std::fs::write(&file, "collections: { visits: { schema: visits.json } }").unwrap();
        let missing = Config::read(&file).err().unwrap().to_string();
        assert!(missing.contains(":1:") && missing.contains("visits.json"), "{missing}");
        std::fs::write(directory.path().join("visits.json"), r#"{ "type": "object" }"#).unwrap();
        assert!(Config::read(&file).is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::read(Path::new("nowhere/landfall.yaml")).err().unwrap();
        assert!(error.to_string().starts_with("nowhere/landfall.yaml: "), "{error}");
    }
}
