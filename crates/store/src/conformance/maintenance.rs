//! Retention, readiness, and closing.

use domain::delivery::{EndReason, Status};
use domain::endpoint::Endpoint;
use domain::id::EventId;
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::time::Timestamp;
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::deliveries::DeliveryFilter;
use crate::endpoints::EndpointFilter;
use crate::events::EventFilter;
use crate::maintenance::Swept;
use crate::once::{Once, OnceKey};
use crate::page::PageRequest;
use crate::queue::{ClaimedDelivery, Recorded, Want};

/// Slices of any useful size are fewer than this.
const SLICES_MAX: usize = 10_000;

/// Sweeps until nothing is left to do; how many slices it took.
async fn sweep_all(stage: &Stage, horizon: Timestamp) -> usize {
    for slices in 1..SLICES_MAX {
        if stage.sweep(horizon, horizon.plus_seconds(30 * DAY_S)).await.unwrap() == Swept::Done {
            return slices;
        }
    }
    panic!("the sweep does not end");
}

/// One delivery made at `made_at` in each state: pending, held, retrying, succeeded, failed.
async fn one_of_each(stage: &Stage, endpoint: &Endpoint, made_at: Timestamp) -> Vec<ClaimedDelivery> {
    let mut made = vec![stage.send(Draft::at(made_at).queued_for(endpoint)).await.delivery()];
    for verdict in [
        None,
        Some(Verdict::RetryAt(at(90 * DAY_S))),
        Some(Verdict::Succeeded),
        Some(Verdict::Ended(EndReason::Exhausted)),
    ] {
        let delivery = stage.send(Draft::at(made_at).held_for(endpoint)).await.delivery();
        if let Some(verdict) = verdict {
            stage.record_at(&delivery, verdict, made_at).await;
        }
        made.push(delivery);
    }
    made
}

/// Retention may be by whole days, so the cases keep clear of the horizon by one.
pub async fn what_is_older_than_the_horizon_goes_and_the_rest_stays(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let old = one_of_each(stage, &endpoint, at(0)).await;
    let new = one_of_each(stage, &endpoint, at(3 * DAY_S)).await;
    assert_eq!(stage.queue_length().await.unwrap(), 6);
    sweep_all(stage, at(2 * DAY_S)).await;
    for delivery in &old {
        assert_fails!(stage.event(&Scope::Platform, delivery.event_id).await, NotFound);
        assert_fails!(stage.delivery(&Scope::Platform, delivery.id).await, NotFound);
        assert_eq!(stage.deliveries_of(&Scope::Platform, delivery.event_id).await.unwrap_or_default(), []);
    }
    let newest_first = |id: fn(&ClaimedDelivery) -> u128| new.iter().rev().map(id).collect::<Vec<_>>();
    let events: Vec<_> = stage.events_seen(&Scope::Platform).await.iter().map(|id| id.bits()).collect();
    assert_eq!(events, newest_first(|one| one.event_id.bits()));
    let deliveries: Vec<_> =
        stage.deliveries_seen(&Scope::Platform).await.iter().map(|id| id.bits()).collect();
    assert_eq!(deliveries, newest_first(|one| one.id.bits()));
    let filter = EventFilter { undelivered_only: true, ..Default::default() };
    assert_eq!(stage.events_in(&Scope::Platform, filter, 9).await.len(), 4);
    for (delivery, attempts) in new.iter().zip([0, 0, 1, 1, 1]) {
        assert!(stage.event(&Scope::Platform, delivery.event_id).await.is_ok());
        assert_eq!(stage.shown(delivery.id).await.1.len(), attempts);
    }
    assert_eq!(stage.queue_length().await.unwrap(), 3);
    assert_eq!(stage.claim_one(&endpoint, at(4 * DAY_S)).await.id, new[0].id);
}

pub async fn what_was_swept_stays_away_after_a_crash(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let old = one_of_each(stage, &endpoint, at(0)).await;
    let new = one_of_each(stage, &endpoint, at(3 * DAY_S)).await;
    sweep_all(stage, at(2 * DAY_S)).await;
    stage.crash(at(4 * DAY_S)).await;
    assert_eq!(stage.queue_length().await.unwrap(), 3);
    assert_fails!(stage.event(&Scope::Platform, old[0].event_id).await, NotFound);
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), new.len());
    let claimed = stage.claim_all(&endpoint, at(4 * DAY_S)).await;
    let mut ids: Vec<_> = claimed.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [new[0].id, new[1].id]);
}

pub async fn a_record_for_what_was_swept_is_lost(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    sweep_all(stage, at(2 * DAY_S)).await;
    for verdict in [Verdict::Succeeded, Verdict::RetryAt(at(5)), Verdict::Ended(EndReason::Gone)] {
        let late = stage.outcome(&held, verdict, at(1));
        assert_eq!(stage.record_one(late).await, Recorded::Lost);
    }
    assert_fails!(stage.delivery(&Scope::Platform, held.id).await, NotFound);
    assert_eq!(stage.queue_length().await.unwrap(), 0);
}

