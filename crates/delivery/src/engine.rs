//! Starting, wiring and stopping the engine, and what others may ask of it.
//!
//! The rules are elsewhere: who may start is `lanes`, what is claimed `claim`, what is sent `request` and `egress`, what
//! is kept `record`. Here is the state that they share and the tasks that they run in.

use std::borrow::Borrow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use domain::attempt::Attempt;
use domain::endpoint::{DisabledReason, Endpoint, TypeName};
use domain::health::Receiver;
use domain::id::{DeliveryId, EndpointId, EventId, IdSource};
use domain::time::{Clock, Timestamp};
use futures::FutureExt as _;
use http::HeaderValue;
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use store::Store;
use store::queue::{ClaimedDelivery, Due, Release};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt;
use crate::claim::{self, First, Standing, Timetable};
use crate::counters::{Counters, add};
use crate::egress::{Egress, Transport};
use crate::elsewhere;
use crate::lanes::{Bounds, Lanes, Refill, Start};
use crate::record::{self, Outcomes};
use crate::request::{Prepared, Sending};
use crate::settings::{Settings, StartError};
use crate::sweep::{self, Chore, Chores};

/// Test sends at once; more wait for their turn.
const TESTS_MAX: usize = 32;
/// After the attempts are over, outcomes may take this long to be recorded at a shutdown.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Before a task that panicked begins anew, so that one that always does costs little.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// The delivery engine. Clones are the same engine; it runs until [`shutdown`](Engine::shutdown).
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
}

/// What the tasks share.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) retry_waits_s: Vec<u32>,
    pub(crate) retention_days: u32,
    pub(crate) audit_retention_days: u32,
    pub(crate) jitter: Mutex<SmallRng>,
    pub(crate) timetable: Mutex<Timetable>,
    pub(crate) claim_wake: Notify,
    pub(crate) outcomes: Outcomes,
    pub(crate) chores: Chores,
    pub(crate) counters: Counters,
    /// Ends claiming and housekeeping.
    pub(crate) stop: CancellationToken,
    /// Ends attempts that still run when the grace is over.
    pub(crate) abandon: CancellationToken,
    /// Tells the recorder that nothing more will come.
    pub(crate) flush: CancellationToken,
    lanes: Mutex<Lanes>,
    tests: Semaphore,
    workers: TaskTracker,
    claiming: TaskTracker,
    background: TaskTracker,
    background_aborts: Mutex<Vec<AbortHandle>>,
}

