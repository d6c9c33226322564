//! How the server is doing, for those who run it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use domain::endpoint::Endpoint;
use domain::id::EndpointId;
use domain::limits::WORST_ENDPOINTS;
use domain::time::Timestamp;
use store::StoreError;
use store::nodes::Counts;
use store::queue::Waiting;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::rates::{first_step_at, next_step_at};
use crate::Api;
use crate::answer;
use crate::caller::Viewer;
use crate::problem::Problem;
use crate::views::{SystemParts, SystemView, WorstEndpoint};

/// What waits is counted anew after this long, and so many times longer than counting took: an index of millions is not gone
/// through for each of those who look.
const COUNTED_FOR: Duration = Duration::from_secs(1);
const COUNTED_FOR_TIMES: u32 = 20;

/// What waits, as it was counted last.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    counted: Mutex<Option<Counted>>,
}

#[derive(Debug, Clone)]
struct Counted {
    until: Instant,
    waiting: Arc<Vec<Waiting>>,
}

impl Backlog {
    /// One caller counts, the others wait for it.
    async fn waiting(&self, api: &Api) -> Result<Arc<Vec<Waiting>>, StoreError> {
        let mut counted = self.counted.lock().await;
        if let Some(known) = counted.as_ref().filter(|known| Instant::now() < known.until) {
            return Ok(Arc::clone(&known.waiting));
        }
        let began = Instant::now();
        let waiting = Arc::new(api.store.waiting().await?);
        let until = Instant::now() + COUNTED_FOR.max(began.elapsed() * COUNTED_FOR_TIMES);
        *counted = Some(Counted { until, waiting: Arc::clone(&waiting) });
        Ok(waiting)
    }
}

impl Api {
    /// Keeps the rates that `GET /v1/system` shows, until `stop`, and lets go of what no stream comes back for.
    pub async fn keep_rates(&self, stop: CancellationToken) {
        loop {
            let next_at = next_step_at(self.clock.now());
            if stop.run_until_cancelled(self.clock.sleep_until(next_at)).await.is_none() {
                return;
            }
            self.store.feed().tidy();
            let attempts = self.engine.attempts();
            let now = self.clock.now();
            let total = Counts {
                accepted: self.counters.accepted_events(),
                delivered: attempts.succeeded,
                failed: attempts.failed,
            };
            match self.store.tell_step(self.rates.step(now, total, self.engine.in_flight())).await {
                Ok(()) => self.rates.told(total),
                Err(fault) => tracing::debug!(%fault, "what this node counted could not be told"),
            }
        }
    }
}

/// The server.
///
/// Rates of the last ten minutes (test sends included), what waits and where, the nodes, and what the data takes up: of all nodes
/// together, whichever answers. For the platform's own keys and sessions. Nodes tell what they counted every 5 seconds. What waits may
/// be as old as a second, and with millions waiting a little older.
#[utoipa::path(
    get, path = "/v1/system", operation_id = "getSystem", tag = "Server",
    responses((status = 200, description = "How the server is doing", body = SystemView)),
)]
pub(crate) async fn get_system(State(api): State<Arc<Api>>, caller: Viewer) -> Result<Response, Problem> {
    caller.on_the_platform()?;
    let now = api.clock.now();
    let waiting = api.backlog.waiting(&api).await?;
    let parts = SystemParts {
        settings: &api.settings,
        whole: &api.store.whole(first_step_at(now)).await?,
        now,
        waiting: api.store.queue_length().await?,
        oldest_waiting_at: waiting.iter().map(|waiting| waiting.oldest_at).min(),
        worst: worst(&api, &waiting),
        store: api.store.footprint().await?,
    };
    Ok(answer::ok(&SystemView::of(parts)))
}

/// Half of them for those with most waiting, whatever their health, half for those that are not healthy; most waiting first.
fn worst(api: &Api, waiting: &[Waiting]) -> Vec<WorstEndpoint> {
    let waits: HashMap<EndpointId, &Waiting> = waiting.iter().map(|one| (one.endpoint_id, one)).collect();
    let failing = api.store.healths().all().into_iter().map(|(id, ..)| id);
    let mut unhealthy: Vec<EndpointId> = failing.collect();
    let mut loaded: Vec<EndpointId> = waits.keys().copied().collect();
    let count = |id: &EndpointId| waits.get(id).map_or(0, |waiting| waiting.count);
    for ids in [&mut unhealthy, &mut loaded] {
        ids.sort_unstable_by_key(|id| (std::cmp::Reverse(count(id)), *id));
    }
    let mut named: Vec<EndpointId> = Vec::new();
    let half = WORST_ENDPOINTS / 2;
    for id in loaded.iter().take(half).chain(&unhealthy).chain(loaded.iter().skip(half)) {
        if named.len() < WORST_ENDPOINTS && !named.contains(id) {
            named.push(*id);
        }
    }
    named.sort_unstable_by_key(|id| (std::cmp::Reverse(count(id)), *id));
    let endpoints = named.into_iter().filter_map(|id| api.store.routes().endpoint(id));
    endpoints.map(|endpoint| shown(api, &endpoint, waits.get(&endpoint.id).copied())).collect()
}

fn shown(api: &Api, endpoint: &Endpoint, waiting: Option<&Waiting>) -> WorstEndpoint {
    let failing = api.store.healths().of(endpoint);
    let (count, oldest_at): (u64, Option<Timestamp>) =
        waiting.map_or((0, None), |waiting| (waiting.count, Some(waiting.oldest_at)));
    WorstEndpoint::of(endpoint, failing.as_ref(), (count, oldest_at))
}
