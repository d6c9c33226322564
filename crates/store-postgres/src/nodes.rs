//! Membership. A node has a row in which it counts up a beat, about once a second; what it holds carries the node's fencing
//! number. The others watch, each by its own clock, whether the beat goes on. Who saw it stand still for long enough removes
//! the row and gives back what the node held. A node that comes back finds its row gone and goes on under another number;
//! what it still holds in memory it holds no more.
//!
//! The fence is what keeps the log true; that a silent node stops sending by itself, before anybody takes over, only spares
//! receivers a repetition.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::id::{ID_SLOTS, IdSource};
use domain::limits::{BEAT_CALL_MS_MAX, BEAT_MS, DATABASE_CALL_MS_MAX, NODE_DOUBT_MS, UPKEEP_MS};
use domain::time::{Clock, Timestamp};
use futures::future::try_join;
use parking_lot::Mutex;
use store::backend::days::day_at;
use store::queue::Claim;
use tokio::sync::{Notify, Semaphore};

use crate::Shared;
use crate::fault::{CLOSED, Fault};
use crate::follow::LEFT_CHANNEL;
use crate::session::{Param, Session, within};
use crate::watch::{Beat, Look, Watch};

/// Of a claim's 63 bits the lower ones count a node's transactions, enough for thirty years at a thousand a second; the others
/// are its fence.
const COUNT_BITS: u32 = 40;
const TOO_MANY: &str = "as many nodes as there may be are running already";
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// In one go, since the counter's row is held until it is done: no two find the same slot free.
pub(crate) const NEXT_FENCE: &str =
    "update counters set value = value + 1 where name = 'fence' returning value";
pub(crate) const REGISTER: &str = "insert into nodes (fence, slot, name, version, started_at, beat) \
    select $1, min(slot)::smallint, $2, $3, $4, 0 from generate_series(0, $5::integer - 1) as u (slot) \
    where not exists (select from nodes where nodes.slot = u.slot) having min(slot) is not null returning slot";
/// Only this process's row: after a failover that lost the latest commits, its number may be another's.
pub(crate) const BEAT: &str =
    "update nodes set beat = beat + 1 where fence = $1 and name = $2 and started_at = $3";
pub(crate) const LOOK: &str = "select fence, beat from nodes";
pub(crate) const LEAVE: &str = "delete from nodes where fence = $1";
/// Those of the fences $1 whose beats are still $2. `skip locked`: who beats just now is not silent, and what another one is
/// taking over is in good hands.
pub(crate) const END_SILENT: &str = "delete from nodes where fence in \
    (select nodes.fence from nodes join unnest($1::bigint[], $2::bigint[]) as u (fence, beat) \
    on nodes.fence = u.fence and nodes.beat = u.beat for update of nodes skip locked) returning fence, name";
/// Of every node that is gone, also of one that was on its way to hold more when it went: a look at all that is held, which
/// is little. `skip locked`: what a transaction of the one that is gone still holds waits until the server gives that up.
pub(crate) const ADOPT: &str = "with left_over as (delete from held where key = any(array(select key from held \
    where not exists (select from nodes where fence = held.claim >> 40) for update skip locked)) returning held.*) \
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
const _: () = assert!(DOUBT_ROUNDS as i64 * UPKEEP_MS >= 2 * DATABASE_CALL_MS_MAX as i64);

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
pub(crate) struct Node {
    name: String,
    started_at: Timestamp,
    /// Of this process: they keep to the node's slot.
    ids: Arc<IdSource>,
    clock: Arc<dyn Clock>,
    /// Something was taken over.
    adopted: Notify,
    /// Somebody is gone, and what it held may be given to others.
    left_over: Notify,
    /// Claims of transactions whose end is not known, with how often they are still to be freed.
    doubtful: Mutex<Vec<(Claim, u32)>>,
    fence: AtomicI64,
    count: AtomicI64,
    /// When the last beat that came through was sent, by the steady clock.
    beat_at_ms: AtomicI64,
    /// One at a time: beating, and joining anew.
    turn: Semaphore,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("fence", &self.fence).finish_non_exhaustive()
    }
}