impl Engine {
    /// Starts with real sockets. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let egress = Egress::new(&settings)?;
        Self::start_with(Arc::new(egress), store, clock, ids, settings)
    }

    /// Starts with another transport, for simulations. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn start_with(
        transport: Arc<dyn Transport>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let mut lanes = Lanes::new(Bounds::default());
        for (id, receiver, failing) in store.healths().all() {
            lanes.resume(id, receiver, failing, clock.now());
        }
        let core = Arc::new(Core {
            store,
            clock,
            ids,
            transport,
            user_agent: HeaderValue::try_from(settings.user_agent).map_err(StartError::UserAgent)?,
            retry_waits_s: settings.retry_waits_s,
            retention_days: settings.retention_days,
            audit_retention_days: settings.audit_retention_days,
            jitter: Mutex::new(SmallRng::seed_from_u64(settings.jitter_seed)),
            timetable: Mutex::default(),
            claim_wake: Notify::new(),
            outcomes: Outcomes::default(),
            chores: Chores::default(),
            counters: Counters::default(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
            flush: CancellationToken::new(),
            lanes: Mutex::new(lanes),
            tests: Semaphore::new(TESTS_MAX),
            workers: TaskTracker::new(),
            claiming: TaskTracker::new(),
            background: TaskTracker::new(),
            background_aborts: Mutex::default(),
        });
        core.with_lanes(|_| ());
        core.spawn_background(&core.claiming, "claiming", claim::run);
        core.spawn_background(&core.background, "recording", record::run);
        core.spawn_background(&core.background, "housekeeping", sweep::run_chores);
        core.spawn_background(&core.background, "hearing of others", elsewhere::run);
        core.spawn_background(&core.background, "retention", sweep::run_retention);
        Ok(Self { core })
    }

    /// Keeps a place for one delivery in the endpoint's lane. With `true` the caller stores the delivery claimed and
    /// then calls [`hand_over`](Self::hand_over), or [`give_back`](Self::give_back) when storing failed, with the same
    /// number of bytes.
    pub fn reserve(&self, endpoint: &Arc<Endpoint>, payload_bytes: usize) -> bool {
        endpoint.is_enabled() && self.core.with_lanes(|lanes| lanes.reserve(endpoint, payload_bytes))
    }

    /// The reserved delivery is stored; send it. To be called before [`shutdown`](Self::shutdown) returns.
    ///
    /// Its payload is copied: it may be a slice of a whole batch, which would stay in memory as long as the delivery
    /// waits, while only the payload's own bytes were reserved.
    pub fn hand_over(&self, delivery: ClaimedDelivery) {
        let delivery = ClaimedDelivery { payload: Bytes::copy_from_slice(&delivery.payload), ..delivery };
        match self.core.with_lanes(|lanes| lanes.enter(delivery)) {
            None => self.core.pump(),
            Some(delivery) => self.core.release_waiting([delivery], self.core.clock.now()),
        }
    }

    pub fn give_back(&self, endpoint_id: EndpointId, payload_bytes: usize) {
        let refill = self.core.with_lanes(|lanes| lanes.give_back(endpoint_id, payload_bytes));
        self.core.refill(endpoint_id, refill);
    }

    /// A delivery that nobody holds was stored and is due at the given time.
    pub fn stored(&self, due: Due) {
        self.core.due(due.endpoint_id, due.due_at);
    }

    /// The delivery was cancelled. If it waits here it is not sent; an attempt that runs is not called back.
    pub fn cancelled(&self, endpoint_id: EndpointId, delivery_id: DeliveryId) {
        let refill = self.core.with_lanes(|lanes| lanes.remove(endpoint_id, delivery_id));
        self.core.refill(endpoint_id, refill);
    }

    /// The endpoint was created, changed, enabled, disabled or deleted, or its secrets were. The attempts that run are
    /// not disturbed; those that follow see it as the store's routing table has it.
    pub fn endpoint_changed(&self, id: EndpointId) {
        let now = self.core.clock.now();
        let standing = self.core.standing(id);
        let receiver = standing.receiver();
        self.core.with_lanes(|lanes| lanes.keep_health_of(id, receiver.as_ref()));
        match standing {
            Standing::Enabled(_) => self.core.due(id, now),
            Standing::Held => self.core.drain(id, now),
            Standing::Dead(_) => {
                self.core.drain(id, now);
                self.core.chores.put(Chore::End(id));
            }
        }
    }

    /// Sends now, past the lanes, also to a disabled endpoint: one attempt, never repeated, not stored, and whatever
    /// it answers, the endpoint stays as it is.
    pub async fn test(
        &self,
        endpoint: Arc<Endpoint>,
        event_id: EventId,
        delivery_id: DeliveryId,
        type_name: TypeName,
        payload: Bytes,
    ) -> Attempt {
        let _turn = self.core.tests.acquire().await.expect("this semaphore is never closed");
        let prepared = Prepared::new(endpoint);
        let sending = Sending {
            event_id,
            delivery_id,
            type_name: &type_name,
            attempt_number: 1,
            payload: &payload,
            user_agent: &self.core.user_agent,
        };
        self.core.test(prepared.as_ref().map_err(|unusable| *unusable), sending).await
    }

    /// Stops claiming, lets running attempts end for up to `grace` and gives the others back, records every outcome.
    /// Takes at most `grace` and 5 s. A second call does nothing more.
    pub async fn shutdown(&self, grace: Duration) {
        let core = &self.core;
        let waiting = core.with_lanes(Lanes::close);
        core.release(waiting, core.clock.now());
        core.stop.cancel();
        core.workers.close();
        if tokio::time::timeout(grace, core.workers.wait()).await.is_err() {
            core.abandon.cancel();
            core.workers.wait().await;
        }
        core.claiming.close();
        core.background.close();
        let flushing = async {
            // What a claim brings now is given back, so the recorder outlives it.
            core.claiming.wait().await;
            core.flush.cancel();
            core.background.wait().await;
        };
        if tokio::time::timeout(FLUSH_MAX, flushing).await.is_err() {
            let unrecorded = core.counters.unrecorded();
            tracing::error!(
                unrecorded,
                "outcomes could not be recorded before the end; those requests are repeated"
            );
            core.background_aborts.lock().iter().for_each(AbortHandle::abort);
            core.claiming.wait().await;
            core.background.wait().await;
        }
    }

    pub fn counters(&self) -> &Counters {
        &self.core.counters
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("counters", &self.core.counters).finish_non_exhaustive()
    }
}

