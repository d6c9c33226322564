//! Outcomes on their way into the store: gathered for a moment, written in one transaction, never lost while the
//! process lives.
//!
//! Pauses here are of real time, for they wait for the store and for company, not for a point on the engine's clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::id::EndpointId;
use domain::limits::{RECORD_BATCH_BYTES_MAX, RECORD_BATCH_MAX, RECORD_WAIT_MS};
use domain::retry::Verdict;
use domain::time::Timestamp;
use parking_lot::Mutex;
use store::StoreError;
use store::feed::Happened;
use store::healths::HealthNote;
use store::queue::{Record, Recorded, Release};
use tokio::sync::Notify;

use crate::claim::Standing;
use crate::counters::add;
use crate::engine::Core;
use crate::sweep::Chore;

const GATHER: Duration = Duration::from_millis(RECORD_WAIT_MS as u64);
/// While the store cannot write: from here, doubled up to there.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A single outcome that the store keeps refusing for a fault of its own is given up after so many tries.
const FAULTS_MAX: u32 = 3;

/// Outcomes and releases that wait. The lanes bound how many there can be.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    batch_full: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Record>,
    /// Of all their answers.
    answer_bytes: usize,
    releases: VecDeque<(EndpointId, Release)>,
    /// The latest of each endpoint.
    notes: HashMap<EndpointId, HealthNote>,
}

/// What is written together.
#[derive(Debug)]
struct Batch {
    records: Vec<Record>,
    releases: Vec<(EndpointId, Release)>,
    notes: Vec<HealthNote>,
}

impl Outcomes {
    pub(crate) fn put_record(&self, record: Record) {
        let mut waiting = self.waiting.lock();
        let was_full = waiting.is_batch();
        waiting.answer_bytes += answer_bytes(&record);
        waiting.records.push_back(record);
        let (is_first, is_full) = (waiting.records.len() == 1, waiting.is_batch());
        drop(waiting);
        if is_first {
            self.arrived.notify_one();
        } else if is_full && !was_full {
            self.batch_full.notify_one();
        }
    }

    pub(crate) fn put_releases(&self, releases: impl IntoIterator<Item = (EndpointId, Release)>) {
        let mut waiting = self.waiting.lock();
        waiting.releases.extend(releases);
        if !waiting.releases.is_empty() {
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    pub(crate) fn put_notes(&self, notes: Vec<HealthNote>) {
        if notes.is_empty() {
            return;
        }
        self.waiting.lock().notes.extend(notes.into_iter().map(|note| (note.endpoint_id, note)));
        self.arrived.notify_one();
    }

    fn take(&self) -> Batch {
        let mut waiting = self.waiting.lock();
        let records = waiting.take_records();
        let releases = waiting.releases.len().min(RECORD_BATCH_MAX);
        Batch {
            records,
            releases: waiting.releases.drain(..releases).collect(),
            notes: std::mem::take(&mut waiting.notes).into_values().collect(),
        }
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.records.is_empty() && waiting.releases.is_empty() && waiting.notes.is_empty()
    }

    fn has_batch(&self) -> bool {
        self.waiting.lock().is_batch()
    }
}

impl Waiting {
    fn is_batch(&self) -> bool {
        self.records.len() >= RECORD_BATCH_MAX || self.answer_bytes >= RECORD_BATCH_BYTES_MAX
    }

    fn take_records(&mut self) -> Vec<Record> {
        let (mut count, mut bytes) = (0, 0);
        for record in self.records.iter().take(RECORD_BATCH_MAX) {
            if bytes >= RECORD_BATCH_BYTES_MAX {
                break;
            }
            bytes += answer_bytes(record);
            count += 1;
        }
        self.answer_bytes -= bytes;
        self.records.drain(..count).collect()
    }
}

fn answer_bytes(record: &Record) -> usize {
    let answer = record.attempt.response.as_ref();
    answer.map_or(0, |response| response.headers.text_bytes() + response.body.len())
}

/// The recording task. Ends when told to flush and nothing is left.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        if core.outcomes.is_empty() {
            if core.flush.is_cancelled() {
                return;
            }
            tokio::select! {
                biased;
                () = core.outcomes.arrived.notified() => {}
                () = core.flush.cancelled() => {}
            }
        }
        gather(&core).await;
        let Batch { records, releases, notes } = core.outcomes.take();
        // At once, so that they share a commit; the notes first, so that none sees the failure and not what follows from it.
        tokio::join!(write_notes(&core, notes), write_records(&core, records));
        if !releases.is_empty() {
            write_releases(&core, releases).await;
        }
    }
}

