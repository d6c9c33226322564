//! Rows of tallies: one per endpoint and minute however much happened, and none that nobody will ask for.

use domain::endpoint::Endpoint;
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::time::Timestamp;
use store::endpoints::Endpoints;
use store::events::Events;
use store::maintenance::{Maintenance, Swept};
use store::queue::Queue;

use super::{NOW, World};

/// Rows of each grain, minutes first.
async fn rows(world: &World) -> [i64; 4] {
    let count = |conn: &rusqlite::Connection| {
        let of = |grain: i64| {
            conn.query_row("SELECT count(*) FROM tallies WHERE grain = ?1", [grain], |row| row.get(0))
        };
        Ok([of(0)?, of(1)?, of(2)?, of(3)?])
    };
    world.store.read("counting", count).await.unwrap()
}

/// Records so many outcomes of attempts that began at `at`.
async fn attempted(world: &World, endpoint: &Endpoint, at: Timestamp, count: usize) {
    let publications: Vec<_> = (0..count).map(|_| world.publication(endpoint, at)).collect();
    let claim = world.store.publish(publications.clone(), None).await.unwrap();
    let records = publications.iter().map(|publication| world.record(publication, claim, Verdict::Succeeded));
    world.store.record(records.collect()).await.unwrap();
}

async fn sweep_all(world: &World, now: Timestamp) {
    while world.store.sweep(NOW.plus_seconds(-90 * 86_400), now).await.unwrap() == Swept::More {}
}

#[tokio::test]
async fn an_endpoint_has_a_row_per_minute_however_much_is_recorded() {
    let world = World::new();
    let [first, second] = [world.endpoint().await, world.endpoint().await];
    assert_eq!(rows(&world).await, [0; 4], "nothing happened");
    for batch in 0..3 {
        attempted(&world, &first, NOW.plus_millis(batch), 20).await;
    }
    attempted(&world, &second, NOW, 1).await;
    attempted(&world, &first, NOW.plus_seconds(60), 1).await;
    assert_eq!(rows(&world).await, [3, 0, 0, 0]);
    // Two minutes of one endpoint share its coarser rows.
    sweep_all(&world, NOW.plus_seconds(2 * 3_600)).await;
    assert_eq!(rows(&world).await, [0, 2, 2, 2]);
    sweep_all(&world, NOW.plus_seconds(31 * 86_400)).await;
    assert_eq!(rows(&world).await, [0; 4]);
}

#[tokio::test]
async fn a_deleted_endpoint_leaves_no_row_also_of_what_was_recorded_later() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    attempted(&world, &endpoint, NOW, 1).await;
    sweep_all(&world, NOW.plus_seconds(2 * 3_600)).await;
    let now = NOW.plus_seconds(2 * 3_600);
    attempted(&world, &endpoint, now, 1).await;
    assert_eq!(rows(&world).await, [1; 4]);
    let held = world.publication(&endpoint, now);
    let claim = world.store.publish(vec![held.clone()], None).await.unwrap();
    world.store.delete_endpoint(&Scope::Platform, endpoint.id, now).await.unwrap();
    assert_eq!(rows(&world).await, [0; 4]);
    world.store.record(vec![world.record(&held, claim, Verdict::Succeeded)]).await.unwrap();
    sweep_all(&world, now.plus_seconds(2 * 3_600)).await;
    assert_eq!(rows(&world).await, [0; 4]);
}