impl Core {
    /// A task that the engine cannot do without: a panic in it is told, and it begins anew.
    fn spawn_background<F>(
        self: &Arc<Self>,
        tracker: &TaskTracker,
        name: &'static str,
        task: fn(Arc<Self>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let core = Arc::clone(self);
        let supervised = async move {
            while AssertUnwindSafe(task(Arc::clone(&core))).catch_unwind().await.is_err() {
                add(&core.counters.panics, 1);
                tracing::error!(task = name, "a task of the engine ended in a fault of ours; it begins anew");
                tokio::time::sleep(PANIC_PAUSE).await;
            }
        };
        let abort = tracker.spawn(supervised).abort_handle();
        self.background_aborts.lock().push(abort);
    }

    /// The one way to the lanes: holds the lock for `change` alone and keeps the gauges true.
    pub(crate) fn with_lanes<R>(&self, change: impl FnOnce(&mut Lanes) -> R) -> R {
        let mut lanes = self.lanes.lock();
        lanes.share_among(self.store.living());
        let result = change(&mut lanes);
        self.counters.in_flight.store(lanes.in_flight() as u64, Ordering::Relaxed);
        self.counters.claimed.store(lanes.claimed() as u64, Ordering::Relaxed);
        self.counters.unrecorded.store(lanes.unrecorded() as u64, Ordering::Relaxed);
        self.counters.circuits_open.store(lanes.circuits().open() as u64, Ordering::Relaxed);
        self.counters.circuit_openings.store(lanes.circuits().openings(), Ordering::Relaxed);
        // Under the lock, so that the later note of an endpoint is the later one there too.
        self.outcomes.put_notes(lanes.take_notes());
        let relieved = lanes.take_relief();
        drop(lanes);
        if relieved {
            self.claim_wake.notify_one();
        }
        result
    }

    /// The delivery whose turn it is.
    pub(crate) fn next_start(&self) -> Option<Start> {
        self.with_lanes(Lanes::start)
    }

    /// Starts a worker for each delivery that may start now.
    pub(crate) fn pump(self: &Arc<Self>) {
        while let Some(start) = self.next_start() {
            self.workers.spawn(attempt::work(Arc::clone(self), start));
        }
    }

    pub(crate) fn standing(&self, id: EndpointId) -> Standing {
        Standing::of(self.store.routes().endpoint(id))
    }

    /// The store holds something of the endpoint that is due at `at`.
    pub(crate) fn due(&self, id: EndpointId, at: Timestamp) {
        let now = self.clock.now();
        let Some(at) = self.with_lanes(|lanes| lanes.postpone(id, at, now)) else { return };
        let first = self.timetable.lock().put(id, at);
        if first == First::Changed {
            self.claim_wake.notify_one();
        }
    }

    pub(crate) fn refill(&self, id: EndpointId, refill: Refill) {
        if refill == Refill::Yes {
            self.due(id, self.clock.now());
        }
    }

    /// Gives claims back.
    pub(crate) fn release<D: Borrow<ClaimedDelivery>>(
        &self,
        deliveries: impl IntoIterator<Item = D>,
        due_at: Timestamp,
    ) {
        self.outcomes
            .put_releases(deliveries.into_iter().map(|delivery| release_of(delivery.borrow(), due_at)));
    }

    /// Gives back claims that were not used, in the order in which they came.
    pub(crate) fn release_waiting(
        &self,
        deliveries: impl IntoIterator<Item = ClaimedDelivery>,
        now: Timestamp,
    ) {
        let was_due_at = |delivery: &ClaimedDelivery| match delivery.attempt_count {
            0 => delivery.id.created_at().min(now),
            _ => now,
        };
        let releases: Vec<_> =
            deliveries.into_iter().map(|delivery| release_of(&delivery, was_due_at(&delivery))).collect();
        // Asked for after every attempt, and nearly always for nothing.
        if !releases.is_empty() {
            self.outcomes.put_releases(releases);
        }
    }

    /// The receiver answered 410, or has failed for days: nothing more is sent to it.
    pub(crate) fn disable(&self, id: EndpointId, asked: Receiver, reason: DisabledReason) {
        self.drain(id, self.clock.now());
        self.chores.put(Chore::Disable(id, asked, reason));
    }

    fn drain(&self, id: EndpointId, now: Timestamp) {
        let waiting = self.with_lanes(|lanes| lanes.drain(id));
        self.release_waiting(waiting, now);
    }
}

fn release_of(delivery: &ClaimedDelivery, due_at: Timestamp) -> (EndpointId, Release) {
    (delivery.endpoint_id, Release { id: delivery.id, claim: delivery.claim, due_at })
}
