//! Deliveries as the log shows them: one, a listing, those of an event; and what a person does to one.

use std::collections::HashSet;

use async_trait::async_trait;
use domain::attempt::Attempt;
use domain::audit::{Action, Object};
use domain::delivery::{Delivery, EndReason, Status};
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::scope::Scope;
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use store::StoreError;
use store::audit::Subject;
use store::backend::changes::Change;
use store::backend::compared::Compared;
use store::backend::worlds::{delivery_fits, own_deliveries};
use store::deliveries::{Deliveries, DeliveryFilter, ListedDelivery};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest, Span};

use crate::SqliteStore;
use crate::codec;
use crate::days::{self, Day, day_of, suffix};
use crate::fault::Fault;
use crate::log::{self, DeliveryHead, Found};
use crate::merge::{KeyRange, Keys, STREAMS_MAX, Source, source};
use crate::once::once;
use crate::order::{self, ListedDay, Log, Order};
use crate::queue::{end_unattempted, is_enabled};
use crate::scope::{self, sees_endpoint, visible_endpoints};
use crate::writer::Tx;

pub(crate) const BRING_FORWARD: &str =
    "UPDATE queue SET due_at = ?2 WHERE key = ?1 AND claim IS NULL AND due_at > ?2";

#[async_trait]
impl Deliveries for SqliteStore {
    async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), StoreError> {
        let scope = scope.clone();
        self.read("looking up a delivery", move |conn| delivery(conn, &scope, id)).await
    }

    async fn list_deliveries(
        &self,
        scope: &Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ListedDelivery>, StoreError> {
        let scope = scope.clone();
        self.read("listing deliveries", move |conn| list_deliveries(conn, &scope, &filter, &page)).await
    }

    async fn deliveries_of(&self, scope: &Scope, event_id: EventId) -> Result<Vec<Delivery>, StoreError> {
        let scope = scope.clone();
        self.read("looking up an event's deliveries", move |conn| deliveries_of(conn, &scope, event_id)).await
    }

    async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
        maybe_once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError> {
        let scope = scope.clone();
        let retry = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, now, |tx| {
                let retried = retry(tx, found_in(tx.conn, &scope, id)?, new_id, now)?;
                audit(tx, Action::DeliveryRetried, id, &retried)?;
                Ok(retried)
            })
        };
        self.write("retrying a delivery", retry).await
    }

    async fn cancel_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        now: Timestamp,
        maybe_once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError> {
        let scope = scope.clone();
        let cancel = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, now, |tx| {
                let cancelled = cancel(tx, found_in(tx.conn, &scope, id)?, now)?;
                audit(tx, Action::DeliveryCancelled, id, &cancelled)?;
                Ok(cancelled)
            })
        };
        self.write("cancelling a delivery", cancel).await
    }
}

fn audit(tx: &mut Tx<'_>, action: Action, id: DeliveryId, after: &Delivery) -> Result<(), Fault> {
    let owner = if tx.note.is_some() { scope::owner_of(tx.conn, after.endpoint_id)? } else { None };
    let object = Object::new("delivery", id);
    tx.audit(Change { action, owner, object, before: None, after: Some(Subject::Delivery(after)) })
}

/// The delivery, if it is in the caller's world.
fn found_in(conn: &Connection, scope: &Scope, id: DeliveryId) -> Result<Found, Fault> {
    let found = log::find(conn, id)?.ok_or(StoreError::NotFound)?;
    if sees_endpoint(conn, scope, found.endpoint_id())? {
        Ok(found)
    } else {
        Err(StoreError::NotFound.into())
    }
}

fn delivery(conn: &Connection, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), Fault> {
    let delivery = log::shown(found_in(conn, scope, id)?, conn)?;
    let attempts = if days::exists(conn, day_of(id.key()))? { log::attempts(conn, id)? } else { Vec::new() };
    Ok((delivery, attempts))
}

