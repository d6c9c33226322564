//! The server under test: `hoopoe serve --dev` of this executable as a process of its own, on a data directory that stays
//! when the server is killed, and the few requests that the benchmark needs to prepare it and look at it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::child::{Start, last_line};
use super::clock::now_ns;
use super::payload;
use super::usage::Usage;
use super::wire::Wire;

pub(super) const KEY: &str = "hpk_bench_0123456789abcdefghijklmnopqrst";
const READY: &str = "listening on http://";
/// Requests at once while endpoints are registered.
const SETUP_CONNECTIONS: usize = 32;
const POLL: Duration = Duration::from_millis(20);
const READY_POLL: Duration = Duration::from_millis(1);

/// A data directory of its own, removed at the end.
#[derive(Debug)]
pub(super) struct Site {
    dir: TempDir,
    /// Further flags of `serve`.
    pub(super) flags: Vec<OsString>,
    /// Further variables of its environment.
    pub(super) env: Vec<(&'static str, String)>,
}

/// Ended when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) pid: u32,
    pub(super) address: SocketAddr,
    log: PathBuf,
    /// From the start of the process until `/readyz` said 200.
    pub(super) ready_after_ms: f64,
}

/// Endpoints to register: one path of the receiver's for every location in turn, `per_owner` times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoints<'a> {
    pub(super) owners: super::request::Owners,
    pub(super) per_owner: u64,
    /// `ok`, `hang`, … as the receiver knows them.
    pub(super) path: &'a str,
    pub(super) receiver_port: u16,
}

/// A few of the server's own numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    pub(super) commits: u64,
    /// Time spent in commits, which is mostly the disk's sync.
    pub(super) commit_s: f64,
    pub(super) unfinished: u64,
    pub(super) unrecorded: u64,
}

impl Site {
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn below(dir: &Path) -> anyhow::Result<Self> {
        let made = tempfile::Builder::new().prefix("site-").tempdir_in(dir);
        let dir = made.with_context(|| format!("no folder can be made in {}", dir.display()))?;
        Ok(Self { dir, flags: Vec::new(), env: Vec::new() })
    }

