//! Small worlds, enumerated completely: everything that can happen to a few writers, in every order.
//!
//! Where [`world`](crate::world) draws one story from a seed, here every story is told: at each moment each
//! thing that may happen next happens, and a state that was seen before is not gone into again. The cores
//! and the decision are the product's, the disk and the server's store those of the big worlds.
//!
//! Time is left out: clocks stand still, and a timer may go off at any moment at which it is armed, where there is
//! anything to do. There are no hints from the server and no tokens. How often something goes wrong is counted, else there would be no end.
//! What a tab does between two requests, and what nobody else can notice, is not told in every order with what others
//! do meanwhile: the order makes no difference (partial order reduction).
//!
//! From every state another must be reachable, without a new write and without anything going wrong, in which
//! nothing is left to do and everybody sees the same: the queue always drains.

pub mod check;
mod fingerprint;
pub mod graph;
pub mod life;
mod pool;
pub mod seat;

use landfall_core::time::WallTime;

pub use graph::{Report, explore};
pub use seat::Deed;

/// What all clocks say.
pub const NOW: WallTime = WallTime(1_790_000_000_000);

/// A world, before anything has happened in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tabs: the device that each is on, and what its user does, one thing after the other.
    pub seats: Vec<(usize, Vec<Deed>)>,
    /// How many of the tabs drain, from the first one on.
    pub drain: usize,
    /// Whether the tabs have been opened for a while, and know all there is.
    pub opened: bool,
    /// Most changes on a page.
    pub page: usize,
    /// What goes wrong for each tab, at most.
    pub mishaps: Mishaps,
}

/// How often something goes wrong for a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// A request or an answer is lost.
    pub losses: u8,
    /// A push is doubled; the copy arrives at any time, or never.
    pub doubles: u8,
    /// The tab dies, or its device loses its power. Its user goes on in another one.
    pub deaths: u8,
}
