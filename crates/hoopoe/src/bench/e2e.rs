//! `e2e`: events from publish to receiver, through a server on a real data directory that syncs before it answers. Rounds of
//! the limit loop alternate with rounds through the server, and the ratio is taken pair by pair. Where a database is named,
//! rounds on PostgreSQL take their turn too.

use std::fmt;
use std::time::Duration;

use super::disk::{self, Syncs};
use super::limit;
use super::load::Over;
use super::postgres::OnPostgres;
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

/// For the disk by itself, before each pair.
const DISK_TIME: Duration = Duration::from_millis(300);
/// Before the first pair: connections, caches and prepared statements come into being.
const WARM_UP_SECONDS: f64 = 0.5;

/// The disk by itself, a round of each limit loop, and the rounds through the server that followed.
struct Turn {
    syncs: Syncs,
    limit: Round,
    library: Round,
    e2e: Round,
    postgres: Option<PostgresRound>,
}

struct PostgresRound {
    round: Round,
    /// Of the database's processes, where they can be seen.
    database_cpu: Option<Duration>,
}

/// The rounds of one kind, each beside the limits of its turn.
struct Pair<'a> {
    limit: &'a Round,
    library: &'a Round,
    e2e: &'a Round,
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
    let postgres = match rig.options.database_url.clone() {
        Some(url) => Some(OnPostgres::start(rig, &url).await?),
        None => None,
    };
    let mut warm_up_events = 0;
    if let Some(OnPostgres { server, .. }) = &postgres {
        server.register(shape.endpoints_at(rig)).await?;
        warm_up_events = round(rig, server, shape, WARM_UP_SECONDS).await?.sent.events;
    }
    let seconds = rig.seconds(2.0, 3.0);
    let mut turns = Vec::new();
    for _ in 0..rig.pairs() {
        let syncs = disk::sync_rate(rig.dir(), DISK_TIME)?;
        let limit = limit::round(rig, Over::Sockets, seconds).await?;
        let library = limit::round(rig, Over::Library, seconds).await?;
        let e2e = round(rig, &server, shape, seconds).await?;
        let postgres = match &postgres {
            Some(on) => Some(on_postgres(rig, on, shape, seconds).await?),
            None => None,
        };
        turns.push(Turn { syncs, limit, library, e2e, postgres });
    }
    let mut report = Report::new("e2e", shape.to_string());
    fill(&mut report, &turns.iter().map(Turn::embedded).collect::<Vec<_>>());
    fill_disk(&mut report, &turns);
    report.number("server_peak_memory_mib", peak_mib(&server)?);
    server.kill().await?;
    rig.publish(&report)?;
    let Some(postgres) = postgres else { return Ok(()) };
    let mut report = Report::new("e2e", format!("{shape}, on PostgreSQL"));
    let pairs: Vec<_> = turns.iter().filter_map(Turn::on_postgres).collect();
    fill(&mut report, &pairs);
    fill_postgres(&mut report, &turns);
    report.number("server_peak_memory_mib", peak_mib(&postgres.server)?);
    let events = warm_up_events + pairs.iter().map(|pair| pair.e2e.sent.events).sum::<u64>();
    postgres.end(events, &mut report).await?;
    rig.publish(&report)
}

async fn on_postgres(
    rig: &mut Rig,
    on: &OnPostgres,
    shape: Shape,
    seconds: f64,
) -> anyhow::Result<PostgresRound> {
    let before = on.cpu();
    let round = round(rig, &on.server, shape, seconds).await?;
    let database_cpu = on.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(PostgresRound { round, database_cpu })
}

fn peak_mib(server: &Server) -> anyhow::Result<f64> {
    Ok(server.usage()?.peak_bytes as f64 / 1_048_576.0)
}

impl Turn {
    fn embedded(&self) -> Pair<'_> {
        Pair { limit: &self.limit, library: &self.library, e2e: &self.e2e }
    }

    fn on_postgres(&self) -> Option<Pair<'_>> {
        Some(Pair { e2e: &self.postgres.as_ref()?.round, ..self.embedded() })
    }
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

