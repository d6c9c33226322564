//! Deliveries as the log shows them: one, a listing, those of an event; and what a person does to one.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use domain::attempt::Attempt;
use domain::audit::{Action, Object};
use domain::delivery::{Delivery, EndReason, Status};
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::scope::Scope;
use domain::time::Timestamp;
use store::StoreError;
use store::audit::Subject;
use store::backend::changes::Change;
use store::backend::codec;
use store::backend::compared::Compared;
use store::backend::standing::{DeliveryHead, Found};
use store::backend::worlds::{delivery_fits, own_deliveries};
use store::deliveries::{Deliveries, DeliveryFilter, ListedDelivery};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest, Span};

use crate::PostgresStore;
use crate::fault::Fault;
use crate::keys::{KeyRange, Keys, LookUp, STREAMS_MAX, Source, Value, source};
use crate::log;
use crate::once::once;
use crate::queue::is_enabled;
use crate::scope::{self, sees_endpoint, visible_endpoints};
use crate::session::Session;
use crate::tx::{Tx, reading, writing};

pub(crate) const BRING_FORWARD: &str = "update queue set due_at = $2 where key = $1 and due_at > $2";

#[async_trait]
impl Deliveries for PostgresStore {
    async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), StoreError> {
        let scope = scope.clone();
        let look_up = reading(|session| Box::pin(delivery(session, scope, id)));
        self.read("looking up a delivery", look_up).await
    }

    async fn list_deliveries(
        &self,
        scope: &Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ListedDelivery>, StoreError> {
        let scope = scope.clone();
        let list = reading(|session| Box::pin(list_deliveries(session, scope, filter, page)));
        self.read("listing deliveries", list).await
    }

    async fn deliveries_of(&self, scope: &Scope, event_id: EventId) -> Result<Vec<Delivery>, StoreError> {
        let scope = scope.clone();
        let look_up = reading(|session| Box::pin(deliveries_of(session, scope, event_id)));
        self.read("looking up an event's deliveries", look_up).await
    }

    async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
        maybe_once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError> {
        self.ensure_days([new_id.key()], "retrying a delivery").await?;
        let scope = scope.clone();
        let work = writing(move |tx| {
            Box::pin(async move {
                once(tx, maybe_once, now, |tx| Box::pin(retry_audited(tx, scope, (id, new_id), now))).await
            })
        });
        self.write("retrying a delivery", work).await
    }

    async fn cancel_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        now: Timestamp,
        maybe_once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| {
            Box::pin(async move {
                once(tx, maybe_once, now, |tx| Box::pin(cancel_audited(tx, scope, id, now))).await
            })
        });
        self.write("cancelling a delivery", work).await
    }
}

async fn retry_audited(
    tx: &mut Tx,
    scope: Scope,
    (id, new_id): (DeliveryId, DeliveryId),
    now: Timestamp,
) -> Result<Delivery, Fault> {
    let found = found_in(tx, &scope, id).await?;
    let retried = retry(tx, found, new_id, now).await?;
    audit(tx, Action::DeliveryRetried, id, &retried).await?;
    Ok(retried)
}

