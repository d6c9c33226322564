//! The orders that are filled in bulk: whatever was put in order when, a listing is what the rows say.

use std::sync::Arc;

use domain::delivery::{EndReason, Status};
use domain::endpoint::Endpoint;
use domain::event::{Considered, Event, EventScope, Fate};
use domain::id::{DeliveryId, EndpointId, EventId, IdSource};
use domain::location::{Location, LocationId};
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use store::StoreError;
use store::deliveries::{Deliveries, DeliveryFilter};
use store::endpoints::Endpoints;
use store::events::{EventFilter, Events, Hold, NewDelivery, Publication};
use store::maintenance::{Maintenance, Swept};
use store::page::PageRequest;
use store::queue::{Claim, Queue, Recorded};
use store::tenants::Tenants;

use super::{NOW, World, open};
use crate::maintenance::SLICE_ROWS;
use crate::order::Bounds;

const DAY_MS: i64 = 86_400_000;
const LOCATIONS: [&str; 3] = ["one", "two", "three"];
const TYPES: [&str; 2] = ["ContactCreate", "NoteCreate"];

/// A delivery as it should be listed.
#[derive(Debug, Clone)]
struct Known {
    publication: Publication,
    delivery: NewDelivery,
    /// Under which it can be recorded; `None` after a restart.
    claim: Option<Claim>,
    status: Option<Status>,
}

