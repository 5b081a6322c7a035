//! What must be true of merging for any mutations whatever: a million small cases, made to collide.

#![expect(clippy::unwrap_used, reason = "what a case made up itself can be read")]

mod arbitrary;
mod causality;
mod court;
mod group;
mod limits;
mod order;
mod policy;
mod receipts;
mod reference;
mod settlement;
mod sight;
mod whole;

use landfall_core::document::{Document, Register};
use landfall_core::id::Version;
use landfall_core::mutation::Mutation;

/// What is left of some mutations that arrive in this order.
fn merged(mutations: &[Mutation]) -> Document {
    let mut document = Document::default();
    for (mutation, n) in mutations.iter().zip(1..) {
        mutation.apply(&mut document, Register { stamp: mutation.stamp, version: Version(n) });
    }
    document
}