async fn cancel_audited(
    tx: &mut Tx,
    scope: Scope,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, Fault> {
    let found = found_in(tx, &scope, id).await?;
    let cancelled = cancel(tx, found, now).await?;
    audit(tx, Action::DeliveryCancelled, id, &cancelled).await?;
    Ok(cancelled)
}

async fn audit(tx: &mut Tx, action: Action, id: DeliveryId, after: &Delivery) -> Result<(), Fault> {
    let owner = if tx.note.is_some() { scope::owner_of(tx, after.endpoint_id).await? } else { None };
    let object = Object::new("delivery", id);
    tx.audit(Change { action, owner, object, before: None, after: Some(Subject::Delivery(after)) }).await
}

/// The delivery, if it is in the caller's world.
async fn found_in(session: &Session, scope: &Scope, id: DeliveryId) -> Result<Found, Fault> {
    let found = log::find(session, id).await?.ok_or(StoreError::NotFound)?;
    if sees_endpoint(session, scope, found.endpoint_id()).await? {
        Ok(found)
    } else {
        Err(StoreError::NotFound.into())
    }
}

async fn delivery(
    session: &Session,
    scope: Scope,
    id: DeliveryId,
) -> Result<(Delivery, Vec<Attempt>), Fault> {
    let found = found_in(session, &scope, id).await?;
    let shown = log::shown(session, vec![found]).await?.pop().ok_or(Fault::Damaged("delivery"))?;
    Ok((shown, log::attempts(session, id).await?))
}

async fn retry(tx: &Tx, found: Found, new_id: DeliveryId, now: Timestamp) -> Result<Delivery, Fault> {
    if !is_enabled(tx, found.endpoint_id()).await? {
        return Err(StoreError::EndpointDisabled.into());
    }
    let id = match found {
        Found::Queued(queued) => {
            let id = queued.head.id;
            tx.execute(BRING_FORWARD, &[&id.key(), &now.as_millis()]).await?;
            id
        }
        Found::Ended(ended) => repeat(tx, ended, new_id, now).await?,
    };
    log::shown_by_id(tx, id).await
}

/// Queues a new delivery of the same event. An event that is no longer kept cannot be sent again.
async fn repeat(tx: &Tx, ended: Delivery, new_id: DeliveryId, now: Timestamp) -> Result<DeliveryId, Fault> {
    if log::event(tx, ended.event_id).await?.is_none() {
        return Err(StoreError::NotFound.into());
    }
    log::insert_queued(tx, &[(DeliveryHead::of_retry(ended, new_id), 0, now)]).await?;
    Ok(new_id)
}

async fn cancel(tx: &Tx, found: Found, now: Timestamp) -> Result<Delivery, Fault> {
    let Found::Queued(queued) = found else { return Err(StoreError::DeliveryEnded.into()) };
    if !log::remove(tx, queued.head.id).await? {
        return Err(StoreError::DeliveryEnded.into());
    }
    log::insert_ended(tx, &[(&queued.head, queued.ended(EndReason::ByHand, now))]).await?;
    log::shown_by_id(tx, queued.head.id).await
}

async fn deliveries_of(session: &Session, scope: Scope, event_id: EventId) -> Result<Vec<Delivery>, Fault> {
    let range = KeyRange::of(Span::default(), None);
    let mut keys = Keys::new(session, of_event(session, event_id, range).await?);
    let keys: Vec<i64> =
        keys.next(usize::MAX >> 1).await?.into_iter().map(|(passed, _)| passed.key).collect();
    let visible = visible_endpoints(session, &scope).await?;
    let mut found: Vec<_> = log::find_keys(session, &keys).await?.into_values().collect();
    found.retain(|found| visible.as_ref().is_none_or(|visible| visible.contains(&found.endpoint_id())));
    let mut deliveries = log::shown(session, found).await?;
    deliveries.retain(|delivery| delivery.event_id == event_id);
    deliveries.sort_unstable_by_key(|delivery| delivery.id);
    Ok(deliveries)
}

async fn list_deliveries(
    session: &Session,
    scope: Scope,
    filter: DeliveryFilter,
    request: PageRequest,
) -> Result<Page<ListedDelivery>, Fault> {
    let visible = visible_endpoints(session, &scope).await?;
    let range = KeyRange::of(filter.span, request.before);
    let sources = match filter.event_id {
        Some(event_id) => of_event(session, event_id, range).await?,
        None => sources(&filter, visible.as_ref(), range),
    };
    let shown = Shown { visible, filter };
    let keys = Keys::new(session, sources);
    let Page { rows, next } = keys.page(&request, shown, |delivery| delivery.id.bits()).await?;
    let keys: Vec<i64> = rows.iter().map(|delivery| delivery.id.key()).collect();
    let last = log::last_attempts(session, &keys).await?;
    let listed = |delivery: Delivery| {
        let last_attempt = last.get(&delivery.id.key()).copied();
        ListedDelivery { delivery, last_attempt }
    };
    Ok(Page { rows: rows.into_iter().map(listed).collect(), next })
}

/// What of the deliveries a listing shows.
struct Shown {
    visible: Option<HashSet<EndpointId>>,
    filter: DeliveryFilter,
}

impl LookUp<Delivery> for Shown {
    async fn look_up(&self, session: &Session, keys: &[i64]) -> Result<HashMap<i64, Delivery>, Fault> {
        let mut found: Vec<_> = log::find_keys(session, keys).await?.into_values().collect();
        let visible = self.visible.as_ref();
        found.retain(|found| visible.is_none_or(|visible| visible.contains(&found.endpoint_id())));
        let shown = log::shown(session, found).await?.into_iter();
        let shown = shown.filter(|delivery| delivery_fits(delivery, &self.filter));
        Ok(shown.map(|delivery| (delivery.id.key(), delivery)).collect())
    }
}

/// How deliveries are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryOrder {
    Time,
    Endpoints,
    Location,
    /// Those that an event did not make itself.
    Event,
    /// Any final status but success.
    Status,
    EndpointsAndStatus,
}

impl DeliveryOrder {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Time, Self::Endpoints, Self::Location, Self::Event, Self::Status, Self::EndpointsAndStatus];

    /// How many values the condition takes.
    fn values(self) -> usize {
        match self {
            Self::Time => 0,
            Self::Endpoints | Self::Location | Self::Event | Self::Status => 1,
            Self::EndpointsAndStatus => 2,
        }
    }

    /// What has no status is judged row by row.
    fn without_status(self) -> Self {
        match self {
            Self::Status => Self::Time,
            Self::EndpointsAndStatus => Self::Endpoints,
            other => other,
        }
    }
}

pub(crate) fn ended_keys_sql(order: DeliveryOrder, compared: Compared) -> String {
    keys_sql("deliveries", order, &compared.sql('$', 4 + order.values()))
}

