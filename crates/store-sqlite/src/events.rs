//! Events: publishing into the queue, and listings of what was published.

use async_trait::async_trait;
use domain::event::{Event, EventScope, Fate};
use domain::id::EventId;
use domain::scope::Scope;
use rusqlite::Connection;
use rusqlite::types::Value;
use store::StoreError;
use store::backend::compared::Compared;
use store::backend::worlds::{World, event_fits};
use store::events::{EventFilter, Events, Hold, Publication};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use store::queue::Claim;

use crate::days::{self, Day, first_key_of, suffix};
use crate::fault::Fault;
use crate::log::{self, DeliveryHead};
use crate::merge::{KeyRange, Keys, STREAMS_MAX, Source, source};
use crate::once::{made_at, once};
use crate::order::{self, ListedDay, Log, Order};
use crate::scope::{locations_of, visible_endpoints};
use crate::writer::Tx;
use crate::{SqliteStore, codec};

#[async_trait]
impl Events for SqliteStore {
    async fn publish(
        &self,
        publications: Vec<Publication>,
        maybe_once: MaybeOnce<()>,
    ) -> Result<Claim, StoreError> {
        let publish = move |tx: &mut Tx<'_>| {
            let now = publications.first().map_or(made_at(&maybe_once), |first| first.event.created_at());
            once(tx, maybe_once, now, |tx| {
                publications.iter().try_for_each(|one| store_publication(tx, one))
            })?;
            Ok(tx.claim)
        };
        self.insert("publishing", publish).await
    }

    async fn event(&self, scope: &Scope, id: EventId) -> Result<Event, StoreError> {
        let scope = scope.clone();
        self.read("looking up an event", move |conn| event(conn, &scope, id)).await
    }

    async fn list_events(
        &self,
        scope: &Scope,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, StoreError> {
        let scope = scope.clone();
        self.read("listing events", move |conn| list_events(conn, &scope, &filter, &page)).await
    }
}

/// One appended event, one row per delivery; nothing is read.
pub(crate) fn store_publication(tx: &mut Tx<'_>, publication: &Publication) -> Result<(), Fault> {
    let event = &publication.event;
    log::insert_event(tx, event)?;
    for delivery in &publication.deliveries {
        match delivery.hold {
            Hold::Claimed => log::insert_held(tx, event, delivery)?,
            Hold::Unclaimed => {
                log::insert_queued(tx, &DeliveryHead::of_event(event, delivery), delivery.id.created_at())?;
            }
        }
    }
    for considered in &event.considered {
        if let Fate::Skipped(_) = considered.fate {
            log::note_undelivered(tx, event.id, considered.endpoint_id, event.location_id.as_ref())?;
        }
    }
    Ok(())
}

fn event(conn: &Connection, scope: &Scope, id: EventId) -> Result<Event, Fault> {
    let world = world_of(conn, scope)?;
    let event =
        log::event_without_payload(conn, id.key())?.filter(|event| event.id == id && world.sees(event));
    with_payload(conn, event.ok_or(StoreError::NotFound)?)
}

fn with_payload(conn: &Connection, event: Event) -> Result<Event, Fault> {
    let payload = log::payload(conn, event.id.key())?.ok_or(Fault::Damaged("payload"))?;
    Ok(Event { payload, ..event })
}

fn world_of(conn: &Connection, scope: &Scope) -> Result<World, Fault> {
    Ok(match scope {
        Scope::Platform => World::All,
        Scope::Location(id) => World::Location(id.clone()),
        Scope::Company(id) => {
            World::Company { id: id.as_str().to_owned(), locations: locations_of(conn, id)? }
        }
        Scope::App(_) => World::Endpoints(visible_endpoints(conn, scope)?.unwrap_or_default()),
    })
}

fn list_events(
    conn: &Connection,
    scope: &Scope,
    filter: &EventFilter,
    request: &PageRequest,
) -> Result<Page<Event>, Fault> {
    let world = world_of(conn, scope)?;
    let range = KeyRange::of(filter.span, request.before);
    let merge = Keys::new(conn, sources(conn, filter, &world, range)?);
    let shown = |conn: &Connection, key| {
        let event = log::event_without_payload(conn, key)?;
        let event = event.filter(|event| event_fits(event, filter, range) && world.sees(event));
        event.map(|event| with_payload(conn, event)).transpose()
    };
    merge.page(request, shown, |event| event.id.bits())
}

/// How a table of events is gone through. `Location`: those of the scope that name the location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventOrder {
    Time,
    Location(EventScope),
    Company,
}

/// By location: those that are in that order already.
pub(crate) fn events_sql(day: Day, order: EventOrder, compared: Compared) -> String {
    let d = suffix(day);
    let (index, filter) = match order {
        EventOrder::Time => ("NOT INDEXED".to_owned(), ""),
        EventOrder::Location(scope) => {
            let condition = format!("location_id = ?4 AND scope = {} AND", codec::event_scope_number(scope));
            return Order::EventsIn.keys_sql(day, &condition, 1, compared);
        }
        EventOrder::Company => {
            (format!("INDEXED BY events_{d}_company"), "company_id = ?4 AND scope = 1 AND")
        }
    };
    let fits = compared.sql('?', if order == EventOrder::Time { 4 } else { 5 });
    format!(
        "SELECT key, key, {fits} FROM events_{d} {index} WHERE {filter} key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    )
}

/// The latest of some locations and scopes, in no order yet.
pub(crate) fn tail_sql(day: Day, scopes: &[EventScope], locations: usize, compared: Compared) -> String {
    let numbers: Vec<_> = scopes.iter().map(|scope| codec::event_scope_number(*scope).to_string()).collect();
    let condition = format!("scope IN ({}) AND", numbers.join(", "));
    order::tail_keys_sql((day, Log::Events), ("location_id", locations), &condition, compared)
}

/// Whether a location is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    OneLocation,
}

