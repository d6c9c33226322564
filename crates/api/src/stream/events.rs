//! What happened, as a client reads it.

use domain::delivery::{Delivery, Status};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::health::Failing;
use domain::retry::Verdict;
use domain::time::Timestamp;
use serde::Serialize;
use store::feed::Happened;
use store::queue::Record;

use crate::views::{DeletedEndpoint, EndpointView, StreamedAttempt};

/// How much of an attempt is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Outcomes,
    /// Headers and bodies too.
    Payloads,
}

/// The lines of one event, but for its id.
pub(super) fn written(happened: &Happened, shown: Shown) -> String {
    match happened {
        Happened::Attempted { endpoint, failing, record } => {
            let delivery = after(record, endpoint, failing.as_ref());
            let view = match shown {
                Shown::Outcomes => StreamedAttempt::without_payload(&delivery, &record.attempt),
                Shown::Payloads => StreamedAttempt::of(&delivery, &record.attempt, &record.delivery.payload),
            };
            lines("attempt", &view)
        }
        Happened::Changed { endpoint, .. } if endpoint.is_deleted() => {
            lines("endpoint", &DeletedEndpoint::of(endpoint))
        }
        Happened::Changed { endpoint, failing } => {
            lines("endpoint", &EndpointView::of(endpoint, failing.as_ref()))
        }
    }
}

/// JSON has no line breaks but escaped ones.
fn lines(event: &str, view: &impl Serialize) -> String {
    let data = serde_json::to_string(view).expect("views have text keys only and serialise without fail");
    format!("event: {event}\ndata: {data}\n\n")
}

/// The delivery as the log shows it once the attempt is recorded.
fn after(record: &Record, endpoint: &Endpoint, failing: Option<&Failing>) -> Delivery {
    let Record { delivery, attempt, verdict } = record;
    let ended_at = attempt.started_at.plus_millis(i64::from(attempt.duration_ms));
    let (status, next_attempt_at, end_reason) = match verdict {
        Verdict::Succeeded => (Status::Succeeded, None, None),
        Verdict::Ended(reason) => (reason.status(), None, Some(*reason)),
        Verdict::RetryAt(at) if is_held_back(*at, endpoint, failing) => (Status::Waiting, None, None),
        Verdict::RetryAt(at) => (Status::Retrying, Some(*at), None),
    };
    Delivery {
        id: delivery.id,
        event_id: delivery.event_id,
        endpoint_id: delivery.endpoint_id,
        type_name: delivery.type_name.clone(),
        location_id: delivery.location_id.clone(),
        trigger: delivery.trigger,
        retry_of: delivery.retry_of,
        status,
        attempt_count: delivery.attempt_count + 1,
        next_attempt_at,
        completed_at: status.is_final().then_some(ended_at),
        end_reason,
    }
}

fn is_held_back(due_at: Timestamp, endpoint: &Endpoint, failing: Option<&Failing>) -> bool {
    let by_hand = matches!(endpoint.state, EndpointState::Disabled { reason: DisabledReason::ByHand, .. });
    by_hand || failing.is_some_and(|failing| due_at < failing.held_until)
}
