//! `e2e`: events from publish to receiver, through a server on a real data directory that syncs before it answers. Rounds of
//! the limit loop alternate with rounds through the server, and the ratio is taken pair by pair.

use std::fmt;
use std::time::Duration;

use super::disk;
use super::limit;
use super::report::Report;
use super::request::{Composer, Owners};
use super::rig::Rig;
use super::round::Round;
use super::server::{Endpoints, KEY, Server};

/// How events are published and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Events in one request; 1: not as a batch.
    pub(crate) batch: u64,
    /// Endpoints that get each event.
    pub(crate) fan_out: u64,
    /// Endpoints in all, each location with `fan_out` of them.
    pub(crate) endpoints: u64,
}

const SHAPES: [Shape; 7] = [
    Shape { batch: 1, fan_out: 1, endpoints: 1 },
    Shape { batch: 100, fan_out: 1, endpoints: 1 },
    Shape { batch: 1, fan_out: 10, endpoints: 10 },
    Shape { batch: 1, fan_out: 1, endpoints: 100 },
    Shape { batch: 100, fan_out: 1, endpoints: 100 },
    Shape { batch: 1, fan_out: 10, endpoints: 100 },
    Shape { batch: 1, fan_out: 1, endpoints: 10_000 },
];

const DISK_TIME: Duration = Duration::from_secs(1);
/// Before the first pair: connections, caches and prepared statements come into being.
const WARM_UP_SECONDS: f64 = 0.5;

/// A round of the limit loop and the round through the server that followed it.
struct Pair {
    limit: Round,
    e2e: Round,
}

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let one = rig.options.shape;
    for shape in one.as_ref().map_or(&SHAPES[..], std::slice::from_ref) {
        measure(rig, *shape).await?;
    }
    Ok(())
}

async fn measure(rig: &mut Rig, shape: Shape) -> anyhow::Result<()> {
    let site = rig.site()?;
    let server = site.start().await?;
    server.register(shape.endpoints_at(rig)).await?;
    round(rig, &server, shape, WARM_UP_SECONDS).await?;
    let seconds = rig.seconds(2.0, 3.0);
    let mut pairs = Vec::new();
    for _ in 0..rig.pairs() {
        let limit = limit::round(rig, seconds).await?;
        let e2e = round(rig, &server, shape, seconds).await?;
        pairs.push(Pair { limit, e2e });
    }
    let mut report = Report::new("e2e", shape.to_string());
    fill(&mut report, shape, &pairs);
    report.number("server_peak_memory_mib", server.usage()?.peak_bytes as f64 / 1_048_576.0);
    server.kill().await?;
    let syncs = disk::sync_rate(rig.dir(), DISK_TIME)?;
    report.number("disk_syncs_per_s", syncs.per_s);
    report.number("disk_sync_p50_ms", syncs.durations.ms(0.5));
    report.number("disk_sync_p99_ms", syncs.durations.ms(0.99));
    rig.publish(&report)
}

/// One round of publishing in a closed loop, until all has arrived.
pub(super) async fn round(
    rig: &mut Rig,
    server: &Server,
    shape: Shape,
    seconds: f64,
) -> anyhow::Result<Round> {
    let composer = shape.composer(server);
    let load = rig.load(server.address, composer);
    let until = rig.until(seconds);
    rig.round(load, until, shape.fan_out, Some(server)).await
}

fn fill(report: &mut Report, shape: Shape, pairs: &[Pair]) {
    let numbers = |of: &dyn Fn(&Pair) -> f64| pairs.iter().map(of).collect::<Vec<_>>();
    let total = |of: fn(&Round) -> u64| pairs.iter().map(|pair| of(&pair.e2e)).sum::<u64>();
    report.count("accepted", total(|round| round.sent.events));
    report.count("delivered", total(|round| round.counts.useful));
    report.count("repeated", total(|round| round.counts.repeated));
    report.spread("limit_per_s", &numbers(&|pair| pair.limit.delivered_per_s()));
    report.spread("accepted_per_s", &numbers(&|pair| pair.e2e.accepted_per_s()));
    report.spread("delivered_per_s", &numbers(&|pair| pair.e2e.delivered_per_s()));
    report.spread(
        "ratio_to_limit",
        &numbers(&|pair| pair.e2e.delivered_per_s() / pair.limit.delivered_per_s()),
    );
    report.spread("publish_p50_ms", &numbers(&|pair| pair.e2e.sent.answered.ms(0.5)));
    report.spread("publish_p99_ms", &numbers(&|pair| pair.e2e.sent.answered.ms(0.99)));
    let cpu = |of: fn(&Round) -> f64| numbers(&|pair| pair.e2e.cpu_us_per_event(of(&pair.e2e)));
    report.spread("server_cpu_us_per_delivery", &cpu(|round| round.cost.server_cpu_s));
    report.spread("generator_cpu_us_per_delivery", &cpu(|round| round.cost.generator_cpu_s));
    report.spread("receiver_cpu_us_per_delivery", &cpu(|round| round.cost.receiver_cpu_s));
    let events = |pair: &Pair| pair.e2e.sent.events as f64;
    report.spread(
        "written_bytes_per_event",
        &numbers(&|pair| pair.e2e.cost.server_written_bytes as f64 / events(pair)),
    );
    report.count("commits", total(|round| round.cost.commits));
    // A commit holds publishes and outcomes alike.
    report.spread("events_per_commit", &numbers(&|pair| events(pair) / pair.e2e.cost.commits.max(1) as f64));
    report.count("fan_out", shape.fan_out);
}

impl Shape {
    pub(super) fn owners(self) -> Owners {
        Owners { first: 0, count: (self.endpoints / self.fan_out).max(1) }
    }

    pub(super) fn endpoints_at(self, rig: &Rig) -> Endpoints<'static> {
        Endpoints {
            owners: self.owners(),
            per_owner: self.fan_out,
            path: "ok",
            receiver_port: rig.receiver.port,
        }
    }

    pub(super) fn composer(self, server: &Server) -> Composer {
        match self.batch {
            1 => Composer::event(server.address, KEY, self.owners()),
            events => Composer::batch(server.address, KEY, self.owners(), events),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, fan_out, endpoints } = self;
        match batch {
            1 => write!(f, "single, fan-out {fan_out}, {endpoints} endpoints"),
            _ => write!(f, "batches of {batch}, fan-out {fan_out}, {endpoints} endpoints"),
        }
    }
}
