//! The whole server in one process: real sockets, a real database, a real receiver; only the clock is moved by hand.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod api_keys;
mod audit;
mod authorization;
mod bad_input;
mod batch;
mod circuit;
mod console;
mod delivering;
mod documents;
mod egress;
mod endpoint_urls;
mod endpoints;
mod every_type;
mod idempotency;
mod log;
mod master_key;
mod outcomes;
mod problems;
mod retries;
mod rotation;
mod routing;
mod secrecy;
mod sessions;
mod signatures;
mod stats;
mod stream;
mod surface;
mod system;
mod tenants;
mod test_sends;
mod world;
