//! Deliveries and attempts as shown.

use std::collections::BTreeMap;

use domain::attempt::{Attempt, AttemptHead, HeaderList, Response, Timings};
use domain::delivery::Delivery;
use serde::Serialize;
use store::deliveries::ListedDelivery;
use utoipa::ToSchema;

use super::{text, time};

/// A delivery without its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery)]
pub(crate) struct DeliveryRow {
    id: String,
    event_id: String,
    endpoint_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[schema(required)]
    location_id: Option<String>,
    /// `event`, `retry`, `replay` or `test`.
    trigger: &'static str,
    /// The delivery that this one repeats.
    #[schema(required)]
    retry_of: Option<String>,
    /// `pending`, `delivering`, `retrying`, `waiting`, `succeeded`, `failed` or `cancelled`.
    status: &'static str,
    /// Finished attempts.
    attempt_count: u32,
    /// Null once it is finished, and while it waits: its endpoint's `health` says for what.
    #[schema(required, format = DateTime)]
    next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    completed_at: Option<String>,
    /// Why it failed or was cancelled: `exhausted`, `gone`, `endpoint-failing`, `address-refused`, `by-hand` or
    /// `endpoint-deleted`.
    #[schema(required)]
    end_reason: Option<&'static str>,
}

/// A delivery in a list, with what its latest attempt came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedDelivery)]
pub(crate) struct ListedDeliveryView {
    #[serde(flatten)]
    row: DeliveryRow,
    /// Null before the first attempt has ended.
    #[schema(required)]
    last_attempt: Option<LastAttempt>,
}

/// The latest finished attempt of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LastAttempt {
    /// From 1.
    number: u32,
    #[schema(format = DateTime)]
    started_at: String,
    duration_ms: u32,
    /// `succeeded`, `http-error`, `timeout`, `dns`, `connect`, `tls`, `blocked` or `protocol`.
    outcome: &'static str,
    #[schema(required)]
    status_code: Option<u16>,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeliveryDetail)]
pub(crate) struct DeliveryView {
    #[serde(flatten)]
    row: DeliveryRow,
    /// Oldest first.
    attempts: Vec<AttemptView>,
}

/// One HTTP request to the receiver, and what came back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    id: String,
    /// From 1.
    number: u32,
    #[schema(format = DateTime)]
    started_at: String,
    duration_ms: u32,
    /// `succeeded`, `http-error`, `timeout`, `dns`, `connect`, `tls`, `blocked` or `protocol`.
    outcome: &'static str,
    #[schema(required)]
    status_code: Option<u16>,
    /// One sentence for the receiver's owner; null on success.
    #[schema(required)]
    error: Option<String>,
    #[schema(required, example = "203.0.113.7:443")]
    remote_address: Option<String>,
    request: RequestView,
    #[schema(required)]
    response: Option<ResponseView>,
    timings: TimingsView,
}

/// The attempt of a test send, with the ids under which it is logged.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TestAttempt)]
pub(crate) struct TestView {
    #[serde(flatten)]
    pub(crate) attempt: AttemptView,
    pub(crate) delivery_id: String,
    pub(crate) event_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptRequest)]
struct RequestView {
    /// Without any usable secret.
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptResponse)]
struct ResponseView {
    headers: BTreeMap<String, String>,
    /// At most 64 KiB; bytes that are not UTF-8 are shown as U+FFFD.
    body: String,
    truncated: bool,
}

/// Milliseconds of each phase; null for one that did not happen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AttemptTimings)]
struct TimingsView {
    #[schema(required)]
    dns_ms: Option<u32>,
    #[schema(required)]
    connect_ms: Option<u32>,
    #[schema(required)]
    tls_ms: Option<u32>,
    #[schema(required)]
    wait_ms: Option<u32>,
}

impl DeliveryRow {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        Self {
            id: text(delivery.id),
            event_id: text(delivery.event_id),
            endpoint_id: text(delivery.endpoint_id),
            kind: text(&delivery.type_name),
            location_id: delivery.location_id.as_ref().map(text),
            trigger: delivery.trigger.as_str(),
            retry_of: delivery.retry_of.map(text),
            status: delivery.status.as_str(),
            attempt_count: delivery.attempt_count,
            next_attempt_at: delivery.next_attempt_at.map(time),
            created_at: time(delivery.created_at()),
            completed_at: delivery.completed_at.map(time),
            end_reason: delivery.end_reason.map(|reason| reason.as_str()),
        }
    }
}

impl ListedDeliveryView {
    pub(crate) fn of(listed: &ListedDelivery) -> Self {
        Self {
            row: DeliveryRow::of(&listed.delivery),
            last_attempt: listed.last_attempt.as_ref().map(LastAttempt::of),
        }
    }
}

impl LastAttempt {
    fn of(head: &AttemptHead) -> Self {
        let AttemptHead { number, started_at, duration_ms, outcome, status_code } = *head;
        Self { number, started_at: time(started_at), duration_ms, outcome: outcome.as_str(), status_code }
    }
}

impl DeliveryView {
    pub(crate) fn of(delivery: &Delivery, attempts: &[Attempt]) -> Self {
        let attempts = attempts.iter().map(AttemptView::of).collect();
        Self { row: DeliveryRow::of(delivery), attempts }
    }
}

impl AttemptView {
    pub(crate) fn of(attempt: &Attempt) -> Self {
        Self {
            id: text(attempt.id),
            number: attempt.number,
            started_at: time(attempt.started_at),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome.as_str(),
            status_code: attempt.status_code,
            error: attempt.error.clone(),
            remote_address: attempt.remote_address.clone(),
            request: RequestView { headers: headers_of(&attempt.request_headers) },
            response: attempt.response.as_ref().map(ResponseView::of),
            timings: TimingsView::of(attempt.timings),
        }
    }
}

impl ResponseView {
    fn of(response: &Response) -> Self {
        Self {
            headers: headers_of(&response.headers),
            body: String::from_utf8_lossy(&response.body).into_owned(),
            truncated: response.truncated,
        }
    }
}

impl TimingsView {
    fn of(timings: Timings) -> Self {
        let Timings { dns_ms, connect_ms, tls_ms, wait_ms } = timings;
        Self { dns_ms, connect_ms, tls_ms, wait_ms }
    }
}

/// A header that came several times is one value, joined by commas (RFC 9110 §5.3).
fn headers_of(list: &HeaderList) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in list.iter() {
        let joined = headers.entry(name.to_owned()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(value);
    }
    headers
}
