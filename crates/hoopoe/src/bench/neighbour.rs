//! `neighbour`: what endpoints that hang do to healthy ones. Two servers get the same traffic; on one of them the neighbours
//! answer, on the other they hang. Rounds alternate between the two, and the ratio of p99 is taken pair by pair.

use super::probe::{Probe, Probed};
use super::quantiles::Quantiles;
use super::receiver::Behaviour;
use super::report::Report;
use super::request::Owners;
use super::rig::Rig;
use super::server::{Endpoints, Server, Site};

/// Healthy locations, each with one endpoint.
const HEALTHY: Owners = Owners { first: 0, count: 10 };
const NEIGHBOURS_FIRST: u64 = 1_000;
const HEALTHY_RATE_PER_S: f64 = 100.0;
/// Before the first pair, so that every neighbour has been tried and hangs.
const WARM_UP_SECONDS: f64 = 2.0;

/// A street: healthy endpoints, and neighbours with their share of the traffic.
#[derive(Debug, Clone, Copy)]
struct Street {
    variant: &'static str,
    /// How the neighbours behave where they disturb: by turns.
    paths: &'static [&'static str],
    neighbours: u64,
    /// Events a second to all neighbours together.
    rate_per_s: f64,
}

const STREETS: [Street; 2] = [
    Street {
        variant: "half of the endpoints hang or answer after 8 s",
        paths: &["hang", "slow"],
        neighbours: 10,
        rate_per_s: HEALTHY_RATE_PER_S,
    },
    Street {
        variant: "90 % of the traffic goes to endpoints that hang",
        paths: &["hang"],
        neighbours: 10,
        rate_per_s: 9.0 * HEALTHY_RATE_PER_S,
    },
];

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    for street in STREETS {
        street.measure(rig).await?;
    }
    crowd(rig).await
}

impl Street {
    async fn measure(self, rig: &mut Rig) -> anyhow::Result<()> {
        let (quiet_site, noisy_site) = (rig.site()?, rig.site()?);
        let quiet = self.open(rig, &quiet_site, &["ok"]).await?;
        let noisy = self.open(rig, &noisy_site, self.paths).await?;
        for server in [&quiet, &noisy] {
            self.round(rig, server, WARM_UP_SECONDS).await?;
        }
        let seconds = rig.seconds(4.0, 10.0);
        let mut pairs = Pairs::default();
        for _ in 0..rig.pairs() {
            pairs.alone.push(self.round(rig, &quiet, seconds).await?);
            pairs.beside.push(self.round(rig, &noisy, seconds).await?);
        }
        let mut report = Report::new("neighbour", self.variant);
        report.number("healthy_rate_per_s", HEALTHY_RATE_PER_S);
        report.number("neighbours_rate_per_s", self.rate_per_s);
        pairs.fill(&mut report);
        report.count("unfinished_at_the_end", noisy.metrics().await?.unfinished);
        report.number("server_peak_memory_mib", noisy.usage()?.peak_bytes as f64 / 1_048_576.0);
        quiet.kill().await?;
        noisy.kill().await?;
        rig.publish(&report)
    }

    async fn open(self, rig: &Rig, site: &Site, paths: &[&str]) -> anyhow::Result<Server> {
        let server = site.start().await?;
        let receiver_port = rig.receiver.port;
        server.register(Endpoints { owners: HEALTHY, per_owner: 1, path: "ok", receiver_port }).await?;
        let each = self.neighbours / paths.len() as u64;
        for (path, n) in paths.iter().zip(0..) {
            let owners = Owners { first: NEIGHBOURS_FIRST + n * each, count: each };
            server.register(Endpoints { owners, per_owner: 1, path, receiver_port }).await?;
        }
        Ok(server)
    }

    /// Both kinds of traffic at once; what is measured are the healthy endpoints' events.
    async fn round(self, rig: &mut Rig, server: &Server, seconds: f64) -> anyhow::Result<Probed> {
        let healthy = Probe { owners: HEALTHY, rate_per_s: HEALTHY_RATE_PER_S, seconds };
        let neighbours = Probe {
            owners: Owners { first: NEIGHBOURS_FIRST, count: self.neighbours },
            rate_per_s: self.rate_per_s,
            seconds,
        };
        // The healthy events' numbers come last: what arrives of the others is before the round's first number.
        let neighbours_first = rig.sequences(neighbours.count());
        let healthy_first = rig.sequences(healthy.count());
        rig.receiver.begin(healthy_first, 1).await?;
        let (sent, others) = tokio::join!(
            rig.send_probe(server, healthy, healthy_first),
            rig.send_probe(server, neighbours, neighbours_first),
        );
        others?;
        let sent = sent?;
        rig.until_arrived(sent.events).await?;
        let arrival = rig.arrivals(&sent, healthy, healthy_first).await?;
        Ok(Probed { sent, arrival })
    }
}

