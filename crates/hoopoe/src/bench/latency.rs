//! `latency`: publish → first byte at the receiver, at a fixed rate and at half of what a closed loop reaches.

use super::e2e::{self, Shape};
use super::probe::{Probe, Probed};
use super::report::Report;
use super::request::Owners;
use super::rig::Rig;
use super::server::Server;

const RATE_PER_S: f64 = 100.0;
const ONE: Shape = Shape { batch: 1, fan_out: 1, endpoints: 1 };
const OWNERS: Owners = Owners { first: 0, count: 1 };

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let site = rig.site()?;
    let server = site.start().await?;
    server.register(ONE.endpoints_at(rig)).await?;
    let seconds = rig.seconds(10.0, 30.0);
    // Also what finds the maximum: the first rounds of a server are slower.
    let warm = e2e::round(rig, &server, ONE, 1.0).await?;
    let fast = e2e::round(rig, &server, ONE, seconds.min(3.0)).await?;
    let max_per_s = fast.delivered_per_s().max(warm.delivered_per_s());

    let rate_per_s = rig.options.rate_per_s.unwrap_or(RATE_PER_S);
    let steady = at_rate(rig, &server, rate_per_s, seconds).await?;
    rig.publish(&report(format!("open loop at {rate_per_s}/s"), &steady, max_per_s))?;
    if rig.options.rate_per_s.is_none() {
        let half = at_rate(rig, &server, max_per_s / 2.0, seconds).await?;
        rig.publish(&report("open loop at half of the maximum".to_owned(), &half, max_per_s))?;
    }
    server.kill().await
}

struct AtRate {
    probe: Probe,
    probed: Probed,
}

async fn at_rate(rig: &mut Rig, server: &Server, rate_per_s: f64, seconds: f64) -> anyhow::Result<AtRate> {
    let probe = Probe { owners: OWNERS, rate_per_s, seconds };
    Ok(AtRate { probe, probed: rig.probe(server, probe).await? })
}

fn report(variant: String, measured: &AtRate, max_per_s: f64) -> Report {
    let mut report = Report::new("latency", variant);
    report.number("rate_per_s", measured.probe.rate_per_s);
    report.number("maximum_per_s", max_per_s);
    report.count("events", measured.probed.sent.events);
    report.quantiles("arrival", &measured.probed.arrival);
    report.quantiles("publish", &measured.probed.sent.answered);
    report
}