impl Node {
    /// Joins the others.
    pub(crate) async fn join(
        session: &Session,
        (name, ids): (String, Arc<IdSource>),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let node = Self {
            name,
            started_at: clock.now(),
            ids,
            adopted: Notify::new(),
            left_over: Notify::new(),
            doubtful: Mutex::default(),
            fence: AtomicI64::new(0),
            count: AtomicI64::new(0),
            beat_at_ms: AtomicI64::new(clock.steady_ms()),
            turn: Semaphore::new(1),
            clock,
        };
        node.register(session).await?;
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

    /// Whether what is held under the claim is surely not others' yet.
    pub(crate) fn may_send(&self, claim: Claim) -> bool {
        fence_of(claim) == self.fence() && !self.is_in_doubt()
    }

    /// It has not shown for a while that it lives.
    fn is_in_doubt(&self) -> bool {
        self.clock.steady_ms() - self.beat_at_ms.load(Ordering::Relaxed) > NODE_DOUBT_MS
    }

    /// To be called before anything is begun that holds or lets go of deliveries: a node that was silent for too long, because
    /// the database was away or the process stood still, makes sure that it is one, or joins anew.
    pub(crate) async fn must_be_one(&self, session: &Session) -> Result<(), Fault> {
        if !self.is_in_doubt() {
            return Ok(());
        }
        let _turn = self.turn().await?;
        // Another one may have seen to it meanwhile.
        if self.is_in_doubt() { self.beat(session).await } else { Ok(()) }
    }

    #[cfg(test)]
    pub(crate) fn is_silent_since(&self, at_ms: i64) {
        self.beat_at_ms.store(at_ms, Ordering::Relaxed);
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
        self.turn.acquire().await.map_err(|_| Fault::Away(CLOSED))
    }

    async fn register(&self, session: &Session) -> Result<(), Fault> {
        let at_ms = self.clock.steady_ms();
        let (version, slots) = (env!("CARGO_PKG_VERSION"), i32::from(ID_SLOTS));
        session.run("begin").await?;
        let row = session.find(NEXT_FENCE, &[]).await?.ok_or(Fault::Damaged("counter of fences"))?;
        let fence: i64 = row.get(0);
        let values: [Param<'_>; 5] = [&fence, &self.name, &version, &self.started_at.as_millis(), &slots];
        let row = session.find(REGISTER, &values).await?.ok_or(Fault::Away(TOO_MANY))?;
        session.run("commit").await?;
        self.ids.keep_to(row.get::<_, i16>(0).try_into().unwrap_or(0));
        self.fence.store(fence, Ordering::Relaxed);
        self.beat_at_ms.store(at_ms, Ordering::Relaxed);
        Ok(())
    }

    async fn beat(&self, session: &Session) -> Result<(), Fault> {
        self.beat_and_look(session).await.map(|_| ())
    }

    /// Shows that this node lives, or joins anew where it was held for dead; what the others showed.
    async fn beat_and_look(&self, session: &Session) -> Result<(Look, Vec<Beat>), Fault> {
        let (asked_at_ms, fence) = (self.clock.steady_ms(), self.fence());
        let started_at = self.started_at.as_millis();
        let mine: [Param<'_>; 3] = [&fence, &self.name, &started_at];
        // Sent together: one that cannot be written tells nothing about others that cannot write either.
        let (beaten, rows) = try_join(session.execute(BEAT, &mine), session.query(LOOK, &[])).await?;
        let look = Look { asked_at_ms, answered_at_ms: self.clock.steady_ms() };
        if beaten == 0 {
            tracing::warn!(
                node = self.name,
                "this node was silent and others took over what it held; it goes on as a new one"
            );
            self.register(session).await?;
        } else {
            self.beat_at_ms.store(asked_at_ms, Ordering::Relaxed);
        }
        let mine = [fence, self.fence()];
        let beats = rows.iter().map(|row| Beat { fence: row.get(0), beat: row.get(1) });
        Ok((look, beats.filter(|other| !mine.contains(&other.fence)).collect()))
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

/// Gives what nodes held that are gone to whoever claims it; how many deliveries. Everything is due at once.
pub(crate) async fn adopt(session: &Session, now: Timestamp) -> Result<u64, Fault> {
    let adopted = session.execute(ADOPT, &[&now.as_millis()]).await?;
    if adopted > 0 {
        tracing::info!(deliveries = adopted, "took over what a node left");
    }
    Ok(adopted)
}

/// The task that shows that this node lives, and watches whether the others do. It has a connection of its own, so that no
/// traffic makes it wait.
pub(crate) async fn run(shared: Arc<Shared>, session: Session) {
    let (mut session, mut watch, mut is_away) = (Some(session), Watch::default(), false);
    while !shared.pool.is_closed() {
        let next_ms = shared.clock.steady_ms() + BEAT_MS;
        match beat(&shared, &mut session, &mut watch).await {
            Ok(()) => {
                if std::mem::take(&mut is_away) {
                    tracing::warn!("this node can show again that it lives");
                }
                shared.clock.sleep_ms(next_ms - shared.clock.steady_ms()).await;
            }
            Err(fault) => {
                if !std::mem::replace(&mut is_away, true) {
                    let error = fault.told("beating");
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "this node cannot show that it lives; it tries on"
                    );
                }
                tokio::time::sleep(FAILED_PAUSE).await;
            }
        }
    }
}

async fn beat(shared: &Shared, own: &mut Option<Session>, watch: &mut Watch) -> Result<(), Fault> {
    // Left empty by whatever fails or takes too long: the connection goes with it.
    let session = match own.take().filter(|session| !session.is_closed()) {
        Some(session) => session,
        None => shared.pool.connect_or_take_idle().await?,
    };
    let beating = async {
        let _turn = shared.node.turn().await?;
        let (look, others) = shared.node.beat_and_look(&session).await?;
        let silent = watch.look(look, &others);
        if silent.is_empty() { Ok(false) } else { end_silent(&session, &silent).await }
    };
    let result = within(BEAT_CALL_MS_MAX, "the beat took too long", beating).await;
    match result {
        Ok(have_ended) => {
            *own = Some(session);
            if have_ended {
                shared.node.left_over.notify_one();
            }
            Ok(())
        }
        Err(fault) => {
            shared.pool.cut(session);
            Err(fault)
        }
    }
}

/// Whether any of them is gone now.
async fn end_silent(session: &Session, silent: &[Beat]) -> Result<bool, Fault> {
    let (fences, beats): (Vec<i64>, Vec<i64>) = silent.iter().map(|one| (one.fence, one.beat)).unzip();
    let ended = session.query(END_SILENT, &[&fences, &beats]).await?;
    for row in &ended {
        let (fence, node): (i64, String) = (row.get(0), row.get(1));
        tracing::warn!(node, fence, "a node has fallen silent; what it held is given to others");
    }
    Ok(!ended.is_empty())
}

/// The task that gives back what nobody holds any more, and makes partitions before anybody needs them.
pub(crate) async fn keep_up(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.clock.sleep_ms(UPKEEP_MS) => {}
            () = shared.node.left_over.notified() => {}
        }
        while let Err(fault) =
            within(DATABASE_CALL_MS_MAX, "the upkeep took too long", look_after(&shared)).await
        {
            if shared.pool.is_closed() {
                return;
            }
            let error = fault.told("looking after what was left over");
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what others left over could not be looked after"
            );
            tokio::time::sleep(FAILED_PAUSE).await;
        }
    }
}

async fn look_after(shared: &Shared) -> Result<(), Fault> {
    let session = shared.pool.get().await?;
    let now = shared.clock.now();
    let freed = shared.node.free_doubtful(&session, now).await?;
    if adopt(&session, now).await? + freed > 0 {
        shared.node.more_is_due();
    }
    session.keep();
    // Tomorrow's before anybody needs it.
    shared.days.ensure(&shared.pool, [day_at(now), day_at(now) + 1]).await
}
