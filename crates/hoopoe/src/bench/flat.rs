//! `flat`: whether an event costs the same in a large store as in a small one, and with many endpoints as with one. Every
//! round on the large server is paired with a round on a small one. Memory is told beside it.

use std::time::Duration;

use super::Size;
use super::e2e::Shape;
use super::load::Until;
use super::report::Report;
use super::request::Owners;
use super::rig::Rig;
use super::round::Round;
use super::server::{Endpoints, Server, Site};

/// For one portion of the growth.
const GROW_TIME_MAX: Duration = Duration::from_secs(600);
/// Before a round on a fresh server: connections, caches and prepared statements come into being.
const WARM_UP_EVENTS: u64 = 2_000;
/// Events of one round: enough CPU for the kernel's clock ticks, few enough to stay small beside the larger sizes.
const EVENTS: u64 = 10_000;
const EVENTS_TIME_MAX_SECONDS: f64 = 60.0;
/// From so many endpoints on, the memory with a backlog beside them is told, too.
const CROWDED_ENDPOINTS_MIN: u64 = 10_000;
const ONE: Shape = Shape { batch: 1, fan_out: 1, endpoints: 1 };

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let (rows, endpoints): (&[u64], &[u64]) = match rig.options.size {
        Size::Short => (&[100_000], &[100, 10_000]),
        Size::Full => (&[100_000, 1_000_000], &[100, 10_000]),
        Size::Soak => (&[100_000, 1_000_000, 10_000_000], &[100, 10_000, 100_000]),
    };
    by_rows(rig, rows).await?;
    for endpoints in endpoints {
        by_endpoints(rig, *endpoints).await?;
    }
    Ok(())
}

/// One large store, grown from size to size.
async fn by_rows(rig: &mut Rig, sizes: &[u64]) -> anyhow::Result<()> {
    let large_site = rig.site()?;
    let mut large = large_site.start().await?;
    large.register(ONE.endpoints_at(rig)).await?;
    let mut rows = 0;
    for size in sizes {
        grow(rig, &large, size.saturating_sub(rows)).await?;
        rows = *size;
        let mut pairs = Pairs::new(ONE);
        for _ in 0..rig.pairs() {
            pairs.measure(rig, &large).await?;
            rows += WARM_UP_EVENTS + EVENTS;
        }
        let mut report = Report::new("flat", format!("{size} events in the log"));
        pairs.fill(&mut report);
        report.number("peak_memory_mib", large.usage()?.peak_bytes as f64 / 1_048_576.0);
        large.kill().await?;
        large = large_site.start().await?;
        report.number("ready_after_ms", large.ready_after_ms);
        rig.publish(&report)?;
    }
    large.kill().await
}

async fn by_endpoints(rig: &mut Rig, endpoints: u64) -> anyhow::Result<()> {
    let shape = Shape { endpoints, ..ONE };
    let site = rig.site()?;
    let large = site.start().await?;
    let idle = large.usage()?;
    large.register(shape.endpoints_at(rig)).await?;
    let registered = large.usage()?;
    let mut pairs = Pairs::new(shape);
    for _ in 0..rig.pairs() {
        pairs.measure(rig, &large).await?;
    }
    let mut report = Report::new("flat", format!("{endpoints} endpoints"));
    pairs.fill(&mut report);
    report.number("idle_memory_mib", idle.resident_bytes as f64 / 1_048_576.0);
    report.number("memory_with_endpoints_mib", registered.resident_bytes as f64 / 1_048_576.0);
    if endpoints >= CROWDED_ENDPOINTS_MIN {
        report.count("then_waiting", crowd(rig, &large).await?);
        report.number("memory_then_mib", large.usage()?.resident_bytes as f64 / 1_048_576.0);
    }
    report.number("peak_memory_mib", large.usage()?.peak_bytes as f64 / 1_048_576.0);
    large.kill().await?;
    rig.publish(&report)
}

/// Delivers `events` more, fast.
async fn grow(rig: &mut Rig, server: &Server, events: u64) -> anyhow::Result<()> {
    // In portions, so that the receiver can remember them and little waits at a time.
    const PORTION: u64 = 50_000;
    let mut left = events;
    while left > 0 {
        let portion = left.min(PORTION);
        rig.fill(server, ONE.owners(), portion).await?;
        server.until_finished(GROW_TIME_MAX).await?;
        left -= portion;
    }
    Ok(())
}

/// Adds deliveries that wait, to see the memory of many endpoints and a backlog together.
async fn crowd(rig: &mut Rig, server: &Server) -> anyhow::Result<u64> {
    const HANGING: Owners = Owners { first: 90_000_000, count: 1 };
    let waiting = rig.waiting();
    let receiver_port = rig.receiver.port;
    let endpoints = Endpoints { owners: HANGING, per_owner: 1, path: "hang", receiver_port };
    server.register(endpoints).await?;
    rig.fill(server, HANGING, waiting).await?;
    Ok(waiting)
}

/// Rounds on a small server, started anew each time, and on the large one.
struct Pairs {
    shape: Shape,
    small: Vec<Round>,
    large: Vec<Round>,
}

impl Pairs {
    fn new(shape: Shape) -> Self {
        Self { shape, small: Vec::new(), large: Vec::new() }
    }

    async fn measure(&mut self, rig: &mut Rig, large: &Server) -> anyhow::Result<()> {
        let site: Site = rig.site()?;
        let small = site.start().await?;
        small.register(ONE.endpoints_at(rig)).await?;
        for (server, shape) in [(&small, ONE), (large, self.shape)] {
            round(rig, server, shape, WARM_UP_EVENTS).await?;
        }
        self.small.push(round(rig, &small, ONE, EVENTS).await?);
        self.large.push(round(rig, large, self.shape, EVENTS).await?);
        small.kill().await
    }

    fn fill(&self, report: &mut Report) {
        let cpu = |round: &Round| round.cpu_us_per_event(round.cost.server_cpu_s);
        report.spread("small_cpu_us_per_event", &self.small.iter().map(cpu).collect::<Vec<_>>());
        report.spread("large_cpu_us_per_event", &self.large.iter().map(cpu).collect::<Vec<_>>());
        let pairs = self.small.iter().zip(&self.large);
        report.spread("cpu_ratio", &pairs.map(|(small, large)| cpu(large) / cpu(small)).collect::<Vec<_>>());
        report.spread("small_per_s", &self.small.iter().map(Round::delivered_per_s).collect::<Vec<_>>());
        report.spread("large_per_s", &self.large.iter().map(Round::delivered_per_s).collect::<Vec<_>>());
    }
}

/// A fixed number of events, so that the store's growth is known.
async fn round(rig: &mut Rig, server: &Server, shape: Shape, events: u64) -> anyhow::Result<Round> {
    let load = rig.load(server.address, shape.composer(server));
    let until = Until { events, ..rig.until(EVENTS_TIME_MAX_SECONDS) };
    rig.round(load, until, 1, Some(server)).await
}
