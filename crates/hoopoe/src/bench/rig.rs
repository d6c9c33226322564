//! What every mode stands on: the options, a folder on a real disk, a running receiver, and the next free sequence number.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use super::load::{Load, Until};
use super::receiver::Receiver;
use super::report::Report;
use super::request::Composer;
use super::server::Site;
use super::{Options, Size, disk};

/// Events of one round, at most: the receiver remembers when each came.
const SLOTS: u64 = 1 << 22;
const SLOTS_SOAK: u64 = 1 << 24;

pub(super) struct Rig {
    pub(super) options: Options,
    pub(super) receiver: Receiver,
    pub(super) slots: u64,
    next_sequence: u64,
    /// Last, so that the processes have ended when it is removed.
    dir: TempDir,
}

impl Rig {
    /// # Errors
    /// The folder cannot be used, or the receiver does not start.
    pub(super) async fn new(options: Options) -> anyhow::Result<Self> {
        crate::descriptors::raise_limit();
        let dir = work_dir(options.dir.as_deref())?;
        if disk::is_memory(dir.path()) {
            eprintln!(
                "hoopoe bench: {} is in memory, where a sync costs nothing; give a folder on a disk with --dir",
                dir.path().display()
            );
        }
        let slots = if options.size == Size::Soak { SLOTS_SOAK } else { SLOTS };
        let receiver = Receiver::start(dir.path(), options.threads, slots as usize).await?;
        Ok(Self { options, receiver, slots, next_sequence: 0, dir })
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An empty data directory.
    pub(super) fn site(&self) -> anyhow::Result<Site> {
        Site::below(self.dir.path())
    }

    pub(super) fn receiver_address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.receiver.port).into()
    }

    /// Numbers for a round that sends `count` events at most.
    pub(super) fn sequences(&mut self, count: u64) -> u64 {
        let first = self.next_sequence;
        self.next_sequence += count;
        first
    }

    pub(super) fn load(&mut self, to: SocketAddr, composer: Composer) -> Load {
        let Options { connections, threads, .. } = self.options;
        let first_sequence = self.sequences(self.slots);
        Load { to, composer, connections, threads, first_sequence }
    }

    /// A round's length, unless the user gave one.
    pub(super) fn seconds(&self, short: f64, full: f64) -> f64 {
        let usual = if self.options.size == Size::Short { short } else { full };
        self.options.seconds.unwrap_or(usual)
    }

    pub(super) fn until(&self, seconds: f64) -> Until {
        Until { events: self.slots, time: Duration::from_secs_f64(seconds) }
    }

    /// Rounds of each side of a ratio: at least three, for a median.
    pub(super) fn pairs(&self) -> usize {
        self.options.pairs.unwrap_or(if self.options.size == Size::Short { 3 } else { 5 })
    }

    /// Deliveries that wait, where a mode is about many of them.
    pub(super) fn waiting(&self) -> u64 {
        let usual = if self.options.size == Size::Short { 100_000 } else { 1_000_000 };
        self.options.waiting.unwrap_or(usual)
    }

    /// Prints the table, and the line of JSON where it was wished.
    pub(super) fn publish(&self, report: &Report) -> anyhow::Result<()> {
        let mut text = report.table();
        let line = report.json();
        match &self.options.json {
            None => text.extend(["\n", line.as_str(), "\n"]),
            Some(path) => {
                append(path, &line).with_context(|| format!("{} cannot be written", path.display()))?
            }
        }
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .context("cannot write to standard output")
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")
}

/// A fresh folder in the wished one, in ./target where there is one, or where the system keeps temporary files.
fn work_dir(wish: Option<&Path>) -> anyhow::Result<TempDir> {
    let parent = match wish {
        Some(dir) => dir.to_owned(),
        None if Path::new("target").is_dir() => PathBuf::from("target"),
        None => std::env::temp_dir(),
    };
    let parent =
        parent.canonicalize().with_context(|| format!("the folder {} is not there", parent.display()))?;
    let made = tempfile::Builder::new().prefix("hoopoe-bench-").tempdir_in(&parent);
    made.with_context(|| {
        format!("no folder can be made in {}; give another one with --dir", parent.display())
    })
}
