//! Nothing stampedes: while a database goes and comes, a node keeps to its connections and its attempts at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::limits::{DATABASE_CONNECTIONS_MAX, IN_FLIGHT_PER_ENDPOINT};
use testkit::{Client, Database};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::interval;

const EVERY: Duration = Duration::from_millis(100);
const CONNECTIONS: &str = "select count(*) from pg_stat_activity where application_name = 'hoopoe' and datname = current_database()";

/// Looks again and again at what a test's nodes use.
pub(crate) struct Bounds {
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    in_flight: Arc<AtomicUsize>,
    nodes: usize,
    looking: Vec<JoinHandle<()>>,
}

/// Also of a test that failed: its runtime waits for the looking.
impl Drop for Bounds {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Bounds {
    /// `addresses`: of the database's servers, of which one at a time is written.
    pub(crate) fn watch(database: &Arc<Database>, addresses: &[SocketAddr], apis: &[Client]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (connections, in_flight) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut looking = Vec::new();
        for api in apis {
            let (api, stop, most) = (api.clone(), Arc::clone(&stop), Arc::clone(&in_flight));
            looking.push(tokio::spawn(async move {
                let mut next = interval(EVERY);
                while !stop.load(Ordering::Relaxed) {
                    next.tick().await;
                    most.fetch_max(attempts_at(&api).await.unwrap_or(0), Ordering::Relaxed);
                }
            }));
        }
        let (database, addresses) = (Arc::clone(database), Arc::<[SocketAddr]>::from(addresses));
        let (stopped, most) = (Arc::clone(&stop), Arc::clone(&connections));
        looking.push(tokio::spawn(async move {
            let mut next = interval(EVERY);
            while !stopped.load(Ordering::Relaxed) {
                next.tick().await;
                let (database, addresses) = (Arc::clone(&database), Arc::clone(&addresses));
                let asking = spawn_blocking(move || database.try_sql_at(&addresses, CONNECTIONS));
                let count = asking.await.unwrap().and_then(|text| text.parse().ok());
                most.fetch_max(count.unwrap_or(0), Ordering::Relaxed);
            }
        }));
        Self { stop, connections, in_flight, nodes: apis.len(), looking }
    }

    /// Ends the looking; nothing was above its bound.
    pub(crate) async fn must_hold(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for looking in std::mem::take(&mut self.looking) {
            looking.await.unwrap();
        }
        let (connections, in_flight) =
            (self.connections.load(Ordering::Relaxed), self.in_flight.load(Ordering::Relaxed));
        println!("at most {connections} connections, {in_flight} attempts at once");
        // Beside the pool's: the one that listens, and the one that beats.
        assert!((1..=self.nodes * (DATABASE_CONNECTIONS_MAX + 2)).contains(&connections), "{connections}");
        assert!(in_flight <= IN_FLIGHT_PER_ENDPOINT, "{in_flight}");
    }
}

/// That run on this node now; `None` when it does not say.
async fn attempts_at(api: &Client) -> Option<usize> {
    let answered = api.try_send(http::Method::GET, "/metrics", "").await.ok()?;
    let text = answered.text();
    text.lines().find_map(|line| line.strip_prefix("hoopoe_deliveries_in_flight "))?.parse().ok()
}
