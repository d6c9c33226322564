//! Events: publishing into the queue, and listings of what was published.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::event::{Event, EventScope};
use domain::id::EventId;
use domain::scope::Scope;
use store::StoreError;
use store::backend::codec;
use store::backend::compared::Compared;
use store::backend::worlds::{World, event_fits};
use store::events::{EventFilter, Events, Publication};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use store::queue::Claim;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::keys::{KeyRange, Keys, LookUp, STREAMS_MAX, Source, Value, source};
use crate::log;
use crate::scope::{locations_of, visible_endpoints};
use crate::session::Session;
use crate::tx::reading;

#[async_trait]
impl Events for PostgresStore {
    async fn publish(
        &self,
        publications: Vec<Publication>,
        maybe_once: MaybeOnce<()>,
    ) -> Result<Claim, StoreError> {
        self.shared.publisher.publish(publications, maybe_once).await
    }

    async fn event(&self, scope: &Scope, id: EventId) -> Result<Event, StoreError> {
        let scope = scope.clone();
        let look_up = reading(|session| Box::pin(event(session, scope, id)));
        self.read("looking up an event", look_up).await
    }

    async fn list_events(
        &self,
        scope: &Scope,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, StoreError> {
        let scope = scope.clone();
        let list = reading(|session| Box::pin(list_events(session, scope, filter, page)));
        self.read("listing events", list).await
    }
}

async fn event(session: &Session, scope: Scope, id: EventId) -> Result<Event, Fault> {
    let world = world_of(session, &scope).await?;
    let event = log::event(session, id).await?.filter(|event| world.sees(event));
    Ok(event.ok_or(StoreError::NotFound)?)
}

async fn world_of(session: &Session, scope: &Scope) -> Result<World, Fault> {
    Ok(match scope {
        Scope::Platform => World::All,
        Scope::Location(id) => World::Location(id.clone()),
        Scope::Company(id) => {
            World::Company { id: id.as_str().to_owned(), locations: locations_of(session, id).await? }
        }
        Scope::App(_) => World::Endpoints(visible_endpoints(session, scope).await?.unwrap_or_default()),
    })
}

async fn list_events(
    session: &Session,
    scope: Scope,
    filter: EventFilter,
    request: PageRequest,
) -> Result<Page<Event>, Fault> {
    let world = world_of(session, &scope).await?;
    let range = KeyRange::of(filter.span, request.before);
    let keys = Keys::new(session, sources(&filter, &world, range));
    keys.page(&request, Shown { world, filter, range }, |event| event.id.bits()).await
}

/// What of the events a listing shows.
struct Shown {
    world: World,
    filter: EventFilter,
    range: KeyRange,
}

impl LookUp<Event> for Shown {
    async fn look_up(&self, session: &Session, keys: &[i64]) -> Result<HashMap<i64, Event>, Fault> {
        let mut events = log::events(session, keys).await?;
        events.retain(|_, event| event_fits(event, &self.filter, self.range) && self.world.sees(event));
        Ok(events)
    }
}

/// How the events are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventOrder {
    Time,
    /// Those of the scope that name one of the locations.
    Locations(EventScope),
    Company,
}

pub(crate) fn events_sql(order: EventOrder, compared: Compared) -> String {
    let fits = compared.sql('$', if order == EventOrder::Time { 4 } else { 5 });
    match order {
        EventOrder::Time => {
            format!(
                "select key, key, {fits} from events where key < $1 and key >= $2 order by key desc limit $3"
            )
        }
        EventOrder::Company => {
            format!(
                "select key, key, {fits} from events where company_id = $4 and scope = 1 and key < $1 and key >= $2 \
             order by key desc limit $3"
            )
        }
        EventOrder::Locations(scope) => format!(
            "select one.key, one.key, one.fits from unnest($4::text[]) as u (id) cross join lateral \
             (select key, {fits} as fits from events where location_id = u.id and scope = {} and key < $1 and key >= $2 \
             order by key desc limit $3) one order by one.key desc limit $3",
            codec::event_scope_number(scope)
        ),
    }
}

/// Whether a location is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    OneLocation,
}

impl Place {
    fn condition(self) -> &'static str {
        match self {
            Self::Anywhere => "",
            Self::OneLocation => "location_id = $4 and",
        }
    }
}

/// An event may have several rows; the merge leaves the others out.
pub(crate) fn undelivered_sql(place: Place) -> String {
    let condition = place.condition();
    format!(
        "select event_key, event_key, true from undelivered where {condition} event_key < $1 and event_key >= $2 \
         order by event_key desc limit $3"
    )
}

/// Events whose own deliveries are not finished. Those deliveries' ids were made right after the event's, so that they
/// stand in the order of their events.
pub(crate) fn unfinished_sql(place: Place) -> String {
    unfinished_in("queue", place)
}

/// As [`unfinished_sql`], of those that somebody holds.
pub(crate) fn held_sql(place: Place) -> String {
    unfinished_in("held", place)
}

fn unfinished_in(table: &str, place: Place) -> String {
    let condition = place.condition();
    format!(
        "select key, event_key, true from {table} where {condition} trigger = 0 and key < $1 and key >= $2 \
         order by key desc limit $3"
    )
}

fn sources(filter: &EventFilter, world: &World, range: KeyRange) -> Vec<Source> {
    let location = match (&filter.location_id, world) {
        (Some(id), _) | (None, World::Location(id)) => Some(id.as_str().to_owned()),
        _ => None,
    };
    if filter.undelivered_only {
        let (place, values) = match location {
            Some(id) => (Place::OneLocation, vec![Value::Text(id)]),
            None => (Place::Anywhere, vec![]),
        };
        return [held_sql(place), unfinished_sql(place), undelivered_sql(place)]
            .map(|sql| source(sql, values.clone(), range))
            .into();
    }
    let compared = Compared::of_events(filter);
    let type_name = filter.type_name.as_ref().filter(|_| compared.type_name);
    let of = |order, place: Option<Value>| {
        let type_name = type_name.map(|name| Value::Text(name.to_string()));
        source(events_sql(order, compared), place.into_iter().chain(type_name).collect(), range)
    };
    let of_locations = |scope, ids: Vec<String>| of(EventOrder::Locations(scope), Some(Value::Texts(ids)));
    match (location, world) {
        (Some(id), _) => {
            let scopes = world.scopes_naming_a_location().iter();
            scopes.map(|scope| of_locations(*scope, vec![id.clone()])).collect()
        }
        (None, World::Company { id, locations }) if locations.len() < STREAMS_MAX => vec![
            of(EventOrder::Company, Some(Value::Text(id.clone()))),
            of_locations(EventScope::Location, locations.iter().cloned().collect()),
        ],
        (None, _) => vec![of(EventOrder::Time, None)],
    }
}
