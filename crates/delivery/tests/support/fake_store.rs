//! The store itself: the model behind a lock, and whatever may happen to a call on its way there and back.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::delivery::EndReason;
use domain::endpoint::{Endpoint, EndpointState};
use domain::event::Event;
use domain::health::Receiver;
use domain::id::{DeliveryId, EndpointId};
use domain::time::Timestamp;
use parking_lot::Mutex;
use store::audit::AuditNote;
use store::events::Hold;
use store::feed::{Feed, Listener};
use store::healths::{HealthNote, Healths};
use store::maintenance::{Footprint, Maintenance, Swept};
use store::nodes::{Nodes, Step, Whole};
use store::once::MaybeOnce;
use store::queue::{ClaimedDelivery, Due, Granted, Queue, Record, Recorded, Release, Waiting, Want};
use store::routes::Routes;
use store::sealing::{Resealed, Sealing};
use store::vault::Vault;
use store::{Store, StoreError};
use testkit::patiently;
use tokio::sync::watch;

use super::model::State;

#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub(super) routes: Routes,
    healths: Healths,
    pub(super) feed: Arc<Feed>,
    pub(super) state: Mutex<State>,
    changes: watch::Sender<u64>,
    weather: OnceLock<Arc<dyn Weather>>,
}

/// Which call is on its way.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Due,
    Claim,
    Record(Vec<Record>),
    Release(Vec<Release>),
    Note,
    End,
    Disable,
    Sweep,
    Publish,
    /// Of a person: a change of an endpoint, a cancellation, a retry.
    ByHand,
    Read,
}

/// What happens to calls. Without one they come and go at once.
#[async_trait]
pub(crate) trait Weather: std::fmt::Debug + Send + Sync {
    /// An error: the call never got there.
    async fn there(&self, call: &Call) -> Result<(), StoreError>;
    /// Right after the effect, in the same step. Gives what is held since.
    fn took_effect(&self, call: &Call, state: &mut State) -> Vec<DeliveryId>;
    /// An error: the call had its effect, and nobody hears of it.
    async fn back(&self, call: &Call, held: Vec<DeliveryId>) -> Result<(), StoreError>;
}

impl FakeStore {
    pub(crate) fn under(weather: Arc<dyn Weather>) -> Self {
        Self { weather: OnceLock::from(weather), ..Self::default() }
    }

    pub(crate) fn put_endpoint(&self, endpoint: Endpoint) -> Arc<Endpoint> {
        self.change(|state| self.put_endpoint_in(state, endpoint))
    }

    pub(super) fn put_endpoint_in(&self, state: &mut State, endpoint: Endpoint) -> Arc<Endpoint> {
        let endpoint = Arc::new(endpoint);
        let before = state.endpoints.insert(endpoint.id, Arc::clone(&endpoint));
        if before.is_some_and(|before| Receiver::of(&before) != Receiver::of(&endpoint)) {
            self.healths.forget(endpoint.id);
        }
        self.routes.change(|table| table.put_endpoint(Arc::clone(&endpoint)));
        endpoint
    }

    pub(crate) fn set_state(&self, id: EndpointId, state: EndpointState) {
        let endpoint = self.routes.endpoint(id).expect("the test made it");
        self.put_endpoint(Endpoint { state, ..(*endpoint).clone() });
    }

    pub(crate) fn queue(&self, delivery: ClaimedDelivery, due_at: Timestamp, hold: Hold) {
        self.change(|state| state.queue(delivery, due_at, hold));
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.state.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(crate) async fn wait_until(&self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        let waiting = async { while !holds(&self.state.lock()) && changes.changed().await.is_ok() {} };
        patiently(what, waiting).await;
    }

    /// One call: there, its effect, and back.
    pub(super) async fn reach<R: Send>(
        &self,
        call: Call,
        effect: impl FnOnce(&mut State) -> Result<R, StoreError> + Send,
    ) -> Result<R, StoreError> {
        let weather = self.weather.get();
        if let Some(weather) = weather {
            weather.there(&call).await?;
        }
        let (result, held) = self.change(|state| {
            if state.is_away {
                state.refusals += 1;
                return (Err(StoreError::Unavailable { reason: "away".to_owned() }), Vec::new());
            }
            let result = effect(state);
            (result, weather.map_or_else(Vec::new, |weather| weather.took_effect(&call, state)))
        });
        if let Some(weather) = weather {
            weather.back(&call, held).await?;
        }
        result
    }
}

#[async_trait]
impl Queue for FakeStore {
    async fn due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let is_to_panic = self.change(|state| std::mem::take(&mut state.panics));
        assert!(!is_to_panic, "the test says so");
        self.reach(Call::Due, |state| {
            let mut ids: Vec<EndpointId> = state.rows.values().map(|row| row.delivery.endpoint_id).collect();
            ids.sort_unstable();
            ids.dedup();
            let later = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            let due = later.filter_map(|endpoint_id| {
                state.next_due_at(endpoint_id).map(|due_at| Due { endpoint_id, due_at })
            });
            Ok(due.take(limit).collect())
        })
        .await
    }

