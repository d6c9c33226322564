//! The load generator. A closed loop sends as fast as the answers come; an open loop sends at a fixed rate whatever the
//! answers do, and counts from the time at which a request was meant to be sent (free of coordinated omission).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::clock::{SECOND_NS, now_ns};
use super::quantiles::Quantiles;
use super::request::Composer;
use super::wire::Wire;

/// Who sends what.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) to: SocketAddr,
    pub(super) composer: Composer,
    pub(super) connections: usize,
    /// Threads that the connections are spread over.
    pub(super) threads: usize,
    /// Number of the first event.
    pub(super) first_sequence: u64,
}

/// When a closed loop stops: whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    pub(super) events: u64,
    pub(super) time: Duration,
}

/// What was sent and answered.
#[derive(Debug)]
pub(super) struct Sent {
    /// Events that were accepted: every one that was sent.
    pub(super) events: u64,
    pub(super) began_at_ns: u64,
    pub(super) ended_at_ns: u64,
    /// From a request's first byte (open loop: from when it was meant to be sent) to its whole answer.
    pub(super) answered: Quantiles,
}

impl Sent {
    /// Adds what was sent after this.
    pub(super) fn extend(&mut self, later: &Self) {
        self.events += later.events;
        self.ended_at_ns = later.ended_at_ns;
        self.answered.merge(&later.answered);
    }
}

impl Load {
    /// Sends until the time or the events are used up.
    ///
    /// # Errors
    /// An answer other than the wished one, or a broken connection.
    pub(super) async fn closed(self, until: Until) -> anyhow::Result<Sent> {
        let next = Arc::new(AtomicU64::new(0));
        let began_at_ns = now_ns();
        let stop_at_ns = began_at_ns + until.time.as_nanos() as u64;
        let threads = self.threads.clamp(1, self.connections);
        let first_sequence = self.first_sequence;
        let events = self.composer.events();
        let taken = Arc::clone(&next);
        let take = move || {
            let in_time = now_ns() < stop_at_ns;
            let more = |number| (number + events <= until.events).then_some(number + events);
            let number = in_time.then(|| taken.fetch_update(Relaxed, Relaxed, more).ok()).flatten()?;
            Some(first_sequence + number)
        };
        let latencies = on_threads(threads, |thread| {
            let connections = share(self.connections, threads, thread);
            connect_all(self.clone(), connections, take.clone())
        });
        let answered = latencies.await?;
        let ended_at_ns = now_ns();
        Ok(Sent { events: next.load(Relaxed), began_at_ns, ended_at_ns, answered })
    }

    /// Sends `count` requests, `rate_per_s` of them a second.
    ///
    /// # Errors
    /// As [`closed`](Self::closed).
    pub(super) async fn open(self, rate_per_s: f64, count: u64) -> anyhow::Result<Sent> {
        let (ticks, turns) = mpsc::unbounded_channel();
        let turns = Arc::new(Mutex::new(turns));
        let (events, first_sequence, composer) =
            (self.composer.events(), self.first_sequence, self.composer.clone());
        // Connected before the clock starts, so that the first requests do not wait for it.
        let mut wires = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            wires.push(Wire::to(self.to).await?);
        }
        let mut senders = JoinSet::new();
        for wire in wires {
            let (turns, composer) = (Arc::clone(&turns), composer.clone());
            senders.spawn(send_when_due(wire, composer, turns, first_sequence));
        }
        let began_at_ns = now_ns() + SECOND_NS / 100;
        let schedule = Schedule { began_at_ns, rate_per_s };
        std::thread::Builder::new()
            .name("pace".to_owned())
            .spawn(move || pace(schedule, count, &ticks))
            .context("no thread for the pace")?;
        let mut answered = Quantiles::new();
        while let Some(sender) = senders.join_next().await {
            answered.add(&sender.context("a sender failed")??);
        }
        Ok(Sent { events: count * events, began_at_ns, ended_at_ns: now_ns(), answered })
    }
}

/// When the requests of an open loop are meant to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) began_at_ns: u64,
    pub(super) rate_per_s: f64,
}

impl Schedule {
    pub(super) fn due_at_ns(&self, request: u64) -> u64 {
        self.began_at_ns + (request as f64 * SECOND_NS as f64 / self.rate_per_s) as u64
    }
}

