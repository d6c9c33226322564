//! What the store holds and when it is due: a timetable in memory, and the claims that turn due rows into work.
//!
//! The store is the truth. The timetable is a hint that a safety poll renews, so that a lost hint costs half a minute
//! and not a delivery. A claim never asks for more than there is room for, and an empty one never leads to a spin.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::EndReason;
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::health::Receiver;
use domain::id::EndpointId;
use domain::time::Timestamp;
use store::StoreError;
use store::queue::{Due, Granted, Want};

use crate::engine::Core;
use crate::lanes::Places;
use crate::sweep::Chore;

const POLL_INTERVAL_MS: i64 = 30_000;
const POLL_PAGE_ROWS: usize = 500;
/// Endpoints and deliveries asked for in one claim, and the most for one endpoint of it.
const WANTS_MAX: usize = 64;
const WANT_MAX: usize = 64;
/// When the store says that something is due and then grants nothing.
const EMPTY_PAUSE_MS: i64 = 1_000;
/// After a fault of ours, for the endpoint that it concerns.
const FAULT_PAUSE_MS: i64 = 30_000;
/// When the store cannot be asked.
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// When each endpoint's earliest unheld delivery is due, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    due_at: HashMap<EndpointId, Timestamp>,
    in_order: BTreeSet<(Timestamp, EndpointId)>,
}

/// Whether whoever waits for the timetable's first entry must look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Changed,
    Same,
}

impl Timetable {
    /// Keeps the earlier of two times.
    pub(crate) fn put(&mut self, id: EndpointId, at: Timestamp) -> First {
        let first_before = self.first();
        if let Some(known) = self.due_at.get(&id) {
            if *known <= at {
                return First::Same;
            }
            self.in_order.remove(&(*known, id));
        }
        self.due_at.insert(id, at);
        self.in_order.insert((at, id));
        if self.first() == first_before { First::Same } else { First::Changed }
    }

    /// Takes out up to `limit` endpoints with something due at `now`, the longest due first.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<EndpointId> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some((at, id)) = self.in_order.first().copied().filter(|(at, _)| *at <= now) else { break };
            self.in_order.remove(&(at, id));
            self.due_at.remove(&id);
            taken.push(id);
        }
        taken
    }

    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.in_order.first().map(|(at, _)| *at)
    }
}

/// What may be done with an endpoint's deliveries.
#[derive(Debug)]
pub(crate) enum Standing {
    Enabled(Arc<Endpoint>),
    /// Disabled by hand: they wait.
    Held,
    /// They end.
    Dead(EndReason),
}

impl Standing {
    /// `endpoint` from the routing table, which holds all that are not deleted.
    pub(crate) fn of(endpoint: Option<Arc<Endpoint>>) -> Self {
        let Some(endpoint) = endpoint else { return Self::Dead(EndReason::EndpointDeleted) };
        match endpoint.state {
            EndpointState::Enabled { .. } => Self::Enabled(endpoint),
            EndpointState::Disabled { reason: DisabledReason::ByHand, .. } => Self::Held,
            EndpointState::Disabled { reason: DisabledReason::Gone, .. } => Self::Dead(EndReason::Gone),
            EndpointState::Disabled { reason: DisabledReason::Failing, .. } => {
                Self::Dead(EndReason::EndpointFailing)
            }
            EndpointState::Deleted { .. } => Self::Dead(EndReason::EndpointDeleted),
        }
    }

    /// Whom deliveries go to; `None`: to nobody.
    pub(crate) fn receiver(&self) -> Option<Receiver> {
        match self {
            Self::Enabled(endpoint) => Receiver::of(endpoint),
            Self::Held | Self::Dead(_) => None,
        }
    }
}

enum Round {
    /// Look again at once.
    Worked,
    /// Nothing is due.
    Idle,
    /// Something is due and there is no room for anybody.
    Starved,
    Failed,
}

/// The claiming task.
pub(crate) async fn run(core: Arc<Core>) {
    let mut poll_at = core.clock.now();
    while !core.stop.is_cancelled() {
        if poll_at <= core.clock.now() {
            let polled = poll(&core).await;
            let wait_ms = if polled.is_ok() { POLL_INTERVAL_MS } else { EMPTY_PAUSE_MS };
            poll_at = core.clock.now().plus_millis(wait_ms);
        }
        match round(&core).await {
            Round::Worked => tokio::task::yield_now().await,
            Round::Idle => {
                let first = core.timetable.lock().first();
                poll_at = wait(&core, first.map_or(poll_at, |first| first.min(poll_at)), poll_at).await;
            }
            Round::Starved => poll_at = wait(&core, poll_at, poll_at).await,
            Round::Failed => {
                core.stop.run_until_cancelled(tokio::time::sleep(FAILED_PAUSE)).await.unwrap_or(())
            }
        }
    }
}

/// Until there may be something to do; when to look into the store again.
async fn wait(core: &Core, until: Timestamp, poll_at: Timestamp) -> Timestamp {
    tokio::select! {
        biased;
        () = core.claim_wake.notified() => poll_at,
        () = core.store.more_is_due() => core.clock.now(),
        () = core.clock.sleep_until(until) => poll_at,
        () = core.stop.cancelled() => poll_at,
    }
}