    async fn claim(&self, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, StoreError> {
        self.reach(Call::Claim, |state| {
            state.claims += 1;
            if wants.iter().any(|want| state.damaged == Some(want.endpoint_id)) {
                return Err(StoreError::Internal { doing: "claiming", source: "damaged".into() });
            }
            state.begin_claim();
            Ok(wants.into_iter().map(|want| state.claim(want, now)).collect())
        })
        .await
    }

    async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError> {
        self.reach(Call::Record(records.clone()), |state| {
            Ok(records.into_iter().map(|record| state.record(record)).collect())
        })
        .await
    }

    async fn release(&self, releases: Vec<Release>) -> Result<(), StoreError> {
        self.reach(Call::Release(releases.clone()), |state| {
            releases.into_iter().for_each(|release| state.release(release));
            Ok(())
        })
        .await
    }

    async fn end_deliveries(
        &self,
        endpoint_id: EndpointId,
        reason: EndReason,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.reach(Call::End, |state| Ok(state.end_unheld(endpoint_id, reason, now, limit))).await
    }

    async fn note_health(&self, notes: Vec<HealthNote>) -> Result<(), StoreError> {
        self.reach(Call::Note, |state| {
            notes.iter().filter(|note| state.concerns(note)).for_each(|note| self.healths.put(note.clone()));
            state.notes.extend(notes);
            Ok(())
        })
        .await
    }

    async fn record_test(&self, _: Event, _: Record, _: MaybeOnce<()>) -> Result<(), StoreError> {
        unreachable!("the engine stores no test send")
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        self.reach(Call::Read, |state| Ok(state.rows.len() as u64)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        unreachable!("the engine does not ask")
    }
}

#[async_trait]
impl Maintenance for FakeStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.reach(Call::Read, |_| Ok(())).await
    }
    async fn sweep(&self, horizon: Timestamp, _: Timestamp) -> Result<Swept, StoreError> {
        self.reach(Call::Sweep, |state| {
            state.horizons.push(horizon);
            Ok(Swept::Done)
        })
        .await
    }
    async fn footprint(&self) -> Result<Footprint, StoreError> {
        unreachable!("the engine does not ask")
    }
    async fn close(&self) {}
}

/// Nothing is sealed here.
#[async_trait]
impl Sealing for FakeStore {
    async fn use_vault(&self, _: Vault, _: MaybeOnce<()>) -> Result<(), StoreError> {
        Ok(())
    }
    async fn reseal(&self, _: Option<EndpointId>) -> Result<Resealed, StoreError> {
        Ok(Resealed { values: 0, next: None })
    }
}

/// One process, of which nobody asks.
#[async_trait]
impl Nodes for FakeStore {
    fn living(&self) -> usize {
        1
    }
    async fn tell_step(&self, _: Step) -> Result<(), StoreError> {
        Ok(())
    }
    async fn whole(&self, _: Timestamp) -> Result<Whole, StoreError> {
        Ok(Whole::default())
    }
    async fn listen(&self) -> Result<Listener, StoreError> {
        Ok(self.feed.listen())
    }
}

impl Store for FakeStore {
    fn routes(&self) -> &Routes {
        &self.routes
    }
    fn healths(&self) -> &Healths {
        &self.healths
    }
    fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
    fn audited(self: Arc<Self>, _: AuditNote) -> Arc<dyn Store> {
        self
    }
}
