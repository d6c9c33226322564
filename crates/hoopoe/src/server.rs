//! A whole server, started and stopped: in the binary, and in the process of a test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::Api;
use domain::id::IdSource;
use domain::time::Clock;
use store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::addresses::Addresses;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::first_key::FirstKey;
use crate::lifecycle::{self, Answering};
use crate::telemetry::metrics;
use crate::wiring::{self, Wired};

const KEEP_USES_MS: i64 = 60_000;
/// How long attempts that run may take to end at a stop: an attempt's own 10 s, and a little to read its answer.
const ATTEMPTS_GRACE: Duration = Duration::from_secs(11);

/// Where time and chance come from.
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdSource>,
    /// Spreads retries.
    pub jitter_seed: u64,
    pub time: TimeSource,
}

/// Whose clock a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// Compared with the database's, where there is one.
    System,
    /// A test's, which may stand anywhere.
    ByHand,
}

/// A server that accepts requests until [`stop`](Self::stop).
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    wired: Wired,
    serving: JoinSet<()>,
    addresses: Arc<Addresses>,
    stop: CancellationToken,
}

impl Parts {
    /// The system's clock and randomness.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn of_the_system() -> anyhow::Result<Self> {
        let mut seeds = [[0; 8]; 2];
        for seed in &mut seeds {
            getrandom::fill(seed).context("the system gives no randomness")?;
        }
        let [ids, jitter] = seeds.map(u64::from_le_bytes);
        Ok(Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(IdSource::seeded(ids)),
            jitter_seed: jitter,
            time: TimeSource::System,
        })
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

impl Server {
    /// Listens first, so that a port in use is told before anything is created, then opens the store and starts.
    ///
    /// # Errors
    /// A sentence that says what stands in the way and what to do. No data was changed then.
    pub async fn start(config: &Config, parts: Parts) -> anyhow::Result<Self> {
        let listener = listen(config.listen, "--listen").await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(listen(address, "--metrics-listen").await?),
            None => None,
        };
        let clock = Arc::clone(&parts.clock);
        let wired = wiring::wire(config, parts).await?;
        note_allowed(config, &wired.api).await.context("what the settings open could not be written down")?;
        let mut server = Self {
            address,
            metrics_address: metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
            serving: JoinSet::new(),
            addresses: Arc::new(Addresses::new(config.connections_per_address)),
            stop: CancellationToken::new(),
            wired,
        };
        server.serve(listener, server.wired.front(config));
        server.serving.spawn(keep_uses(Arc::clone(&server.wired.store), clock, server.stop.clone()));
        let (api, stop) = (Arc::clone(&server.wired.api), server.stop.clone());
        server.serving.spawn(async move { api.keep_rates(stop).await });
        if let Some(listener) = metrics_listener {
            server.serve(listener, metrics::router(server.wired.metrics.clone()));
        }
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is, if not on the main address.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The key that this start made, if it made one.
    pub fn first_key(&self) -> Option<&FirstKey> {
        self.wired.first_key.as_ref()
    }

    /// A link that signs the operator in, once and within a minute; it begins with `base` unless the settings say better.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn login_link(&self, base: &str) -> anyhow::Result<String> {
        self.wired.api.login_link(base).await.context("no login link could be made")
    }

    /// Accepts nothing more, lets requests and attempts finish, records their outcomes, gives the rest back, closes.
    pub async fn stop(mut self) {
        self.wired.api.end_streams();
        self.stop.cancel();
        while self.serving.join_next().await.is_some() {}
        self.wired.api.drained().await;
        self.wired.engine.shutdown(ATTEMPTS_GRACE).await;
        self.wired.store.close().await;
    }

    fn serve(&mut self, listener: TcpListener, service: impl Answering) {
        let (addresses, stop) = (Arc::clone(&self.addresses), self.stop.clone());
        self.serving.spawn(lifecycle::serve(listener, service, addresses, stop));
    }
}

/// What the operator opens to customers is told in the audit log, at every start.
async fn note_allowed(config: &Config, api: &Api) -> anyhow::Result<()> {
    for block in &config.allow_cidrs {
        api.note_allowed("cidr", block.to_string()).await?;
    }
    for name in &config.allow_names {
        api.note_allowed("name", name.to_string()).await?;
    }
    Ok(())
}

/// When keys and sessions were last used is worth a write in a minute, and one at the end.
async fn keep_uses(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut goes_on = true;
    while goes_on {
        let next_at = clock.now().plus_millis(KEEP_USES_MS);
        goes_on = stop.run_until_cancelled(clock.sleep_until(next_at)).await.is_some();
        if let Err(fault) = store.keep_uses().await {
            tracing::warn!(%fault, "when keys were last used could not be stored");
        }
    }
}

async fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; stop the program that does, or choose another address with {flag}"
        )
    })
}
