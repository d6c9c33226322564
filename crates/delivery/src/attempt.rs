//! One attempt: the endpoint as it stands now, one request within its time, and the verdict.
//!
//! A worker is a task that takes delivery after delivery as the lanes give them, so that under load nothing is spawned
//! per event. Whatever happens to it, its slot is freed and its delivery is recorded or given back.

use std::sync::Arc;

use domain::attempt::{Attempt, HeaderList, Timings};
use domain::endpoint::{DisabledReason, Endpoint};
use domain::health::{LastFailure, Receiver};
use domain::id::EndpointId;
use domain::limits::ATTEMPT_TIMEOUT_MS;
use domain::outcome::{Failure, Outcome, status_sentence};
use domain::retry::{Ended, Verdict, judge, retry_after_ms};
use domain::time::Timestamp;
use rand::RngExt;
use store::queue::{ClaimedDelivery, Record};

use crate::circuits::Told;
use crate::claim::Standing;
use crate::counters::add;
use crate::egress::{self, AtFault, Exchange};
use crate::engine::Core;
use crate::lanes::{Ended as Over, Pace, Refill, Start};
use crate::request::{self, Prepared, Sending, Unusable};
use crate::sweep::Chore;

/// After a fault of ours a delivery waits this long.
const FAULT_PAUSE_MS: i64 = 60_000;

/// After an attempt for which this machine had no connection left.
const NO_SOCKET_PAUSE_MS: i64 = 5_000;

/// A finished attempt, before its verdict.
#[derive(Debug)]
struct Sent {
    attempt: Attempt,
    result: Result<u16, Failure>,
    retry_after_ms: Option<i64>,
    ended_at: Timestamp,
    at_fault: Option<AtFault>,
}

/// Runs `start` and whatever the lanes give after it.
pub(crate) async fn work(core: Arc<Core>, start: Start) {
    let mut next = Some(start);
    while let Some(start) = next {
        deliver(&core, start).await;
        next = core.next_start();
        if next.is_some() {
            core.pump();
        }
    }
}

async fn deliver(core: &Arc<Core>, start: Start) {
    let slot = Slot::new(core, start.delivery);
    let id = slot.delivery.endpoint_id;
    core.refill(id, start.refill);
    if !core.store.may_send(slot.delivery.claim) {
        return slot.release(core.clock.now());
    }
    let prepared = match core.standing(id) {
        Standing::Enabled(endpoint) => {
            let kept = start.prepared.filter(|prepared| Arc::ptr_eq(&prepared.endpoint, &endpoint));
            kept.map_or_else(|| core.prepare(endpoint), Ok)
        }
        Standing::Held => return slot.release(core.clock.now()),
        Standing::Dead(_) => {
            slot.release(core.clock.now());
            return core.chores.put(Chore::End(id));
        }
    };
    let sending = core.sending(&slot.delivery);
    let attempt = core.attempt(prepared.as_deref().map_err(|unusable| *unusable), sending);
    match core.abandon.run_until_cancelled(attempt).await {
        Some(sent) if sent.at_fault.is_some() => {
            slot.release(core.clock.now().plus_millis(NO_SOCKET_PAUSE_MS))
        }
        Some(sent) => slot.finish(sent, prepared.ok().as_deref()),
        None => slot.release(core.clock.now()),
    }
}

impl Core {
    fn prepare(&self, endpoint: Arc<Endpoint>) -> Result<Arc<Prepared>, Unusable> {
        let prepared = Arc::new(Prepared::new(endpoint)?);
        self.with_lanes(|lanes| lanes.keep_prepared(&prepared));
        Ok(prepared)
    }

    fn sending<'a>(&'a self, delivery: &'a ClaimedDelivery) -> Sending<'a> {
        Sending {
            event_id: delivery.event_id,
            delivery_id: delivery.id,
            type_name: &delivery.type_name,
            attempt_number: delivery.attempt_count + 1,
            payload: &delivery.payload,
            user_agent: &self.user_agent,
        }
    }

    /// One request of a test send. Nothing follows from its answer, so a 410 is told without its consequence.
    pub(crate) async fn test(&self, prepared: Result<&Prepared, Unusable>, sending: Sending<'_>) -> Attempt {
        let mut attempt = self.attempt(prepared, sending).await.attempt;
        if attempt.status_code == Some(410) {
            attempt.error =
                Some("the receiver answered 410 Gone; a delivery would disable the endpoint".to_owned());
        }
        attempt
    }

    /// One request, whatever becomes of it.
    async fn attempt(&self, prepared: Result<&Prepared, Unusable>, sending: Sending<'_>) -> Sent {
        let started_at = self.clock.now();
        let outgoing = prepared.and_then(|prepared| prepared.request(sending, started_at));
        let (exchange, headers) = match outgoing {
            Ok(outgoing) => {
                let deadline_at = started_at.plus_millis(ATTEMPT_TIMEOUT_MS);
                let exchange = egress::exchange(&*self.transport, &self.clock, &outgoing, deadline_at).await;
                (exchange, request::logged(&outgoing.headers))
            }
            Err(unusable) => (unsent(unusable, sending), HeaderList::default()),
        };
        let ended_at = self.clock.now();
        let duration_ms = u32::try_from(ended_at.since(started_at).max(0)).unwrap_or(u32::MAX);
        let outcome = match &exchange.result {
            Ok(status) => Outcome::of_status(*status),
            Err(failure) => failure.outcome(),
        };
        if exchange.at_fault.is_none() {
            self.counters.attempt(outcome, duration_ms);
        }
        if let Some(refused) = exchange.refused {
            self.counters.refuse(refused);
        }
        let attempt = Attempt {
            id: self.ids.attempt(started_at),
            number: sending.attempt_number,
            started_at,
            duration_ms,
            outcome,
            status_code: exchange.result.as_ref().ok().copied(),
            error: sentence(&exchange.result),
            remote_address: exchange.remote_address.map(|address| address.to_string()),
            request_headers: headers,
            response: exchange.response,
            timings: exchange.timings,
        };
        let retry_after_ms = exchange.retry_after.and_then(|value| retry_after_ms(&value, ended_at));
        Sent { attempt, result: exchange.result, retry_after_ms, ended_at, at_fault: exchange.at_fault }
    }

