//! The benchmark's end of the receiver's pipes.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::READY;
use super::book::{Behaviour, Counts};
use crate::bench::child::Start;
use crate::bench::usage::Usage;

/// A receiver that runs; ended when dropped.
pub(in crate::bench) struct Receiver {
    _child: Child,
    pid: u32,
    pub(in crate::bench) port: u16,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Receiver {
    /// `slots`: events of one round, at most.
    ///
    /// # Errors
    /// With what the receiver said.
    pub(in crate::bench) async fn start(dir: &Path, threads: usize, slots: usize) -> anyhow::Result<Self> {
        let args = ["bench", "receiver", "--threads", &threads.to_string(), "--slots", &slots.to_string()];
        let log = dir.join("receiver.log");
        let args = args.iter().map(Into::into).collect();
        let start = Start { what: "the receiver", args, env: &[], dir, log: &log, ready: READY };
        let mut started = start.start().await?;
        let port = started.told.parse().context("the receiver's port is not understood")?;
        let stdin = started.child.stdin.take().expect("stdin is piped");
        Ok(Self { _child: started.child, pid: started.pid, port, stdin, stdout: started.stdout })
    }

    /// Starts a round: events from `first_sequence` on, each `times` times.
    pub(in crate::bench) async fn begin(&mut self, first_sequence: u64, times: u64) -> anyhow::Result<()> {
        self.tell(&format!("round {first_sequence} {times}")).await
    }

    /// How `/switch` answers from now on.
    pub(in crate::bench) async fn switch(&mut self, behaviour: Behaviour) -> anyhow::Result<()> {
        self.tell(&format!("switch {behaviour}")).await
    }

    pub(in crate::bench) async fn counts(&mut self) -> anyhow::Result<Counts> {
        let line = self.ask("counts").await?;
        Counts::parse(&line).with_context(|| format!("the receiver's counts are not understood: {line}"))
    }

    /// When each of `count` events first came, nanoseconds; 0: not yet.
    pub(in crate::bench) async fn times(&mut self, first: u64, count: u64) -> anyhow::Result<Vec<u64>> {
        let line = self.ask(&format!("times {first} {count}")).await?;
        let length: usize = line.parse().context("the receiver's times are not understood")?;
        let mut bytes = vec![0; length];
        self.stdout.read_exact(&mut bytes).await.context("the receiver's times ended early")?;
        let (times, _) = bytes.as_chunks::<8>();
        Ok(times.iter().copied().map(u64::from_le_bytes).collect())
    }

    pub(in crate::bench) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid).context("the receiver ended")
    }

    async fn tell(&mut self, command: &str) -> anyhow::Result<()> {
        let answer = self.ask(command).await?;
        ensure!(answer == "ok", "the receiver answers `{answer}` to `{command}`");
        Ok(())
    }

    async fn ask(&mut self, command: &str) -> anyhow::Result<String> {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.context("the receiver ended")?;
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).await.context("the receiver cannot be read")?;
        ensure!(read > 0, "the receiver ended");
        Ok(line.trim_end().to_owned())
    }
}
