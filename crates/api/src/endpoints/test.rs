//! Test sends: one attempt now, whatever the state of the endpoint; logged, hidden from the list of events, never repeated.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use catalogue::{EventType, PayloadFault, Validate};
use domain::attempt::Attempt;
use domain::delivery::{EndReason, Trigger};
use domain::endpoint::{Endpoint, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::id::EndpointId;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::Owner;
use http::StatusCode;
use store::feed::Happened;
use store::queue::{Claim, ClaimedDelivery, Record};
use utoipa::ToSchema;

use super::no_endpoint;
use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Manager;
use crate::engine::TestSend;
use crate::event_types::known_type;
use crate::fields::Fields;
use crate::once::once;
use crate::path::Id;
use crate::problem::{Code, Problem};
use crate::views::{AttemptView, TestView, text};

/// What to send.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct TestBody {
    /// The first subscribed type by default.
    #[schema(rename = "type")]
    kind: Option<String>,
    /// Sent byte for byte; by default the type's example with the owner's id put in.
    #[schema(value_type = Option<Object>)]
    payload: Option<()>,
}

/// Send a test event.
///
/// Sends it now, waits, and answers the attempt, whatever the receiver said. Works on a disabled endpoint too.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/test", operation_id = "testEndpoint", tag = "Endpoints",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    request_body(content = Option<TestBody>, description = "Optional"),
    responses((status = 200, description = "The attempt, also where it failed", body = TestView)),
)]
pub(crate) async fn test_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    once(&api, &caller, &command, async |keep| {
        let endpoint = api.store.endpoint(&caller.scope, id).await.map_err(no_endpoint)?;
        let (event, delivery) = prepare(&api, &endpoint, &command.body)?;
        let attempt = api.engine.test(test_send(Arc::clone(&endpoint), &event, &delivery)).await;
        let view = TestView {
            attempt: AttemptView::of(&attempt),
            delivery_id: text(delivery.id),
            event_id: text(event.id),
        };
        let body = answer::bytes(&view);
        let kept = body.clone();
        let keep = keep.answer(move |()| (StatusCode::OK, kept));
        let record = record(delivery, attempt);
        caller.store(&api).record_test(event, record.clone(), keep).await?;
        let failing = api.store.healths().of(&endpoint);
        api.store.feed().put([Happened::Attempted { endpoint, failing, record }]);
        Ok(answer::json_bytes(StatusCode::OK, body))
    })
    .await
}

fn test_send(endpoint: Arc<Endpoint>, event: &Event, delivery: &ClaimedDelivery) -> TestSend {
    TestSend {
        endpoint,
        event_id: event.id,
        delivery_id: delivery.id,
        type_name: event.type_name.clone(),
        payload: event.payload.clone(),
    }
}

fn record(delivery: ClaimedDelivery, attempt: Attempt) -> Record {
    let verdict = match attempt.outcome {
        Outcome::Succeeded => Verdict::Succeeded,
        _ => Verdict::Ended(EndReason::Exhausted),
    };
    Record { delivery: Arc::new(delivery), attempt: Arc::new(attempt), verdict }
}

fn prepare(api: &Api, endpoint: &Endpoint, body: &[u8]) -> Result<(Event, ClaimedDelivery), Problem> {
    let (event_type, payload) = read(api, endpoint, body)?;
    let (event_id, ids) = api.ids.event_with_deliveries(api.clock.now(), 1);
    let delivery_id = *ids.first().expect("one was asked for");
    let considered = vec![Considered { endpoint_id: endpoint.id, fate: Fate::Delivery(delivery_id) }];
    let mut event = Event {
        id: event_id,
        type_name: event_type.type_name().clone(),
        scope: EventScope::of(&endpoint.owner),
        location_id: None,
        company_id: None,
        app_id: None,
        payload: payload.clone(),
        visibility: Visibility::TestOnly,
        considered,
    };
    match endpoint.owner.clone() {
        Owner::Location(id) => event.location_id = Some(id),
        Owner::Company(id) => event.company_id = Some(id),
        Owner::App(id) => event.app_id = Some(id),
    }
    let delivery = ClaimedDelivery {
        id: delivery_id,
        event_id,
        endpoint_id: endpoint.id,
        type_name: event.type_name.clone(),
        location_id: event.location_id.clone(),
        trigger: Trigger::Test,
        retry_of: None,
        attempt_count: 0,
        claim: Claim(0),
        payload,
    };
    Ok((event, delivery))
}

fn read<'a>(api: &'a Api, endpoint: &Endpoint, body: &[u8]) -> Result<(&'a EventType, Bytes), Problem> {
    let mut fields = Fields::of_optional(body)?;
    let mut event_type = first_subscribed(api, endpoint);
    if let Some(name) = fields.text("type", usize::MAX - 1).value() {
        match known_type(api, &name) {
            Ok(named) => event_type = named,
            Err(sentence) => fields.faults.add(Code::UnknownType, "/type", sentence),
        }
    }
    let payload = fields.raw("payload").filter(|raw| raw.get() != "null");
    fields.finish()?;
    let payload = match payload {
        Some(raw) => Bytes::copy_from_slice(raw.get().as_bytes()),
        None => api.catalogue.example_for(event_type.index(), &endpoint.owner).into(),
    };
    is_object(api, &payload)?;
    Ok((event_type, payload))
}

/// A test payload need not fit a schema, but what is sent is always a sound JSON object.
fn is_object(api: &Api, payload: &[u8]) -> Result<(), Problem> {
    match api.catalogue.inspect(payload, Validate::Off) {
        Err(
            fault @ (PayloadFault::InvalidJson { .. }
            | PayloadFault::NotAnObject { .. }
            | PayloadFault::DuplicateKey { .. }),
        ) => Err(Problem::from(fault).under("/payload")),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Of `["*"]`: the first type whose scope fits the owner.
fn first_subscribed<'a>(api: &'a Api, endpoint: &Endpoint) -> &'a EventType {
    let types = api.catalogue.types();
    let first = match &endpoint.subscription {
        Subscription::Types(names) => names.first().and_then(|name| api.catalogue.find(name)),
        Subscription::All => {
            types.iter().find(|event_type| event_type.scope() == EventScope::of(&endpoint.owner))
        }
    };
    first.unwrap_or(&types[0])
}