    /// Whom the attempt asked, if what it said is still about this endpoint: not after it was moved, or enabled anew.
    fn receiver(&self, asked: &Endpoint) -> Option<Receiver> {
        self.standing(asked.id).receiver().filter(|now| Receiver::of(asked).as_ref() == Some(now))
    }

    /// What the attempt says of its endpoint. `prepared` is `None` when nothing could be sent, which is not the receiver's fault.
    fn told(&self, sent: &Sent, prepared: Option<&Prepared>) -> Told {
        if sent.attempt.outcome == Outcome::Succeeded {
            let asked = prepared.and_then(|prepared| Receiver::of(&prepared.endpoint));
            return asked.map_or(Told::Nothing, Told::Succeeded);
        }
        let Some(receiver) = prepared.and_then(|prepared| self.receiver(&prepared.endpoint)) else {
            return Told::Nothing;
        };
        let failure = LastFailure { outcome: sent.attempt.outcome, status_code: sent.attempt.status_code };
        Told::Failed { receiver, failure, jitter: self.jitter() }
    }

    /// From -1 to 1.
    pub(crate) fn jitter(&self) -> f64 {
        self.jitter.lock().random_range(-1.0..=1.0)
    }

    fn verdict(&self, sent: &Sent, prepared: Option<&Prepared>) -> Verdict {
        let own = prepared.and_then(|prepared| prepared.endpoint.retry_schedule.as_deref());
        let ended = Ended {
            result: sent.result.as_ref().copied(),
            attempt_number: sent.attempt.number,
            retry_after_ms: sent.retry_after_ms,
            at: sent.ended_at,
        };
        judge(ended, own.unwrap_or(&self.retry_waits_s), self.jitter())
    }
}

fn sentence(result: &Result<u16, Failure>) -> Option<String> {
    match result {
        Ok(status) => status_sentence(*status),
        Err(failure) => Some(failure.to_string()),
    }
}

fn unsent(unusable: Unusable, sending: Sending<'_>) -> Exchange {
    tracing::error!(delivery = %sending.delivery_id, fault = %unusable, "an endpoint cannot be sent to");
    Exchange {
        result: Err(Failure::Connect(
            "the endpoint's settings cannot be used; save the endpoint again".to_owned(),
        )),
        retry_after: None,
        remote_address: None,
        response: None,
        timings: Timings::default(),
        at_fault: None,
        refused: None,
    }
}

fn pace(sent: &Sent) -> Pace {
    match &sent.result {
        Ok(_) => Pace::Answered,
        Err(Failure::Timeout(_)) => Pace::TimedOut,
        Err(_) => Pace::Other,
    }
}

/// Holds a slot of a lane. However it ends, the slot is freed and the delivery goes somewhere.
struct Slot {
    core: Arc<Core>,
    delivery: Arc<ClaimedDelivery>,
    is_settled: bool,
}

impl Slot {
    fn new(core: &Arc<Core>, delivery: ClaimedDelivery) -> Self {
        Self { core: Arc::clone(core), delivery: Arc::new(delivery), is_settled: false }
    }

    fn endpoint_id(&self) -> EndpointId {
        self.delivery.endpoint_id
    }

    fn finish(mut self, sent: Sent, prepared: Option<&Prepared>) {
        self.is_settled = true;
        let id = self.endpoint_id();
        let verdict = self.core.verdict(&sent, prepared);
        let told = self.core.told(&sent, prepared);
        let is_gone = sent.result == Ok(410) && told != Told::Nothing;
        let ended = Over { pace: pace(&sent), told, at: sent.ended_at };
        let finished = self.core.with_lanes(|lanes| lanes.finished(id, ended));
        self.core.release_waiting(finished.drained, sent.ended_at);
        self.core.refill(id, finished.refill);
        let reason = if is_gone {
            Some(DisabledReason::Gone)
        } else {
            finished.ends_endpoint.then_some(DisabledReason::Failing)
        };
        if let Some(reason) = reason
            && let Some(asked) = prepared.and_then(|prepared| Receiver::of(&prepared.endpoint))
        {
            self.core.disable(id, asked, reason);
        }
        let record =
            Record { delivery: Arc::clone(&self.delivery), attempt: Arc::new(sent.attempt), verdict };
        self.core.outcomes.put_record(record);
    }

    /// Without an attempt.
    fn release(mut self, due_at: Timestamp) {
        self.give_up(due_at);
    }

    fn give_up(&mut self, due_at: Timestamp) {
        self.is_settled = true;
        let id = self.endpoint_id();
        let refill: Refill = self.core.with_lanes(|lanes| lanes.abandoned(id, self.delivery.payload.len()));
        self.core.refill(id, refill);
        self.core.release([&*self.delivery], due_at);
    }
}

/// Reached unsettled only by a panic, a fault of ours.
impl Drop for Slot {
    fn drop(&mut self) {
        if !self.is_settled {
            add(&self.core.counters.panics, 1);
            tracing::error!(delivery = %self.delivery.id, "an attempt ended in a fault of ours; it is tried again");
            self.give_up(self.core.clock.now().plus_millis(FAULT_PAUSE_MS));
            self.core.pump();
        }
    }
}