#[derive(Default)]
struct Pairs {
    alone: Vec<Probed>,
    beside: Vec<Probed>,
}

impl Pairs {
    fn fill(&self, report: &mut Report) {
        for (name, side) in [("undisturbed", &self.alone), ("disturbed", &self.beside)] {
            for (word, quantile) in [("p50", 0.5), ("p99", 0.99)] {
                let numbers: Vec<_> = side.iter().map(|one| one.arrival.ms(quantile)).collect();
                report.spread(&format!("{name}_{word}_ms"), &numbers);
            }
        }
        for (word, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let pairs = self.alone.iter().zip(&self.beside);
            let ratios: Vec<_> = pairs
                .map(|(alone, beside)| beside.arrival.ms(quantile) / alone.arrival.ms(quantile))
                .collect();
            report.spread(&format!("{word}_ratio"), &ratios);
            // Of all rounds together: with few events in a round its p99 is one event.
            let [alone, beside] = [&self.alone, &self.beside].map(|side| merged(side).ms(quantile));
            report.number(&format!("{word}_ratio_of_all_rounds"), beside / alone);
        }
    }
}

fn merged(side: &[Probed]) -> Quantiles {
    let mut all = Quantiles::new();
    side.iter().for_each(|one| all.merge(&one.arrival));
    all
}

/// A location whose receiver is worked on slowly, with so many deliveries waiting, beside one that publishes now and then.
const CROWDED: Owners = Owners { first: NEIGHBOURS_FIRST, count: 1 };
const SINGLE: Owners = Owners { first: 0, count: 1 };
const SINGLE_RATE_PER_S: f64 = 20.0;
/// Slow enough that the crowd lasts, fast enough that its lane is always at work.
const CROWDED_ANSWER: Behaviour = Behaviour::Wait(20);

async fn crowd(rig: &mut Rig) -> anyhow::Result<()> {
    let waiting = rig.waiting();
    let (quiet_site, crowded_site) = (rig.site()?, rig.site()?);
    let quiet = open_crowd(rig, &quiet_site).await?;
    let crowded = open_crowd(rig, &crowded_site).await?;
    rig.receiver.switch(CROWDED_ANSWER).await?;
    rig.fill(&crowded, CROWDED, waiting).await?;
    let waiting = crowded.metrics().await?.unfinished;
    let probe = Probe { owners: SINGLE, rate_per_s: SINGLE_RATE_PER_S, seconds: rig.seconds(4.0, 10.0) };
    for server in [&quiet, &crowded] {
        rig.probe(server, Probe { seconds: WARM_UP_SECONDS, ..probe }).await?;
    }
    let mut pairs = Pairs::default();
    for _ in 0..rig.pairs() {
        pairs.alone.push(rig.probe(&quiet, probe).await?);
        pairs.beside.push(rig.probe(&crowded, probe).await?);
    }
    let mut report = Report::new("neighbour", "another location has many deliveries waiting");
    report.count("waiting_at_the_start", waiting);
    pairs.fill(&mut report);
    let [alone, beside] = [&pairs.alone, &pairs.beside].map(|side| merged(side).ms(0.5));
    report.number("added_to_the_median_ms", beside - alone);
    report.count("waiting_at_the_end", crowded.metrics().await?.unfinished);
    quiet.kill().await?;
    crowded.kill().await?;
    rig.receiver.switch(Behaviour::Ok).await?;
    rig.publish(&report)
}

async fn open_crowd(rig: &Rig, site: &Site) -> anyhow::Result<Server> {
    let server = site.start().await?;
    let receiver_port = rig.receiver.port;
    server.register(Endpoints { owners: SINGLE, per_owner: 1, path: "ok", receiver_port }).await?;
    server.register(Endpoints { owners: CROWDED, per_owner: 1, path: "switch", receiver_port }).await?;
    Ok(server)
}
