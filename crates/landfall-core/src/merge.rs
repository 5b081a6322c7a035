//! Fields that merge in another way than by the last write, as an app and a server declare them.

use serde::{Deserialize, Serialize};

use crate::map::Map;

/// How a field merges where the last write is not what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// A number that is only counted up and down: nobody's step is lost.
    Counter,
    /// A set: each element is in or out by itself, and what is seen is an array.
    Set,
    /// The greatest value that anybody wrote.
    Max,
    /// The smallest.
    Min,
}

/// The declared fields of a collection: names of top-level members.
pub type Merges = Map<Box<str>, Merge>;
