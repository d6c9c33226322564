//! Listings against a model: whatever the filter, the scope and the page's size, the pages together are exactly the rows
//! that a look at each single row would choose, newest first.

use std::collections::HashMap;
use std::sync::Arc;

use domain::delivery::{Delivery, EndReason, Status};
use domain::endpoint::{Endpoint, EndpointPatch, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, SkipReason, Visibility};
use domain::id::EventId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::location::Location;
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use store::deliveries::{Deliveries, DeliveryFilter};
use store::endpoints::Endpoints;
use store::events::{EventFilter, Events, Hold, NewDelivery, Publication};
use store::page::{PageRequest, Span};
use store::queue::{ClaimedDelivery, Queue, Record, Release, Want};
use store::tenants::Tenants;

use super::{NOW, World};

const DAY_S: i64 = 86_400;
const LOCATIONS: [&str; 3] = ["one", "two", "three"];

/// Three days of events at five endpoints, in every state that a delivery can be in.
struct History {
    world: World,
    endpoints: Vec<Arc<Endpoint>>,
    events: Vec<Event>,
}

fn scopes() -> Vec<Scope> {
    vec![
        Scope::Platform,
        Scope::Location("one".parse().unwrap()),
        Scope::Location("two".parse().unwrap()),
        Scope::Company("agency".parse().unwrap()),
        Scope::App("app".parse().unwrap()),
        Scope::App("stranger".parse().unwrap()),
    ]
}

impl History {
    async fn new() -> Self {
        let world = World::new();
        let company_id = Some("agency".parse().unwrap());
        let location = Location { id: "one".parse().unwrap(), name: None, company_id };
        world.store.put_location(&Scope::Platform, location, NOW).await.unwrap();
        let owners = [
            Owner::Location("one".parse().unwrap()),
            Owner::Location("one".parse().unwrap()),
            Owner::Location("two".parse().unwrap()),
            Owner::Company("agency".parse().unwrap()),
            Owner::App("app".parse().unwrap()),
        ];
        let mut endpoints = Vec::new();
        for owner in owners {
            endpoints.push(create(&world, owner).await);
        }
        let mut history = Self { world, endpoints, events: Vec::new() };
        for place in 0..90 {
            history.happen(place).await;
        }
        history.finish().await;
        history
    }

    /// One event; what it meets depends on its place alone.
    async fn happen(&mut self, place: usize) {
        let at = NOW.plus_seconds(DAY_S * (place as i64 / 30)).plus_millis(place as i64 / 2);
        let event = self.publish(place, at).await;
        for endpoint in &self.endpoints {
            let want = Want { endpoint_id: endpoint.id, limit: 10 };
            let granted = self.world.store.claim(vec![want], at).await.unwrap().remove(0);
            for claimed in granted.deliveries {
                if claimed.event_id == event.id {
                    self.send(claimed, place + usize::from(endpoint.id == self.endpoints[0].id)).await;
                } else {
                    // A retry of what ended before, with either success.
                    let failed = Verdict::Ended(EndReason::Exhausted);
                    let verdict = if place.is_multiple_of(2) { Verdict::Succeeded } else { failed };
                    self.record(claimed, verdict).await;
                }
            }
        }
        self.events.push(event);
    }

    async fn publish(&self, place: usize, at: Timestamp) -> Event {
        let ids = &self.world.ids;
        let chosen: Vec<_> =
            self.endpoints.iter().enumerate().filter(|(n, _)| !(place + n).is_multiple_of(3)).collect();
        let (id, delivery_ids) = ids.event_with_deliveries(at, chosen.len());
        let (mut considered, mut deliveries) = (Vec::new(), Vec::new());
        for ((n, endpoint), delivery_id) in chosen.into_iter().zip(delivery_ids) {
            let endpoint_id = endpoint.id;
            let skipped = (place + n) % 7 == 1;
            let fate =
                if skipped { Fate::Skipped(SkipReason::MissingScope) } else { Fate::Delivery(delivery_id) };
            considered.push(Considered { endpoint_id, fate });
            if !skipped {
                deliveries.push(NewDelivery { id: delivery_id, endpoint_id, hold: Hold::Unclaimed });
            }
        }
        let location = LOCATIONS.get(place % 4).map(|id| id.parse().unwrap());
        let event = Event {
            id,
            type_name: ["ContactCreate", "NoteCreate"][place % 2].into(),
            // Some events of a company name a location, and some of a location a company that it is not of.
            scope: if location.is_none() || place % 5 == 1 {
                EventScope::Company
            } else {
                EventScope::Location
            },
            company_id: (location.is_none() || place % 5 < 3).then(|| "agency".parse().unwrap()),
            location_id: location,
            app_id: None,
            payload: format!("payload {place}").into_bytes().into(),
            visibility: Visibility::Listed,
            considered,
        };
        self.world.store.publish(vec![Publication { event: event.clone(), deliveries }], None).await.unwrap();
        event
    }