/// What happened, at random, and what should be listed.
struct Story {
    world: World,
    endpoints: Vec<Arc<Endpoint>>,
    events: Vec<Event>,
    deliveries: Vec<Known>,
    now: Timestamp,
    random: u64,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new();
        let company_id = Some("agency".parse().unwrap());
        for id in ["one", "two"] {
            let location = Location { id: id.parse().unwrap(), name: None, company_id: company_id.clone() };
            world.store.put_location(&Scope::Platform, location, NOW).await.unwrap();
        }
        let mut endpoints = Vec::new();
        for owner in ["app", "app", "app", "other"] {
            let like = world.endpoint().await;
            let (id, owner) = (world.ids.endpoint(NOW), Owner::App(owner.parse().unwrap()));
            let endpoint = Endpoint { id, owner, ..(*like).clone() };
            endpoints.push(world.store.create_endpoint(&Scope::Platform, endpoint, 50, None).await.unwrap());
        }
        let story = Self { world, endpoints, events: vec![], deliveries: vec![], now: NOW, random: seed };
        story.world.bound(5, 9).await;
        story
    }

    /// Below `bound`; a linear congruential generator, whose upper bits are good enough.
    fn any(&mut self, bound: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % bound
    }

    async fn go_on(&mut self) {
        match self.any(20) {
            0..8 => self.publish().await,
            8 => self.publish_late().await,
            9 => self.be_refused().await,
            10..18 => self.end_one().await,
            18 if self.any(2) == 0 => self.now = self.now.plus_millis(DAY_MS / 2),
            19 if self.any(4) == 0 => self.reopen().await,
            _ => self.now = self.now.plus_millis(1_000),
        }
        self.now = self.now.plus_millis(1);
    }

    fn publication(&mut self, at: Timestamp) -> Publication {
        let mut chosen: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        chosen.retain(|_| self.any(2) == 0);
        let (id, delivery_ids) = self.world.ids.event_with_deliveries(at, chosen.len());
        let deliveries: Vec<_> = chosen
            .into_iter()
            .zip(delivery_ids)
            .map(|(endpoint_id, id)| NewDelivery { id, endpoint_id, hold: Hold::Claimed })
            .collect();
        let considered = deliveries
            .iter()
            .map(|one| Considered { endpoint_id: one.endpoint_id, fate: Fate::Delivery(one.id) })
            .collect();
        let location_id = LOCATIONS.get(self.any(4)).map(|id| id.parse().unwrap());
        let scope = [EventScope::Location, EventScope::Company]
            [usize::from(location_id.is_none() || self.any(4) == 0)];
        let like = self.world.publication(&self.endpoints[0], at).event;
        let type_name = TYPES[self.any(2)].into();
        let company_id = Some("agency".parse().unwrap());
        let event = Event { id, type_name, scope, location_id, company_id, considered, ..like };
        Publication { event, deliveries }
    }

    async fn publish(&mut self) {
        let publications: Vec<_> = (0..=self.any(3)).map(|_| self.publication(self.now)).collect();
        self.store(publications).await;
    }

    /// One that was made before others, up to some seconds: by another process, since one alone never goes back.
    async fn publish_late(&mut self) {
        let late = self.late();
        self.store(vec![late]).await;
    }

    fn late(&mut self) -> Publication {
        let ids = IdSource::seeded(100 + self.events.len() as u64);
        let (at, ids) =
            (self.now.plus_millis(-(self.any(5_000) as i64)), std::mem::replace(&mut self.world.ids, ids));
        let late = self.publication(at);
        self.world.ids = ids;
        late
    }

    async fn store(&mut self, publications: Vec<Publication>) {
        let claim = self.world.store.publish(publications.clone(), None).await.unwrap();
        for publication in publications {
            self.events.push(publication.event.clone());
            self.deliveries.extend(publication.deliveries.iter().map(|delivery| Known {
                publication: publication.clone(),
                delivery: *delivery,
                claim: Some(claim),
                status: None,
            }));
        }
    }

    /// An event, late or not, is taken back because its delivery is there already.
    async fn be_refused(&mut self) {
        let live: Vec<_> = self.deliveries.iter().filter(|known| known.status.is_none()).cloned().collect();
        let Some(known) = live.iter().find(|known| known.claim.is_some()) else { return };
        let mut refused = if self.any(2) == 0 { self.late() } else { self.publication(self.now) };
        refused.deliveries = vec![known.delivery];
        let result = self.world.store.publish(vec![refused], None).await;
        assert!(matches!(result, Err(StoreError::Internal { .. })), "{result:?}");
    }

    async fn end_one(&mut self) {
        let live: Vec<_> =
            (0..self.deliveries.len()).filter(|n| self.deliveries[*n].status.is_none()).collect();
        if live.is_empty() {
            return;
        }
        // Half of them the oldest, so that nothing stays for ever.
        let place = if self.any(2) == 0 { live[0] } else { live[self.any(live.len())] };
        let fate = self.any(3);
        let known = self.deliveries[place].clone();
        let store = &self.world.store;
        self.deliveries[place].status = Some(match (known.claim, fate) {
            (Some(claim), 0 | 1) => {
                let failed = Verdict::Ended(EndReason::Exhausted);
                let (verdict, status) =
                    [(Verdict::Succeeded, Status::Succeeded), (failed, Status::Failed)][fate];
                let one = Publication { deliveries: vec![known.delivery], ..known.publication };
                let recorded = store.record(vec![self.world.record(&one, claim, verdict)]).await.unwrap();
                assert_eq!(recorded, [Recorded::Applied]);
                status
            }
            _ => {
                store.cancel_delivery(&Scope::Platform, known.delivery.id, self.now, None).await.unwrap();
                Status::Cancelled
            }
        });
    }

    async fn reopen(&mut self) {
        self.world.store.close().await;
        self.world.store = open(self.world.dir.path()).unwrap();
        self.world.bound(5, 9).await;
        self.deliveries.iter_mut().for_each(|known| known.claim = None);
    }

    async fn check(&self) {
        self.check_deliveries().await;
        self.check_events().await;
    }

    async fn check_deliveries(&self) {
        let app = || Scope::App("app".parse().unwrap());
        for filter in self.delivery_filters() {
            for (scope, endpoints) in [(Scope::Platform, 0..4), (app(), 0..3)] {
                let mine: Vec<_> = self.endpoints[endpoints].iter().map(|endpoint| endpoint.id).collect();
                let mut expected: Vec<_> = self
                    .deliveries
                    .iter()
                    .filter(|known| mine.contains(&known.delivery.endpoint_id) && is_wanted(&filter, known))
                    .map(|known| known.delivery.id)
                    .collect();
                expected.sort_unstable_by(|a, b| b.cmp(a));
                for limit in [4, 200] {
                    let shown = deliveries(&self.world, &scope, &filter, limit).await;
                    assert_eq!(shown, expected, "{scope:?} {filter:?} {limit}");
                }
            }
        }
    }

    fn delivery_filters(&self) -> Vec<DeliveryFilter> {
        let places: Vec<(Option<EndpointId>, Option<LocationId>)> = self
            .endpoints
            .iter()
            .map(|endpoint| (Some(endpoint.id), None))
            .chain(LOCATIONS.map(|id| (None, Some(id.parse().unwrap()))))
            .chain([(None, None)])
            .collect();
        let mut filters = Vec::new();
        for (endpoint_id, location_id) in places {
            for status in [None, Some(Status::Succeeded), Some(Status::Failed)] {
                for type_name in [None, Some(TYPES[1].into())] {
                    let location_id = location_id.clone();
                    filters.push(DeliveryFilter {
                        endpoint_id,
                        location_id,
                        status,
                        type_name,
                        ..Default::default()
                    });
                }
            }
        }
        filters
    }

    async fn check_events(&self) {
        let location = |id: &str| Scope::Location(id.parse().unwrap());
        for scope in
            [Scope::Platform, location("one"), location("three"), Scope::Company("agency".parse().unwrap())]
        {
            for place in [None, Some("one"), Some("three")] {
                for type_name in [None, Some(TYPES[0].into())] {
                    let location_id = place.map(|id| id.parse().unwrap());
                    let filter = EventFilter { location_id, type_name, ..EventFilter::default() };
                    let mut expected: Vec<_> = self
                        .events
                        .iter()
                        .filter(|event| sees(&scope, event) && event_is_wanted(&filter, event))
                        .map(|event| event.id)
                        .collect();
                    expected.sort_unstable_by(|a, b| b.cmp(a));
                    for limit in [4, 200] {
                        let shown = events(&self.world, &scope, &filter, limit).await;
                        assert_eq!(shown, expected, "{scope:?} {filter:?} {limit}");
                    }
                }
            }
        }
    }
}

