//! Nouns and rules of Hoopoe.
//!
//! What an endpoint, an event, a delivery and an attempt are, which endpoints want an event, when a failed attempt is
//! repeated, which addresses may be registered and dialled. Pure: no I/O, no async, no clock and no randomness of its
//! own; the time, ids and jitter come in as parameters. Rules that live here exist once for every backend.

pub mod address_rules;
pub mod api_key;
pub mod app;
pub mod attempt;
pub mod audit;
pub mod custom_headers;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod fanout;
pub mod health;
pub mod id;
pub mod idempotency_key;
pub mod limits;
pub mod location;
pub mod name_rules;
pub mod outcome;
pub mod publish_rate;
pub mod retry;
pub mod scope;
pub mod secret;
pub mod session;
pub mod tally;
pub mod time;
pub mod url_rules;
