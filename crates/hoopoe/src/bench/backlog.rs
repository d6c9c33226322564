//! `backlog`: many due deliveries wait for one endpoint whose receiver fails; then it recovers. How fast they drain, how
//! many attempts run at once, and what publishing to others feels of it.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Size;
use super::clock::{SECOND_NS, now_ns, seconds};
use super::load::Sent;
use super::probe::Probe;
use super::receiver::{Behaviour, Counts};
use super::report::Report;
use super::request::Owners;
use super::rig::Rig;
use super::server::{Endpoints, Server, Site};

const FAILING: Owners = Owners { first: 1, count: 1 };
const OTHER: Owners = Owners { first: 0, count: 1 };
const OTHER_RATE_PER_S: f64 = 100.0;
/// All that waits is due within 6 s of the recovery, and none of it gives up before.
const RETRY_SCHEDULE: &str = "5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5";
/// The recovered receiver takes this long, so that it can be seen how many attempts run at once.
const RECOVERED: Behaviour = Behaviour::Wait(1);
const DRAIN_STEP_SECONDS: f64 = 2.0;
/// A drain that takes longer is reported as far as it came.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(600);
const DRAIN_TIME_MAX_SHORT: Duration = Duration::from_secs(60);

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    let waiting = rig.waiting();
    ensure!(waiting <= rig.slots, "--waiting may be {} at most", rig.slots);
    let mut site = rig.site()?;
    site.flags = vec!["--retry-schedule".into(), RETRY_SCHEDULE.into()];
    let server = open(rig, &site).await?;
    let probe_seconds = rig.seconds(10.0, 20.0);
    let probe = Probe { owners: OTHER, rate_per_s: OTHER_RATE_PER_S, seconds: probe_seconds };
    // The first probe only warms up.
    rig.probe(&server, probe).await?;
    let before = rig.probe(&server, probe).await?.sent;

    rig.receiver.switch(Behaviour::Fail).await?;
    let filled_in = Instant::now();
    let first_sequence = rig.fill(&server, FAILING, waiting).await?;
    let fill_s = filled_in.elapsed().as_secs_f64();
    let full = server.usage()?;

    let drain = drain(rig, &server, first_sequence, waiting).await?;
    let after = rig.probe(&server, probe).await?.sent;
    let mut report =
        Report::new("backlog", format!("{waiting} deliveries wait for one endpoint that recovers"));
    report.number("fill_per_s", waiting as f64 / fill_s);
    report.number("memory_with_backlog_mib", full.resident_bytes as f64 / 1_048_576.0);
    report.number("server_peak_memory_mib", server.usage()?.peak_bytes as f64 / 1_048_576.0);
    drain.fill(&mut report);
    report.number("publish_p99_before_ms", before.answered.ms(0.99));
    report.number("publish_p99_during_ms", drain.publishing.answered.ms(0.99));
    report.number("publish_p99_after_ms", after.answered.ms(0.99));
    // What was before: with `--short` the drain is not over yet by the time that is measured after it.
    report.number("publish_p99_ratio", drain.publishing.answered.ms(0.99) / before.answered.ms(0.99));
    server.kill().await?;
    rig.receiver.switch(Behaviour::Ok).await?;
    rig.publish(&report)
}

async fn open(rig: &Rig, site: &Site) -> anyhow::Result<Server> {
    let server = site.start().await?;
    let receiver_port = rig.receiver.port;
    server.register(Endpoints { owners: OTHER, per_owner: 1, path: "ok", receiver_port }).await?;
    server.register(Endpoints { owners: FAILING, per_owner: 1, path: "switch", receiver_port }).await?;
    Ok(server)
}

struct Drain {
    recovered_at_ns: u64,
    waiting: u64,
    counts: Counts,
    /// When each of the waiting deliveries arrived; 0: not by the end.
    arrived_at_ns: Vec<u64>,
    /// To the other location meanwhile.
    publishing: Sent,
}

/// Lets the receiver recover and watches, publishing to another location all the while.
async fn drain(rig: &mut Rig, server: &Server, first_sequence: u64, waiting: u64) -> anyhow::Result<Drain> {
    let time_max = if rig.options.size == Size::Short { DRAIN_TIME_MAX_SHORT } else { DRAIN_TIME_MAX };
    let probe = Probe { owners: OTHER, rate_per_s: OTHER_RATE_PER_S, seconds: DRAIN_STEP_SECONDS };
    rig.receiver.begin(first_sequence, 1).await?;
    let recovered_at_ns = now_ns();
    rig.receiver.switch(RECOVERED).await?;
    let mut publishing: Option<Sent> = None;
    let counts = loop {
        // Numbers before the round's first: these are not counted as drained.
        let sent = rig.send_probe(server, probe, 0).await?;
        match &mut publishing {
            None => publishing = Some(sent),
            Some(all) => all.extend(&sent),
        }
        let counts = rig.receiver.counts().await?;
        if counts.useful >= waiting || seconds(now_ns() - recovered_at_ns) > time_max.as_secs_f64() {
            break counts;
        }
    };
    let arrived_at_ns = rig.receiver.times(first_sequence, waiting).await?;
    let publishing = publishing.expect("the loop ran once");
    Ok(Drain { recovered_at_ns, waiting, counts, arrived_at_ns, publishing })
}

impl Drain {
    fn fill(&self, report: &mut Report) {
        let first_ns = self.counts.first_at_ns.saturating_sub(self.recovered_at_ns);
        let took_ns = self.counts.last_at_ns.saturating_sub(self.recovered_at_ns).max(1);
        report.number("first_success_after_ms", first_ns as f64 / 1e6);
        report.count("drained", self.counts.useful);
        report.count("not_drained", self.waiting.saturating_sub(self.counts.useful));
        report.count("repeated", self.counts.repeated);
        report.number("drain_s", seconds(took_ns));
        report.number("drained_per_s", self.counts.useful as f64 / seconds(took_ns));
        report.list("drained_in_each_second", &per_second(&self.arrived_at_ns, self.recovered_at_ns));
        report.count("attempts_in_flight_max", self.counts.in_flight_max);
    }
}

/// How many came in each second from `start_ns` on, up to the last that came.
fn per_second(arrived_at_ns: &[u64], start_ns: u64) -> Vec<f64> {
    let mut curve = Vec::new();
    for at_ns in arrived_at_ns.iter().filter(|at_ns| **at_ns >= start_ns) {
        let second = ((at_ns - start_ns) / SECOND_NS) as usize;
        if curve.len() <= second {
            curve.resize(second + 1, 0.0);
        }
        curve[second] += 1.0;
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_counts_each_second_and_leaves_out_what_never_came() {
        let at = |tenths: u64| 5 * SECOND_NS + tenths * SECOND_NS / 10;
        assert_eq!(per_second(&[at(0), 0, at(9), at(25)], 5 * SECOND_NS), [2.0, 0.0, 1.0]);
        assert_eq!(per_second(&[0, 0], 5), [0.0; 0]);
    }
}
