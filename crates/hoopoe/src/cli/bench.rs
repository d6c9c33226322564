//! `hoopoe bench`: the arguments of the benchmark, and of the roles that it starts this program in.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use crate::bench::{self, Mode, Options, Shape, Size};

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    mode: ModeCommand,
}

#[derive(Debug, Subcommand)]
enum ModeCommand {
    /// The machine's limit: sign and post webhooks straight to a bare receiver
    Limit(MeasureArgs),
    /// Publish to a server and count what arrives, beside the limit
    E2e(E2eArgs),
    /// Every mode, one after the other
    All(MeasureArgs),
    /// The receiver, as a process of its own
    #[command(hide = true)]
    Receiver(ReceiverArgs),
    /// Another command that ends with its parent
    #[command(hide = true)]
    Bound(BoundArgs),
}

#[derive(Debug, Args)]
struct MeasureArgs {
    /// Small sizes and short rounds: all modes together in less than ten minutes
    #[arg(long, conflicts_with = "soak")]
    short: bool,
    /// Large sizes, up to ten million rows; takes hours and tens of gigabytes
    #[arg(long)]
    soak: bool,
    /// Appends the lines of JSON to this file instead of printing them
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Length of one round, seconds
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,
    /// Connections of the load generator
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Threads of the generator, and as many of the receiver [default: one per processor, at most 8]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Rounds of each side of a ratio [default: 3 with --short, 5 otherwise]
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// A folder on a real disk for the data directories, which are removed at the end [default: ./target, or the system's
    /// folder for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct E2eArgs {
    #[command(flatten)]
    measure: MeasureArgs,
    /// Measures one shape alone: events in one request, 1 to 1000
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// Measures one shape alone: endpoints that get each event, 1 to 50
    #[arg(long, value_name = "N")]
    fan_out: Option<u64>,
    /// Measures one shape alone: endpoints in all
    #[arg(long, value_name = "N")]
    endpoints: Option<u64>,
}

#[derive(Debug, Args)]
struct ReceiverArgs {
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 1_000_000)]
    slots: usize,
}

#[derive(Debug, Args)]
struct BoundArgs {
    /// Process id of the parent
    parent: u32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Threads beyond this make no difference to a loop that waits for one server.
const THREADS_MAX: usize = 8;
const CONNECTIONS_MAX: usize = 2_048;

pub(super) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let (mode, options) = match args.mode {
        ModeCommand::Limit(args) => (Mode::Limit, args.options()?),
        ModeCommand::All(args) => (Mode::All, args.options()?),
        ModeCommand::E2e(args) => {
            let shape = args.shape()?;
            (Mode::E2e, Options { shape, ..args.measure.options()? })
        }
        ModeCommand::Receiver(args) => {
            bench::receiver::run(args.threads, args.slots)?;
            return Ok(ExitCode::SUCCESS);
        }
        ModeCommand::Bound(args) => return Err(bench::child::become_bound(args.parent, &args.command)),
    };
    // One thread: children are bound to the thread that started them, and the load has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the async runtime cannot start")?.block_on(bench::run(mode, options))?;
    Ok(ExitCode::SUCCESS)
}

impl MeasureArgs {
    fn options(self) -> anyhow::Result<Options> {
        let seconds = self.seconds.unwrap_or(1.0);
        ensure!((0.1..=3_600.0).contains(&seconds), "--seconds must be 0.1 to 3600");
        ensure!(
            (1..=CONNECTIONS_MAX).contains(&self.connections),
            "--connections must be 1 to {CONNECTIONS_MAX}"
        );
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(processors.min(THREADS_MAX));
        ensure!((1..=64).contains(&threads), "--threads must be 1 to 64");
        ensure!(self.pairs.is_none_or(|pairs| (1..=1_000).contains(&pairs)), "--pairs must be 1 to 1000");
        let size = match (self.short, self.soak) {
            (true, _) => Size::Short,
            (_, true) => Size::Soak,
            _ => Size::Full,
        };
        let Self { json, seconds, connections, pairs, dir, .. } = self;
        Ok(Options { size, json, seconds, connections, threads, pairs, dir, shape: None })
    }
}

impl E2eArgs {
    /// `None`: all shapes.
    fn shape(&self) -> anyhow::Result<Option<Shape>> {
        if self.batch.is_none() && self.fan_out.is_none() && self.endpoints.is_none() {
            return Ok(None);
        }
        let fan_out = self.fan_out.unwrap_or(1);
        let shape =
            Shape { batch: self.batch.unwrap_or(1), fan_out, endpoints: self.endpoints.unwrap_or(fan_out) };
        ensure!((1..=1_000).contains(&shape.batch), "--batch must be 1 to 1000");
        ensure!(
            (1..=50).contains(&fan_out),
            "--fan-out must be 1 to 50, as many as a location may have endpoints"
        );
        ensure!((fan_out..=1_000_000).contains(&shape.endpoints), "--endpoints must be {fan_out} to 1000000");
        ensure!(shape.endpoints.is_multiple_of(fan_out), "--endpoints must be a multiple of --fan-out");
        Ok(Some(shape))
    }
}
