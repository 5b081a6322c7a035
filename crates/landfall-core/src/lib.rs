//! The Landfall protocol as pure state machines, for both sides.
//!
//! An app writes to [`client::Client`], which keeps the write in its [`outbox`] and shows it on top of
//! what the server has confirmed ([`replica`]). When the [`drain`] says so, mutations go to the server,
//! where [`authority::decide`] judges them against what is there: [`mutation`]s change [`document`]s
//! path by path, and [`clock`] stamps settle what two people wrote without knowing of each other.
//!
//! Nothing here knows of time, chance, storage, network or `async`. Facts go in, effects come out, and
//! what is to be stored is an effect too: a [`transaction::Transaction`] reads, decides and writes. So
//! the browser, the server and the simulator run this very code, and a seed replays a disaster.

#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod authority;
pub mod backoff;
pub mod client;
pub mod clock;
pub mod code;
pub mod conflict;
pub mod document;
pub mod drain;
pub mod encoding;
pub mod id;
pub mod index;
pub mod intent;
pub mod json;
pub mod ledger;
pub mod live;
pub mod map;
pub mod merge;
pub mod mutation;
pub mod outbox;
pub mod path;
pub mod planted;
pub mod replica;
pub mod stored;
pub mod time;
pub mod transaction;
pub mod wire;
