//! A store in memory with as much of the queue as the engine touches. The real ones pass `store::conformance`; this one
//! exists because the engine may not know them, and because it can be made to fail.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::attempt::Attempt;
use domain::delivery::EndReason;
use domain::endpoint::{Endpoint, EndpointState};
use domain::event::Event;
use domain::id::{DeliveryId, EndpointId};
use domain::retry::Verdict;
use domain::time::Timestamp;
use parking_lot::Mutex;
use store::events::Hold;
use store::healths::{HealthNote, Healths};
use store::maintenance::{Maintenance, Swept};
use store::once::MaybeOnce;
use store::queue::{ClaimedDelivery, Due, Granted, Queue, Record, Recorded, Release, Want};
use store::routes::Routes;
use store::{Store, StoreError};
use testkit::patiently;
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    routes: Routes,
    healths: Healths,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<DeliveryId, Row>,
    pub(crate) log: Vec<(DeliveryId, Option<Attempt>, Verdict)>,
    pub(crate) is_away: bool,
    /// Calls that failed because of that.
    pub(crate) refusals: u64,
    /// Says that something is due and grants nothing.
    pub(crate) grants_nothing: bool,
    pub(crate) claims: u64,
    /// Whose rows do not read back.
    pub(crate) damaged: Option<EndpointId>,
    /// Looking for what is due panics, once.
    pub(crate) panics: bool,
    pub(crate) horizons: Vec<Timestamp>,
    /// Notes of circuits, in order.
    pub(crate) notes: Vec<HealthNote>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) delivery: ClaimedDelivery,
    pub(crate) due_at: Timestamp,
    pub(crate) is_held: bool,
}

impl FakeStore {
    pub(crate) fn put_endpoint(&self, endpoint: Endpoint) -> Arc<Endpoint> {
        let endpoint = Arc::new(endpoint);
        self.routes.change(|table| table.put_endpoint(Arc::clone(&endpoint)));
        endpoint
    }

    pub(crate) fn set_state(&self, id: EndpointId, state: EndpointState) {
        let endpoint = self.routes.endpoint(id).expect("the test made it");
        self.put_endpoint(Endpoint { state, ..(*endpoint).clone() });
    }

    pub(crate) fn queue(&self, delivery: ClaimedDelivery, due_at: Timestamp, hold: Hold) {
        let is_held = hold == Hold::Claimed;
        self.change(|state| state.rows.insert(delivery.id, Row { delivery, due_at, is_held }));
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

    pub(crate) fn reach<R>(&self, change: impl FnOnce(&mut State) -> R) -> Result<R, StoreError> {
        self.change(|state| match state.is_away {
            true => {
                state.refusals += 1;
                Err(StoreError::Unavailable { reason: "away".to_owned() })
            }
            false => Ok(change(state)),
        })
    }
}

impl State {
    fn next_due_at(&self, id: EndpointId) -> Option<Timestamp> {
        let unheld = self.rows.values().filter(|row| row.delivery.endpoint_id == id && !row.is_held);
        unheld.map(|row| row.due_at).min()
    }

    fn claim(&mut self, want: Want, now: Timestamp) -> Granted {
        let is_due = |row: &&mut Row| {
            row.delivery.endpoint_id == want.endpoint_id && !row.is_held && row.due_at <= now
        };
        let limit = if self.grants_nothing { 0 } else { want.limit };
        let deliveries = self.rows.values_mut().filter(is_due).take(limit).map(|row| {
            row.is_held = true;
            row.delivery.clone()
        });
        let deliveries = deliveries.collect();
        Granted { endpoint_id: want.endpoint_id, deliveries, next_due_at: self.next_due_at(want.endpoint_id) }
    }

    fn record(&mut self, record: Record) -> Recorded {
        let id = record.delivery.id;
        let Some(row) = self.rows.get_mut(&id).filter(|row| row.is_held) else { return Recorded::Lost };
        self.log.push((id, Some(record.attempt), record.verdict));
        match record.verdict {
            Verdict::RetryAt(at) => {
                (row.due_at, row.is_held) = (at, false);
                row.delivery.attempt_count += 1;
            }
            Verdict::Succeeded | Verdict::Ended(_) => drop(self.rows.remove(&id)),
        }
        Recorded::Applied
    }
}

#[async_trait]
impl Queue for FakeStore {
    async fn due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let is_to_panic = self.change(|state| std::mem::take(&mut state.panics));
        assert!(!is_to_panic, "the test says so");
        self.reach(|state| {
            let mut ids: Vec<EndpointId> = state.rows.values().map(|row| row.delivery.endpoint_id).collect();
            ids.sort_unstable();
            ids.dedup();
            let later = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            let due = later.filter_map(|endpoint_id| {
                state.next_due_at(endpoint_id).map(|due_at| Due { endpoint_id, due_at })
            });
            due.take(limit).collect()
        })
    }
    async fn claim(&self, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, StoreError> {
        self.reach(|state| {
            state.claims += 1;
            if wants.iter().any(|want| state.damaged == Some(want.endpoint_id)) {
                return Err(StoreError::Internal { doing: "claiming", source: "damaged".into() });
            }
            Ok(wants.into_iter().map(|want| state.claim(want, now)).collect())
        })?
    }
    async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError> {
        self.reach(|state| records.into_iter().map(|record| state.record(record)).collect())
    }
    async fn release(&self, releases: Vec<Release>) -> Result<(), StoreError> {
        self.reach(|state| {
            for release in releases {
                if let Some(row) = state.rows.get_mut(&release.id) {
                    (row.due_at, row.is_held) = (release.due_at, false);
                }
            }
        })
    }
    async fn note_health(&self, notes: Vec<HealthNote>) -> Result<(), StoreError> {
        self.reach(|state| {
            notes.iter().for_each(|note| self.healths.put(note.clone()));
            state.notes.extend(notes);
        })
    }
    async fn end_deliveries(
        &self,
        endpoint_id: EndpointId,
        reason: EndReason,
        _: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.reach(|state| {
            let of_endpoint = |row: &&Row| row.delivery.endpoint_id == endpoint_id && !row.is_held;
            let ids: Vec<DeliveryId> =
                state.rows.values().filter(of_endpoint).take(limit).map(|row| row.delivery.id).collect();
            for id in &ids {
                state.rows.remove(id);
                state.log.push((*id, None, Verdict::Ended(reason)));
            }
            ids.len()
        })
    }
    async fn record_test(&self, _: Event, _: Record, _: MaybeOnce<()>) -> Result<(), StoreError> {
        unreachable!("the engine stores no test send")
    }
    async fn queue_length(&self) -> Result<u64, StoreError> {
        self.reach(|state| state.rows.len() as u64)
    }
}

#[async_trait]
impl Maintenance for FakeStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.reach(|_| ())
    }
    async fn sweep(&self, horizon: Timestamp, _: Timestamp) -> Result<Swept, StoreError> {
        self.reach(|state| state.horizons.push(horizon))?;
        Ok(Swept::Done)
    }
    async fn close(&self) {}
}

impl Store for FakeStore {
    fn routes(&self) -> &Routes {
        &self.routes
    }
    fn healths(&self) -> &Healths {
        &self.healths
    }
}