fn retry(tx: &mut Tx<'_>, found: Found, new_id: DeliveryId, now: Timestamp) -> Result<Delivery, Fault> {
    if !is_enabled(tx.conn, found.endpoint_id())? {
        return Err(StoreError::EndpointDisabled.into());
    }
    let id = match found {
        Found::Queued(queued) => {
            let id = queued.head.id;
            tx.conn.prepare_cached(BRING_FORWARD)?.execute(params![id.key(), now.as_millis()])?;
            id
        }
        Found::Ended(ended) => repeat(tx, ended, new_id, now)?,
    };
    log::shown(log::find(tx.conn, id)?.ok_or(Fault::Damaged("delivery"))?, tx.conn)
}

/// Queues a new delivery of the same event. An event that is no longer kept cannot be sent again.
fn repeat(tx: &mut Tx<'_>, ended: Delivery, new_id: DeliveryId, now: Timestamp) -> Result<DeliveryId, Fault> {
    if log::event_without_payload(tx.conn, ended.event_id.key())?.is_none() {
        return Err(StoreError::NotFound.into());
    }
    log::insert_queued(tx, &DeliveryHead::of_retry(ended, new_id), now)?;
    Ok(new_id)
}

fn cancel(tx: &mut Tx<'_>, found: Found, now: Timestamp) -> Result<Delivery, Fault> {
    let Found::Queued(queued) = found else { return Err(StoreError::DeliveryEnded.into()) };
    end_unattempted(tx, &queued, EndReason::ByHand, now)?;
    log::shown(log::find(tx.conn, queued.head.id)?.ok_or(Fault::Damaged("delivery"))?, tx.conn)
}

fn deliveries_of(conn: &Connection, scope: &Scope, event_id: EventId) -> Result<Vec<Delivery>, Fault> {
    let range = KeyRange::of(Span::default(), None);
    let mut merge = Keys::new(conn, of_event(conn, event_id, range)?);
    let mut deliveries = Vec::new();
    while let Some(passed) = merge.next()? {
        let Some(found) = log::find_key(conn, passed.key)? else { continue };
        if sees_endpoint(conn, scope, found.endpoint_id())? {
            deliveries.push(log::shown(found, conn)?);
        }
    }
    deliveries.retain(|delivery| delivery.event_id == event_id);
    deliveries.reverse();
    Ok(deliveries)
}

fn list_deliveries(
    conn: &Connection,
    scope: &Scope,
    filter: &DeliveryFilter,
    request: &PageRequest,
) -> Result<Page<ListedDelivery>, Fault> {
    let visible = visible_endpoints(conn, scope)?;
    let range = KeyRange::of(filter.span, request.before);
    let merge = Keys::new(conn, sources(conn, filter, visible.as_ref(), range)?);
    let shown = |conn: &Connection, key| {
        let Some(found) = log::find_key(conn, key)? else { return Ok(None) };
        if visible.as_ref().is_some_and(|visible| !visible.contains(&found.endpoint_id())) {
            return Ok(None);
        }
        Ok(Some(log::shown(found, conn)?).filter(|delivery| delivery_fits(delivery, filter)))
    };
    let Page { rows, next } = merge.page(request, shown, |delivery| delivery.id.bits())?;
    let listed = |delivery: Delivery| {
        let last_attempt = log::last_attempt(conn, delivery.id)?;
        Ok(ListedDelivery { delivery, last_attempt })
    };
    Ok(Page { rows: rows.into_iter().map(listed).collect::<Result<_, Fault>>()?, next })
}

/// How a table of deliveries is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryOrder {
    Time,
    Endpoint,
    Location,
    /// Those that an event did not make itself.
    Event,
    /// Any final status but success.
    Status,
    EndpointAndStatus,
}

