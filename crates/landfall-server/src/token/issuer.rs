//! Where the keys of whoever issues tokens are, and how the server keeps up with them.
//!
//! Keys are read at the start, every ten minutes, and when a token names one that is not known, twice a minute at most: a
//! new key works within half a minute, and one that was withdrawn for ten. While they cannot be read, those that were read
//! last count.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use ureq::tls::{RootCerts, TlsConfig};

use super::keys::Keys;

/// How often keys are read without anybody asking.
const EVERY: Duration = Duration::from_secs(600);
/// How often they are read at most because a token names one that is not known: strangers can send such tokens.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the issuer has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest key set that is read.
const BYTES_MAX: u64 = 256 << 10;

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// Behind a URL.
    Url(String),
}

impl Place {
    /// The same, with a relative path taken from a directory on.
    #[must_use]
    pub fn from(self, directory: &Path) -> Place {
        match self {
            Place::File(path) => Place::File(directory.join(path)),
            Place::Url(url) => Place::Url(url),
        }
    }

    fn read(&self) -> Result<Keys, String> {
        let text = match self {
            Place::File(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
            Place::Url(url) => fetch(url).map_err(|error| format!("{url}: {error}"))?,
        };
        Keys::read(&text).map_err(|error| format!("{self}: {error}"))
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Place, &'static str> {
        match text.split_once("://") {
            None => Ok(Place::File(text.into())),
            Some(("https", _)) => Ok(Place::Url(text.to_owned())),
            Some(("http", rest)) if is_loopback(rest) => Ok(Place::Url(text.to_owned())),
            Some(("http", _)) => Err("keys that come over plain http can be anybody's; use https"),
            Some((_, _)) => Err("neither a file nor a URL with https"),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Url(url) => f.write_str(url),
        }
    }
}

fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn fetch(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    // The machine's own list of authorities, where an organisation has put its own.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        // Whoever may answer for a URL that was not configured could be anybody.
        .max_redirects(0)
        .tls_config(tls)
        .build()
        .new_agent();
    let mut answer = agent.get(url).call()?;
    if answer.status() != 200 {
        return Err(format!("answered with {}", answer.status()).into());
    }
    let mut text = String::new();
    answer.body_mut().as_reader().take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Keys that somebody else changes.
pub struct Issuer {
    place: Place,
    keys: RwLock<Option<Arc<Keys>>>,
    /// When they were last looked for. Held while that is done, so that one look serves all who wait.
    looked: Mutex<Option<Instant>>,
}

impl Issuer {
    /// Keys that are at a place, and are not read yet.
    pub fn at(place: Place) -> Issuer {
        Issuer { place, keys: RwLock::new(None), looked: Mutex::new(None) }
    }

    /// The keys that were read last; none where they could never be read.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys, unless that was done a moment ago.
    pub async fn look_again(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|at| at.elapsed() >= AGAIN) {
            *looked = Some(Instant::now());
            self.try_to_look().await;
        }
    }

    /// Reads the keys now and every ten minutes, for ever.
    pub async fn keep_up(&self) {
        let mut rounds = tokio::time::interval(EVERY);
        loop {
            rounds.tick().await;
            self.try_to_look().await;
        }
    }

    async fn try_to_look(&self) {
        if let Err(reason) = self.look().await {
            tracing::warn!(
                reason,
                "the keys for tokens cannot be read; those that were read last still count"
            );
        }
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// They cannot be read. Those that were read before still count.
    pub async fn look(&self) -> Result<(), String> {
        let place = self.place.clone();
        let read = tokio::task::spawn_blocking(move || place.read()).await;
        let keys = read.map_err(|error| error.to_string())??;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
        Ok(())
    }
}
