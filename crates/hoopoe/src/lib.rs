//! Hoopoe: the webhook system as one binary.
//!
//! The crate that knows every other: it reads the settings, builds store, engine and API, wires them to each other, and
//! serves until it is told to stop. No rule of the domain lives here.

mod addresses;
mod backend;
mod bench;
pub mod cli;
pub mod clock;
pub mod config;
mod core_dumps;
mod descriptors;
mod engine_seam;
pub mod first_key;
mod key_rotation;
mod lifecycle;
mod master_key;
mod patience;
pub mod server;
pub mod telemetry;
mod wiring;