    async fn send(&self, claimed: ClaimedDelivery, fate: usize) {
        let store = &self.world.store;
        let (id, at) = (claimed.id, claimed.id.created_at());
        let verdict = match fate % 6 {
            0 | 1 => Verdict::Succeeded,
            2 => Verdict::Ended(EndReason::Exhausted),
            3 => Verdict::RetryAt(at.plus_seconds(20 * DAY_S)),
            4 => {
                store.cancel_delivery(&Scope::Platform, id, at, None).await.unwrap();
                return;
            }
            _ if fate % 12 == 5 => {
                let release = Release { id, claim: claimed.claim, due_at: at.plus_seconds(20 * DAY_S) };
                store.release(vec![release]).await.unwrap();
                return;
            }
            _ => return,
        };
        self.record(claimed, verdict).await;
        let new_id = self.world.ids.delivery(at);
        if fate % 12 < 3 {
            store.retry_delivery(&Scope::Platform, id, new_id, at, None).await.unwrap();
        }
    }

    async fn record(&self, claimed: ClaimedDelivery, verdict: Verdict) {
        let publication = Publication {
            event: self.world.publication(&self.endpoints[0], claimed.id.created_at()).event,
            deliveries: vec![NewDelivery {
                id: claimed.id,
                endpoint_id: claimed.endpoint_id,
                hold: Hold::Claimed,
            }],
        };
        let record = self.world.record(&publication, claimed.claim, verdict);
        self.world.store.record(vec![Record { delivery: Arc::new(claimed), ..record }]).await.unwrap();
    }

    /// Some retries succeed, one endpoint is disabled by hand and one is deleted.
    async fn finish(&self) {
        let store = &self.world.store;
        let want = Want { endpoint_id: self.endpoints[0].id, limit: 5 };
        let granted = store.claim(vec![want], NOW.plus_seconds(3 * DAY_S)).await.unwrap().remove(0);
        for claimed in granted.deliveries {
            self.record(claimed, Verdict::Succeeded).await;
        }
        let patch = EndpointPatch { enabled: Some(false), ..EndpointPatch::default() };
        store.update_endpoint(&Scope::Platform, self.endpoints[1].id, patch, NOW, None).await.unwrap();
        store.delete_endpoint(&Scope::Platform, self.endpoints[2].id, NOW).await.unwrap();
    }

    /// Every delivery, looked up one by one, newest first.
    async fn all_deliveries(&self) -> Vec<Delivery> {
        let mut all = Vec::new();
        for event in &self.events {
            all.extend(self.world.store.deliveries_of(&Scope::Platform, event.id).await.unwrap());
        }
        all.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
        all
    }

    fn sees(&self, scope: &Scope, owner: &Owner) -> bool {
        scope.sees(owner, |location| (location.as_str() == "one").then(|| "agency".parse().unwrap()))
    }

    fn owner_of(&self, delivery: &Delivery) -> &Owner {
        &self.endpoints.iter().find(|endpoint| endpoint.id == delivery.endpoint_id).unwrap().owner
    }
}

async fn create(world: &World, owner: Owner) -> Arc<Endpoint> {
    let endpoint = Endpoint {
        id: world.ids.endpoint(NOW),
        owner,
        url: "https://hooks.example.com/in".into(),
        description: String::new(),
        subscription: Subscription::All,
        headers: vec![],
        retry_schedule: None,
        skip_own_events: false,
        state: EndpointState::Enabled { since: NOW },
        secrets: Secrets::new(SecretText::new("whsec_x".into())),
        created_at: NOW,
        updated_at: NOW,
    };
    world.store.create_endpoint(&Scope::Platform, endpoint, 50, None).await.unwrap()
}

