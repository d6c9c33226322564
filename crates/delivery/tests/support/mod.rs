//! A store in memory for the engine's tests: the traits as far as the engine and the simulation touch them, by the same
//! rules as a real backend's. `sim/conformance.rs` holds it to the suite that every backend passes.
//!
//! It exists because the engine may not know a backend, and because this one can be made to fail at will.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod fake_store;
mod model;
mod nouns;
mod untouched;

pub(crate) use fake_store::{Call, FakeStore, Weather};
pub(crate) use model::{Change, State};