/// Its event goes with the log, so it cannot be sent any more; the other deliveries can.
pub async fn a_retry_of_an_event_that_was_swept_stands_in_nobodys_way(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let done = stage.ended(&endpoint, Verdict::Succeeded).await;
    let now = at(3 * DAY_S);
    let new_id = stage.ids.delivery(now);
    stage.retry_delivery(&Scope::Platform, done.id, new_id, now, None).await.unwrap();
    let fresh = stage.send(Draft::at(now).queued_for(&endpoint)).await.delivery();
    sweep_all(stage, at(2 * DAY_S)).await;
    assert_eq!(stage.claim_one(&endpoint, at(4 * DAY_S)).await.id, fresh.id);
    assert_eq!(stage.deliveries_of(&Scope::Platform, fresh.event_id).await.unwrap().len(), 1);
    stage.list_deliveries(&Scope::Platform, DeliveryFilter::default(), PAGE).await.unwrap();
}

const PAGE: PageRequest = PageRequest { limit: 50, before: None };

pub async fn much_that_is_old_goes_in_slices_that_let_others_through(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for _ in 0..5 {
        let batch: Vec<_> =
            (0..1_000).map(|_| Draft::at(NOW).queued_for(&endpoint).make(&stage.ids)).collect();
        stage.publish(batch, None).await.unwrap();
    }
    let mut published: Vec<EventId> = Vec::new();
    for n in 0.. {
        assert!(n < SLICES_MAX as i64, "the sweep does not end");
        if stage.sweep(at(2 * DAY_S), at(30 * DAY_S)).await.unwrap() == Swept::Done {
            break;
        }
        published.push(stage.send(Draft::at(at(3 * DAY_S + n)).queued_for(&endpoint)).await.event.id);
    }
    assert!(published.len() > 1, "ten thousand rows are more than one slice");
    published.reverse();
    assert_eq!(stage.events_seen(&Scope::Platform).await, published);
    assert_eq!(stage.queue_length().await.unwrap(), published.len() as u64);
}

pub async fn a_sweep_of_nothing_is_done(stage: &mut Stage) {
    assert_eq!(sweep_all(stage, at(DAY_S)).await, 1);
    let endpoint = stage.endpoint(&location("loc")).await;
    let sent = stage.send(Draft::at(at(3 * DAY_S)).queued_for(&endpoint)).await;
    assert_eq!(sweep_all(stage, at(DAY_S)).await, 1);
    assert_eq!(stage.events_seen(&Scope::Platform).await, [sent.event.id]);
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(endpoint));
}

pub async fn a_sweep_leaves_answers_that_are_still_kept(stage: &mut Stage) {
    let key = |key: &str| OnceKey { owner: "platform".into(), path: "/".into(), key: key.into() };
    for (text, expires_at) in [("old", at(DAY_S)), ("new", at(DAY_S + 1))] {
        let answer = Box::new(|(): &()| (202, bytes::Bytes::new()));
        let once = Once { key: key(text), request_hash: [0; 32], expires_at, answer };
        stage.publish(vec![Draft::at(NOW).make(&stage.ids)], Some(once)).await.unwrap();
    }
    while stage.sweep(at(-30 * DAY_S), at(DAY_S)).await.unwrap() == Swept::More {}
    // Asked as of before it expired, an answer that is gone from the store is none.
    assert_eq!(stage.kept_answer(&key("old"), NOW).await.unwrap(), None);
    assert!(stage.kept_answer(&key("new"), NOW).await.unwrap().is_some());
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 2);
}

pub async fn a_deleted_endpoint_is_known_as_long_as_the_log_speaks_of_it(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let done = stage.send(Draft::at(at(3 * DAY_S)).held_for(&endpoint)).await.delivery();
    stage.record_at(&done, Verdict::Succeeded, at(3 * DAY_S)).await;
    stage.delete_endpoint(&Scope::Platform, endpoint.id, at(3 * DAY_S)).await.unwrap();
    sweep_all(stage, at(2 * DAY_S)).await;
    assert_eq!(stage.deliveries_seen(&location("loc")).await, [done.id]);
    sweep_all(stage, at(5 * DAY_S)).await;
    assert_eq!(stage.deliveries_seen(&location("loc")).await, []);
}

