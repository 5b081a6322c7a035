//! How long it is kept who changed what: for ever, where `landfall.yaml` says nothing.
//!
//! A history is what people are answered with years later, and what is gone cannot be had again. So forgetting is
//! something that somebody asks for.

use std::collections::BTreeMap;

use landfall_core::id::Collection;
use landfall_core::time::{Millis, WallTime};
use serde_saphyr::Spanned;

use crate::config::Mistake;

const DAY: Millis = Millis::seconds(24 * 60 * 60);
/// A hundred years.
const DAYS_MAX: u64 = 36_500;

/// For how long which collections keep their history. Those that are not named keep it for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention(BTreeMap<Collection, Millis>);

impl Retention {
    /// Reads what is said of each collection; `every` is for those of which nothing is said.
    pub(crate) fn build<'a>(
        every: Option<&'a Spanned<u64>>,
        collections: impl Iterator<Item = (&'a str, Option<&'a Spanned<u64>>)>,
    ) -> Result<Retention, Mistake> {
        let kept = |days: &Spanned<u64>| match days.value {
            1..=DAYS_MAX => Ok(Millis(days.value * DAY.0)),
            _ => Err(Mistake::at(days, format!("`history_days` must lie between 1 and {DAYS_MAX}"))),
        };
        let every = every.map(kept).transpose()?;
        let mut retention = Retention::default();
        for (name, days) in collections {
            // A name that is none is told with the rules.
            if let (Some(kept), Ok(name)) = (days.map(kept).transpose()?.or(every), name.parse()) {
                retention.0.insert(name, kept);
            }
        }
        Ok(retention)
    }

    /// The collections that forget, and from when on everything is kept.
    pub fn since(&self, now: WallTime) -> impl Iterator<Item = (&Collection, WallTime)> {
        self.0.iter().map(move |(name, kept)| (name, WallTime(now.0.saturating_sub(kept.0))))
    }
}
