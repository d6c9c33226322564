//! The file: who may open it, what is kept over a restart, what goes when it is old.

use domain::delivery::Status;
use domain::id::IdSource;
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::time::Timestamp;
use rusqlite::Connection;
use store::deliveries::{Deliveries, DeliveryFilter};
use store::events::{EventFilter, Events};
use store::maintenance::{Maintenance, Swept};
use store::page::PageRequest;
use store::queue::{Queue, Recorded, Want};
use store::{Store, StoreError};

use super::{KEY, NOW, World, open, vault};
use crate::{OpenError, Settings, SqliteStore};

const PAGE: PageRequest = PageRequest { limit: 50, before: None };

#[tokio::test]
async fn a_data_directory_is_used_by_one_store_at_a_time() {
    let world = World::new();
    assert!(matches!(open(world.dir.path()), Err(OpenError::Locked { .. })));
    world.store.close().await;
    assert!(open(world.dir.path()).is_ok());
}

#[tokio::test]
async fn another_master_key_is_refused_and_the_right_one_still_opens() {
    let World { store, dir, .. } = World::new();
    store.close().await;
    let wrong =
        Settings { data_dir: dir.path().to_owned(), vault: vault([8; 32]), node_name: "node".to_owned() };
    assert!(matches!(SqliteStore::open(wrong, NOW), Err(OpenError::WrongMasterKey)));
    assert!(open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let World { store, dir, .. } = World::new();
    store.close().await;
    let file = Connection::open(dir.path().join("hoopoe.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::SchemaNewer { found: 99, .. })));
    let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

/// Version 4 did not store whose an event is.
#[tokio::test]
async fn a_file_of_before_learns_whose_its_events_are() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let types = ["ContactCreate", "LocationUpdate", "PlanChange", "UserCreate", "UserCreate"];
    let mut ids = Vec::new();
    for (place, type_name) in types.into_iter().enumerate() {
        let mut publication = world.publication(&endpoint, NOW.plus_millis(place as i64));
        let event = &mut publication.event;
        (event.type_name, event.company_id) = (type_name.into(), Some("agency".parse().unwrap()));
        event.app_id = Some("app".parse().unwrap());
        if place == 4 {
            event.location_id = None;
        }
        ids.push(event.id);
        world.store.publish(vec![publication], None).await.unwrap();
    }
    let World { store, dir, .. } = world;
    store.close().await;
    let file = Connection::open(dir.path().join("hoopoe.db")).unwrap();
    file.execute_batch(&back_to_7("20231114")).unwrap();
    file.execute_batch("DROP TABLE ordered;").unwrap();
    let back_to_4 = "DROP INDEX events_20231114_location; DROP INDEX events_20231114_company;
        ALTER TABLE events_20231114 DROP COLUMN scope;
        CREATE INDEX events_20231114_location ON events_20231114 (location_id) WHERE location_id IS NOT NULL;
        CREATE INDEX events_20231114_company ON events_20231114 (company_id) WHERE company_id IS NOT NULL;
        ALTER TABLE api_keys DROP COLUMN granted_kind; ALTER TABLE api_keys DROP COLUMN granted_id;
        ALTER TABLE sessions DROP COLUMN granted_kind; ALTER TABLE sessions DROP COLUMN granted_id;
        ALTER TABLE audit DROP COLUMN actor_owner_kind; ALTER TABLE audit DROP COLUMN actor_owner_id;
        DROP TABLE tallies;
        PRAGMA user_version = 4;";
    file.execute_batch(back_to_4).unwrap();
    drop(file);
    let store = open(dir.path()).unwrap();
    let (location, company) =
        (Scope::Location("loc".parse().unwrap()), Scope::Company("agency".parse().unwrap()));
    for (scope, expected) in [(location, vec![ids[3], ids[0]]), (company, vec![ids[4], ids[1]])] {
        let page = store.list_events(&scope, EventFilter::default(), PAGE).await.unwrap();
        assert_eq!(page.rows.iter().map(|event| event.id).collect::<Vec<_>>(), expected, "{scope:?}");
    }
}

/// Version 7 had indexes where there are orders now.
fn back_to_7(d: &str) -> String {
    let orders = "DROP TABLE events_in_{d}; DROP TABLE deliveries_to_{d}; DROP TABLE deliveries_in_{d};
        CREATE INDEX events_{d}_location ON events_{d} (location_id, scope) WHERE location_id IS NOT NULL;
        CREATE INDEX deliveries_{d}_endpoint ON deliveries_{d} (endpoint_id);
        CREATE INDEX deliveries_{d}_location ON deliveries_{d} (location_id) WHERE location_id IS NOT NULL;";
    orders.replace("{d}", d)
}

/// Whose events and deliveries are found in the orders of the file of before, and whose new ones are found with them.
#[tokio::test]
async fn a_file_of_before_is_put_in_order() {
    let mut world = World::new();
    let endpoint = world.endpoint().await;
    let next_day = NOW.plus_seconds(86_400);
    let times: Vec<_> = (0..20).map(|n| if n < 10 { NOW } else { next_day }.plus_millis(n)).collect();
    let mut published = Vec::new();
    for at in times {
        let publication = world.publication(&endpoint, at);
        let claim = world.store.publish(vec![publication.clone()], None).await.unwrap();
        world.store.record(vec![world.record(&publication, claim, Verdict::Succeeded)]).await.unwrap();
        published.push(publication);
    }
    world.store.close().await;
    let file = Connection::open(world.dir.path().join("hoopoe.db")).unwrap();
    file.execute_batch(&[back_to_7("20231114"), back_to_7("20231115")].concat()).unwrap();
    file.execute_batch("DROP TABLE ordered; PRAGMA user_version = 7;").unwrap();
    drop(file);
    world.store = open(world.dir.path()).unwrap();
    let late = World::publication_of(&IdSource::seeded(7), &endpoint, NOW);
    let new = world.publication(&endpoint, next_day.plus_seconds(1));
    for publication in [&late, &new] {
        let claim = world.store.publish(vec![publication.clone()], None).await.unwrap();
        world.store.record(vec![world.record(publication, claim, Verdict::Succeeded)]).await.unwrap();
    }
    published.extend([late, new]);
    published.sort_by_key(|publication| std::cmp::Reverse(publication.event.id));
    let (location, none) = (Scope::Location("loc".parse().unwrap()), DeliveryFilter::default);
    let events = world.store.list_events(&location, EventFilter::default(), PAGE).await.unwrap().rows;
    let expected: Vec<_> = published.iter().map(|one| one.event.id).collect();
    assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), expected);
    let filters = [
        DeliveryFilter { endpoint_id: Some(endpoint.id), ..none() },
        DeliveryFilter { location_id: Some("loc".parse().unwrap()), ..none() },
    ];
    for filter in filters {
        let rows = world.store.list_deliveries(&Scope::Platform, filter.clone(), PAGE).await.unwrap().rows;
        let expected: Vec<_> = published.iter().map(|one| one.deliveries[0].id).collect();
        assert_eq!(rows.iter().map(|one| one.delivery.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'deliveries%endpoint' OR name LIKE '%s_2023%location'";
    let left = world
        .store
        .read("counting", move |conn| Ok(conn.query_row(indexes, [], |row| row.get::<_, i64>(0))?));
    assert_eq!(left.await.unwrap(), 0);
}

#[test]
fn a_file_that_is_no_database_or_not_ours_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hoopoe.db");
    let junk = vec![b'?'; 8_192];
    std::fs::write(&path, &junk).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), junk);
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(matches!(open(&file.join("below")), Err(OpenError::Directory { .. })));
}

#[tokio::test]
async fn a_restart_keeps_everything_and_frees_the_claims() {
    let World { store, dir, ids } = World::new();
    let world = World { store, ids, dir };
    let endpoint = world.endpoint().await;
    let publication = world.publication(&endpoint, NOW);
    let claim = world.store.publish(vec![publication.clone()], None).await.unwrap();
    let World { store, dir, ids } = world;
    store.close().await;
    drop(store);
    let world = World { store: open(dir.path()).unwrap(), ids, dir };
    assert_eq!(world.store.routes().endpoint(endpoint.id).as_deref(), Some(&*endpoint));
    assert_eq!(world.store.queue_length().await.unwrap(), 1);
    let late = world.record(&publication, claim, Verdict::Succeeded);
    assert_eq!(world.store.record(vec![late]).await.unwrap(), [Recorded::Lost]);
    let want = Want { endpoint_id: endpoint.id, limit: 10 };
    let granted = world.store.claim(vec![want], NOW).await.unwrap();
    assert_eq!(granted[0].deliveries.len(), 1);
    assert_eq!(granted[0].deliveries[0].payload, publication.event.payload);
    assert_ne!(granted[0].deliveries[0].claim, claim);
}

#[tokio::test]
async fn secrets_are_nowhere_in_the_clear() {
    let World { store, dir, ids } = World::new();
    let world = World { store, ids, dir };
    world.endpoint().await;
    world.store.close().await;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in ["whsec_plain", "hidden-value", std::str::from_utf8(&KEY).unwrap()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret:?}");
        }
    }
}

