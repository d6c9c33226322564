//! `limit`: what the machine can do at all. The generator builds, signs and posts webhooks straight to the receiver, each
//! connection one after the other: over bare sockets, and over the HTTP library that delivery uses. And once events go
//! through a bare relay, which is what the machine can do for a server between the two.

use super::load::{Load, Over};
use super::relay::Relay;
use super::report::Report;
use super::request::{Composer, Owners};
use super::rig::Rig;
use super::round::Round;
use super::server::KEY;

/// A round through the relay, and what that used of the processors, seconds.
struct Relayed {
    round: Round,
    relay_cpu_s: f64,
}

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let seconds = rig.seconds(2.0, 5.0);
    let relay = Relay::start(rig.dir(), rig.options.threads, rig.receiver_address()).await?;
    let (mut sockets, mut library, mut relayed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rig.pairs() {
        sockets.push(round(rig, Over::Sockets, seconds).await?);
        library.push(round(rig, Over::Library, seconds).await?);
        relayed.push(through(rig, &relay, seconds).await?);
    }
    let connections = rig.options.connections;
    for (over, rounds) in [("bare sockets", &sockets), ("the HTTP library", &library)] {
        let mut report = Report::new("limit", format!("{connections} connections over {over}, no server"));
        fill(&mut report, &rounds.iter().collect::<Vec<_>>());
        rig.publish(&report)?;
    }
    let mut report = Report::new("limit", format!("{connections} connections through a bare relay"));
    fill(&mut report, &relayed.iter().map(|relayed| &relayed.round).collect::<Vec<_>>());
    fill_relay(&mut report, &sockets, &relayed);
    rig.publish(&report)
}

/// One round of the limit loop.
pub(super) async fn round(rig: &mut Rig, over: Over, seconds: f64) -> anyhow::Result<Round> {
    let to = rig.receiver_address();
    let load = Load { over, ..rig.load(to, Composer::webhook(to)) };
    let until = rig.until(seconds);
    rig.round(load, until, 1, None).await
}

async fn through(rig: &mut Rig, relay: &Relay, seconds: f64) -> anyhow::Result<Relayed> {
    let composer = Composer::event(relay.address, KEY, Owners { first: 0, count: 1 });
    let load = rig.load(relay.address, composer);
    let until = rig.until(seconds);
    let before = relay.usage()?;
    let round = rig.round(load, until, 1, None).await?;
    Ok(Relayed { round, relay_cpu_s: relay.usage()?.cpu_s_since(&before) })
}

fn fill(report: &mut Report, rounds: &[&Round]) {
    let numbers = |of: fn(&Round) -> f64| rounds.iter().copied().map(of).collect::<Vec<_>>();
    report.count("sent", rounds.iter().map(|round| round.sent.events).sum());
    report.count("received", rounds.iter().map(|round| round.counts.useful).sum());
    report.spread("requests_per_s", &numbers(Round::delivered_per_s));
    report.spread(
        "generator_cpu_us_per_request",
        &numbers(|round| round.cpu_us_per_event(round.cost.generator_cpu_s)),
    );
    report.spread(
        "receiver_cpu_us_per_request",
        &numbers(|round| round.cpu_us_per_event(round.cost.receiver_cpu_s)),
    );
    report.spread("answered_p50_ms", &numbers(|round| round.sent.answered.ms(0.5)));
    report.spread("answered_p99_ms", &numbers(|round| round.sent.answered.ms(0.99)));
}

fn fill_relay(report: &mut Report, sockets: &[Round], relayed: &[Relayed]) {
    let numbers = |of: fn(&Round, &Relayed) -> f64| {
        sockets.iter().zip(relayed).map(|(limit, relayed)| of(limit, relayed)).collect::<Vec<_>>()
    };
    let ratio = numbers(|limit, relayed| relayed.round.delivered_per_s() / limit.delivered_per_s());
    report.spread("ratio_to_limit", &ratio);
    let cpu_us = numbers(|_, relayed| relayed.round.cpu_us_per_event(relayed.relay_cpu_s));
    report.spread("relay_cpu_us_per_request", &cpu_us);
}