/// One request of an open loop.
#[derive(Debug, Clone, Copy)]
struct Tick {
    request: u64,
    due_at_ns: u64,
}

/// A thread of its own: the runtime's timers round up to whole milliseconds, which is what is to be measured.
fn pace(schedule: Schedule, count: u64, ticks: &mpsc::UnboundedSender<Tick>) {
    for request in 0..count {
        let due_at_ns = schedule.due_at_ns(request);
        let wait_ns = due_at_ns.saturating_sub(now_ns());
        if wait_ns > 0 {
            std::thread::sleep(Duration::from_nanos(wait_ns));
        }
        if ticks.send(Tick { request, due_at_ns }).is_err() {
            return;
        }
    }
}

async fn send_when_due(
    mut wire: Wire,
    composer: Composer,
    turns: Arc<Mutex<mpsc::UnboundedReceiver<Tick>>>,
    first_sequence: u64,
) -> anyhow::Result<Vec<u64>> {
    let mut latencies_ns = Vec::new();
    loop {
        let tick = turns.lock().await.recv().await;
        let Some(Tick { request, due_at_ns }) = tick else { return Ok(latencies_ns) };
        exchange(&mut wire, &composer, first_sequence + request * composer.events()).await?;
        latencies_ns.push(now_ns().saturating_sub(due_at_ns));
    }
}

/// Sends with every connection what `take` gives, until it gives nothing.
async fn connect_all<T>(load: Load, connections: usize, take: T) -> anyhow::Result<Vec<u64>>
where
    T: Fn() -> Option<u64> + Clone + Send + 'static,
{
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let (take, composer, to) = (take.clone(), load.composer.clone(), load.to);
        senders.spawn(async move {
            let mut wire = Wire::to(to).await?;
            let mut latencies_ns = Vec::new();
            while let Some(sequence) = take() {
                let began_at_ns = now_ns();
                exchange(&mut wire, &composer, sequence).await?;
                latencies_ns.push(now_ns() - began_at_ns);
            }
            anyhow::Ok(latencies_ns)
        });
    }
    let mut all = Vec::new();
    while let Some(sender) = senders.join_next().await {
        all.extend(sender.context("a sender failed")??);
    }
    Ok(all)
}

async fn exchange(wire: &mut Wire, composer: &Composer, sequence: u64) -> anyhow::Result<()> {
    composer.compose(&mut wire.request, sequence);
    let answer = wire.exchange().await?;
    if !composer.accepted(answer.status, answer.body) {
        let body = String::from_utf8_lossy(answer.body);
        let told: String = body.chars().take(500).collect();
        bail!("a request was refused with status {}: {told}", answer.status);
    }
    Ok(())
}

/// Connections of thread number `thread`.
fn share(connections: usize, threads: usize, thread: usize) -> usize {
    connections / threads + usize::from(thread < connections % threads)
}

/// Runs `work` on threads with a runtime each, which costs less than threads that share their work.
async fn on_threads<W>(threads: usize, work: impl Fn(usize) -> W) -> anyhow::Result<Quantiles>
where
    W: Future<Output = anyhow::Result<Vec<u64>>> + Send + 'static,
{
    let (sender, mut done) = mpsc::channel(threads);
    for thread in 0..threads {
        let (sender, work) = (sender.clone(), work(thread));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("send".to_owned()).spawn(move || {
            // Nobody listens any more when the benchmark was stopped.
            let _ = sender.blocking_send(runtime.block_on(work));
        })?;
    }
    drop(sender);
    let mut all = Quantiles::new();
    while let Some(latencies_ns) = done.recv().await {
        all.add(&latencies_ns?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_keeps_its_rate_to_the_last_request() {
        let schedule = Schedule { began_at_ns: 1_000, rate_per_s: 3.0 };
        let due: Vec<_> = [0, 1, 3, 3_000_000].map(|request| schedule.due_at_ns(request)).into();
        assert_eq!(due, [1_000, 333_334_333, 1_000_001_000, 1_000_000 * SECOND_NS + 1_000]);
    }

    #[test]
    fn every_connection_belongs_to_one_thread() {
        for (connections, threads) in [(64, 2), (5, 3), (1, 1), (7, 7)] {
            let shares: Vec<_> = (0..threads).map(|thread| share(connections, threads, thread)).collect();
            assert_eq!(shares.iter().sum::<usize>(), connections);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