impl DeliveryOrder {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Time, Self::Endpoint, Self::Location, Self::Event, Self::Status, Self::EndpointAndStatus];

    fn condition(self) -> &'static str {
        match self {
            Self::Time => "",
            Self::Endpoint => "endpoint_id = ?4 AND",
            Self::Location => "location_id = ?4 AND",
            Self::Event => "trigger <> 0 AND event_key = ?4 AND",
            Self::Status => "status <> 4 AND status = ?4 AND",
            Self::EndpointAndStatus => "status <> 4 AND endpoint_id = ?4 AND status = ?5 AND",
        }
    }

    /// The column of the orders that are tables of their own, whose latest rows are in no order yet.
    pub(crate) fn tail_column(self) -> Option<&'static str> {
        match self {
            Self::Endpoint => Some("endpoint_id"),
            Self::Location => Some("location_id"),
            Self::Time | Self::Event | Self::Status | Self::EndpointAndStatus => None,
        }
    }

    /// How many values the condition takes.
    fn values(self) -> usize {
        match self {
            Self::Time => 0,
            Self::Endpoint | Self::Location | Self::Event | Self::Status => 1,
            Self::EndpointAndStatus => 2,
        }
    }
}

/// Of the orders that are tables of their own: those that are in it already.
pub(crate) fn ended_keys_sql(day: Day, order: DeliveryOrder, compared: Compared) -> String {
    let kept = |kept: Order| kept.keys_sql(day, order.condition(), order.values(), compared);
    let d = suffix(day);
    let index = match order {
        DeliveryOrder::Endpoint => return kept(Order::DeliveriesTo),
        DeliveryOrder::Location => return kept(Order::DeliveriesIn),
        DeliveryOrder::Time => "NOT INDEXED".to_owned(),
        DeliveryOrder::Event => format!("INDEXED BY deliveries_{d}_event"),
        DeliveryOrder::Status => format!("INDEXED BY deliveries_{d}_status"),
        DeliveryOrder::EndpointAndStatus => format!("INDEXED BY deliveries_{d}_endpoint_status"),
    };
    let (condition, fits) = (order.condition(), compared.sql('?', 4 + order.values()));
    format!(
        "SELECT key, key, {fits} FROM deliveries_{d} {index} \
         WHERE {condition} key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    )
}

/// The queue has no status: it is judged row by row.
pub(crate) fn queued_keys_sql(order: DeliveryOrder) -> String {
    let (index, condition) = match order {
        DeliveryOrder::Time | DeliveryOrder::Status => ("NOT INDEXED", ""),
        DeliveryOrder::Endpoint | DeliveryOrder::EndpointAndStatus => {
            ("INDEXED BY queue_endpoint", DeliveryOrder::Endpoint.condition())
        }
        DeliveryOrder::Location => ("INDEXED BY queue_location", order.condition()),
        DeliveryOrder::Event => ("INDEXED BY queue_event", order.condition()),
    };
    format!(
        "SELECT key, key, TRUE FROM queue {index} WHERE {condition} key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    )
}

/// Those that are held from the start: so few that the ones to be left out are looked at as well. The event itself made
/// them, and names them.
pub(crate) fn held_keys_sql(order: DeliveryOrder) -> Option<String> {
    let condition = match order {
        DeliveryOrder::Event => return None,
        DeliveryOrder::Time | DeliveryOrder::Status => "",
        DeliveryOrder::Endpoint | DeliveryOrder::EndpointAndStatus => DeliveryOrder::Endpoint.condition(),
        DeliveryOrder::Location => order.condition(),
    };
    Some(format!(
        "SELECT key, key, TRUE FROM held WHERE {condition} key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3"
    ))
}

fn sources(
    conn: &Connection,
    filter: &DeliveryFilter,
    visible: Option<&HashSet<EndpointId>>,
    range: KeyRange,
) -> Result<Vec<Source>, Fault> {
    if let Some(event_id) = filter.event_id {
        return of_event(conn, event_id, range);
    }
    let unsuccessful = filter.status.filter(|status| matches!(status, Status::Failed | Status::Cancelled));
    let of_endpoint = |id: EndpointId| {
        let id = Value::Blob(codec::endpoint_bytes(id).to_vec());
        match unsuccessful {
            Some(status) => (DeliveryOrder::EndpointAndStatus, vec![id, number(status)]),
            None => (DeliveryOrder::Endpoint, vec![id]),
        }
    };
    let streams = match (filter.endpoint_id, &filter.location_id, visible) {
        (Some(id), _, _) => vec![of_endpoint(id)],
        (None, Some(id), _) => vec![(DeliveryOrder::Location, vec![Value::Text(id.as_str().to_owned())])],
        (None, None, Some(mine)) if mine.len() <= STREAMS_MAX => {
            mine.iter().copied().map(of_endpoint).collect()
        }
        _ => vec![match unsuccessful {
            Some(status) => (DeliveryOrder::Status, vec![number(status)]),
            None => (DeliveryOrder::Time, vec![]),
        }],
    };
    of_streams(conn, &streams, filter, range)
}

fn compared_values(compared: Compared, filter: &DeliveryFilter) -> Vec<Value> {
    let type_name = filter.type_name.as_ref().filter(|_| compared.type_name);
    let status = filter.status.filter(|_| compared.status);
    let type_name = type_name.map(|name| Value::Text(name.to_string()));
    type_name.into_iter().chain(status.map(number)).collect()
}

fn number(status: Status) -> Value {
    Value::Integer(codec::status_number(status))
}

type OrderedStream = (DeliveryOrder, Vec<Value>);

/// One or more values of one order through the queue and each day, leaving out what cannot have the status.
fn of_streams(
    conn: &Connection,
    streams: &[OrderedStream],
    filter: &DeliveryFilter,
    range: KeyRange,
) -> Result<Vec<Source>, Fault> {
    let mut sources = Vec::new();
    if filter.status.is_none_or(|status| !status.is_final()) {
        for (order, values) in streams {
            sources.push(source(queued_keys_sql(*order), values.clone(), range));
            sources.extend(held_keys_sql(*order).map(|sql| source(sql, values.clone(), range)));
        }
    }
    if filter.status.is_none_or(Status::is_final) {
        for day in order::listed_days(conn, Log::Deliveries, range)? {
            sources.extend(of_day(day, streams, filter, range));
        }
    }
    Ok(sources)
}

/// The tail is gone through once, whatever the number of streams.
fn of_day(
    listed: ListedDay,
    streams: &[OrderedStream],
    filter: &DeliveryFilter,
    range: KeyRange,
) -> Vec<Source> {
    let compared = Compared::of_deliveries(filter);
    let tail_column = streams.first().and_then(|(order, _)| order.tail_column());
    let range = if tail_column.is_some() { listed.ordered } else { listed.range_of(range) };
    let mut sources = Vec::new();
    if let Some(range) = range {
        sources.extend(streams.iter().map(|(order, values)| {
            let values = [values.clone(), compared_values(compared, filter)].concat();
            source(ended_keys_sql(listed.day, *order, compared), values, range)
        }));
    }
    if let (Some(column), Some(range)) = (tail_column, listed.tail) {
        let values = order::padded(streams.iter().flat_map(|(_, values)| values.clone()).collect());
        let sql = order::tail_keys_sql((listed.day, Log::Deliveries), (column, values.len()), "", compared);
        sources.push(source(sql, [values, compared_values(compared, filter)].concat(), range));
    }
    sources
}

/// Those that the event names, and those that repeat them.
fn of_event(conn: &Connection, event_id: EventId, range: KeyRange) -> Result<Vec<Source>, Fault> {
    let event = log::event_without_payload(conn, event_id.key())?.filter(|event| event.id == event_id);
    let Some(event) = event else { return Ok(Vec::new()) };
    let mut sources = vec![Source::of_keys(own_deliveries(&event), range)];
    if let Some(range) = range.within(KeyRange { low: event_id.key(), high: i64::MAX }) {
        let stream = (DeliveryOrder::Event, vec![Value::Integer(event_id.key())]);
        sources.extend(of_streams(conn, &[stream], &DeliveryFilter::default(), range)?);
    }
    Ok(sources)
}