#[tokio::test]
async fn pages_of_deliveries_are_what_each_delivery_says() {
    let history = History::new().await;
    let all = history.all_deliveries().await;
    for status in Status::ALL {
        assert!(all.iter().any(|delivery| delivery.status == *status), "the history has no {status:?}");
    }
    for scope in scopes() {
        for filter in delivery_filters(&history, &all) {
            let expected: Vec<_> = all
                .iter()
                .filter(|delivery| {
                    history.sees(&scope, history.owner_of(delivery)) && is_wanted(&filter, delivery)
                })
                .cloned()
                .collect();
            for limit in [1, 7, 200] {
                let shown = pages_of_deliveries(&history, &scope, &filter, limit).await;
                assert_eq!(shown, expected, "{scope:?} {filter:?} {limit}");
            }
        }
    }
}

fn delivery_filters(history: &History, all: &[Delivery]) -> Vec<DeliveryFilter> {
    let none = DeliveryFilter::default;
    let middle = all[all.len() / 2].created_at();
    let mut filters = vec![
        none(),
        DeliveryFilter { type_name: Some("NoteCreate".into()), ..none() },
        DeliveryFilter { location_id: Some("two".parse().unwrap()), ..none() },
        DeliveryFilter { span: Span { since: Some(middle), until: None }, ..none() },
        DeliveryFilter { span: Span { since: None, until: Some(middle) }, ..none() },
        DeliveryFilter { event_id: Some(history.events[40].id), ..none() },
        DeliveryFilter { event_id: Some(EventId::from_bits(7)), ..none() },
    ];
    let statuses = Status::ALL.iter().map(|status| Some(*status)).chain([None]);
    for status in statuses {
        filters.push(DeliveryFilter { status, ..none() });
        filters.push(DeliveryFilter { status, location_id: Some("one".parse().unwrap()), ..none() });
        filters.extend(history.endpoints.iter().map(|endpoint| DeliveryFilter {
            status,
            endpoint_id: Some(endpoint.id),
            ..none()
        }));
    }
    filters
}

fn is_wanted(filter: &DeliveryFilter, delivery: &Delivery) -> bool {
    let at = delivery.created_at();
    filter.endpoint_id.is_none_or(|id| id == delivery.endpoint_id)
        && filter.event_id.is_none_or(|id| id == delivery.event_id)
        && (filter.location_id.is_none() || filter.location_id == delivery.location_id)
        && filter.type_name.as_ref().is_none_or(|name| *name == delivery.type_name)
        && filter.status.is_none_or(|status| status == delivery.status)
        && filter.span.since.is_none_or(|since| since <= at)
        && filter.span.until.is_none_or(|until| at < until)
}

async fn pages_of_deliveries(
    history: &History,
    scope: &Scope,
    filter: &DeliveryFilter,
    limit: usize,
) -> Vec<Delivery> {
    let (mut shown, mut before) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit, before };
        let page = history.world.store.list_deliveries(scope, filter.clone(), request).await.unwrap();
        assert!(page.rows.len() <= limit);
        shown.extend(page.rows.into_iter().map(|listed| listed.delivery));
        match page.next {
            Some(next) => before = Some(next),
            None => return shown,
        }
    }
}