/// Reads from the store which endpoints have something to do. The first one after a start finds what a crash left.
async fn poll(core: &Core) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = core
            .store
            .due(after, POLL_PAGE_ROWS)
            .await
            .inspect_err(|fault| tracing::warn!(%fault, "the queue could not be read"))?;
        for Due { endpoint_id, due_at } in &page {
            match core.standing(*endpoint_id) {
                Standing::Enabled(_) => core.due(*endpoint_id, *due_at),
                Standing::Held => {}
                Standing::Dead(_) => core.chores.put(Chore::End(*endpoint_id)),
            }
        }
        match page.last() {
            Some(last) if page.len() >= POLL_PAGE_ROWS => after = Some(last.endpoint_id),
            _ => return Ok(()),
        }
    }
}

async fn round(core: &Arc<Core>) -> Round {
    let now = core.clock.now();
    let due = core.timetable.lock().take_due(now, WANTS_MAX);
    if due.is_empty() {
        return Round::Idle;
    }
    let (wants, starved) = wants(core, due, now);
    if wants.is_empty() {
        return if starved { Round::Starved } else { Round::Worked };
    }
    match core.store.claim(wants.clone(), now).await {
        Ok(granted) => take_in(core, &wants, granted, now),
        Err(fault @ StoreError::Unavailable { .. }) => {
            tracing::warn!(%fault, "due deliveries could not be claimed");
            wants.iter().for_each(|want| put_back(core, *want, now));
            return Round::Failed;
        }
        Err(fault) => {
            tracing::error!(%fault, "due deliveries could not be claimed; trying each endpoint by itself");
            claim_each(core, wants, now).await;
        }
    }
    Round::Worked
}

/// So that a row that does not read back holds up no other endpoint.
async fn claim_each(core: &Arc<Core>, wants: Vec<Want>, now: Timestamp) {
    for want in wants {
        match core.store.claim(vec![want], now).await {
            Ok(granted) => take_in(core, &[want], granted, now),
            Err(fault) => {
                tracing::error!(%fault, endpoint = %want.endpoint_id, "an endpoint's deliveries could not be claimed");
                put_back(core, want, now.plus_millis(FAULT_PAUSE_MS));
            }
        }
    }
}

/// Frees what was reserved; the endpoint is looked at again at `due_at`.
fn put_back(core: &Core, want: Want, due_at: Timestamp) {
    let taken_in = core.with_lanes(|lanes| lanes.granted(want.endpoint_id, want.limit, Vec::new()));
    core.refill(want.endpoint_id, taken_in.refill);
    core.due(want.endpoint_id, due_at);
}

/// Reserves places for what is due. What finds no room for anybody goes back into the timetable.
fn wants(core: &Core, due: Vec<EndpointId>, now: Timestamp) -> (Vec<Want>, bool) {
    let mut wants = Vec::with_capacity(due.len());
    let mut starved = false;
    for id in due {
        let endpoint = match core.standing(id) {
            Standing::Enabled(endpoint) => endpoint,
            Standing::Held => continue,
            Standing::Dead(_) => {
                core.chores.put(Chore::End(id));
                continue;
            }
        };
        match core.with_lanes(|lanes| lanes.reserve_claim(&endpoint, WANT_MAX, now)) {
            Places::Reserved(limit) => wants.push(Want { endpoint_id: id, limit }),
            Places::LaneFull => {}
            Places::NotBefore(at) => {
                core.timetable.lock().put(id, at);
            }
            Places::AllFull => {
                starved = true;
                // Not through `due`: that would wake this very task, again and again.
                core.timetable.lock().put(id, now);
            }
        }
    }
    (wants, starved)
}

fn take_in(core: &Arc<Core>, wants: &[Want], granted: Vec<Granted>, now: Timestamp) {
    let mut by_id: HashMap<EndpointId, Granted> =
        granted.into_iter().map(|granted| (granted.endpoint_id, granted)).collect();
    for want in wants {
        let id = want.endpoint_id;
        let (deliveries, next_due_at) = match by_id.remove(&id) {
            Some(granted) => (granted.deliveries, granted.next_due_at),
            None => (Vec::new(), None),
        };
        let earliest = if deliveries.is_empty() { now.plus_millis(EMPTY_PAUSE_MS) } else { now };
        let taken_in = core.with_lanes(|lanes| {
            let taken_in = lanes.granted(id, want.limit, deliveries);
            if next_due_at.is_none_or(|at| at > now) {
                lanes.caught_up(id);
            }
            taken_in
        });
        core.refill(id, taken_in.refill);
        if let Some(at) = next_due_at {
            core.due(id, at.max(earliest));
        }
        core.release_waiting(taken_in.refused, now);
    }
    core.pump();
}

#[cfg(test)]
mod tests {
    use domain::id::IdSource;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn the_earlier_of_two_times_counts_and_the_longest_due_comes_first() {
        let ids = IdSource::seeded(1);
        let [a, b, c] = std::array::from_fn(|_| ids.endpoint(at(0)));
        let mut timetable = Timetable::default();
        assert_eq!(timetable.put(a, at(50)), First::Changed);
        assert_eq!(timetable.put(a, at(90)), First::Same);
        assert_eq!(timetable.put(b, at(60)), First::Same);
        assert_eq!(timetable.put(b, at(10)), First::Changed);
        assert_eq!(timetable.put(c, at(99)), First::Same);
        assert_eq!(timetable.first(), Some(at(10)));
        assert_eq!(timetable.take_due(at(50), 1), [b]);
        assert_eq!(timetable.take_due(at(50), 9), [a]);
        assert_eq!(timetable.take_due(at(50), 9), []);
        assert_eq!(timetable.first(), Some(at(99)));
    }
}
