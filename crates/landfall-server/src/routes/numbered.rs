//! Pages of what is numbered from 1 and told from the newest to the oldest.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use landfall_core::code::Code;
use serde::Deserialize;
use utoipa::IntoParams;

use super::pull::limit;
use crate::error::ApiError;
use crate::limits::Limits;

/// Which page is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Where an earlier page ended; the newest where there is none.
    #[serde(default)]
    #[param(pattern = "^([1-9][0-9]{0,17})?$", max_length = 18)]
    cursor: String,
    /// How many are on the page; 1,000 where it is not said, and at most, whatever is.
    #[param(value_type = u64, required = false, minimum = 1, maximum = 18_446_744_073_709_551_615_u64)]
    limit: Option<String>,
}

impl Ask {
    /// The number that the page is behind, and how many are on it.
    pub(super) fn page(
        ask: Result<Query<Ask>, QueryRejection>,
        limits: &Limits,
    ) -> Result<(u64, usize), ApiError> {
        let Query(ask) = ask.map_err(|error| ApiError::new(Code::InvalidRequest, error.body_text()))?;
        let limit = limit(ask.limit.as_deref(), limits.page_changes)?;
        Ok((before(&ask.cursor)?, limit))
    }
}

/// What a page is behind, of things that are numbered from 1 and told from the newest to the oldest.
fn before(cursor: &str) -> Result<u64, ApiError> {
    const NEWEST: u64 = i64::MAX.unsigned_abs();
    if cursor.is_empty() {
        return Ok(NEWEST);
    }
    let number = cursor.parse::<u64>().ok().filter(|number| (1..=NEWEST).contains(number));
    // One place has one spelling.
    let number = number.filter(|number| number.to_string() == cursor);
    number.ok_or_else(|| ApiError::new(Code::InvalidCursor, "this server did not give out this cursor"))
}
