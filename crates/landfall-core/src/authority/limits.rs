//! What a document may be, whatever the rules are.

use crate::code::Code;
use crate::document::{Document, Node};
use crate::json::{Json, KEYS_MAX, Shape};
use crate::mutation::{Refusal, STEP_MAX};
use crate::wire::DOCUMENT_BYTES_MAX;

/// Refuses a document that is too large, in one way or another.
pub(super) fn within_limits(document: &Document, visible: Option<&Json>) -> Result<(), Refusal> {
    let Some(text) = visible.map(Json::text) else { return Ok(()) };
    if text.len() > DOCUMENT_BYTES_MAX {
        let limit = DOCUMENT_BYTES_MAX >> 10;
        return Err(Refusal::new(
            Code::DocumentTooLarge,
            format!("the document would be larger than {limit} KiB"),
        ));
    }
    let (mut elements, mut exact) = (0, true);
    document.each_register(&mut |_, node| match node {
        Node::Set(_, parts) => elements += parts.len(),
        Node::Counter(counter) => exact &= counter.total().unsigned_abs() <= STEP_MAX,
        Node::Whole(..) | Node::Object(..) | Node::Unset(_) => {}
    });
    if Shape::of(text.as_bytes()).keys + elements > KEYS_MAX {
        return Err(Refusal::new(
            Code::TooManyKeys,
            format!("the document would have more than {KEYS_MAX} keys and elements of sets"),
        ));
    }
    if !exact {
        return Err(Refusal::new(Code::InvalidOperation, "more than can be counted exactly"));
    }
    Ok(())
}
