//! `limit`: what the machine can do at all. The generator builds, signs and posts webhooks straight to the receiver, each
//! connection one after the other.

use super::report::Report;
use super::request::Composer;
use super::rig::Rig;
use super::round::Round;

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let seconds = rig.seconds(2.0, 5.0);
    let mut rounds = Vec::new();
    for _ in 0..rig.pairs() {
        rounds.push(round(rig, seconds).await?);
    }
    let mut report = Report::new("limit", format!("{} connections, no server", rig.options.connections));
    fill(&mut report, &rounds);
    rig.publish(&report)
}

/// One round of the limit loop.
pub(super) async fn round(rig: &mut Rig, seconds: f64) -> anyhow::Result<Round> {
    let to = rig.receiver_address();
    let load = rig.load(to, Composer::webhook(to));
    let until = rig.until(seconds);
    rig.round(load, until, 1, None).await
}

fn fill(report: &mut Report, rounds: &[Round]) {
    let numbers = |of: fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
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