#[tokio::test]
async fn a_day_that_is_over_goes_with_all_that_it_holds() {
    let world = World::new();
    world.bound(1, 1).await;
    let endpoint = world.endpoint().await;
    let next_day = NOW.plus_seconds(86_400);
    let (old, held, new) = (
        world.publication(&endpoint, NOW),
        world.publication(&endpoint, NOW),
        world.publication(&endpoint, next_day),
    );
    let claim = world.store.publish(vec![old.clone(), held.clone(), new.clone()], None).await.unwrap();
    for one in [&old, &new] {
        world.store.record(vec![world.record(one, claim, Verdict::Succeeded)]).await.unwrap();
    }
    let midnight: Timestamp = "2023-11-15T00:00:00Z".parse().unwrap();
    sweep_all(&world, midnight.plus_millis(-1)).await;
    assert!(world.store.event(&Scope::Platform, old.event.id).await.is_ok(), "the day is not over");
    sweep_all(&world, midnight).await;
    let gone = world.store.event(&Scope::Platform, old.event.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound)));
    assert_eq!(world.store.queue_length().await.unwrap(), 0);
    let events = world.store.list_events(&Scope::Platform, EventFilter::default(), PAGE).await.unwrap();
    assert_eq!(events.rows, [new.event]);
    let deliveries =
        world.store.list_deliveries(&Scope::Platform, DeliveryFilter::default(), PAGE).await.unwrap();
    let shown: Vec<_> =
        deliveries.rows.iter().map(|listed| (listed.delivery.id, listed.delivery.status)).collect();
    assert_eq!(shown, [(new.deliveries[0].id, Status::Succeeded)]);
    let late = world.record(&held, claim, Verdict::Succeeded);
    assert_eq!(world.store.record(vec![late]).await.unwrap(), [Recorded::Lost]);
    let tables: i64 = world
        .store
        .read("counting tables", |conn| {
            let sql =
                "SELECT count(*) + (SELECT count(*) FROM ordered WHERE day < (SELECT min(day) FROM days))
                FROM sqlite_schema WHERE name LIKE '%_20231114%'";
            Ok(conn.query_row(sql, [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

async fn sweep_all(world: &World, horizon: Timestamp) {
    for _ in 0..100 {
        if world.store.sweep(horizon, NOW).await.unwrap() == Swept::Done {
            return;
        }
    }
    panic!("the sweep does not end");
}
