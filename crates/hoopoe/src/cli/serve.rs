//! `hoopoe serve`: starts the server, tells its user what to do next, and stops it when told.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Mode, ServeArgs};
use crate::first_key::FirstKey;
use crate::server::{Parts, Server};
use crate::telemetry::logs;

/// As shells have it for a process that SIGINT ended.
const IMPATIENT_EXIT_CODE: i32 = 130;

pub(super) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(args, |name| std::env::var(name).ok())?;
    logs::start(&config.log)?;
    crate::descriptors::raise_limit();
    if !config.core_dumps {
        crate::core_dumps::forbid();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the async runtime cannot start")?.block_on(serve(&config))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut stop = StopSignals::new()?;
    let server = Server::start(config, Parts::of_the_system()?).await?;
    if config.mode == Mode::Dev {
        tracing::warn!(
            "--dev: http and receivers on loopback and private addresses are allowed; never expose this server"
        );
    }
    for block in &config.allow_cidrs {
        tracing::warn!(%block, "receivers may have addresses of this block, by --allow-cidr");
    }
    for name in &config.allow_names {
        tracing::warn!(%name, "receivers may have this name, and it may lead to private addresses, by --allow-name");
    }
    greet(config, &server).await?;
    tracing::info!(address = %server.address(), data = data(config), "started");
    stop.next().await;
    tracing::info!("stopping: running requests and attempts finish first; a second signal ends at once");
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        () = stop.next() => std::process::exit(IMPATIENT_EXIT_CODE),
    }
    Ok(())
}

/// Where the data is, without a password.
fn data(config: &Config) -> String {
    config.database_url.as_ref().map_or_else(|| config.data_dir.display().to_string(), ToString::to_string)
}

/// To stdout; the last line is the address, which scripts wait for.
async fn greet(config: &Config, server: &Server) -> anyhow::Result<()> {
    let mut text = format!("Hoopoe {}, data in {}\n", env!("CARGO_PKG_VERSION"), data(config));
    if config.mode == Mode::Dev {
        text.push_str("\n*** --dev: http and receivers on private addresses are allowed. Never expose this server. ***\n");
    }
    let base = format!("http://{}", server.address());
    if let Some(key) = server.first_key() {
        text.push_str(&first_steps(config.mode, key, &base)?);
    }
    writeln!(text, "sign in to the console, once and within a minute: {}", server.login_link(&base).await?)?;
    if let Some(address) = server.metrics_address() {
        writeln!(text, "metrics on http://{address}/metrics")?;
    }
    writeln!(text, "listening on {base}")?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")
}

fn first_steps(mode: Mode, key: &FirstKey, base: &str) -> anyhow::Result<String> {
    let receiver = match mode {
        Mode::Production => "https://your-server.example.com/hook",
        Mode::Dev => "http://127.0.0.1:9000/hook",
    };
    let program = std::env::args().next().unwrap_or_else(|| "hoopoe".to_owned());
    let mut text = String::new();
    writeln!(
        text,
        "\nThe platform's API key, shown this once (only its hash is kept):\n\n  {}\n",
        key.expose()
    )?;
    writeln!(text, "Register an endpoint and send it the first event:\n")?;
    writeln!(text, "  export HOOPOE_API_KEY={}", key.expose())?;
    writeln!(text, "  curl -s {base}/v1/endpoints -H \"authorization: Bearer $HOOPOE_API_KEY\" \\")?;
    writeln!(
        text,
        "    -H 'content-type: application/json' -d '{{\"locationId\": \"ve9EPM428h8vShlRW1KT\","
    )?;
    writeln!(text, "    \"url\": \"{receiver}\", \"eventTypes\": [\"ContactCreate\"]}}'")?;
    writeln!(text, "  {program} trigger ContactCreate --location ve9EPM428h8vShlRW1KT --url {base}\n")?;
    Ok(text)
}

/// SIGTERM and SIGINT, caught from the start on, so that a stop during the start is not lost.
struct StopSignals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn new() -> anyhow::Result<Self> {
        let caught = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self { term: caught(SignalKind::terminate())?, int: caught(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