fn is_wanted(filter: &DeliveryFilter, known: &Known) -> bool {
    let event = &known.publication.event;
    filter.endpoint_id.is_none_or(|id| id == known.delivery.endpoint_id)
        && (filter.location_id.is_none() || filter.location_id == event.location_id)
        && filter.type_name.as_ref().is_none_or(|name| *name == event.type_name)
        && filter.status.is_none_or(|status| known.status == Some(status))
}

fn event_is_wanted(filter: &EventFilter, event: &Event) -> bool {
    (filter.location_id.is_none() || filter.location_id == event.location_id)
        && filter.type_name.as_ref().is_none_or(|name| *name == event.type_name)
}

fn sees(scope: &Scope, event: &Event) -> bool {
    let of_location = event.scope == EventScope::Location;
    let location = event.location_id.as_ref().map(LocationId::as_str);
    match scope {
        Scope::Location(mine) => of_location && location == Some(mine.as_str()),
        Scope::Company(_) => !of_location || matches!(location, Some("one" | "two")),
        Scope::Platform | Scope::App(_) => true,
    }
}

async fn deliveries(world: &World, scope: &Scope, filter: &DeliveryFilter, limit: usize) -> Vec<DeliveryId> {
    let (mut shown, mut before) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit, before };
        let page = world.store.list_deliveries(scope, filter.clone(), request).await.unwrap();
        shown.extend(page.rows.into_iter().map(|listed| listed.delivery.id));
        before = page.next;
        if before.is_none() {
            return shown;
        }
    }
}

async fn events(world: &World, scope: &Scope, filter: &EventFilter, limit: usize) -> Vec<EventId> {
    let (mut shown, mut before) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit, before };
        let page = world.store.list_events(scope, filter.clone(), request).await.unwrap();
        shown.extend(page.rows.into_iter().map(|event| event.id));
        before = page.next;
        if before.is_none() {
            return shown;
        }
    }
}

async fn number(world: &World, sql: &'static str) -> i64 {
    world.store.read("counting", move |conn| Ok(conn.query_row(sql, [], |row| row.get(0))?)).await.unwrap()
}

const PARTS_FOLLOWED: &str = "SELECT count(*) FROM ordered AS p WHERE first_key < (SELECT max(first_key) FROM ordered \
    WHERE day = p.day AND log = p.log)";

