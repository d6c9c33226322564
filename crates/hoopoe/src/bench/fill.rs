//! Filling a store: many events published in batches, as fast as the server takes them.

use std::time::Duration;

use anyhow::ensure;

use super::load::{Load, Until};
use super::request::{Composer, Owners};
use super::rig::Rig;
use super::server::{KEY, Server};

/// A bound, not an expectation.
const TIME_MAX: Duration = Duration::from_secs(3_600);
pub(crate) const BATCH: u64 = 100;
const CONNECTIONS: usize = 8;

impl Rig {
    /// Publishes `events`, which stay waiting or not as the receiver behaves. Answers the first one's number.
    ///
    /// # Errors
    /// A batch is refused, or it takes longer than an hour.
    pub(super) async fn fill(&mut self, server: &Server, owners: Owners, events: u64) -> anyhow::Result<u64> {
        let events = events.next_multiple_of(BATCH);
        let composer = Composer::batch(server.address, KEY, owners, BATCH);
        let first_sequence = self.sequences(events);
        let load =
            Load { to: server.address, composer, connections: CONNECTIONS, threads: 1, first_sequence };
        let sent = load.closed(Until { events, time: TIME_MAX }).await?;
        ensure!(sent.events == events, "{} of {events} events were accepted within an hour", sent.events);
        Ok(first_sequence)
    }
}