/// Waits for company, unless there is enough of it.
async fn gather(core: &Core) {
    if core.outcomes.has_batch() || core.flush.is_cancelled() {
        return;
    }
    tokio::select! {
        biased;
        () = tokio::time::sleep(GATHER) => {}
        () = core.outcomes.batch_full.notified() => {}
        () = core.flush.cancelled() => {}
    }
}

/// Until it is done. A slice that the store fails on for a fault of its own is halved until the culprit stands alone.
async fn write_records(core: &Arc<Core>, records: Vec<Record>) {
    if records.is_empty() {
        return;
    }
    let at_once = core.store.records_at_once(records.len());
    let mut slices = VecDeque::from([(records, 0)]);
    let mut pause = PAUSE_MIN;
    while let Some((mut records, faults)) = slices.pop_front() {
        if records.len() > at_once {
            slices.push_front((records.split_off(at_once), 0));
        }
        match core.store.record(records.clone()).await {
            Ok(recorded) => {
                pause = PAUSE_MIN;
                settle(core, &records, &recorded);
            }
            Err(StoreError::Unavailable { reason }) => {
                tracing::warn!(
                    reason,
                    outcomes = records.len(),
                    "outcomes could not be recorded; trying again"
                );
                slices.push_front((records, faults));
                rest(&mut pause).await;
            }
            Err(fault) if records.len() > 1 => {
                tracing::error!(%fault, "outcomes could not be recorded together; trying their halves");
                let rest = records.split_off(records.len() / 2);
                slices.push_front((rest, 0));
                slices.push_front((records, 0));
            }
            Err(fault) if faults + 1 < FAULTS_MAX => {
                tracing::error!(%fault, "an outcome could not be recorded; trying again");
                slices.push_back((records, faults + 1));
                rest(&mut pause).await;
            }
            Err(fault) => give_up(core, &records, &fault),
        }
    }
}

/// Until it is done, or the store refuses it for a fault of its own: then memory knows it, until a restart.
async fn write_notes(core: &Core, notes: Vec<HealthNote>) {
    let mut pause = PAUSE_MIN;
    let mut faults = 0;
    while !notes.is_empty() {
        let Err(fault) = core.store.note_health(notes.clone()).await else { return };
        tracing::warn!(%fault, endpoints = notes.len(), "the health of endpoints could not be noted; trying again");
        faults += u32::from(!matches!(fault, StoreError::Unavailable { .. }));
        if faults >= FAULTS_MAX {
            return tracing::error!(%fault, "the health of endpoints cannot be noted");
        }
        rest(&mut pause).await;
    }
}

async fn rest(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(PAUSE_MAX);
}

/// The delivery stays claimed, so a restart sends it again: at least once.
fn give_up(core: &Arc<Core>, records: &[Record], fault: &StoreError) {
    for record in records {
        tracing::error!(delivery = %record.delivery.id, %fault, "an outcome cannot be recorded");
    }
    add(&core.counters.unrecordable, records.len() as u64);
    free(core, records);
}

fn settle(core: &Arc<Core>, records: &[Record], recorded: &[Recorded]) {
    if core.store.feed().is_wanted() {
        tell(core, records, recorded);
    }
    for (record, recorded) in records.iter().zip(recorded) {
        match (recorded, record.verdict) {
            (Recorded::Lost, _) => {
                add(&core.counters.lost, 1);
                tracing::debug!(delivery = %record.delivery.id, "the claim no longer held when the outcome came");
            }
            (Recorded::Applied, Verdict::RetryAt(at)) => {
                add(&core.counters.recorded, 1);
                put_off(core, record.delivery.endpoint_id, at);
            }
            (Recorded::Applied, _) => add(&core.counters.recorded, 1),
        }
    }
    free(core, records);
}

