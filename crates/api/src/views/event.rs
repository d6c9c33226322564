//! Events as shown.

use domain::delivery::Delivery;
use domain::event::{Considered, Event, Fate};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{text, time};
use crate::problem::Fault;

/// An event that is durably stored, with its deliveries.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAccepted {
    #[schema(example = "evt_01JB2Z8Q4X9T6K3M5N7P0R1S2V")]
    pub(crate) id: String,
    /// Canonical, also where the payload named an alias.
    #[serde(rename = "type")]
    kind: String,
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// How many deliveries were stored; 0 is no error.
    deliveries: usize,
    /// Faults against the type's schema; only with `validate=warn`, and only if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) warnings: Vec<Fault>,
}

/// An event in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(crate) struct EventRow {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// How many deliveries were stored when it was published.
    deliveries: usize,
}

/// An event with its payload and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventDetail)]
pub(crate) struct EventView {
    #[serde(flatten)]
    row: EventRow,
    /// As published, byte for byte.
    #[schema(value_type = Object)]
    payload: Option<Box<RawValue>>,
    /// Every endpoint that subscribed to the type and whose owner fitted when the event was published.
    endpoints: Vec<Became>,
}

/// What became of an event at one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Became {
    endpoint_id: String,
    /// The delivery that succeeded, else the latest one; null where there is none.
    #[schema(required)]
    delivery_id: Option<String>,
    /// The delivery's status.
    #[schema(required)]
    status: Option<&'static str>,
    /// Why there is no delivery: `disabled`, `filtered`, `missing-scope` or `own-event`.
    #[schema(required)]
    reason: Option<&'static str>,
}

/// The answers to a batch, in the order of its events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    pub(crate) results: Vec<BatchItem>,
}

/// What became of one event of a batch: an `id` with status 202, else a `problem`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::problem::ProblemView>)]
    pub(crate) problem: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) warnings: Vec<Fault>,
}

fn delivery_count(event: &Event) -> usize {
    event.considered.iter().filter(|considered| matches!(considered.fate, Fate::Delivery(_))).count()
}

impl EventAccepted {
    pub(crate) fn of(event: &Event, warnings: Vec<Fault>) -> Self {
        let EventRow { id, kind, location_id, company_id, app_id, created_at, deliveries } =
            EventRow::of(event);
        Self { id, kind, location_id, company_id, app_id, created_at, deliveries, warnings }
    }
}

impl EventRow {
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            id: text(event.id),
            kind: text(&event.type_name),
            location_id: event.location_id.as_ref().map(text),
            company_id: event.company_id.as_ref().map(text),
            app_id: event.app_id.as_ref().map(text),
            created_at: time(event.created_at()),
            deliveries: delivery_count(event),
        }
    }
}

impl EventView {
    pub(crate) fn of(event: &Event, endpoints: Vec<Became>) -> Self {
        let payload = serde_json::from_slice(&event.payload).ok();
        Self { row: EventRow::of(event), payload, endpoints }
    }
}

impl Became {
    /// `deliveries`: all of the event, oldest first.
    pub(crate) fn of(considered: &Considered, deliveries: &[Delivery]) -> Self {
        let endpoint_id = considered.endpoint_id;
        let mut here = deliveries.iter().filter(|delivery| delivery.endpoint_id == endpoint_id);
        let shown = here.clone().find(|delivery| delivery.status == domain::delivery::Status::Succeeded);
        let shown = shown.or_else(|| here.next_back());
        let (fate_id, reason) = match considered.fate {
            Fate::Delivery(id) => (Some(id), None),
            Fate::Skipped(reason) => (None, Some(reason.as_str())),
        };
        Self {
            endpoint_id: text(endpoint_id),
            delivery_id: shown.map(|delivery| delivery.id).or(fate_id).map(text),
            status: shown.map(|delivery| delivery.status.as_str()),
            reason,
        }
    }
}
