//! What nodes keep in memory stays the same on all of them. Whoever changes such a thing holds the counter of revisions until
//! its transaction ends, and notes what it was; everybody asks for newer revisions twice a second, and reads anew what was
//! noted. `NOTIFY` makes that sooner where it comes through; nothing hangs on it.
//!
//! On one node changes and readings take turns, so that memory never goes back to an older state: after a change returned, no
//! reader of this node sees what was before.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::id::{ApiKeyId, EndpointId, SessionId};
use domain::limits::{DATABASE_CALL_MS_MAX, FOLLOW_MS};
use domain::location::{AppId, LocationId};
use store::backend::memory::Memory;
use store::vault::Vault;
use tokio::sync::{Notify, mpsc};
use tokio_postgres::AsyncMessage;

use crate::fault::Fault;
use crate::session::{Session, within};
use crate::tx::Snapshot;
use crate::{Shared, api_keys, endpoint_rows, health, sessions, tenants, told};

pub(crate) const NEXT_REVISION: &str = "update counters set value = value + 1 where name = 'revision' returning value, \
     (select other.value from counters as other where other.name = 'listening')";
pub(crate) const REVISION: &str = "select value from counters where name = 'revision'";
/// The revision, and how many nodes live.
pub(crate) const LOOK: &str = "select (select value from counters where name = 'revision'), \
    (select count(*) from nodes)";
pub(crate) const PRUNED: &str = "select value from counters where name = 'pruned'";
pub(crate) const TELL: &str = "insert into changes (revision, place, kind, id) \
    select $1, place, kind, id from unnest($2::smallint[], $3::text[]) with ordinality as u (kind, id, place)";
pub(crate) const SINCE: &str = "select kind, id from changes where revision > $1 order by revision, place";
pub(crate) const PRUNE: &str = "with limits as (update counters set value = greatest(value, $1) where name = 'pruned') \
    delete from changes where revision <= $1";
const CHANNEL: &str = "hoopoe_changes";
/// A node that leaves has given back what it held.
pub(crate) const LEFT_CHANNEL: &str = "hoopoe_left";

/// Something that memory holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Changed {
    Endpoint(EndpointId),
    Health(EndpointId),
    Location(LocationId),
    /// With where it is installed.
    App(AppId),
    ApiKey(ApiKeyId),
    Session(SessionId),
}

impl Changed {
    fn columns(&self) -> (i16, String) {
        match self {
            Self::Endpoint(id) => (0, id.to_string()),
            Self::Health(id) => (1, id.to_string()),
            Self::Location(id) => (2, id.to_string()),
            Self::App(id) => (3, id.to_string()),
            Self::ApiKey(id) => (4, id.to_string()),
            Self::Session(id) => (5, id.to_string()),
        }
    }

    fn of_columns(kind: i16, id: &str) -> Option<Self> {
        match kind {
            0 => id.parse().ok().map(Self::Endpoint),
            1 => id.parse().ok().map(Self::Health),
            2 => id.parse().ok().map(Self::Location),
            3 => id.parse().ok().map(Self::App),
            4 => id.parse().ok().map(Self::ApiKey),
            5 => id.parse().ok().map(Self::Session),
            _ => None,
        }
    }
}

/// How far this node's memory is.
#[derive(Debug)]
pub(crate) struct Follower {
    seen: AtomicI64,
    /// Nodes that live.
    living: AtomicUsize,
    hint: Arc<Notify>,
}

impl Follower {
    pub(crate) fn at(revision: i64) -> Self {
        Self { seen: AtomicI64::new(revision), living: AtomicUsize::new(1), hint: Arc::default() }
    }

    pub(crate) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// There is something to read.
    pub(crate) fn hint(&self) {
        self.hint.notify_one();
    }

