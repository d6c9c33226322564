//! Housekeeping in the background: deliveries of endpoints that are gone, and what is older than retention allows.
//! In slices, so that traffic never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::audit::Actor;
use domain::endpoint::DisabledReason;
use domain::health::Receiver;
use domain::id::EndpointId;
use parking_lot::Mutex;
use store::StoreError;
use store::audit::AuditNote;
use store::maintenance::Swept;
use tokio::sync::Notify;

use crate::claim::Standing;
use crate::counters::add;
use crate::engine::Core;

const SLICE_ROWS: usize = 500;
/// Between two slices.
const SLICE_PAUSE: Duration = Duration::from_millis(20);
/// When the store cannot write.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
const RETENTION_INTERVAL_MS: i64 = 10 * 60_000;
const DAY_S: i64 = 86_400;

/// Something to be done to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chore {
    /// The receiver answered 410, or has failed for days. Nothing is done to an endpoint that is another's by then.
    Disable(EndpointId, Receiver, DisabledReason),
    /// End its deliveries, if it is still gone by then.
    End(EndpointId),
}

/// Chores that wait, each once.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    waiting: Mutex<VecDeque<Chore>>,
    arrived: Notify,
}

impl Chores {
    /// An endpoint to be disabled goes first: until then more is sent to it.
    pub(crate) fn put(&self, chore: Chore) {
        let mut waiting = self.waiting.lock();
        if !waiting.contains(&chore) {
            match chore {
                Chore::Disable(..) => waiting.push_front(chore),
                Chore::End(_) => waiting.push_back(chore),
            }
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    fn take(&self) -> Option<Chore> {
        self.waiting.lock().pop_front()
    }
}

/// The task that does the chores.
pub(crate) async fn run_chores(core: Arc<Core>) {
    while !core.stop.is_cancelled() {
        let Some(chore) = core.chores.take() else {
            let _ = core.stop.run_until_cancelled(core.chores.arrived.notified()).await;
            continue;
        };
        if let Err(fault) = perform(&core, &chore).await {
            tracing::warn!(%fault, ?chore, "housekeeping failed; trying again");
            core.chores.put(chore);
            let _ = core.stop.run_until_cancelled(tokio::time::sleep(FAILED_PAUSE)).await;
        }
    }
}

async fn perform(core: &Core, chore: &Chore) -> Result<(), StoreError> {
    match chore {
        Chore::Disable(id, asked, reason) => {
            let id = *id;
            let now = core.clock.now();
            let note = AuditNote {
                id: core.ids.audit(now),
                actor: Actor::System,
                address: None,
                request_id: Arc::from(""),
                show: None,
            };
            Arc::clone(&core.store).audited(note).disable_endpoint(id, asked.clone(), *reason, now).await?;
            let receiver = core.standing(id).receiver();
            core.with_lanes(|lanes| lanes.keep_health_of(id, receiver.as_ref()));
            core.chores.put(Chore::End(id));
        }
        Chore::End(id) => end_slice(core, *id).await?,
    }
    Ok(())
}

/// Asks before each slice, for the endpoint may have been enabled again. The rest waits for its turn behind other chores.
async fn end_slice(core: &Core, id: EndpointId) -> Result<(), StoreError> {
    let Standing::Dead(reason) = core.standing(id) else { return Ok(()) };
    let ended = core.store.end_deliveries(id, reason, core.clock.now(), SLICE_ROWS).await?;
    add(&core.counters.ended, ended as u64);
    if ended > 0 {
        core.chores.put(Chore::End(id));
        tokio::time::sleep(SLICE_PAUSE).await;
    }
    Ok(())
}

/// The task that removes what is older than retention allows.
pub(crate) async fn run_retention(core: Arc<Core>) {
    while !core.stop.is_cancelled() {
        sweep(&core).await;
        sweep_audit(&core).await;
        let next_at = core.clock.now().plus_millis(RETENTION_INTERVAL_MS);
        let _ = core.stop.run_until_cancelled(core.clock.sleep_until(next_at)).await;
    }
}

async fn sweep_audit(core: &Core) {
    while !core.stop.is_cancelled() {
        let horizon = core.clock.now().plus_seconds(-DAY_S * i64::from(core.audit_retention_days));
        match core.store.sweep_audit(horizon).await {
            Ok(Swept::More) => tokio::time::sleep(SLICE_PAUSE).await,
            Ok(Swept::Done) => return,
            Err(fault) => return tracing::warn!(%fault, "the audit log could not be swept"),
        }
    }
}

async fn sweep(core: &Core) {
    while !core.stop.is_cancelled() {
        let now = core.clock.now();
        let horizon = now.plus_seconds(-DAY_S * i64::from(core.retention_days));
        match core.store.sweep(horizon, now).await {
            Ok(Swept::More) => tokio::time::sleep(SLICE_PAUSE).await,
            Ok(Swept::Done) => return,
            Err(fault) => return tracing::warn!(%fault, "the log could not be swept"),
        }
    }
}
