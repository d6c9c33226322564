//! From a payload to what is stored and handed over: inspect, fan out, reserve places in the engine.
//!
//! A reserved place is given back unless it is handed over, whatever happens in between.

use std::sync::Arc;

use bytes::Bytes;
use catalogue::Inspected;
use domain::delivery::Trigger;
use domain::endpoint::Endpoint;
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::fanout::{Choice, Subject};
use domain::id::{DeliveryId, EventId};
use domain::scope::Scope;
use store::events::{Hold, NewDelivery, Publication};
use store::queue::{Claim, ClaimedDelivery, Due};

use super::Wishes;
use crate::Api;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::problem::{Code, Fault, Problem};

/// A checked payload, ready to be stored.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) publication: Publication,
    pub(crate) published: Published,
    pub(crate) warnings: Vec<Fault>,
}

/// What the engine is told once the publication is stored.
#[derive(Debug)]
pub(crate) struct Published {
    engine: Arc<dyn Engine>,
    /// Places in the engine that are reserved. The claim is filled in by [`hand_over`](Self::hand_over).
    reserved: Vec<ClaimedDelivery>,
    unclaimed: Vec<Due>,
}

impl Published {
    pub(crate) fn hand_over(mut self, claim: Claim) {
        for delivery in std::mem::take(&mut self.reserved) {
            self.engine.hand_over(ClaimedDelivery { claim, ..delivery });
        }
        for due in &self.unclaimed {
            self.engine.stored(*due);
        }
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        for delivery in &self.reserved {
            self.engine.give_back(delivery.endpoint_id, delivery.payload.len());
        }
    }
}

/// Judges the payload and decides where it goes.
///
/// # Errors
/// Every fault of the payload, `too-many-requests` where key or location publish too fast, and `forbidden` for an event outside the caller's world.
pub(crate) fn draft(api: &Api, caller: &Caller, payload: Bytes, wishes: &Wishes) -> Result<Draft, Problem> {
    // Before the payload is looked at, so that faulty ones count too.
    api.publish_limits.by_key(caller.token_tag(), api.clock.now())?;
    let mut inspected = api.catalogue.inspect(&payload, wishes.validate)?;
    let warnings = std::mem::take(&mut inspected.warnings).into_iter().map(Fault::from).collect();
    if !may_publish(api, &caller.scope, &inspected) {
        return Err(Problem::new(
            Code::Forbidden,
            "the key may publish only events of its own owner: check the ids in the payload, or use another key",
        ));
    }
    let of_location = inspected.location_id.as_ref().filter(|_| inspected.scope == EventScope::Location);
    api.publish_limits.of_location(of_location, api.clock.now())?;
    let choices = fan_out(api, &inspected, wishes);
    let (publication, published) = publication(api, inspected, payload, choices);
    Ok(Draft { publication, published, warnings })
}

fn may_publish(api: &Api, scope: &Scope, inspected: &Inspected) -> bool {
    let named = (inspected.location_id.as_ref(), inspected.company_id.as_ref(), inspected.app_id.as_ref());
    let sees = |owner| api.store.routes().read().sees(scope, &owner);
    *scope == Scope::Platform || inspected.scope.owner(named).is_some_and(sees)
}

pub(crate) fn fan_out(api: &Api, inspected: &Inspected, wishes: &Wishes) -> Vec<Choice> {
    let event_type = api.catalogue.get(inspected.event_type);
    let subject = Subject {
        type_name: event_type.name(),
        scope: inspected.scope,
        oauth_scope: event_type.oauth_scope(),
        location_id: inspected.location_id.as_ref(),
        company_id: inspected.company_id.as_ref(),
        app_id: inspected.app_id.as_ref(),
        origin_app_id: wishes.origin_app_id.as_ref(),
    };
    domain::fanout::fan_out(subject, &*api.store.routes().read())
}

/// The event with its deliveries, and the places reserved for them.
pub(crate) fn publication(
    api: &Api,
    inspected: Inspected,
    payload: Bytes,
    choices: Vec<Choice>,
) -> (Publication, Published) {
    let sent = choices.iter().filter(|choice| choice.skipped.is_none()).count();
    let (id, delivery_ids) = api.ids.event_with_deliveries(api.clock.now(), sent);
    let event = Event {
        id,
        type_name: api.catalogue.get(inspected.event_type).type_name().clone(),
        scope: inspected.scope,
        location_id: inspected.location_id,
        company_id: inspected.company_id,
        app_id: inspected.app_id,
        payload,
        visibility: Visibility::Listed,
        considered: Vec::with_capacity(choices.len()),
    };
    let published =
        Published { engine: Arc::clone(&api.engine), reserved: Vec::new(), unclaimed: Vec::new() };
    let publication = Publication { event, deliveries: Vec::with_capacity(sent) };
    place(publication, published, choices, delivery_ids)
}

fn place(
    mut publication: Publication,
    mut published: Published,
    choices: Vec<Choice>,
    delivery_ids: Vec<DeliveryId>,
) -> (Publication, Published) {
    let mut delivery_ids = delivery_ids.into_iter();
    for Choice { endpoint, skipped } in choices {
        let endpoint_id = endpoint.id;
        let fate = match skipped {
            Some(reason) => Fate::Skipped(reason),
            None => {
                let id = delivery_ids.next().expect("there are as many ids as endpoints that are sent to");
                let hold = published.reserve(&endpoint, id, &publication.event);
                publication.deliveries.push(NewDelivery { id, endpoint_id, hold });
                Fate::Delivery(id)
            }
        };
        publication.event.considered.push(Considered { endpoint_id, fate });
    }
    (publication, published)
}

impl Published {
    fn reserve(&mut self, endpoint: &Arc<Endpoint>, id: DeliveryId, event: &Event) -> Hold {
        if !self.engine.reserve(endpoint, event.payload.len()) {
            self.unclaimed.push(Due { endpoint_id: endpoint.id, due_at: event.created_at() });
            return Hold::Unclaimed;
        }
        self.reserved.push(claimed(endpoint, id, event.id, event));
        Hold::Claimed
    }
}

fn claimed(endpoint: &Endpoint, id: DeliveryId, event_id: EventId, event: &Event) -> ClaimedDelivery {
    ClaimedDelivery {
        id,
        event_id,
        endpoint_id: endpoint.id,
        type_name: event.type_name.clone(),
        location_id: event.location_id.clone(),
        trigger: Trigger::Event,
        retry_of: None,
        attempt_count: 0,
        claim: Claim(0),
        payload: event.payload.clone(),
    }
}