    /// This node made a revision and its memory holds it. If others made some between, they are still to be read.
    pub(crate) fn has_made(&self, revision: i64) {
        let _ = self.seen.compare_exchange(revision - 1, revision, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Begins a change: nobody else makes one until this transaction ends. With it comes until when somebody listens.
pub(crate) async fn next_revision(session: &Session) -> Result<(i64, i64), Fault> {
    let row = session.find(NEXT_REVISION, &[]).await?;
    let row = row.ok_or(Fault::Damaged("counter of revisions"))?;
    Ok((row.get(0), row.get::<_, Option<i64>>(1).unwrap_or(0)))
}

pub(crate) async fn revision(session: &Session) -> Result<i64, Fault> {
    Ok(session.find(REVISION, &[]).await?.ok_or(Fault::Damaged("counter of revisions"))?.get(0))
}

/// Tells the others, once the transaction is durable.
pub(crate) async fn tell(session: &Session, revision: i64, changed: &[Changed]) -> Result<(), Fault> {
    if changed.is_empty() {
        return Ok(());
    }
    let (kinds, ids): (Vec<i16>, Vec<String>) = changed.iter().map(Changed::columns).unzip();
    session.execute(TELL, &[&revision, &kinds, &ids]).await?;
    session.run(&format!("notify {CHANNEL}")).await
}

/// The task that hears of others' changes.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut listener = None;
    let mut is_away = false;
    while !shared.pool.is_closed() {
        if listener.as_ref().is_none_or(Session::is_closed) {
            listener = listen(&shared).await.ok();
        }
        match within(DATABASE_CALL_MS_MAX, "reading took too long", hear(&shared)).await {
            Ok(()) => is_away = false,
            Err(fault) if !is_away => {
                is_away = true;
                let error = fault.told("reading what others changed");
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "this node does not hear of others' changes"
                );
            }
            Err(_) => {}
        }
        let pause = tokio::time::sleep(Duration::from_millis(FOLLOW_MS));
        tokio::select! {
            () = shared.follower.hint.notified() => {}
            () = pause => {}
        }
    }
}

/// First what memory holds, so that what is told is of it.
async fn hear(shared: &Shared) -> Result<(), Fault> {
    catch_up(shared).await?;
    told::follow(shared).await
}

async fn listen(shared: &Shared) -> Result<Session, Fault> {
    let (hint, node) = (Arc::clone(&shared.follower.hint), Arc::clone(&shared.node));
    let (told, mut heard) = mpsc::unbounded_channel();
    let session = shared.pool.target().connect_telling(Some(told)).await?;
    // Ends with the connection.
    tokio::spawn(async move {
        while let Some(message) = heard.recv().await {
            match message {
                AsyncMessage::Notification(told) if told.channel() == LEFT_CHANNEL => node.more_is_due(),
                AsyncMessage::Notification(_) => hint.notify_one(),
                _ => {}
            }
        }
    });
    session.run(&format!("listen {CHANNEL}; listen {LEFT_CHANNEL}")).await?;
    Ok(session)
}

/// Brings memory up to the latest revision.
pub(crate) async fn catch_up(shared: &Shared) -> Result<(), Fault> {
    let session = shared.pool.get().await?;
    let row = session.find(LOOK, &[]).await?;
    let row = row.ok_or(Fault::Damaged("counter of revisions"))?;
    let latest = row.get::<_, Option<i64>>(0).ok_or(Fault::Damaged("counter of revisions"))?;
    let living = usize::try_from(row.get::<_, i64>(1)).unwrap_or(1).max(1);
    shared.follower.living.store(living, Ordering::Relaxed);
    session.keep();
    if latest <= shared.follower.seen.load(Ordering::Relaxed) {
        return Ok(());
    }
    let _turn = shared.turn().await?;
    let snapshot = Snapshot::begin(&shared.pool).await?;
    let latest = revision(&snapshot).await?;
    let seen = shared.follower.seen.load(Ordering::Relaxed);
    let pruned: i64 = snapshot.find(PRUNED, &[]).await?.map_or(0, |row| row.get(0));
    let vault = shared.vault.lock().clone();
    if pruned > seen {
        tracing::info!("this node missed more changes than are kept; it reads everything anew");
        reload(&snapshot, &vault, &shared.memory).await?;
    } else {
        let rows = snapshot.query(SINCE, &[&seen]).await?;
        // A kind that a newer version knows is of something that this one does not hold.
        let changed: HashSet<Changed> =
            rows.iter().filter_map(|row| Changed::of_columns(row.get(0), row.get(1))).collect();
        for changed in &changed {
            read_anew(&snapshot, &vault, shared, changed).await?;
        }
        // Health is judged by the endpoint as it stands, which may have come after it.
        for changed in changed.iter().filter(|changed| matches!(changed, Changed::Health(_))) {
            read_anew(&snapshot, &vault, shared, changed).await?;
        }
    }
    snapshot.end().await?;
    shared.follower.seen.store(latest, Ordering::Relaxed);
    Ok(())
}

async fn read_anew(
    session: &Session,
    vault: &Vault,
    shared: &Shared,
    changed: &Changed,
) -> Result<(), Fault> {
    let memory = &shared.memory;
    match changed {
        Changed::Endpoint(id) => endpoint_rows::read_anew(session, vault, memory, *id).await,
        Changed::Health(id) => health::read_anew(session, memory, *id, shared.node.fence()).await,
        Changed::Location(id) => tenants::read_location_anew(session, memory, id).await,
        Changed::App(id) => tenants::read_app_anew(session, memory, id).await,
        Changed::ApiKey(id) => api_keys::read_anew(session, memory, *id).await,
        Changed::Session(id) => sessions::read_anew(session, memory, *id).await,
    }
}

/// Everything, at a start or after too long a silence.
pub(crate) async fn reload(session: &Session, vault: &Vault, memory: &Memory) -> Result<(), Fault> {
    let endpoints = endpoint_rows::all(session, vault).await?;
    let tenants = tenants::all(session).await?;
    memory.routes.change(|table| {
        *table = store::routes::RouteTable::default();
        endpoints.into_iter().for_each(|endpoint| table.put_endpoint(Arc::new(endpoint)));
        tenants.put_into(table);
    });
    health::load(session, memory).await?;
    api_keys::load(session, memory).await?;
    sessions::load(session, memory).await
}
