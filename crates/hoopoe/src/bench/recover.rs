//! `recover`: how long a start takes, on nothing and after a crash with many deliveries waiting.

use super::report::Report;
use super::request::Owners;
use super::rig::Rig;
use super::server::{Endpoints, Site};

const OWNERS: Owners = Owners { first: 0, count: 1 };
/// Each start after the first is one more crash.
const STARTS: usize = 3;

pub(super) async fn run(rig: &mut Rig) -> anyhow::Result<()> {
    empty(rig).await?;
    waiting(rig).await
}

async fn empty(rig: &Rig) -> anyhow::Result<()> {
    let mut starts = Starts::default();
    for _ in 0..STARTS {
        starts.one(&rig.site()?).await?;
    }
    let mut report = Report::new("recover", "start on an empty directory");
    starts.fill(&mut report);
    rig.publish(&report)
}

async fn waiting(rig: &mut Rig) -> anyhow::Result<()> {
    let waiting = rig.waiting();
    let site = rig.site()?;
    let server = site.start().await?;
    // Nothing is answered, so nothing ends; what is under way when the server is killed belongs to what waits.
    let receiver_port = rig.receiver.port;
    server.register(Endpoints { owners: OWNERS, per_owner: 1, path: "hang", receiver_port }).await?;
    rig.fill(&server, OWNERS, waiting).await?;
    let peak_bytes = server.usage()?.peak_bytes;
    server.kill().await?;
    let mut starts = Starts::default();
    for _ in 0..STARTS {
        starts.one(&site).await?;
    }
    let mut report =
        Report::new("recover", format!("restart after a kill with {waiting} deliveries waiting"));
    starts.fill(&mut report);
    report.number("peak_memory_before_the_kill_mib", peak_bytes as f64 / 1_048_576.0);
    rig.publish(&report)
}

/// What each start showed.
#[derive(Default)]
struct Starts {
    ready_ms: Vec<f64>,
    peak_mib: Vec<f64>,
    unfinished: Option<u64>,
}

impl Starts {
    /// Starts, looks and kills.
    async fn one(&mut self, site: &Site) -> anyhow::Result<()> {
        let server = site.start().await?;
        self.ready_ms.push(server.ready_after_ms);
        self.unfinished = Some(server.metrics().await?.unfinished);
        self.peak_mib.push(server.usage()?.peak_bytes as f64 / 1_048_576.0);
        server.kill().await
    }

    fn fill(&self, report: &mut Report) {
        report.spread("ready_after_ms", &self.ready_ms);
        report.spread("peak_memory_mib", &self.peak_mib);
        report.count("unfinished", self.unfinished.unwrap_or_default());
    }
}
