//! The benchmark's end of the relay.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use tokio::process::Child;

use super::READY;
use crate::bench::child::Start;
use crate::bench::usage::Usage;

/// A relay that runs; ended when dropped.
pub(in crate::bench) struct Relay {
    _child: Child,
    pid: u32,
    pub(in crate::bench) address: SocketAddr,
}

impl Relay {
    /// Its file is made in `dir`; it posts to the receiver at `to`.
    ///
    /// # Errors
    /// With what the relay said.
    pub(in crate::bench) async fn start(dir: &Path, threads: usize, to: SocketAddr) -> anyhow::Result<Self> {
        let args = ["bench", "relay", "--threads", &threads.to_string(), "--to", &to.to_string()];
        let (args, log) = (args.iter().map(Into::into).collect(), dir.join("relay.log"));
        let start = Start { what: "the relay", args, env: &[], dir, log: &log, ready: READY };
        let started = start.start().await?;
        let port: u16 = started.told.parse().context("the relay's port is not understood")?;
        Ok(Self { _child: started.child, pid: started.pid, address: ([127, 0, 0, 1], port).into() })
    }

    pub(in crate::bench) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid).context("the relay ended")
    }
}
