//! `hoopoe bench`: measures this very binary on this machine against what the machine can do at all.
//!
//! Three processes, so that the CPU of each is known: this one generates the load, a receiver takes the webhooks, a server
//! is measured. The load goes to 127.0.0.1 alone. Nothing in here is used by the server.

mod backlog;
pub(crate) mod child;
mod client;
mod clock;
mod disk;
mod e2e;
pub(crate) mod fill;
mod flat;
mod latency;
mod limit;
mod listener;
mod load;
mod neighbour;
mod payload;
mod postgres;
mod probe;
mod quantiles;
pub(crate) mod receiver;
mod recover;
pub(crate) mod relay;
mod report;
mod request;
mod rig;
mod round;
mod server;
mod usage;
mod wire;

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::DatabaseUrl;
use rig::Rig;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Limit,
    E2e,
    Latency,
    Neighbour,
    Backlog,
    Recover,
    Flat,
    All,
}

/// How long and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    /// All modes together in less than ten minutes.
    Short,
    Full,
    /// Up to ten million rows.
    Soak,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) size: Size,
    /// Lines of JSON are appended here instead of printed.
    pub(crate) json: Option<PathBuf>,
    /// Of one round.
    pub(crate) seconds: Option<f64>,
    pub(crate) connections: usize,
    /// Of the generator, and as many of the receiver.
    pub(crate) threads: usize,
    /// Rounds of each side of a ratio.
    pub(crate) pairs: Option<usize>,
    /// Where data directories are made.
    pub(crate) dir: Option<PathBuf>,
    /// Deliveries that wait in the modes that are about many of them.
    pub(crate) waiting: Option<u64>,
    /// Events a second in `latency`, instead of 100 and half of the maximum.
    pub(crate) rate_per_s: Option<f64>,
    /// One shape of `e2e` instead of all.
    pub(crate) shape: Option<e2e::Shape>,
    /// `e2e` beside the embedded store also on this server.
    pub(crate) database_url: Option<DatabaseUrl>,
}

pub(crate) use e2e::Shape;

/// Measures and prints.
///
/// # Errors
/// What stood in the way; every process that was started has ended then.
pub(crate) async fn run(mode: Mode, options: Options) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate()).context("signals cannot be caught")?;
    let mut int = signal(SignalKind::interrupt()).context("signals cannot be caught")?;
    let measuring = async {
        let mut rig = Rig::new(options).await?;
        measure(mode, &mut rig).await
    };
    // Dropping the work ends the processes and removes their data.
    tokio::select! {
        done = measuring => done,
        _ = term.recv() => anyhow::bail!("stopped by SIGTERM"),
        _ = int.recv() => anyhow::bail!("stopped by SIGINT"),
    }
}

const EVERY: [Mode; 7] =
    [Mode::Limit, Mode::E2e, Mode::Latency, Mode::Neighbour, Mode::Backlog, Mode::Recover, Mode::Flat];

async fn measure(mode: Mode, rig: &mut Rig) -> anyhow::Result<()> {
    match mode {
        Mode::Limit => limit::run(rig).await,
        Mode::E2e => e2e::run(rig).await,
        Mode::Latency => latency::run(rig).await,
        Mode::Neighbour => neighbour::run(rig).await,
        Mode::Backlog => backlog::run(rig).await,
        Mode::Recover => recover::run(rig).await,
        Mode::Flat => flat::run(rig).await,
        Mode::All => {
            for mode in EVERY {
                Box::pin(measure(mode, rig)).await?;
            }
            Ok(())
        }
    }
}
