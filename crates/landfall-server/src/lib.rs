//! The Landfall server, as a router: everything but the socket.
//!
//! A request is read, decided on and written in that order. The decision is
//! `landfall_core::authority`, the same code that the simulator runs; here is what surrounds it: who
//! asks ([`caller`]), what they may do ([`rules`]), what is kept ([`store`]) and how it is said over
//! HTTP ([`routes`]).

pub mod accept;
pub mod app;
pub mod caller;
pub mod config;
pub mod cursor;
pub mod error;
mod faults;
mod hints;
pub mod limits;
mod load;
pub mod metrics;
mod openapi;
pub mod origins;
pub mod page;
pub mod payload;
mod random;
pub mod retention;
pub mod routes;
pub mod rules;
pub mod store;
mod throttle;
pub mod token;
pub mod www;

pub use app::App;
pub use config::Config;
pub use routes::router;
pub use store::Store;