pub(crate) fn undelivered_sql(day: Day, place: Place) -> String {
    let d = suffix(day);
    let (index, filter) = match place {
        Place::Anywhere => (String::new(), ""),
        Place::OneLocation => (format!("INDEXED BY undelivered_{d}_location"), "location_id = ?4 AND"),
    };
    format!(
        "SELECT event_key, event_key, TRUE FROM undelivered_{d} {index} \
         WHERE {filter} event_key < ?1 AND event_key >= ?2 ORDER BY event_key DESC LIMIT ?3"
    )
}

/// Events whose own deliveries are not finished. Those deliveries' ids were made right after the event's, so that they
/// stand in the order of their events.
pub(crate) fn unfinished_sql(place: Place) -> String {
    let (index, filter) = match place {
        Place::Anywhere => ("NOT INDEXED", ""),
        Place::OneLocation => ("INDEXED BY queue_location", "location_id = ?4 AND"),
    };
    format!(
        "SELECT key, event_key, TRUE FROM queue {index} \
         WHERE {filter} trigger = 0 AND key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    )
}

/// As [`unfinished_sql`], of those that are held from the start.
pub(crate) fn held_sql(place: Place) -> String {
    let filter = match place {
        Place::Anywhere => "",
        Place::OneLocation => "location_id = ?4 AND",
    };
    format!(
        "SELECT key, event_key, TRUE FROM held WHERE {filter} key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    )
}

fn sources(
    conn: &Connection,
    filter: &EventFilter,
    world: &World,
    range: KeyRange,
) -> Result<Vec<Source>, Fault> {
    let location = match (&filter.location_id, world) {
        (Some(id), _) | (None, World::Location(id)) => Some(id.as_str().to_owned()),
        _ => None,
    };
    if filter.undelivered_only {
        return undelivered(conn, location.as_deref(), range);
    }
    let mut sources = Vec::new();
    for day in order::listed_days(conn, Log::Events, range)? {
        let of_day = OfDay { day, whole: day.range_of(range), filter };
        match (&location, world) {
            (Some(id), _) => of_day.located(&mut sources, &[id], world.scopes_naming_a_location()),
            (None, World::Company { id, locations }) if locations.len() < STREAMS_MAX => {
                of_day.ordered(&mut sources, EventOrder::Company, Some(id));
                of_day.located(&mut sources, &locations.iter().collect::<Vec<_>>(), &[EventScope::Location]);
            }
            (None, _) => of_day.ordered(&mut sources, EventOrder::Time, None),
        }
    }
    Ok(sources)
}

/// What of a day is gone through.
struct OfDay<'f> {
    day: ListedDay,
    whole: Option<KeyRange>,
    filter: &'f EventFilter,
}

impl OfDay<'_> {
    fn source(&self, sql: String, values: Vec<Value>, range: KeyRange) -> Source {
        let type_name = self.filter.type_name.as_ref().map(|name| text(name));
        source(sql, values.into_iter().chain(type_name).collect(), range)
    }

    fn compared(&self) -> Compared {
        Compared::of_events(self.filter)
    }

    /// In an order that the day's own table has.
    fn ordered(&self, sources: &mut Vec<Source>, order: EventOrder, id: Option<&String>) {
        let sql = events_sql(self.day.day, order, self.compared());
        let values = id.map(|id| text(id)).into_iter().collect();
        sources.extend(self.whole.map(|range| self.source(sql, values, range)));
    }

    /// Those that name the locations: what is in order, and the tail once for all of them.
    fn located(&self, sources: &mut Vec<Source>, locations: &[&String], scopes: &[EventScope]) {
        let (day, compared) = (self.day.day, self.compared());
        if let Some(range) = self.day.ordered {
            for (id, scope) in locations.iter().flat_map(|id| scopes.iter().map(move |scope| (id, *scope))) {
                let sql = events_sql(day, EventOrder::Location(scope), compared);
                sources.push(self.source(sql, vec![text(id)], range));
            }
        }
        if let (Some(range), false) = (self.day.tail, locations.is_empty()) {
            let values = order::padded(locations.iter().map(|id| text(id)).collect());
            sources.push(self.source(tail_sql(day, scopes, values.len(), compared), values, range));
        }
    }
}

fn undelivered(conn: &Connection, location: Option<&str>, range: KeyRange) -> Result<Vec<Source>, Fault> {
    let (place, values) = match location {
        Some(id) => (Place::OneLocation, vec![text(id)]),
        None => (Place::Anywhere, vec![]),
    };
    let mut sources = vec![
        source(held_sql(place), values.clone(), range),
        source(unfinished_sql(place), values.clone(), range),
    ];
    for day in days::all(conn)? {
        let of_day = KeyRange { low: first_key_of(day), high: first_key_of(day + 1) };
        let Some(range) = range.within(of_day) else { continue };
        sources.push(source(undelivered_sql(day, place), values.clone(), range));
    }
    Ok(sources)
}

fn text(id: &str) -> Value {
    Value::Text(id.to_owned())
}
