//! What the tool is told when it is started.

use std::time::Duration;

use crate::world::{Kind, Settings};

/// Long enough for any machine, and for a device that was told to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much is to be done, and to what.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) stores: Vec<Kind>,
    /// In all stores together.
    pub(crate) kills: usize,
    pub(crate) seed: u64,
    /// Whether bugs are planted, to see whether they are found.
    pub(crate) planted: bool,
}

/// Reads the command line.
///
/// # Errors
/// What is wrong with it, for a person.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut server, mut proxy, mut store, mut kills, mut seed) = Default::default();
    let mut planted = false;
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let place: &mut Option<String> = match name.as_str() {
            "--server" => &mut server,
            "--proxy" => &mut proxy,
            "--store" => &mut store,
            "--kills" => &mut kills,
            "--seed" => &mut seed,
            "--planted" => {
                planted = true;
                continue;
            }
            _ => return Err(format!("unknown argument {name}")),
        };
        *place = Some(arguments.next().ok_or(format!("{name} needs a value"))?);
    }
    let number = |name: &str, text: Option<String>, default: u64| match text {
        Some(text) => text.parse().map_err(|_| format!("{name} {text}: not a number")),
        None => Ok(default),
    };
    let stores = match store.as_deref() {
        None => vec![Kind::Sqlite, Kind::Postgres],
        Some("sqlite") => vec![Kind::Sqlite],
        Some("postgres") => vec![Kind::Postgres],
        Some(other) => return Err(format!("--store {other}: sqlite or postgres")),
    };
    Ok(Options {
        settings: Settings {
            server: server.ok_or("--server PROGRAM is missing")?.into(),
            proxy: proxy.ok_or("--proxy PROGRAM is missing")?.into(),
            planted: None,
            patience: PATIENCE,
        },
        stores,
        kills: number("--kills", kills, 100)? as usize,
        seed: number("--seed", seed, 1)?,
        planted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_hundred_deaths_on_both_stores_are_what_it_comes_to() {
        let options = parsed("--server a --proxy b").expect("enough");
        assert_eq!((options.kills, options.stores.len()), (100, 2));
        let options = parsed("--server a --proxy b --store postgres --kills 7").expect("enough");
        assert_eq!((options.kills, options.stores), (7, vec![Kind::Postgres]));
    }

    #[test]
    fn a_command_line_that_says_too_little_is_refused() {
        for line in
            ["", "--server a", "--server a --proxy b --kills x", "--server a --proxy b --store c", "--kill 1"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
