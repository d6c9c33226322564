//! `hoopoe bench`: the arguments of the benchmark, and of the roles that it starts this program in.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use crate::bench::fill::BATCH;
use crate::bench::{self, Mode, Options, Shape, Size};
use crate::config::DatabaseUrl;

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
    /// From publish to the receiver's first byte, at a fixed rate and at half of the maximum
    Latency(LatencyArgs),
    /// What endpoints that hang, and a location with much waiting, do to others
    Neighbour(WaitingArgs),
    /// Many due deliveries for one endpoint that recovers
    Backlog(WaitingArgs),
    /// Starts: on an empty directory, and after a kill with many deliveries waiting
    Recover(WaitingArgs),
    /// Cost per event and memory, by rows in the log and by endpoints
    Flat(WaitingArgs),
    /// Every mode, one after the other
    All(MeasureArgs),
    /// The receiver, as a process of its own
    #[command(hide = true)]
    Receiver(ReceiverArgs),
    /// The relay of `limit`, as a process of its own
    #[command(hide = true)]
    Relay(RelayArgs),
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
    /// By turns with the embedded store also on this PostgreSQL server, in a database that is made for it and dropped again;
    /// its user must be allowed to. Nobody else should use the server meanwhile
    #[arg(long, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
}

#[derive(Debug, Args)]
struct LatencyArgs {
    #[command(flatten)]
    measure: MeasureArgs,
    /// Events a second [default: 100, and then half of what a closed loop reaches]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
}

#[derive(Debug, Args)]
struct WaitingArgs {
    #[command(flatten)]
    measure: MeasureArgs,
    /// Deliveries that wait; in whole hundreds [default: 100000 with --short, 1000000 otherwise]
    #[arg(long, value_name = "N")]
    waiting: Option<u64>,
}

#[derive(Debug, Args)]
struct ReceiverArgs {
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 1_000_000)]
    slots: usize,
}

#[derive(Debug, Args)]
struct RelayArgs {
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The receiver
    #[arg(long)]
    to: SocketAddr,
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
/// As many as the receiver remembers the arrival of.
const WAITING_MAX: u64 = 4_000_000;

pub(super) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let (mode, options) = match args.mode {
        ModeCommand::Limit(args) => (Mode::Limit, args.options()?),
        ModeCommand::Latency(args) => (Mode::Latency, args.options()?),
        ModeCommand::Neighbour(args) => (Mode::Neighbour, args.options()?),
        ModeCommand::Backlog(args) => (Mode::Backlog, args.options()?),
        ModeCommand::Recover(args) => (Mode::Recover, args.options()?),
        ModeCommand::Flat(args) => (Mode::Flat, args.options()?),
        ModeCommand::All(args) => (Mode::All, args.options()?),
        ModeCommand::E2e(args) => (Mode::E2e, args.options()?),
        ModeCommand::Receiver(args) => {
            bench::receiver::run(args.threads, args.slots)?;
            return Ok(ExitCode::SUCCESS);
        }
        ModeCommand::Relay(args) => {
            bench::relay::run(args.threads, args.to)?;
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
        Ok(Options {
            size,
            json,
            seconds,
            connections,
            threads,
            pairs,
            dir,
            waiting: None,
            rate_per_s: None,
            shape: None,
            database_url: None,
        })
    }
}

impl LatencyArgs {
    fn options(self) -> anyhow::Result<Options> {
        ensure!(self.rate.is_none_or(|rate| (1.0..=100_000.0).contains(&rate)), "--rate must be 1 to 100000");
        Ok(Options { rate_per_s: self.rate, ..self.measure.options()? })
    }
}

impl WaitingArgs {
    fn options(self) -> anyhow::Result<Options> {
        let fits = |waiting: u64| (BATCH..=WAITING_MAX).contains(&waiting) && waiting.is_multiple_of(BATCH);
        ensure!(
            self.waiting.is_none_or(fits),
            "--waiting must be {BATCH} to {WAITING_MAX}, in whole hundreds"
        );
        Ok(Options { waiting: self.waiting, ..self.measure.options()? })
    }
}

impl E2eArgs {
    fn options(self) -> anyhow::Result<Options> {
        let shape = self.shape()?;
        Ok(Options { shape, database_url: self.database_url, ..self.measure.options()? })
    }

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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(args: &[&str]) -> anyhow::Result<Options> {
        let args = ["hoopoe", "bench"].iter().chain(args);
        let Command::Bench(args) = Cli::try_parse_from(args)?.command else { unreachable!() };
        match args.mode {
            ModeCommand::Limit(args) | ModeCommand::All(args) => args.options(),
            ModeCommand::E2e(args) => args.options(),
            ModeCommand::Latency(args) => args.options(),
            ModeCommand::Neighbour(args)
            | ModeCommand::Backlog(args)
            | ModeCommand::Recover(args)
            | ModeCommand::Flat(args) => args.options(),
            ModeCommand::Receiver(_) | ModeCommand::Relay(_) | ModeCommand::Bound(_) => unreachable!(),
        }
    }

    #[test]
    fn a_shape_is_asked_for_by_any_of_its_flags() {
        assert_eq!(options(&["e2e"]).unwrap().shape, None);
        for (args, (batch, fan_out, endpoints)) in [
            (&["e2e", "--batch", "100"][..], (100, 1, 1)),
            (&["e2e", "--fan-out", "10"], (1, 10, 10)),
            (&["e2e", "--fan-out", "10", "--endpoints", "100"], (1, 10, 100)),
        ] {
            assert_eq!(options(args).unwrap().shape, Some(Shape { batch, fan_out, endpoints }));
        }
    }

    #[test]
    fn sizes_are_full_unless_said_otherwise() {
        assert_eq!(options(&["all"]).unwrap().size, Size::Full);
        assert_eq!(options(&["all", "--short"]).unwrap().size, Size::Short);
        assert_eq!(options(&["flat", "--soak"]).unwrap().size, Size::Soak);
        assert!(options(&["all", "--short", "--soak"]).is_err());
    }

    #[test]
    fn numbers_out_of_bounds_are_refused_with_the_name_of_their_flag() {
        for args in [
            ["limit", "--seconds", "0"],
            ["limit", "--seconds", "nan"],
            ["limit", "--connections", "0"],
            ["limit", "--threads", "65"],
            ["limit", "--pairs", "0"],
            ["e2e", "--batch", "1001"],
            ["e2e", "--fan-out", "51"],
            ["e2e", "--endpoints", "0"],
            ["latency", "--rate", "0"],
            ["backlog", "--waiting", "150"],
            ["backlog", "--waiting", "4000100"],
        ] {
            let error = options(&args).unwrap_err().to_string();
            assert!(error.contains(args[1]), "{args:?}: {error}");
        }
        assert!(options(&["e2e", "--fan-out", "3", "--endpoints", "10"]).is_err());
    }
}
