//! Which sites' pages may ask, where that is said.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, Uri};
use serde_saphyr::Spanned;

use crate::config::Mistake;

/// Whose pages a browser lets talk to this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's: only a token opens anything, and no browser sends that by itself.
    Any,
    /// These sites' and no others', as browsers name them.
    Listed(BTreeSet<String>),
}

impl Origins {
    /// Whether a page from there may ask.
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Origins::Any => true,
            Origins::Listed(listed) => origin.to_str().is_ok_and(|origin| listed.contains(origin)),
        }
    }

    /// Those of a configuration.
    pub(crate) fn listed(origins: Vec<Spanned<String>>) -> Result<Origins, Mistake> {
        for origin in &origins {
            check(&origin.value).map_err(|reason| Mistake::at(origin, format!("origins: {reason}")))?;
        }
        Ok(Origins::Listed(origins.into_iter().map(|origin| origin.value).collect()))
    }
}

/// A browser names a site in one way only, and what never matches is a mistake that is better told.
fn check(origin: &str) -> Result<(), String> {
    if origin == "*" {
        return Err("leave `origins` out to let every site's pages ask".to_owned());
    }
    let uri = origin.parse::<Uri>().ok();
    let named = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    match named {
        Some((scheme, host))
            if origin == format!("{scheme}://{host}").to_lowercase() && !host.as_str().contains('@') =>
        {
            Ok(())
        }
        Some(_) | None => Err(format!(
            "`{origin}` is no origin: a scheme, a host, and a port where it is not the usual one, in lower case"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_site_and_nothing_below_it() {
        for origin in ["https://app.example", "http://localhost:5173", "capacitor://localhost"] {
            assert_eq!(check(origin), Ok(()), "{origin}");
        }
        for origin in [
            "app.example",
            "https://app.example/",
            "https://App.example",
            "https://u@app.example",
            "null",
            "*",
            "",
        ] {
            assert!(check(origin).is_err(), "{origin}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed_where_anything_is() {
        let listed = Origins::Listed(["https://app.example".to_owned()].into());
        let asks = |origin| listed.allow(&HeaderValue::from_static(origin));
        assert!(asks("https://app.example") && Origins::Any.allow(&HeaderValue::from_static("null")));
        assert!(!asks("https://app.example.evil") && !asks("http://app.example") && !asks("null"));
    }
}
