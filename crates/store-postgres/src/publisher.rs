//! The group commit: a task that takes whatever publications have arrived and stores them in one transaction, a statement per
//! table and a commit for all. While one commit runs, the next group gathers. A publication that the database refuses spoils
//! no other: the group is then stored one by one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::event::Fate;
use domain::limits::{
    PUBLISH_BATCH_BYTES_MAX, PUBLISH_BATCH_CALLS_MAX, PUBLISH_STORE_MS_MAX, PUBLISH_WAIT_MS_MAX,
    PUBLISH_WAITING_MAX,
};
use domain::time::Timestamp;
use futures::future::try_join4;
use store::StoreError;
use store::backend::days::day_of;
use store::backend::standing::DeliveryHead;
use store::events::{Hold, Publication};
use store::once::{MaybeOnce, OnceKey};
use store::queue::Claim;
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::fault::{CLOSED, Fault, unavailable};
use crate::log;
use crate::once::{Keep, made_at, take};
use crate::session::Session;

const DOING: &str = "publishing";
/// A day that went between two looks is made again; once is enough.
const RUNS_MAX: usize = 3;

/// What is to be stored together, and who waits for it.
pub(crate) struct Call {
    publications: Vec<Publication>,
    keep: Option<Keep>,
    now: Timestamp,
    since: Instant,
    reply: oneshot::Sender<Result<Claim, StoreError>>,
}

pub(crate) type Calls = mpsc::Receiver<Call>;

/// The task's handle.
#[derive(Debug)]
pub(crate) struct Publisher {
    sender: parking_lot::RwLock<Option<mpsc::Sender<Call>>>,
    /// Closed when the task has ended.
    ended: tokio::sync::Semaphore,
}

pub(crate) fn channel() -> (Publisher, Calls) {
    let (sender, receiver) = mpsc::channel(PUBLISH_WAITING_MAX);
    let sender = parking_lot::RwLock::new(Some(sender));
    (Publisher { sender, ended: tokio::sync::Semaphore::new(0) }, receiver)
}

impl Publisher {
    /// Answers when it is durable. Dropping the future does not stop it.
    pub(crate) async fn publish(
        &self,
        publications: Vec<Publication>,
        once: MaybeOnce<()>,
    ) -> Result<Claim, StoreError> {
        let keep = once.map(Keep::of);
        let made_at = || made_at(keep.as_ref().map(Keep::expires_at));
        let now = publications.first().map_or_else(made_at, |first| first.event.created_at());
        let (reply, answer) = oneshot::channel();
        self.send(Call { publications, keep, now, since: Instant::now(), reply })?;
        answer.await.unwrap_or_else(|_| Err(unavailable(CLOSED)))
    }

    fn send(&self, call: Call) -> Result<(), StoreError> {
        let sender = self.sender.read();
        sender.as_ref().ok_or_else(|| unavailable(CLOSED))?.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => unavailable("too many publications wait for the database"),
            mpsc::error::TrySendError::Closed(_) => unavailable(CLOSED),
        })
    }

    /// Takes no more, and waits for what was accepted.
    pub(crate) async fn close(&self) {
        drop(self.sender.write().take());
        // Never granted: it ends with the task.
        let _ = self.ended.acquire().await;
    }
}

pub(crate) async fn run(shared: Arc<Shared>, mut calls: Calls) {
    while let Some(first) = calls.recv().await {
        let group = gather(first, &mut calls);
        let shared = Arc::clone(&shared);
        // Apart, so that a panic takes this group alone; those who wait are told by their dropped replies.
        let storing = tokio::spawn(async move { store_group(&shared, group).await });
        if let Err(panic) = storing.await {
            tracing::error!(%panic, "storing publications ended in a fault of ours");
        }
    }
    shared.publisher.ended.close();
}

/// `first` and whatever has arrived, up to the bounds of one transaction.
fn gather(first: Call, calls: &mut Calls) -> Vec<Call> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < PUBLISH_BATCH_CALLS_MAX && bytes < PUBLISH_BATCH_BYTES_MAX {
        let Ok(call) = calls.try_recv() else { break };
        bytes += call.bytes();
        group.push(call);
    }
    group
}

impl Call {
    fn bytes(&self) -> usize {
        self.publications.iter().map(|one| one.event.payload.len()).sum()
    }

    fn answer(self, result: Result<Claim, StoreError>) {
        // The caller may be gone; what was done stays done.
        let _ = self.reply.send(result);
    }
}

async fn store_group(shared: &Shared, group: Vec<Call>) {
    let group = in_time(group);
    if group.is_empty() {
        return;
    }
    let (group, again) = one_of_each_key(group);
    let began = Instant::now();
    match store_bounded(shared, &group).await {
        Ok(stored) => {
            shared.stats.committed(group.len(), began.elapsed());
            for call in group {
                let is_taken = call.keep.as_ref().is_some_and(|keep| !stored.taken.contains(&keep.key));
                call.answer(if is_taken { Err(StoreError::KeyUsed) } else { Ok(stored.claim) });
            }
        }
        Err(fault) if fault.is_own() && group.len() > 1 => {
            for call in group {
                Box::pin(store_group(shared, vec![call])).await;
            }
        }
        Err(fault) => {
            shared.stats.lost();
            answer_all(group, fault);
        }
    }
    if !again.is_empty() {
        Box::pin(store_group(shared, again)).await;
    }
}

