//! An open loop of single events at a fixed rate, and how long each took from when it was meant to be published until its
//! first byte reached the receiver.

use super::load::{Schedule, Sent};
use super::quantiles::Quantiles;
use super::request::{Composer, Owners};
use super::rig::Rig;
use super::server::{KEY, Server};

/// What is published where, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) owners: Owners,
    pub(super) rate_per_s: f64,
    pub(super) seconds: f64,
}

#[derive(Debug)]
pub(super) struct Probed {
    pub(super) sent: Sent,
    /// From publish to the receiver's first byte.
    pub(super) arrival: Quantiles,
}

impl Probe {
    pub(super) fn count(&self) -> u64 {
        (self.rate_per_s * self.seconds).ceil().max(1.0) as u64
    }
}

impl Rig {
    /// Publishes as the probe says and waits until all has arrived.
    ///
    /// # Errors
    /// A request is refused, or not everything arrives.
    pub(super) async fn probe(&mut self, server: &Server, probe: Probe) -> anyhow::Result<Probed> {
        let first_sequence = self.sequences(probe.count());
        self.receiver.begin(first_sequence, 1).await?;
        let sent = self.send_probe(server, probe, first_sequence).await?;
        self.until_arrived(sent.events).await?;
        let arrival = self.arrivals(&sent, probe, first_sequence).await?;
        Ok(Probed { sent, arrival })
    }

    /// Publishes as the probe says, into a round that has begun.
    pub(super) async fn send_probe(
        &self,
        server: &Server,
        probe: Probe,
        first_sequence: u64,
    ) -> anyhow::Result<Sent> {
        let composer = Composer::event(server.address, KEY, probe.owners);
        let load = super::load::Load {
            to: server.address,
            composer,
            connections: self.options.connections,
            threads: 1,
            first_sequence,
        };
        load.open(probe.rate_per_s, probe.count()).await
    }

    /// How long the events of a probe took to arrive; all have.
    pub(super) async fn arrivals(
        &mut self,
        sent: &Sent,
        probe: Probe,
        first_sequence: u64,
    ) -> anyhow::Result<Quantiles> {
        let schedule = Schedule { began_at_ns: sent.began_at_ns, rate_per_s: probe.rate_per_s };
        let times = self.receiver.times(first_sequence, sent.events).await?;
        let due = (0..sent.events).map(|request| schedule.due_at_ns(request));
        let waited: Vec<u64> = times.iter().zip(due).map(|(at_ns, due)| at_ns.saturating_sub(due)).collect();
        Ok(Quantiles::of(&waited))
    }
}
