//! The core, proved: one seed drives a world of devices, tabs, servers, disks, clocks and users through
//! every disaster, and no invariant breaks.
//!
//! Everything that decides is the product's: each tab is a real [`Client`](landfall_core::client::Client),
//! each verdict comes from the real [`authority`](landfall_core::authority). What is simulated is what the
//! product does not decide: [`disk`]s, [`clock`]s, the [`network`], the [`server`]'s maps, [`user`]s and
//! [`disaster`]s. A [`swarm`] says which of them a seed has, a [`queue`] what happens when, a [`phase`] that
//! everything is mended in the end and must come right by itself. [`check`] has the invariants, one small
//! checker each, and [`mark`] what must have happened sometimes.
//!
//! Start with [`world`]. `cargo xtask sim SEED --trace` tells a seed's story.

#![forbid(unsafe_code)]

pub mod chance;
pub mod check;
pub mod clock;
pub mod device;
pub mod disaster;
pub mod disk;
pub mod hostile;
pub mod job;
pub mod mark;
pub mod network;
pub mod person;
pub mod phase;
pub mod planted;
pub mod queue;
pub mod reference;
pub mod script;
pub mod server;
pub mod shrink;
pub mod small;
pub mod story;
pub mod swarm;
pub mod tab;
pub mod trace;
pub mod upgrade;
pub mod user;
pub mod version;
pub mod witness;
pub mod world;