/// Those that have not waited for too long; the others are told, and nothing of theirs is stored.
fn in_time(group: Vec<Call>) -> Vec<Call> {
    let bound = Duration::from_millis(PUBLISH_WAIT_MS_MAX);
    let (late, group): (Vec<Call>, Vec<Call>) =
        group.into_iter().partition(|call| call.since.elapsed() > bound);
    late.into_iter().for_each(|call| call.answer(Err(unavailable("others were stored for too long"))));
    group
}

/// Of calls with one key the first, and the others for later: they find the key used, or free again.
fn one_of_each_key(group: Vec<Call>) -> (Vec<Call>, Vec<Call>) {
    let mut keys = HashSet::new();
    group.into_iter().partition(|call| call.keep.as_ref().is_none_or(|keep| keys.insert(keep.key.clone())))
}

fn answer_all(group: Vec<Call>, fault: Fault) {
    let told = fault.told(DOING);
    if let StoreError::Unavailable { reason } = &told {
        tracing::warn!(reason, publications = group.len(), "publications could not be stored");
        let reason = reason.clone();
        return group.into_iter().for_each(|call| call.answer(Err(unavailable(&reason))));
    }
    let mut told = Some(told);
    for call in group {
        // A group that fails for a fault of its own has one call; another fault of ours is told to the first.
        call.answer(Err(told
            .take()
            .unwrap_or_else(|| unavailable("storing it together with others failed"))));
    }
}

/// What became of a group.
struct Stored {
    claim: Claim,
    /// The keys that were free, and are taken now.
    taken: HashSet<OnceKey>,
}

async fn store_bounded(shared: &Shared, group: &[Call]) -> Result<Stored, Fault> {
    let storing = async {
        for _ in 1..RUNS_MAX {
            match store(shared, group).await {
                Err(Fault::NoSuchDay) => shared.days.forget(),
                Err(fault) if fault.is_collision() => {}
                other => return other,
            }
        }
        store(shared, group).await
    };
    shared.bounded(PUBLISH_STORE_MS_MAX, "the database took too long to store it", storing).await
}

async fn store(shared: &Shared, group: &[Call]) -> Result<Stored, Fault> {
    ensure_days(shared, group.iter().flat_map(|call| &call.publications)).await?;
    let session = shared.pool.get().await?;
    shared.node.must_be_one(&session).await?;
    let doubt = shared.node.begun();
    let stored = store_in(&session, doubt.claim, group).await;
    if let Err(fault) = &stored
        && fault.leaves_connection_good()
    {
        session.run("rollback").await?;
    }
    if stored.as_ref().err().is_none_or(Fault::leaves_connection_good) {
        session.keep();
        doubt.settle();
    }
    stored
}

pub(crate) async fn ensure_days<'p>(
    shared: &Shared,
    publications: impl Iterator<Item = &'p Publication>,
) -> Result<(), Fault> {
    let days: HashSet<_> = publications
        .flat_map(|one| {
            let deliveries = one.deliveries.iter().map(|delivery| delivery.id.key());
            std::iter::once(one.event.id.key()).chain(deliveries).map(day_of)
        })
        .collect();
    shared.days.ensure(&shared.pool, days).await
}

async fn store_in(session: &Session, claim: Claim, group: &[Call]) -> Result<Stored, Fault> {
    session.run("begin").await?;
    let taken = take_keys(session, group).await?;
    let goes_on = |call: &&Call| call.keep.as_ref().is_none_or(|keep| taken.contains(&keep.key));
    let publications: Vec<&Publication> =
        group.iter().filter(goes_on).flat_map(|call| &call.publications).collect();
    insert(session, claim, &publications).await?;
    session.run("commit").await?;
    Ok(Stored { claim, taken })
}

/// All calls of a group are of about the same moment; the latest decides what has expired.
async fn take_keys(session: &Session, group: &[Call]) -> Result<HashSet<OnceKey>, Fault> {
    let mut keeps: Vec<&Keep> = group.iter().filter_map(|call| call.keep.as_ref()).collect();
    if keeps.is_empty() {
        return Ok(HashSet::new());
    }
    keeps.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    let now = group.iter().map(|call| call.now).max().unwrap_or_default();
    Ok(take(session, &keeps, now).await?.into_iter().collect())
}

/// One appended event, one row per delivery. The statements go out together.
pub(crate) async fn insert(
    session: &Session,
    claim: Claim,
    publications: &[&Publication],
) -> Result<(), Fault> {
    let events: Vec<_> = publications.iter().map(|one| &one.event).collect();
    let (mut held, mut queued, mut undelivered) = (Vec::new(), Vec::new(), Vec::new());
    for Publication { event, deliveries } in publications {
        for delivery in deliveries {
            let head = DeliveryHead::of_event(event, delivery);
            match delivery.hold {
                Hold::Claimed => held.push(head),
                Hold::Unclaimed => queued.push((head, 0, delivery.id.created_at())),
            }
        }
        let skipped = event.considered.iter().filter(|one| matches!(one.fate, Fate::Skipped(_)));
        undelivered.extend(skipped.map(|one| (event.id, one.endpoint_id, event.location_id.as_ref())));
    }
    try_join4(
        log::insert_events(session, &events),
        log::insert_held(session, &held, claim),
        log::insert_queued(session, &queued),
        log::note_undelivered(session, &undelivered),
    )
    .await?;
    Ok(())
}
