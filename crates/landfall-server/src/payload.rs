//! The body of a request: bounded, unpacked and parsed, or refused with a code that says why.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use landfall_core::code::Code;
use landfall_core::json::Shape;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::app::App;
use crate::error::ApiError;

/// Deepest nesting of a body: a document's own and the few levels of the envelope around it.
pub const DEPTH_MAX: usize = 64;
/// A client that sends too much is heard out up to this many times the limit, so that it gets our
/// answer and not a reset connection, from which it would learn nothing.
const PATIENCE: usize = 8;

/// A body as it arrived, unpacked.
pub struct Payload(Bytes);

impl FromRequest<App> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Payload, ApiError> {
        let limits = &app.limits;
        let packed = is_packed(request.headers())?;
        check_content_type(request.headers())?;
        let bytes = receive(request.into_body(), limits.body_bytes, limits.body_timeout()).await?;
        let bytes = if packed { inflate(&bytes, limits.inflated_bytes)? } else { bytes };
        Ok(Payload(bytes))
    }
}

impl Payload {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `malformed_json` with the place for what is no JSON, `too_deep`, and `invalid_request` for JSON
    /// that is something else than was asked for.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        // Measured first: a parser that recurses must never see ten thousand brackets.
        if Shape::of(&self.0).depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX}");
            return Err(ApiError::new(Code::TooDeep, message).limited(DEPTH_MAX));
        }
        serde_json::from_slice(&self.0).map_err(|error| match error.classify() {
            Category::Data => ApiError::new(Code::InvalidRequest, error.to_string()),
            Category::Io | Category::Syntax | Category::Eof => {
                let offset = offset(&self.0, error.line(), error.column());
                let message = format!("the body is not JSON at byte {offset}: {error}");
                ApiError::new(Code::MalformedJson, message)
            }
        })
    }
}

/// Lines and columns count from 1, and columns in bytes.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    if is_json && is_utf8 { Ok(()) } else { Err(unsupported("the body must be application/json in UTF-8")) }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, ApiError> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match encoding.to_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Ok("gzip") => Ok(true),
        Ok("identity") => Ok(false),
        Ok(_) | Err(_) => Err(unsupported("the body may be packed with gzip and nothing else")),
    }
}

fn unsupported(message: &str) -> ApiError {
    ApiError::new(Code::UnsupportedMediaType, message)
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is larger than {limit} bytes; send less at a time");
    ApiError::new(Code::PayloadTooLarge, message).limited(limit)
}

async fn receive(body: Body, limit: usize, patience: Duration) -> Result<Bytes, ApiError> {
    tokio::time::timeout(patience, receive_all(body, limit)).await.unwrap_or_else(|_| {
        let message = "the body took too long to arrive";
        Err(ApiError::new(Code::RequestTimeout, message))
    })
}

async fn receive_all(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let (mut bytes, mut total) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| ApiError::new(Code::InvalidRequest, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total > limit.saturating_mul(PATIENCE) {
            break;
        }
        if total <= limit {
            bytes.extend_from_slice(&data);
        }
    }
    if total > limit { Err(too_large(limit)) } else { Ok(bytes.into()) }
}

fn inflate(packed: &[u8], limit: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a body that is exactly as large from a bomb.
    let bounded = MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut bytes);
    bounded.map_err(|error| {
        ApiError::new(Code::MalformedJson, format!("the body cannot be unpacked: {error}"))
    })?;
    if bytes.len() > limit { Err(too_large(limit)) } else { Ok(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_of_an_error_counts_bytes_from_the_start() {
        let check = |text: &str, expected: usize| {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            assert_eq!(offset(text.as_bytes(), error.line(), error.column()), expected, "{text}");
        };
        check("{\"a\":x}", 5);
        check("{\n\"ä\":\nx}", 8);
        check("{\"a\":1}}", 7);
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        let check = |content_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            check_content_type(&headers).is_ok()
        };
        assert!(check("application/json") && check("Application/JSON; charset=\"UTF-8\""));
        assert!(!check("text/plain") && !check("application/json; charset=utf-16") && !check("json"));
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }
}
