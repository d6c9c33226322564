//! Test tools, built of real parts: a programmable HTTP receiver, a name server, the machine's PostgreSQL and a bad wire to it, a clock that is
//! moved by hand, seeded ids, the real binary as a child process, and a small HTTP client. A dev-dependency only; no product code may need it.
//!
//! Everything here waits for the thing itself and has a bound ([`PATIENCE`]) after which it panics with what it saw.

mod client;
mod clock;
mod eventually;
pub mod hostile;
mod name_server;
mod postgres;
mod program;
mod proxy;
mod receiver;
mod sse;

use std::time::Duration;

pub use client::{Answered, Client};
pub use clock::ManualClock;
pub use eventually::eventually;
pub use name_server::{AskedOver, Message, NameServer, Question, RecordType, Reply};
pub use postgres::{Database, POSTGRES_VARIABLE, Postgres, Slots};
pub use program::{Finished, Program, Running};
pub use proxy::Proxy;
pub use receiver::{Answer, Gate, Received, Receiver};
pub use sse::{Block, Sse};

/// How long anything waits before the test fails. Far above what a busy machine needs: it ends a broken test, it is not
/// part of a working one.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Ids that are the same in every run.
pub fn seeded_ids() -> domain::id::IdSource {
    domain::id::IdSource::seeded(7)
}

/// Fails the test when `future` takes longer than [`PATIENCE`]; `what` says what was awaited.
pub async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