    /// Starts a server over the data and waits until it is ready.
    ///
    /// # Errors
    /// With what the server said.
    pub(super) async fn start(&self) -> anyhow::Result<Server> {
        let log = self.dir.path().join("server.log");
        let mut args: Vec<OsString> =
            vec!["bench".into(), "bound".into(), std::process::id().to_string().into()];
        args.extend(
            [
                "serve",
                "--dev",
                "--core-dumps",
                "--listen",
                "127.0.0.1:0",
                "--log-level",
                "warn",
                "--data-dir",
            ]
            .map(Into::into),
        );
        args.push(self.dir.path().join("data").into());
        args.extend(self.flags.iter().cloned());
        let mut env = vec![("HOOPOE_PLATFORM_KEY", KEY)];
        env.extend(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        let began_at_ns = now_ns();
        let start =
            Start { what: "the server", args, env: &env, dir: self.dir.path(), log: &log, ready: READY };
        let started = start.start().await?;
        let address = started.told.parse().context("the server's address is not understood")?;
        let mut server = Server { child: started.child, pid: started.pid, address, log, ready_after_ms: 0.0 };
        while server.get("/readyz").await?.0 != 200 {
            tokio::time::sleep(READY_POLL).await;
        }
        server.ready_after_ms = (now_ns() - began_at_ns) as f64 / 1e6;
        Ok(server)
    }
}

impl Server {
    /// Kills it, as a crash would.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server cannot be killed")
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid).with_context(|| format!("the server ended: {}", last_line(&self.log)))
    }

    /// # Errors
    /// An endpoint is refused.
    pub(super) async fn register(&self, endpoints: Endpoints<'_>) -> anyhow::Result<()> {
        let total = endpoints.owners.count * endpoints.per_owner;
        let lanes = (SETUP_CONNECTIONS as u64).min(total);
        let mut registering = JoinSet::new();
        for lane in 0..lanes {
            let bodies: Vec<_> = (lane..total).step_by(lanes as usize).map(|n| endpoints.body(n)).collect();
            registering.spawn(register_all(self.address, bodies));
        }
        while let Some(lane) = registering.join_next().await {
            lane.context("a registration failed")??;
        }
        Ok(())
    }

    pub(super) async fn metrics(&self) -> anyhow::Result<Metrics> {
        let (status, text) = self.get("/metrics").await?;
        ensure!(status == 200, "/metrics answers {status}");
        Ok(Metrics::parse(&text))
    }

    /// Waits until every delivery has ended and its outcome is recorded.
    ///
    /// # Errors
    /// It takes longer than `patience`.
    pub(super) async fn until_finished(&self, patience: Duration) -> anyhow::Result<()> {
        let waiting = async {
            loop {
                let metrics = self.metrics().await?;
                if metrics.unfinished == 0 && metrics.unrecorded == 0 {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let late = || format!("deliveries were unfinished after {} s", patience.as_secs());
        tokio::time::timeout(patience, waiting).await.with_context(late)?
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut wire = Wire::to(self.address).await.with_context(|| last_line(&self.log))?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        wire.request.extend_from_slice(head.as_bytes());
        let answer = wire.exchange().await?;
        Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
    }
}

async fn register_all(address: SocketAddr, bodies: Vec<String>) -> anyhow::Result<()> {
    let mut wire = Wire::to(address).await?;
    for body in bodies {
        let request = format!(
            "POST /v1/endpoints HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        wire.request.clear();
        wire.request.extend_from_slice(request.as_bytes());
        let answer = wire.exchange().await?;
        let told = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 201, "an endpoint was refused with status {}: {told}", answer.status);
    }
    Ok(())
}

impl Endpoints<'_> {
    /// Endpoint number `n` of all.
    fn body(&self, n: u64) -> String {
        let Self { owners, per_owner, path, receiver_port } = self;
        let location = payload::location(owners.first + n / per_owner);
        format!(
            r#"{{"locationId":"{location}","url":"http://127.0.0.1:{receiver_port}/{path}/{n}","eventTypes":["ContactCreate"]}}"#
        )
    }
}

impl Metrics {
    fn parse(text: &str) -> Self {
        let word = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = |name: &str| word(name).and_then(|value| value.trim().parse().ok()).unwrap_or_default();
        let commit_s = word("hoopoe_store_commit_duration_seconds_sum");
        Self {
            commits: value("hoopoe_store_commits_total"),
            commit_s: commit_s.and_then(|value| value.trim().parse().ok()).unwrap_or_default(),
            unfinished: value("hoopoe_deliveries_unfinished"),
            unrecorded: value("hoopoe_outcomes_unrecorded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::request::Owners;

    #[test]
    fn metrics_are_found_by_their_whole_name() {
        let text = "# HELP x\nhoopoe_store_commit_duration_seconds_sum 0.5\nhoopoe_store_commits_total 12\nhoopoe_deliveries_unfinished 3\nhoopoe_deliveries_unfinished_x 9\n";
        let metrics = Metrics::parse(text);
        assert_eq!((metrics.commits, metrics.unfinished, metrics.unrecorded), (12, 3, 0));
        assert!((metrics.commit_s - 0.5).abs() < 1e-9);
    }

    #[test]
    fn every_location_gets_its_share_of_endpoints() {
        let owners = Owners { first: 5, count: 2 };
        let endpoints = Endpoints { owners, per_owner: 2, path: "ok", receiver_port: 9 };
        let bodies: Vec<_> = (0..4).map(|n| endpoints.body(n)).collect();
        for (body, owner) in bodies.iter().zip([5, 5, 6, 6]) {
            assert!(body.contains(&payload::location(owner)), "{body}");
        }
        assert!(bodies[3].contains("http://127.0.0.1:9/ok/3"), "{}", bodies[3]);
    }
}
