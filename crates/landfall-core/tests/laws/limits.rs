//! A document may be as large as is said, and no larger.

use landfall_core::id::{MutationId, Version, Writer};
use landfall_core::mutation::Mutation;
use landfall_core::wire::{DOCUMENT_BYTES_MAX, PushResult};
use serde_json::json;

use crate::court::Court;

/// Two writes that make a document of so many bytes together; what is said of the second.
fn made(bytes: usize) -> PushResult {
    let write = |n: u64, op: &str, path: &str, text: String| {
        let id = MutationId { writer: Writer(1), n };
        serde_json::from_value::<Mutation>(json!({
            "id": id, "collection": "notes", "document": "d", "op": op, "base": n - 1, "schema": 1,
            "fields": [{ "path": path, "op": "set", "value": text }], "stamp": format!("000000000001-000{n}-{}", Writer(1)),
        }))
        .unwrap()
    };
    let half = DOCUMENT_BYTES_MAX / 2;
    let rest = bytes - half - r#"{"a":"","b":""}"#.len();
    let mut court = Court::default();
    court.push(&[1], &[write(1, "create", "/a", "x".repeat(half))]);
    let result = court.push(&[1], &[write(2, "patch", "/b", "x".repeat(rest))]).remove(0);
    assert_eq!(court.text().map_or(0, |text| text.len()) == bytes, result.code.is_none());
    result
}

#[test]
fn the_last_byte_that_there_is_room_for_is_taken_and_the_next_one_refused() {
    assert_eq!(made(DOCUMENT_BYTES_MAX).version, Version(2));
    let refused = made(DOCUMENT_BYTES_MAX + 1);
    assert_eq!(refused.code.as_deref(), Some("document_too_large"));
    assert_eq!(refused.message.as_deref(), Some("the document would be larger than 256 KiB"));
}