/// Whoever listens hears of what was recorded. Of an endpoint that was deleted meanwhile nobody hears any more.
fn tell(core: &Core, records: &[Record], recorded: &[Recorded]) {
    let applied = records.iter().zip(recorded).filter(|(_, recorded)| **recorded == Recorded::Applied);
    let happened: Vec<_> = applied
        .filter_map(|(record, _)| {
            let endpoint = core.store.routes().endpoint(record.delivery.endpoint_id)?;
            let failing = core.store.healths().of(&endpoint);
            Some(Happened::Attempted { endpoint, failing, record: record.clone() })
        })
        .collect();
    core.store.feed().put(happened);
}

/// The endpoint may have been deleted, or found gone, while the attempt ran: then what is put off has nothing to wait for.
fn put_off(core: &Core, id: EndpointId, at: Timestamp) {
    match core.standing(id) {
        Standing::Dead(_) => core.chores.put(Chore::End(id)),
        Standing::Enabled(_) | Standing::Held => core.due(id, at),
    }
}

fn free(core: &Arc<Core>, records: &[Record]) {
    let bytes = records.iter().map(|record| record.delivery.payload.len()).sum();
    core.with_lanes(|lanes| lanes.recorded(records.len(), bytes));
    core.pump();
}

async fn write_releases(core: &Arc<Core>, releases: Vec<(EndpointId, Release)>) {
    let mut pause = PAUSE_MIN;
    let rows: Vec<Release> = releases.iter().map(|(_, release)| *release).collect();
    while let Err(fault) = core.store.release(rows.clone()).await {
        tracing::warn!(%fault, deliveries = rows.len(), "deliveries could not be given back; trying again");
        rest(&mut pause).await;
    }
    for (id, release) in releases {
        core.due(id, release.due_at);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::attempt::{Attempt, HeaderList, Response, Timings};
    use domain::id::IdSource;
    use domain::limits::RESPONSE_BYTES_MAX;
    use domain::outcome::Outcome;

    use super::*;
    use crate::lanes::tests::{NOW, claimed};

    fn record(ids: &IdSource, body_bytes: usize) -> Record {
        let delivery = claimed(ids, ids.endpoint(NOW), 0);
        let body = Bytes::from(vec![0; body_bytes]);
        let attempt = Attempt {
            id: ids.attempt(NOW),
            number: 1,
            started_at: NOW,
            duration_ms: 1,
            outcome: Outcome::Succeeded,
            status_code: Some(200),
            error: None,
            remote_address: None,
            request_headers: HeaderList::default(),
            response: Some(Response { body, ..Response::default() }),
            timings: Timings::default(),
        };
        Record { delivery: Arc::new(delivery), attempt: Arc::new(attempt), verdict: Verdict::Succeeded }
    }

    /// How many are written together, batch after batch, of so many with such an answer.
    fn batches(count: usize, body_bytes: usize) -> Vec<usize> {
        let (outcomes, ids) = (Outcomes::default(), IdSource::seeded(1));
        (0..count).for_each(|_| outcomes.put_record(record(&ids, body_bytes)));
        let mut batches = Vec::new();
        while outcomes.has_batch() {
            batches.push(outcomes.take().records.len());
        }
        batches.push(outcomes.take().records.len());
        assert!(outcomes.is_empty());
        batches
    }

    #[test]
    fn outcomes_wait_for_company_up_to_a_number_and_a_size() {
        assert_eq!(batches(RECORD_BATCH_MAX - 1, 2), [RECORD_BATCH_MAX - 1]);
        assert_eq!(batches(RECORD_BATCH_MAX + 3, 2), [RECORD_BATCH_MAX, 3]);
        let full = RECORD_BATCH_BYTES_MAX / RESPONSE_BYTES_MAX;
        assert_eq!(batches(full - 1, RESPONSE_BYTES_MAX), [full - 1]);
        assert_eq!(batches(2 * full + 1, RESPONSE_BYTES_MAX), [full, full, 1]);
    }
}
