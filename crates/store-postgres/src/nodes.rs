//! Membership. A node has a row with its lease, which it renews by its own clock; what it holds carries the node's fencing
//! number. When a lease has ended, whoever notices removes the row and gives back what the node held. A node that comes back
//! finds its row gone and goes on under another number; what it still holds in memory it holds no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::id::{ID_SLOTS, IdSource};
use domain::limits::{DATABASE_CALL_MS_MAX, LEASE_MS, LEASE_RENEWAL_MS};
use domain::time::Timestamp;
use parking_lot::Mutex;
use store::backend::days::day_at;
use store::queue::Claim;
use tokio::sync::Notify;

use crate::Shared;
use crate::fault::Fault;
use crate::follow::LEFT_CHANNEL;
use crate::session::{Param, Session, within};

/// Of a claim's 63 bits the lower ones count a node's transactions, enough for thirty years at a thousand a second; the others
/// are its fence.
const COUNT_BITS: u32 = 40;
const TOO_MANY: &str = "as many nodes as there may be are running already";
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// In one go, since the counter's row is held until it is done: no two find the same slot free.
pub(crate) const NEXT_FENCE: &str =
    "update counters set value = value + 1 where name = 'fence' returning value";
pub(crate) const REGISTER: &str = "insert into nodes (fence, slot, name, version, started_at, lease_until) \
    select $1, min(slot)::smallint, $2, $3, $4, $5 from generate_series(0, $6::integer - 1) as u (slot) \
    where not exists (select from nodes where nodes.slot = u.slot) having min(slot) is not null returning slot";
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

/// Of the claims $1, due at $2.
pub(crate) const FREE: &str = "with freed as (delete from held where claim = any($1) returning held.*) \
    insert into queue (key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, retry_salt, \
    attempt_count, due_at) select key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, \
    retry_salt, attempt_count, $2 from freed";
/// How often what is doubtful is freed: the server gives a transaction up before that.
const DOUBT_ROUNDS: u32 = 4;
const _: () = assert!(DOUBT_ROUNDS as i64 * LEASE_RENEWAL_MS >= 2 * DATABASE_CALL_MS_MAX as i64);

/// Of the node that holds under this claim.
pub(crate) fn fence_of(claim: Claim) -> i64 {
    claim.0 >> COUNT_BITS
}

/// A claim whose transaction runs. Dropped before it is settled, nobody knows whether deliveries are held under it.
#[derive(Debug)]
pub(crate) struct Doubt {
    node: Arc<Node>,
    pub claim: Claim,
    is_settled: bool,
}

impl Doubt {
    /// Its transaction was committed and its caller will know, or it was rolled back.
    pub(crate) fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if !self.is_settled {
            self.node.doubtful.lock().push((self.claim, DOUBT_ROUNDS));
        }
    }
}

/// This process among the others.
#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    started_at: Timestamp,
    /// Of this process: they keep to the node's slot.
    ids: Arc<IdSource>,
    /// Something was taken over.
    adopted: Notify,
    /// Claims of transactions whose end is not known, with how often they are still to be freed.
    doubtful: Mutex<Vec<(Claim, u32)>>,
    fence: AtomicI64,
    count: AtomicI64,
}

impl Node {
    /// Joins the others.
    pub(crate) async fn join(
        session: &Session,
        (name, ids): (String, Arc<IdSource>),
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let node = Self {
            name,
            started_at: now,
            ids,
            adopted: Notify::new(),
            doubtful: Mutex::default(),
            fence: AtomicI64::new(0),
            count: AtomicI64::new(0),
        };
        node.register(session, now).await?;
        Ok(node)
    }

    pub(crate) fn fence(&self) -> i64 {
        self.fence.load(Ordering::Relaxed)
    }

    /// Another one for each transaction, so that a call that comes again does not touch what was claimed meanwhile.
    fn next_claim(&self) -> Claim {
        let count = self.count.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
        Claim((self.fence() << COUNT_BITS) | count)
    }

    async fn register(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        let (started_at, lease_until) = (self.started_at.as_millis(), now.plus_millis(LEASE_MS).as_millis());
        let (version, slots) = (env!("CARGO_PKG_VERSION"), i32::from(ID_SLOTS));
        session.run("begin").await?;
        let row = session.find(NEXT_FENCE, &[]).await?.ok_or(Fault::Damaged("counter of fences"))?;
        let fence: i64 = row.get(0);
        let values: [Param<'_>; 6] = [&fence, &self.name, &version, &started_at, &lease_until, &slots];
        let row = session.find(REGISTER, &values).await?.ok_or(Fault::Away(TOO_MANY))?;
        session.run("commit").await?;
        self.ids.keep_to(row.get::<_, i16>(0).try_into().unwrap_or(0));
        self.fence.store(fence, Ordering::Relaxed);
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

    /// A transaction that may hold deliveries under this claim begins.
    pub(crate) fn begun(self: &Arc<Self>) -> Doubt {
        Doubt { node: Arc::clone(self), claim: self.next_claim(), is_settled: false }
    }

    /// Gives back what transactions of unknown end hold: nobody here knows of it. They are tried again for as long as the server
    /// may still be about to commit them.
    async fn free_doubtful(&self, session: &Session, now: Timestamp) -> Result<u64, Fault> {
        let claims: Vec<i64> = self.doubtful.lock().iter().map(|(claim, _)| claim.0).collect();
        if claims.is_empty() {
            return Ok(0);
        }
        let freed = session.execute(FREE, &[&claims, &now.as_millis()]).await?;
        let mut doubtful = self.doubtful.lock();
        doubtful.retain_mut(|(claim, rounds)| {
            *rounds -= u32::from(claims.contains(&claim.0));
            *rounds > 0
        });
        Ok(freed)
    }

    /// Resolves after something was taken over.
    pub(crate) async fn adopted(&self) {
        self.adopted.notified().await;
    }

    /// Leaves the others, and what is still held to them.
    pub(crate) async fn leave(&self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        session.execute(LEAVE, &[&self.fence()]).await?;
        adopt(session, now).await?;
        session.run(&format!("notify {LEFT_CHANNEL}")).await
    }

    /// The queue is worth a look.
    pub(crate) fn more_is_due(&self) {
        self.adopted.notify_one();
    }
}

/// Takes over what nodes held whose lease has ended; how many deliveries. Everything is due at once.
pub(crate) async fn adopt(session: &Session, now: Timestamp) -> Result<u64, Fault> {
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
    Ok(adopted)
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
    let freed = shared.node.free_doubtful(&session, now).await?;
    if adopt(&session, now).await? + freed > 0 {
        shared.node.more_is_due();
    }
    session.keep();
    // Tomorrow's before anybody needs it.
    shared.days.ensure(&shared.pool, [day_at(now), day_at(now) + 1]).await
}