pub(crate) fn queued_keys_sql(order: DeliveryOrder) -> String {
    keys_sql("queue", order.without_status(), "true")
}

/// Those that somebody holds are so few that the ones to be left out are looked at as well.
pub(crate) fn held_keys_sql(order: DeliveryOrder) -> String {
    match order.without_status() {
        DeliveryOrder::Endpoints => {
            "select key, key, true from held where endpoint_id = any($4) and key < $1 and key >= $2 \
            order by key desc limit $3"
                .to_owned()
        }
        order => keys_sql("held", order, "true"),
    }
}

fn keys_sql(table: &str, order: DeliveryOrder, fits: &str) -> String {
    let condition = match order {
        DeliveryOrder::Time => "",
        DeliveryOrder::Location => "location_id = $4 and",
        DeliveryOrder::Event => "trigger <> 0 and event_key = $4 and",
        DeliveryOrder::Status => "status <> 4 and status = $4 and",
        DeliveryOrder::Endpoints => return each_endpoint_sql(table, "", fits),
        DeliveryOrder::EndpointsAndStatus => {
            return each_endpoint_sql(table, "status <> 4 and status = $5 and", fits);
        }
    };
    format!(
        "select key, key, {fits} from {table} where {condition} key < $1 and key >= $2 order by key desc limit $3"
    )
}

/// The newest of each endpoint, then the newest of all.
fn each_endpoint_sql(table: &str, condition: &str, fits: &str) -> String {
    format!(
        "select one.key, one.key, one.fits from unnest($4::bytea[]) as u (id) cross join lateral \
         (select key, {fits} as fits from {table} where {condition} endpoint_id = u.id and key < $1 and key >= $2 \
         order by key desc limit $3) one order by one.key desc limit $3"
    )
}

fn sources(filter: &DeliveryFilter, visible: Option<&HashSet<EndpointId>>, range: KeyRange) -> Vec<Source> {
    let unsuccessful = filter.status.filter(|status| matches!(status, Status::Failed | Status::Cancelled));
    let of_endpoints = |ids: Vec<EndpointId>| {
        let ids = Value::Ids(ids.iter().map(|id| codec::endpoint_bytes(*id).to_vec()).collect());
        match unsuccessful {
            Some(status) => (DeliveryOrder::EndpointsAndStatus, vec![ids, number(status)]),
            None => (DeliveryOrder::Endpoints, vec![ids]),
        }
    };
    let stream = match (filter.endpoint_id, &filter.location_id, visible) {
        (Some(id), _, _) => of_endpoints(vec![id]),
        (None, Some(id), _) => (DeliveryOrder::Location, vec![Value::Text(id.as_str().to_owned())]),
        (None, None, Some(mine)) if mine.len() <= STREAMS_MAX => of_endpoints(mine.iter().copied().collect()),
        _ => match unsuccessful {
            Some(status) => (DeliveryOrder::Status, vec![number(status)]),
            None => (DeliveryOrder::Time, vec![]),
        },
    };
    of_stream(stream, filter, range)
}

fn compared_values(compared: Compared, filter: &DeliveryFilter) -> Vec<Value> {
    let type_name = filter.type_name.as_ref().filter(|_| compared.type_name);
    let status = filter.status.filter(|_| compared.status);
    let type_name = type_name.map(|name| Value::Text(name.to_string()));
    type_name.into_iter().chain(status.map(number)).collect()
}

fn number(status: Status) -> Value {
    Value::Small(codec::status_number(status) as i16)
}

/// One order through what is unfinished and through the log, leaving out what cannot have the status.
fn of_stream(
    (order, values): (DeliveryOrder, Vec<Value>),
    filter: &DeliveryFilter,
    range: KeyRange,
) -> Vec<Source> {
    let mut sources = Vec::new();
    if filter.status.is_none_or(|status| !status.is_final()) {
        sources.push(source(queued_keys_sql(order), values.clone(), range));
        sources.push(source(held_keys_sql(order), values.clone(), range));
    }
    if filter.status.is_none_or(Status::is_final) {
        let compared = Compared::of_deliveries(filter);
        let values = [values, compared_values(compared, filter)].concat();
        sources.push(source(ended_keys_sql(order, compared), values, range));
    }
    sources
}

/// Those that the event names, and those that repeat them.
async fn of_event(session: &Session, event_id: EventId, range: KeyRange) -> Result<Vec<Source>, Fault> {
    let Some(event) = log::event(session, event_id).await? else { return Ok(Vec::new()) };
    let mut sources = vec![Source::of_keys(own_deliveries(&event), range)];
    if let Some(range) = range.within(KeyRange { low: event_id.key(), high: i64::MAX }) {
        let stream = (DeliveryOrder::Event, vec![Value::Number(event_id.key())]);
        sources.extend(of_stream(stream, &DeliveryFilter::default(), range));
    }
    Ok(sources)
}
