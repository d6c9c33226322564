//! The backend for many nodes: PostgreSQL, 15 or later.
//!
//! The same files as the traits in `store`, one per noun. Publications join a group commit (`publisher`); what changes memory
//! goes one after the other over all nodes and is heard of by each (`follow`); what a node holds hangs on its beat (`nodes`).
//! It keeps the traits' promises and decides nothing that `domain` decides. No statement asks the server for the time but the
//! check of the clock at a start, and nothing needs an advisory lock or a trigger.

mod api_keys;
mod audit;
mod days;
mod deliveries;
mod endpoint_rows;
mod endpoints;
mod events;
mod fault;
mod follow;
mod health;
mod keys;
mod log;
mod maintenance;
mod migrations;
mod nodes;
mod once;
mod open;
mod pool;
mod publisher;
mod queue;
mod record;
mod scope;
mod scratch;
mod sealing;
mod session;
mod sessions;
mod stats;
mod tallies;
mod tenants;
mod tls;
mod told;
mod tx;
mod walk;
mod watch;
mod whole;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;
use parking_lot::Mutex;
use store::Store;
use store::audit::AuditNote;
use store::backend::memory::Memory;
use store::feed::Feed;
use store::healths::Healths;
use store::routes::Routes;
use store::vault::Vault;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use crate::days::Days;
use crate::fault::{CLOSED, Fault};
use crate::follow::Follower;
use crate::nodes::Node;
pub use crate::open::{OpenError, Settings, SkewCheck, migrate};
use crate::pool::Pool;
use crate::publisher::Publisher;
pub use crate::scratch::{Connected, Scratch, Written};
use crate::session::Session;
use crate::stats::Stats;
pub use crate::stats::StatsView;
use crate::told::Ears;

/// The store in one PostgreSQL database, as one of its nodes sees it. Dropping it without
/// [`close`](store::maintenance::Maintenance::close) is a crash: what it holds is taken over when its silence was noticed.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    /// Ends what runs in the background with the last handle.
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Who makes the next change.
    note: Option<Arc<AuditNote>>,
}

/// What the handles and the tasks of one node share.
pub(crate) struct Shared {
    pub pool: Pool,
    pub memory: Memory,
    pub vault: Mutex<Arc<Vault>>,
    pub node: Arc<Node>,
    pub days: Days,
    pub follower: Follower,
    pub ears: tokio::sync::Mutex<Ears>,
    pub publisher: Publisher,
    pub stats: Stats,
    pub clock: Arc<dyn Clock>,
    /// One at a time on this node: changes of what memory holds.
    changes: Semaphore,
    /// And records, which add to rows of this node.
    records: Semaphore,
}

impl Shared {
    /// Gives up what takes longer than `ms`, and then trusts no connection that lies idle.
    pub(crate) async fn bounded<T>(
        &self,
        ms: u64,
        why: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(Duration::from_millis(ms), work).await {
            Ok(done) => done,
            Err(_) => {
                self.pool.distrust_idle();
                Err(Fault::Away(why))
            }
        }
    }

    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.changes.acquire().await.map_err(|_| Fault::Away(CLOSED))
    }

    /// This node told something: who listens here hears it at once.
    pub(crate) fn listen_anew(&self) {
        if self.memory.feed.is_listened_to() {
            self.follower.hint();
        }
    }

    pub(crate) async fn turn_to_record(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.records.acquire().await.map_err(|_| Fault::Away(CLOSED))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("pool", &self.pool).field("node", &self.node).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, brings the schema up to date, takes over what is left of nodes that are gone, and loads what memory
    /// holds.
    ///
    /// # Errors
    /// An [`OpenError`] that says what to do. No data was changed but by the migrations.
    pub async fn open(settings: Settings) -> Result<Arc<Self>, OpenError> {
        open::open(settings).await.map(Arc::new)
    }

    /// Counters of the group commit, for metrics.
    pub fn stats(&self) -> StatsView {
        self.shared.stats.view(self.shared.pool.idle())
    }

    /// `session`: for this node's beat.
    fn start(shared: Shared, receiver: publisher::Calls, session: Session) -> Self {
        let shared = Arc::new(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(publisher::run(Arc::clone(&shared), receiver));
        tasks.spawn(nodes::run(Arc::clone(&shared), session));
        tasks.spawn(nodes::keep_up(Arc::clone(&shared)));
        tasks.spawn(follow::run(Arc::clone(&shared)));
        Self { shared, tasks: Arc::new(Mutex::new(tasks)), note: None }
    }
}

impl Store for PostgresStore {
    fn routes(&self) -> &Routes {
        &self.shared.memory.routes
    }
    fn healths(&self) -> &Healths {
        &self.shared.memory.healths
    }
    fn feed(&self) -> &Arc<Feed> {
        &self.shared.memory.feed
    }
    fn audited(self: Arc<Self>, note: AuditNote) -> Arc<dyn Store> {
        Arc::new(Self { note: Some(Arc::new(note)), ..Self::clone(&self) })
    }
}
