//! Membership. A node has a row with its lease, which it renews by its own clock; what it holds carries the node's fencing
//! number. When a lease has ended, whoever notices removes the row and gives back what the node held. A node that comes back
//! finds its row gone and goes on under another number; what it still holds in memory it holds no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::limits::{DATABASE_CALL_MS_MAX, LEASE_MS, LEASE_RENEWAL_MS};
use domain::time::Timestamp;
use store::backend::days::day_at;
use store::queue::Claim;

use crate::Shared;
use crate::fault::Fault;
use crate::session::{Session, within};

/// Of a claim's 63 bits the lower ones count a node's transactions, enough for thirty years at a thousand a second; the others
/// are its fence.
const COUNT_BITS: u32 = 40;
const FAILED_PAUSE: Duration = Duration::from_secs(1);

pub(crate) const REGISTER: &str = "with fence as (update counters set value = value + 1 where name = 'fence' returning value) \
    insert into nodes (fence, name, version, started_at, lease_until) select value, $1, $2, $3, $4 from fence \
    returning fence";
pub(crate) const RENEW: &str = "update nodes set lease_until = $2 where fence = $1";
pub(crate) const LEAVE: &str = "delete from nodes where fence = $1";
/// `skip locked`: what another one is taking over is in good hands.
pub(crate) const END_LEASES: &str = "delete from nodes where fence in \
    (select fence from nodes where lease_until < $1 for update skip locked) returning fence, name";
/// Of every node that is gone, also of one that was on its way to hold more when it went: a look at all that is held, which
/// is little.
pub(crate) const ADOPT: &str = "with left_over as (delete from held \
    where not exists (select from nodes where fence = held.claim >> 40) returning held.*) \
    insert into queue (key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, retry_salt, \
    attempt_count, due_at) select key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, \
    retry_salt, attempt_count, $1 from left_over";

/// This process among the others.
#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    started_at: Timestamp,
    fence: AtomicI64,
    count: AtomicI64,
}

impl Node {
    /// Joins the others.
    pub(crate) async fn join(session: &Session, name: String, now: Timestamp) -> Result<Self, Fault> {
        let node = Self { name, started_at: now, fence: AtomicI64::new(0), count: AtomicI64::new(0) };
        node.register(session, now).await?;
        Ok(node)
    }

    pub(crate) fn fence(&self) -> i64 {
        self.fence.load(Ordering::Relaxed)
    }

    /// Another one for each transaction, so that a call that comes again does not touch what was claimed meanwhile.
    pub(crate) fn next_claim(&self) -> Claim {
        let count = self.count.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
        Claim((self.fence() << COUNT_BITS) | count)
    }

    async fn register(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        let (started_at, lease_until) = (self.started_at.as_millis(), now.plus_millis(LEASE_MS).as_millis());
        let version = env!("CARGO_PKG_VERSION");
        let row = session.find(REGISTER, &[&self.name, &version, &started_at, &lease_until]).await?;
        let row = row.ok_or(Fault::Damaged("counter of fences"))?;
        self.fence.store(row.get(0), Ordering::Relaxed);
        Ok(())
    }

    /// `now`: by this node's clock.
    async fn renew(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        let lease_until = now.plus_millis(LEASE_MS).as_millis();
        if session.execute(RENEW, &[&self.fence(), &lease_until]).await? == 0 {
            tracing::warn!(
                node = self.name,
                "this node's lease had ended and others took over what it held; it goes on as a new one"
            );
            self.register(session, now).await?;
        }
        Ok(())
    }

    /// Leaves the others, and what is still held to them.
    pub(crate) async fn leave(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        session.execute(LEAVE, &[&self.fence()]).await?;
        adopt(session, now).await
    }
}

/// Takes over what nodes held whose lease has ended. Everything is due at once.
pub(crate) async fn adopt(session: &Session, now: Timestamp) -> Result<(), Fault> {
    session.run("begin").await?;
    for row in session.query(END_LEASES, &[&now.as_millis()]).await? {
        let (fence, node): (i64, String) = (row.get(0), row.get(1));
        tracing::warn!(node, fence, "a node's lease has ended; what it held is given to others");
    }
    let adopted = session.execute(ADOPT, &[&now.as_millis()]).await?;
    session.run("commit").await?;
    if adopted > 0 {
        tracing::info!(deliveries = adopted, "took over what a node left");
    }
    Ok(())
}

/// The task that keeps this node's lease and looks after those of others.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let next_at = shared.clock.now().plus_millis(LEASE_RENEWAL_MS);
        shared.clock.sleep_until(next_at).await;
        while let Err(fault) =
            within(DATABASE_CALL_MS_MAX, "renewing took too long", look_after(&shared)).await
        {
            if shared.pool.is_closed() {
                return;
            }
            let error = fault.told("renewing the lease");
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node's lease could not be renewed"
            );
            tokio::time::sleep(FAILED_PAUSE).await;
        }
    }
}

async fn look_after(shared: &Shared) -> Result<(), Fault> {
    let session = shared.pool.get().await?;
    let now = shared.clock.now();
    shared.node.renew(&session, now).await?;
    adopt(&session, now).await?;
    session.keep();
    // Tomorrow's before anybody needs it.
    shared.days.ensure(&shared.pool, [day_at(now), day_at(now) + 1]).await
}
