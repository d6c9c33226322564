//! The writer: grouping, refusals, panics, a full disk.

use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::Poll;

use domain::delivery::Status;
use domain::retry::Verdict;
use domain::scope::Scope;
use store::deliveries::Deliveries;
use store::events::{EventFilter, Events};
use store::maintenance::Maintenance;
use store::page::PageRequest;
use store::queue::{Queue, Recorded};
use store::{Store, StoreError};

use super::{NOW, World};

const PAGE: PageRequest = PageRequest { limit: 50, before: None };

#[tokio::test]
async fn what_is_published_is_recorded_once_and_shown() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let publication = world.publication(&endpoint, NOW);
    let claim = world.store.publish(vec![publication.clone()], None).await.unwrap();
    assert_eq!(world.store.queue_length().await.unwrap(), 1);
    let record = world.record(&publication, claim, Verdict::Succeeded);
    assert_eq!(world.store.record(vec![record.clone()]).await.unwrap(), [Recorded::Applied]);
    assert_eq!(world.store.record(vec![record.clone()]).await.unwrap(), [Recorded::Lost]);
    assert_eq!(world.store.queue_length().await.unwrap(), 0);
    let (delivery, attempts) = world.store.delivery(&Scope::Platform, record.delivery.id).await.unwrap();
    assert_eq!((delivery.status, delivery.attempt_count), (Status::Succeeded, 1));
    assert_eq!(attempts, [(*record.attempt).clone()]);
    assert_eq!(world.store.event(&Scope::Platform, publication.event.id).await.unwrap(), publication.event);
    world.store.close().await;
    assert!(matches!(world.store.ping().await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn operations_that_arrive_during_another_share_its_commit() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let (go, gate) = mpsc::channel::<()>();
    let before = world.store.stats();
    let blocking =
        world.store.write("waiting", move |_| gate.recv().map_err(|_| crate::fault::Fault::Sealing));
    let mut blocking = pin!(blocking);
    send(blocking.as_mut()).await;
    let publish = |one| Box::pin(world.store.publish(vec![one], None));
    let mut publishing: Vec<_> = (0..20).map(|_| publish(world.publication(&endpoint, NOW))).collect();
    for one in &mut publishing {
        send(one.as_mut()).await;
    }
    go.send(()).unwrap();
    for one in publishing {
        one.await.unwrap();
    }
    blocking.await.unwrap();
    let after = world.store.stats();
    assert_eq!(after.operations - before.operations, 21);
    // Two, but for a machine so slow that a batch reaches its bound in time.
    assert!(after.commits - before.commits <= 5, "{} commits", after.commits - before.commits);
}

/// Polls once: the operation is in the writer's queue then, behind those before it.
async fn send<T>(mut operation: Pin<&mut impl Future<Output = T>>) {
    std::future::poll_fn(|ctx| {
        assert!(operation.as_mut().poll(ctx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_operation_spoils_no_other_of_its_batch() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let (first, second) = (world.publication(&endpoint, NOW), world.publication(&endpoint, NOW));
    let mut twice = world.publication(&endpoint, NOW);
    // The event is new, its delivery is not: the event must not stay.
    twice.deliveries[0].id = first.deliveries[0].id;
    let publish = |one| world.store.publish(vec![one], None);
    let (a, b, c) = tokio::join!(publish(first.clone()), publish(twice.clone()), publish(second.clone()));
    assert!(a.is_ok() && c.is_ok());
    assert!(matches!(b, Err(StoreError::Internal { .. })), "{b:?}");
    let listed = world.store.list_events(&Scope::Platform, EventFilter::default(), PAGE).await.unwrap();
    assert_eq!(listed.rows, [second.event, first.event]);
    assert_eq!(world.store.queue_length().await.unwrap(), 2);
}

#[tokio::test]
async fn a_day_made_by_a_refused_operation_is_made_again_by_the_next() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let mut bad = world.publication(&endpoint, NOW);
    bad.deliveries.push(bad.deliveries[0]);
    assert!(world.store.publish(vec![bad], None).await.is_err());
    world.store.publish(vec![world.publication(&endpoint, NOW)], None).await.unwrap();
}

#[tokio::test]
async fn a_panic_fails_its_caller_and_the_store_lives_on() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let panicking = world.store.write::<(), _>("panicking", |_| panic!("as asked")).await;
    assert!(matches!(panicking, Err(StoreError::Internal { .. })), "{panicking:?}");
    world.store.publish(vec![world.publication(&endpoint, NOW)], None).await.unwrap();
    assert_eq!(world.store.stats().lost_batches, 1);
}

#[tokio::test]
async fn a_full_disk_is_told_at_once_and_writing_goes_on_when_there_is_room() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let limit_pages = |pages: i64| {
        world.store.write("limiting the file", move |tx| {
            tx.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        })
    };
    limit_pages(1).await.unwrap();
    let mut stored = Vec::new();
    let refused = loop {
        let mut publication = world.publication(&endpoint, NOW);
        publication.event.payload = vec![b'x'; 100_000].into();
        match world.store.publish(vec![publication.clone()], None).await {
            Ok(_) => stored.push(publication.event),
            Err(error) => break error,
        }
        assert!(stored.len() < 1_000, "the limit does not hold");
    };
    assert!(
        matches!(&refused, StoreError::Unavailable { reason } if reason.contains("disk is full")),
        "{refused:?}"
    );
    assert_eq!(world.store.queue_length().await.unwrap(), stored.len() as u64);
    limit_pages(1_000_000).await.unwrap();
    let publication = world.publication(&endpoint, NOW);
    world.store.publish(vec![publication.clone()], None).await.unwrap();
    stored.push(publication.event);
    stored.reverse();
    let listed = world.store.list_events(&Scope::Platform, EventFilter::default(), PAGE).await.unwrap();
    assert_eq!(listed.rows, stored);
}

#[tokio::test]
async fn the_log_starts_over_while_writing_goes_on() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    // A MiB each; 64 MiB is where it starts over, unless a checkpoint is just running.
    for _ in 0..400 {
        let before = world.store.stats().wal_bytes;
        let publications = (0..16).map(|_| {
            let mut publication = world.publication(&endpoint, NOW);
            publication.event.payload = vec![b'x'; 60_000].into();
            publication
        });
        world.store.publish(publications.collect(), None).await.unwrap();
        if world.store.stats().wal_bytes < before {
            return;
        }
    }
    panic!("the log only grows: {} bytes", world.store.stats().wal_bytes);
}

#[tokio::test]
async fn routes_know_an_endpoint_as_soon_as_its_creation_returns() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    assert_eq!(world.store.routes().endpoint(endpoint.id), Some(endpoint));
}

#[tokio::test]
async fn closing_waits_for_what_was_accepted() {
    let world = World::new();
    let endpoint = world.endpoint().await;
    let publication = world.publication(&endpoint, NOW);
    let id = publication.event.id;
    let mut publishing = pin!(world.store.publish(vec![publication], None));
    send(publishing.as_mut()).await;
    world.store.close().await;
    publishing.await.unwrap();
    let reopened = super::open(world.dir.path()).unwrap();
    assert!(reopened.event(&Scope::Platform, id).await.is_ok());
}

#[tokio::test]
async fn reads_that_panic_cost_no_reader() {
    let world = World::new();
    for _ in 0..10 {
        let read = world.store.read::<(), _>("panicking", |_| panic!("as asked")).await;
        assert!(matches!(read, Err(StoreError::Internal { .. })), "{read:?}");
    }
    world.store.ping().await.unwrap();
}