pub async fn the_queues_length_counts_what_is_not_finished(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let length = async |stage: &Stage| stage.queue_length().await.unwrap();
    assert_eq!(length(stage).await, 0);
    let held = stage.held(&endpoint).await;
    stage.queued(&endpoint).await;
    assert_eq!(length(stage).await, 2);
    stage.record_at(&held, Verdict::RetryAt(at(5)), NOW).await;
    assert_eq!(length(stage).await, 2);
    stage.crash(at(1)).await;
    assert_eq!(length(stage).await, 2);
    let claimed = stage.claim_all(&endpoint, at(5)).await;
    stage.record_at(&claimed[0], Verdict::Succeeded, at(5)).await;
    stage.cancel_delivery(&Scope::Platform, claimed[1].id, at(6), None).await.unwrap();
    assert_eq!(length(stage).await, 0);
    let new_id = stage.ids.delivery(at(7));
    stage.retry_delivery(&Scope::Platform, claimed[0].id, new_id, at(7), None).await.unwrap();
    assert_eq!(length(stage).await, 1);
    stage.end_deliveries(endpoint.id, EndReason::Gone, at(8), 9).await.unwrap();
    assert_eq!(length(stage).await, 0);
    assert_eq!(stage.status(new_id).await, Status::Failed);
}

pub async fn what_waits_is_counted_by_endpoint(stage: &mut Stage) {
    assert_eq!(stage.waiting().await.unwrap(), []);
    let [first, second] = [stage.endpoint(&location("loc")).await, stage.endpoint(&location("loc")).await];
    let held = stage.held(&first).await;
    for seconds in 1..=3 {
        stage.send(Draft::at(at(seconds)).queued_for(&first)).await;
    }
    stage.ended(&first, Verdict::Succeeded).await;
    stage.send(Draft::at(at(9)).queued_for(&second)).await;
    let waiting = async |stage: &Stage| {
        let mut found = stage.waiting().await.unwrap();
        found.sort_by_key(|waiting| waiting.endpoint_id);
        found
            .iter()
            .map(|waiting| (waiting.endpoint_id, waiting.count, waiting.oldest_at))
            .collect::<Vec<_>>()
    };
    assert_eq!(waiting(stage).await, [(first.id, 4, NOW), (second.id, 1, at(9))]);
    stage.record_at(&held, Verdict::Succeeded, at(10)).await;
    assert_eq!(waiting(stage).await, [(first.id, 3, at(1)), (second.id, 1, at(9))]);
}

pub async fn a_store_knows_what_it_takes_up(stage: &mut Stage) {
    let footprint = stage.footprint().await.unwrap();
    assert!(footprint.bytes > 0 && !footprint.kind.is_empty(), "{footprint:?}");
}

pub async fn a_store_that_is_ready_says_so(stage: &mut Stage) {
    stage.ping().await.unwrap();
    stage.crash(at(1)).await;
    stage.ping().await.unwrap();
    assert_eq!(stage.events_seen(&Scope::Platform).await, []);
}

pub async fn a_closed_store_is_unavailable(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    stage.close().await;
    assert_fails!(stage.ping().await, Unavailable { .. });
    assert_fails!(stage.publish(vec![Draft::at(NOW).make(&stage.ids)], None).await, Unavailable { .. });
    assert_fails!(stage.event(&Scope::Platform, held.event_id).await, Unavailable { .. });
    let events = stage.list_events(&Scope::Platform, EventFilter::default(), PAGE);
    assert_fails!(events.await, Unavailable { .. });
    let deliveries = stage.list_deliveries(&Scope::Platform, DeliveryFilter::default(), PAGE);
    assert_fails!(deliveries.await, Unavailable { .. });
    let endpoints = stage.list_endpoints(&Scope::Platform, EndpointFilter::default(), PAGE);
    assert_fails!(endpoints.await, Unavailable { .. });
    let want = Want { endpoint_id: endpoint.id, limit: 1 };
    assert_fails!(stage.claim(vec![want], NOW).await, Unavailable { .. });
    let record = stage.outcome(&held, Verdict::Succeeded, NOW);
    assert_fails!(stage.record(vec![record]).await, Unavailable { .. });
    let new = stage.new_endpoint(&location("loc"));
    assert_fails!(stage.create_endpoint(&Scope::Platform, new, 9, None).await, Unavailable { .. });
    assert_fails!(stage.due(None, 1).await, Unavailable { .. });
    stage.close().await;
    stage.restart(at(1)).await;
    assert_eq!(stage.claim_one(&endpoint, at(1)).await.id, held.id);
}

pub async fn what_was_answered_while_closing_is_stored(stage: &mut Stage) {
    let mut calls = JoinSet::new();
    for n in 0..200 {
        let (store, publication) = (stage.store(), Draft::at(NOW).make(&stage.ids));
        calls.spawn(async move {
            // The close comes somewhere among the publishers.
            if n == 100 {
                store.close().await;
            }
            let id = publication.event.id;
            store.publish(vec![publication], None).await.ok().map(|_| id)
        });
    }
    let answered: Vec<EventId> = calls.join_all().await.into_iter().flatten().collect();
    stage.restart(at(1)).await;
    for id in answered {
        assert!(stage.event(&Scope::Platform, id).await.is_ok(), "{id} was answered and is gone");
    }
}