fn fill(report: &mut Report, pairs: &[Pair<'_>]) {
    let numbers = |of: &dyn Fn(&Pair<'_>) -> f64| pairs.iter().map(of).collect::<Vec<_>>();
    let total = |of: fn(&Round) -> u64| pairs.iter().map(|pair| of(pair.e2e)).sum::<u64>();
    report.count("accepted", total(|round| round.sent.events));
    report.count("delivered", total(|round| round.counts.useful));
    report.count("repeated", total(|round| round.counts.repeated));
    report.spread("limit_per_s", &numbers(&|pair| pair.limit.delivered_per_s()));
    report.spread("library_limit_per_s", &numbers(&|pair| pair.library.delivered_per_s()));
    report.spread("accepted_per_s", &numbers(&|pair| pair.e2e.accepted_per_s()));
    report.spread("delivered_per_s", &numbers(&|pair| pair.e2e.delivered_per_s()));
    report.spread(
        "ratio_to_limit",
        &numbers(&|pair| pair.e2e.delivered_per_s() / pair.limit.delivered_per_s()),
    );
    report.spread(
        "ratio_to_library_limit",
        &numbers(&|pair| pair.e2e.delivered_per_s() / pair.library.delivered_per_s()),
    );
    report.spread("publish_p50_ms", &numbers(&|pair| pair.e2e.sent.answered.ms(0.5)));
    report.spread("publish_p99_ms", &numbers(&|pair| pair.e2e.sent.answered.ms(0.99)));
    report.spread("publish_max_ms", &numbers(&|pair| pair.e2e.sent.answered.max_ms()));
    report.spread("longest_pause_ms", &numbers(&|pair| pair.e2e.pauses.arrivals_ms));
    report.spread("recorded_after_ms", &numbers(&|pair| pair.e2e.pauses.recording_ms));
    let cpu = |of: fn(&Round) -> f64| numbers(&|pair| pair.e2e.cpu_us_per_event(of(pair.e2e)));
    report.spread("server_cpu_us_per_delivery", &cpu(|round| round.cost.server_cpu_s));
    report.spread("generator_cpu_us_per_delivery", &cpu(|round| round.cost.generator_cpu_s));
    report.spread("receiver_cpu_us_per_delivery", &cpu(|round| round.cost.receiver_cpu_s));
    let events = |pair: &Pair<'_>| pair.e2e.sent.events as f64;
    report.spread(
        "written_bytes_per_event",
        &numbers(&|pair| pair.e2e.cost.server_written_bytes as f64 / events(pair)),
    );
    report.count("commits", total(|round| round.cost.commits));
    // A commit holds publishes and outcomes alike.
    report.spread("events_per_commit", &numbers(&|pair| events(pair) / pair.e2e.cost.commits.max(1) as f64));
    let commit_ms = |pair: &Pair<'_>| pair.e2e.cost.commit_s * 1e3 / pair.e2e.cost.commits.max(1) as f64;
    report.spread("commit_mean_ms", &numbers(&commit_ms));
}

fn fill_disk(report: &mut Report, turns: &[Turn]) {
    let numbers = |of: fn(&Turn) -> f64| turns.iter().map(of).collect::<Vec<_>>();
    report.spread("disk_sync_p50_ms", &numbers(|turn| turn.syncs.durations.ms(0.5)));
    report.spread("disk_syncs_per_s", &numbers(|turn| turn.syncs.per_s));
}

fn fill_postgres(report: &mut Report, turns: &[Turn]) {
    let numbers = |of: fn(&Turn, &PostgresRound) -> Option<f64>| {
        turns.iter().filter_map(|turn| of(turn, turn.postgres.as_ref()?)).collect::<Vec<_>>()
    };
    let to_embedded = numbers(|turn, on| Some(on.round.delivered_per_s() / turn.e2e.delivered_per_s()));
    report.spread("ratio_to_embedded", &to_embedded);
    let cpu_us = numbers(|_, on| Some(on.round.cpu_us_per_event(on.database_cpu?.as_secs_f64())));
    report.spread("database_cpu_us_per_delivery", &cpu_us);
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