#[tokio::test]
async fn whatever_is_put_in_order_when_a_listing_is_what_the_rows_say() {
    for seed in 1..=3 {
        let mut story = Story::new(seed).await;
        for step in 0..240 {
            story.go_on().await;
            if step % 40 == 39 {
                story.check().await;
            }
        }
        assert!(number(&story.world, PARTS_FOLLOWED).await > 5, "too few parts to be worth a test");
        assert!(number(&story.world, "SELECT count(*) FROM days").await > 1);
    }
}

/// Ten events with a delivery each, all that was put in order with a tail of at most four, so far.
async fn ten(world: &World) -> (Arc<Endpoint>, Vec<Publication>) {
    world.bound(4, 4).await;
    let endpoint = world.endpoint().await;
    let mut published = Vec::new();
    for place in 0..10 {
        let publication = world.publication(&endpoint, NOW.plus_millis(place));
        end(world, &publication).await;
        published.push(publication);
    }
    (endpoint, published)
}

async fn end(world: &World, publication: &Publication) {
    let claim = world.store.publish(vec![publication.clone()], None).await.unwrap();
    world.store.record(vec![world.record(publication, claim, Verdict::Succeeded)]).await.unwrap();
}

/// Made as if by another process: one alone never goes back.
fn late(endpoint: &Endpoint, millis: i64) -> Publication {
    World::publication_of(&IdSource::seeded(7), endpoint, NOW.plus_millis(millis))
}

async fn of_endpoint(world: &World, endpoint: &Endpoint) -> Vec<DeliveryId> {
    let filter = DeliveryFilter { endpoint_id: Some(endpoint.id), ..DeliveryFilter::default() };
    deliveries(world, &Scope::Platform, &filter, 200).await
}

