//! One round of load, from its first request until everything has arrived, and what it cost each process.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::clock::seconds;
use super::load::{Load, Sent, Until};
use super::receiver::{Counts, Receiver};
use super::rig::Rig;
use super::server::Server;
use super::usage::Usage;

/// How long nothing may arrive before a round is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Round {
    pub(super) sent: Sent,
    pub(super) counts: Counts,
    /// Of all three processes; the server's is zero where none took part.
    pub(super) cost: Cost,
}

/// What a round used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) server_cpu_s: f64,
    pub(super) generator_cpu_s: f64,
    pub(super) receiver_cpu_s: f64,
    pub(super) server_written_bytes: u64,
    pub(super) commits: u64,
}

/// Readings of one moment.
struct Meter {
    server: Usage,
    generator: Usage,
    receiver: Usage,
    commits: u64,
}

impl Round {
    /// Events that the receiver got in a second, from the first request to the last arrival.
    pub(super) fn delivered_per_s(&self) -> f64 {
        let took_ns = self.counts.last_at_ns.saturating_sub(self.sent.began_at_ns);
        self.counts.useful as f64 / seconds(took_ns.max(1))
    }

    /// Events that were accepted in a second while the generator sent.
    pub(super) fn accepted_per_s(&self) -> f64 {
        self.sent.events as f64 / seconds((self.sent.ended_at_ns - self.sent.began_at_ns).max(1))
    }

    /// CPU microseconds for each delivered event.
    pub(super) fn cpu_us_per_event(&self, cpu_s: f64) -> f64 {
        cpu_s * 1e6 / self.counts.useful as f64
    }
}

impl Rig {
    /// Sends in a closed loop, with every event to arrive `times` times, and waits until they have.
    ///
    /// # Errors
    /// A request is refused, or not everything arrives.
    pub(super) async fn round(
        &mut self,
        load: Load,
        until: Until,
        times: u64,
        server: Option<&Server>,
    ) -> anyhow::Result<Round> {
        self.receiver.begin(load.first_sequence, times).await?;
        let before = Meter::read(&self.receiver, server).await?;
        let sent = load.closed(until).await?;
        ensure!(sent.events > 0, "not one request was answered in {} s", until.time.as_secs_f64());
        let counts = self.until_arrived(sent.events * times).await?;
        if let Some(server) = server {
            server.until_finished(PATIENCE).await?;
        }
        let after = Meter::read(&self.receiver, server).await?;
        Ok(Round { sent, counts, cost: after.since(&before) })
    }

    /// Waits until so many events of this round have arrived.
    ///
    /// # Errors
    /// For a while nothing more arrives.
    pub(super) async fn until_arrived(&mut self, events: u64) -> anyhow::Result<Counts> {
        let mut last = Counts::default();
        let mut moved_at = Instant::now();
        loop {
            let counts = self.receiver.counts().await?;
            ensure!(
                counts.malformed == 0,
                "{} requests to the receiver were not understood",
                counts.malformed
            );
            if counts.useful >= events {
                return Ok(counts);
            }
            if counts.useful > last.useful {
                (last, moved_at) = (counts, Instant::now());
            } else if moved_at.elapsed() > PATIENCE {
                bail!(
                    "{} of {events} events arrived, and no more for {} s",
                    counts.useful,
                    PATIENCE.as_secs()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Meter {
    async fn read(receiver: &Receiver, server: Option<&Server>) -> anyhow::Result<Self> {
        let generator = Usage::of_this_process()?;
        let receiver = receiver.usage()?;
        let (server, commits) = match server {
            Some(server) => (server.usage()?, server.metrics().await?.commits),
            None => (Usage::default(), 0),
        };
        Ok(Self { server, generator, receiver, commits })
    }

    fn since(&self, before: &Self) -> Cost {
        Cost {
            server_cpu_s: self.server.cpu_s_since(&before.server),
            generator_cpu_s: self.generator.cpu_s_since(&before.generator),
            receiver_cpu_s: self.receiver.cpu_s_since(&before.receiver),
            server_written_bytes: self.server.written_bytes.saturating_sub(before.server.written_bytes),
            commits: self.commits.saturating_sub(before.commits),
        }
    }
}
