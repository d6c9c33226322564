//! The engine: lanes, circuits, claims, requests, egress, records.
//!
//! It takes the deliveries that a publish hands over or that are due in the store, sends each as one HTTP request, and
//! records what became of it. The store is the only queue: what is held here in memory is held under a claim, and a
//! crash loses nothing but the claims. It must not know SQL, the API's JSON, or who may see what; only `egress` opens a
//! socket to an address that a customer gave.

mod attempt;
mod circuits;
mod claim;
mod counters;
mod egress;
mod elsewhere;
mod engine;
mod lanes;
mod record;
mod request;
mod settings;
mod sweep;

pub use counters::{Counters, DURATION_BUCKETS_MS};
pub use egress::{Egress, Origin, Progress, Reading, Refused, Target, Transport, TransportFuture};
pub use engine::Engine;
pub use request::Outgoing;
pub use settings::{Settings, StartError};