#[tokio::test]
async fn pages_of_events_are_what_each_event_says() {
    let history = History::new().await;
    let mut succeeded: HashMap<_, bool> = HashMap::new();
    for delivery in history.all_deliveries().await {
        let known = succeeded.entry((delivery.event_id, delivery.endpoint_id)).or_default();
        *known |= delivery.status == Status::Succeeded;
    }
    let is_undelivered = |event: &Event| {
        event
            .considered
            .iter()
            .any(|one| !succeeded.get(&(event.id, one.endpoint_id)).copied().unwrap_or(false))
    };
    let undelivered = history.events.iter().filter(|event| is_undelivered(event)).count();
    assert!(undelivered > 10 && undelivered < history.events.len() - 3, "{undelivered}");
    for scope in scopes() {
        for filter in event_filters(&history) {
            let is_shown = |event: &&Event| {
                sees_event(&history, &scope, event)
                    && event_is_wanted(&filter, event)
                    && (!filter.undelivered_only || is_undelivered(event))
            };
            let expected: Vec<_> = history.events.iter().rev().filter(is_shown).cloned().collect();
            for limit in [1, 7, 200] {
                let shown = pages_of_events(&history, &scope, &filter, limit).await;
                assert_eq!(shown, expected, "{scope:?} {filter:?} {limit}");
            }
        }
        for event in &history.events {
            let found = history.world.store.event(&scope, event.id).await;
            assert_eq!(found.ok().as_ref() == Some(event), sees_event(&history, &scope, event), "{scope:?}");
        }
    }
}

fn event_filters(history: &History) -> Vec<EventFilter> {
    let middle = Some(history.events[45].created_at());
    let mut filters = Vec::new();
    for undelivered_only in [false, true] {
        let none = || EventFilter { undelivered_only, ..EventFilter::default() };
        filters.extend([
            none(),
            EventFilter { location_id: Some("one".parse().unwrap()), ..none() },
            EventFilter { type_name: Some("ContactCreate".into()), ..none() },
            EventFilter { span: Span { since: middle, until: None }, ..none() },
            EventFilter { span: Span { since: None, until: middle }, ..none() },
        ]);
    }
    filters
}

fn event_is_wanted(filter: &EventFilter, event: &Event) -> bool {
    let at = event.created_at();
    (filter.location_id.is_none() || filter.location_id == event.location_id)
        && filter.type_name.as_ref().is_none_or(|name| *name == event.type_name)
        && filter.span.since.is_none_or(|since| since <= at)
        && filter.span.until.is_none_or(|until| at < until)
}

fn sees_event(history: &History, scope: &Scope, event: &Event) -> bool {
    let location = event.location_id.as_ref().map(|id| id.as_str());
    let of_location = event.scope == EventScope::Location;
    match scope {
        Scope::Platform => true,
        Scope::Location(mine) => of_location && location == Some(mine.as_str()),
        Scope::Company(_) if of_location => location == Some("one"),
        Scope::Company(mine) => event.company_id.as_ref() == Some(mine),
        Scope::App(mine) => event.considered.iter().any(|one| {
            let endpoint = history.endpoints.iter().find(|endpoint| endpoint.id == one.endpoint_id).unwrap();
            endpoint.owner == Owner::App(mine.clone()) && matches!(one.fate, Fate::Delivery(_))
        }),
    }
}

async fn pages_of_events(history: &History, scope: &Scope, filter: &EventFilter, limit: usize) -> Vec<Event> {
    let (mut shown, mut before) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit, before };
        let page = history.world.store.list_events(scope, filter.clone(), request).await.unwrap();
        shown.extend(page.rows);
        match page.next {
            Some(next) => before = Some(next),
            None => return shown,
        }
    }
}

#[tokio::test]
async fn a_listing_that_finds_little_stops_and_goes_on_where_it_stopped() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let mut rare = world.publication(&endpoint, NOW);
    rare.event.type_name = "NoteCreate".into();
    let rare_id = rare.event.id;
    world.store.publish(vec![rare], None).await.unwrap();
    // Half more than one page looks at.
    for _ in 0..PAGE_ROWS_EXAMINED_MAX * 3 / 2 / 1_000 {
        let publications = (0..1_000).map(|_| world.publication(&endpoint, NOW)).collect();
        world.store.publish(publications, None).await.unwrap();
    }
    let filter = EventFilter { type_name: Some("NoteCreate".into()), ..EventFilter::default() };
    let request = PageRequest { limit: 10, before: None };
    let first = world.store.list_events(&Scope::Platform, filter.clone(), request).await.unwrap();
    assert!(first.rows.is_empty() && first.next.is_some());
    let request = PageRequest { limit: 10, before: first.next };
    let second = world.store.list_events(&Scope::Platform, filter, request).await.unwrap();
    assert_eq!(second.rows.iter().map(|event| event.id).collect::<Vec<_>>(), [rare_id]);
    assert_eq!(second.next, None);
}
