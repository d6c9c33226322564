//! What a stream carries.

use domain::attempt::Attempt;
use domain::delivery::Delivery;
use domain::endpoint::Endpoint;
use serde::Serialize;
use serde_json::Value;

use super::{AttemptView, DeliveryRow, text};

/// A delivery with the attempt that was just recorded.
#[derive(Debug, Serialize)]
pub(crate) struct StreamedAttempt {
    delivery: DeliveryRow,
    /// As in a delivery's `attempts`; without `request` and `response` where no payloads are asked for.
    attempt: Value,
    /// The published body.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// An endpoint that is gone.
#[derive(Debug, Serialize)]
pub(crate) struct DeletedEndpoint {
    id: String,
    deleted: bool,
}

impl StreamedAttempt {
    pub(crate) fn of(delivery: &Delivery, attempt: &Attempt, payload: &[u8]) -> Self {
        // What is published is UTF-8.
        let payload = Some(String::from_utf8_lossy(payload).into_owned());
        Self { delivery: DeliveryRow::of(delivery), attempt: whole(attempt), payload }
    }

    pub(crate) fn without_payload(delivery: &Delivery, attempt: &Attempt) -> Self {
        let mut attempt = whole(attempt);
        if let Value::Object(members) = &mut attempt {
            members.retain(|name, _| !["request", "response"].contains(&name.as_str()));
        }
        Self { delivery: DeliveryRow::of(delivery), attempt, payload: None }
    }
}

fn whole(attempt: &Attempt) -> Value {
    serde_json::to_value(AttemptView::of(attempt))
        .expect("views have text keys only and serialise without fail")
}

impl DeletedEndpoint {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self { id: text(endpoint.id), deleted: true }
    }
}