fn newest_first(published: &[Publication]) -> Vec<DeliveryId> {
    let mut ids: Vec<_> = published.iter().map(|one| one.deliveries[0].id).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

#[tokio::test]
async fn what_comes_late_is_listed_at_once() {
    let world = World::new();
    let (endpoint, mut published) = ten(&world).await;
    let before = number(&world, "SELECT count(*) FROM deliveries_to_20231114").await;
    assert!((6..10).contains(&before), "{before} in order");
    let late = late(&endpoint, 2);
    end(&world, &late).await;
    published.push(late.clone());
    let places = number(&world, "SELECT count(*) FROM deliveries_to_20231114").await;
    assert_eq!(places, before + 1);
    assert_eq!(of_endpoint(&world, &endpoint).await, newest_first(&published));
    let location = Scope::Location("loc".parse().unwrap());
    let shown = events(&world, &location, &EventFilter::default(), 200).await;
    assert!(shown.contains(&late.event.id) && shown.len() == 11);
}

#[tokio::test]
async fn a_place_in_an_order_from_the_tail_on_is_passed_by() {
    let world = World::new();
    let (endpoint, published) = ten(&world).await;
    let newest = published[9].deliveries[0];
    // In the first part: followed, it would come after all that is newer.
    let misplace = "INSERT INTO deliveries_to_20231114 (part, endpoint_id, key) \
        SELECT min(first_key), ?1, ?2 FROM ordered WHERE log = 1";
    let values = (crate::codec::endpoint_bytes(newest.endpoint_id), newest.id.key());
    let misplaced = world.store.write("misplacing", move |tx| Ok(tx.conn.execute(misplace, values)?)).await;
    assert_eq!(misplaced.unwrap(), 1);
    assert_eq!(of_endpoint(&world, &endpoint).await, newest_first(&published));
}

#[tokio::test]
async fn what_a_commit_put_in_order_that_failed_is_put_in_order_by_the_next() {
    let world = World::new();
    let (endpoint, mut published) = ten(&world).await;
    let parts = number(&world, "SELECT count(*) FROM ordered").await;
    let failing = world.store.write("failing", |tx| {
        tx.days.bound(Bounds { tail_rows: 1, bulk_rows: 0, part_rows: 1 });
        // Nothing notices before the commit.
        let orphan = "CREATE TABLE parents (id INTEGER PRIMARY KEY);
            CREATE TABLE orphans (of INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
            PRAGMA defer_foreign_keys = ON; INSERT INTO orphans VALUES (1);";
        Ok(tx.conn.execute_batch(orphan)?)
    });
    assert!(matches!(failing.await, Err(StoreError::Unavailable { .. })));
    assert_eq!(number(&world, "SELECT count(*) FROM ordered").await, parts);
    for place in 10..20 {
        let publication = world.publication(&endpoint, NOW.plus_millis(place));
        end(&world, &publication).await;
        published.push(publication);
    }
    assert!(number(&world, "SELECT count(*) FROM ordered").await > parts);
    assert_eq!(of_endpoint(&world, &endpoint).await, newest_first(&published));
    let location = Scope::Location("loc".parse().unwrap());
    assert_eq!(events(&world, &location, &EventFilter::default(), 200).await.len(), published.len());
}

#[tokio::test]
async fn a_full_disk_puts_nothing_in_order() {
    let world = World::new();
    let (endpoint, mut published) = ten(&world).await;
    let limit_pages = |pages: i64| {
        world.store.write("limiting the file", move |tx| {
            tx.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        })
    };
    limit_pages(1).await.unwrap();
    let mut refused = 0;
    for place in 10..300 {
        let publication = world.publication(&endpoint, NOW.plus_millis(place));
        match world.store.publish(vec![publication.clone()], None).await {
            Ok(claim) => {
                let record = world.record(&publication, claim, Verdict::Succeeded);
                refused += usize::from(world.store.record(vec![record]).await.is_err());
                published.push(publication);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1, "the limit does not hold");
    limit_pages(1_000_000).await.unwrap();
    for place in 300..310 {
        let publication = world.publication(&endpoint, NOW.plus_millis(place));
        end(&world, &publication).await;
        published.push(publication);
    }
    assert_eq!(of_endpoint(&world, &endpoint).await, newest_first(&published));
    let location = Scope::Location("loc".parse().unwrap());
    assert_eq!(events(&world, &location, &EventFilter::default(), 200).await.len(), published.len());
}

#[tokio::test]
async fn a_day_that_is_over_is_put_in_order_to_its_end() {
    let world = World::new();
    let (endpoint, mut published) = ten(&world).await;
    let next_day = world.publication(&endpoint, NOW.plus_millis(DAY_MS));
    for _ in 0..3 {
        end(&world, &world.publication(&endpoint, NOW.plus_millis(DAY_MS))).await;
    }
    let last = late(&endpoint, 9);
    for one in [&next_day, &last] {
        end(&world, one).await;
    }
    published.push(last);
    let places = "SELECT (SELECT count(*) FROM deliveries_to_20231114) + (SELECT count(*) FROM deliveries_in_20231114) \
        + (SELECT count(*) FROM events_in_20231114)";
    assert_eq!(number(&world, places).await, 3 * published.len() as i64);
}

#[tokio::test]
async fn retention_leaves_no_place_behind() {
    let world = World::new();
    world.bound(100, 700).await;
    let endpoint = world.endpoint().await;
    let rows = SLICE_ROWS as usize * 3 / 2;
    for _ in 0..rows / 100 {
        let publications: Vec<_> = (0..100).map(|_| world.publication(&endpoint, NOW)).collect();
        let claim = world.store.publish(publications.clone(), None).await.unwrap();
        let records = publications.iter().map(|one| world.record(one, claim, Verdict::Succeeded)).collect();
        world.store.record(records).await.unwrap();
    }
    let places = number(&world, "SELECT count(*) FROM deliveries_to_20231114").await;
    assert!(places > SLICE_ROWS, "{places}");
    let horizon = NOW.plus_millis(2 * DAY_MS);
    assert_eq!(world.store.sweep(horizon, NOW).await.unwrap(), Swept::More);
    let left = number(&world, "SELECT count(*) FROM events_in_20231114").await;
    assert_eq!(left, places - SLICE_ROWS, "one slice, of the first order");
    while world.store.sweep(horizon, NOW).await.unwrap() == Swept::More {}
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%2023%'";
    assert_eq!(number(&world, tables).await + number(&world, "SELECT count(*) FROM ordered").await, 0);
}
