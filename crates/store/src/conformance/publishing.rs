//! Publishing: what is stored, byte for byte, all of it or nothing.

use bytes::Bytes;
use domain::delivery::{Status, Trigger};
use domain::event::{Fate, SkipReason};
use domain::id::EventId;
use domain::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use domain::scope::Scope;
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Sent, Stage, app, at, company, location};
use crate::events::Publication;

pub async fn an_event_reads_back_as_it_was_published(stage: &mut Stage) {
    let endpoints = [
        stage.endpoint(&location("loc")).await,
        stage.endpoint(&company("co")).await,
        stage.endpoint(&app("app")).await,
    ];
    let draft = Draft::at(at(1)).of_type("InvoicePaid").of(location("loc")).of(company("co")).of(app("app"));
    let sent =
        stage.send(draft.held_for(&endpoints[0]).queued_for(&endpoints[1]).held_for(&endpoints[2])).await;
    assert_eq!(stage.event(&Scope::Platform, sent.event.id).await.unwrap(), sent.event);
    let bare = stage.send(Draft::at(at(2))).await.event;
    assert_eq!(stage.event(&Scope::Platform, bare.id).await.unwrap(), bare);
}

pub async fn payloads_are_kept_byte_for_byte(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut large = b"{\"type\":\"ContactCreate\",\"pad\":\"".to_vec();
    large.resize(EVENT_BYTES_MAX - 2, b'x');
    large.extend(b"\"}");
    assert_eq!(large.len(), EVENT_BYTES_MAX);
    let payloads: Vec<Vec<u8>> = vec![
        b" \t\r\n{ \"type\" : \"ContactCreate\" ,\n\"a\":1.0e0 }  \n".to_vec(),
        r#"{"type":"ContactCreate","name":"Zoë 🦆 \ud800 \u0000","id":"' OR 1=1 --"}"#.as_bytes().to_vec(),
        vec![0, 1, 0xff, 0xfe, 0, b'{', 0x80],
        Vec::new(),
        large,
    ];
    for payload in payloads {
        let draft = Draft::at(NOW).payload(payload.clone()).queued_for(&endpoint);
        let sent = stage.send(draft).await;
        let stored = stage.event(&Scope::Platform, sent.event.id).await.unwrap();
        assert_eq!(stored.payload, payload);
        assert_eq!(stage.claim_one(&endpoint, NOW).await.payload, Bytes::from(payload));
    }
}

pub async fn the_order_and_the_reasons_of_the_considered_are_kept(stage: &mut Stage) {
    let mut draft = Draft::at(NOW).of(location("loc"));
    let mut endpoints = Vec::new();
    for _ in 0..9 {
        endpoints.push(stage.endpoint(&location("loc")).await);
    }
    // Not the order of the ids.
    for n in [4, 8, 0, 2, 6] {
        draft = draft.held_for(&endpoints[n]);
    }
    for (n, reason) in [7, 1, 5, 3].into_iter().zip(SkipReason::ALL) {
        draft = draft.skipping(&endpoints[n], reason);
    }
    let sent = stage.send(draft).await;
    let stored = stage.event(&Scope::Platform, sent.event.id).await.unwrap();
    let order: Vec<_> = stored.considered.iter().map(|one| one.endpoint_id).collect();
    assert_eq!(order, [4, 8, 0, 2, 6, 7, 1, 5, 3].map(|n: usize| endpoints[n].id));
    let skipped: Vec<_> = stored.considered[5..].iter().map(|one| one.fate).collect();
    assert_eq!(skipped, SkipReason::ALL.map(Fate::Skipped));
    assert_eq!(stage.deliveries_of(&Scope::Platform, sent.event.id).await.unwrap().len(), 5);
}

pub async fn a_delivery_is_pending_until_it_is_held_and_delivering_then(stage: &mut Stage) {
    let [endpoint, other] = [stage.endpoint(&location("loc")).await, stage.endpoint(&location("loc")).await];
    let event = Draft::at(at(3)).of_type("NoteCreate").of(location("loc"));
    let sent = stage.send(event.queued_for(&endpoint).held_for(&other)).await;
    let (pending, attempts) = stage.shown(sent.deliveries[0].id).await;
    assert_eq!(attempts, []);
    assert_eq!((pending.event_id, pending.endpoint_id), (sent.event.id, endpoint.id));
    assert_eq!(
        (&*pending.type_name, pending.location_id.clone()),
        ("NoteCreate", Some("loc".parse().unwrap()))
    );
    assert_eq!((pending.trigger, pending.retry_of), (Trigger::Event, None));
    assert_eq!((pending.status, pending.attempt_count), (Status::Pending, 0));
    assert_eq!((pending.next_attempt_at, pending.completed_at), (Some(at(3)), None));
    assert_eq!(pending.end_reason, None);
    assert_eq!(pending.created_at(), at(3));
    assert_eq!(stage.status(sent.deliveries[1].id).await, Status::Delivering);
}

pub async fn a_batch_of_a_thousand_is_stored_whole(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let make = |n: usize| {
        let draft = Draft::at(at(n as i64 / 100)).of(location("loc")).payload(format!("{{\"n\":{n}}}"));
        draft.queued_for(&endpoint).make(&stage.ids)
    };
    let batch: Vec<Publication> = (0..BATCH_EVENTS_MAX).map(make).collect();
    let claim = stage.publish(batch.clone(), None).await.unwrap();
    let newest_first: Vec<EventId> = batch.iter().rev().map(|one| one.event.id).collect();
    assert_eq!(stage.events_seen(&Scope::Platform).await, newest_first);
    assert_eq!(stage.queue_length().await.unwrap(), BATCH_EVENTS_MAX as u64);
    let claimed = stage.claim_all(&endpoint, at(DAY_S)).await;
    let sent: Vec<_> = batch.iter().flat_map(|one| Sent::new(one, claim).deliveries).collect();
    let told = |one: &crate::queue::ClaimedDelivery| (one.id, one.event_id, one.payload.clone());
    assert_eq!(claimed.iter().map(told).collect::<Vec<_>>(), sent.iter().map(told).collect::<Vec<_>>());
}

pub async fn a_publication_is_all_or_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = Draft::at(NOW).queued_for(&endpoint).make(&stage.ids);
    let second = Draft::at(NOW).queued_for(&endpoint).make(&stage.ids);
    stage.publish(vec![first.clone()], None).await.unwrap();
    // An id that is taken cannot be stored again; what comes before it in the batch goes with it.
    assert!(stage.publish(vec![second.clone(), first.clone()], None).await.is_err());
    assert_fails!(stage.event(&Scope::Platform, second.event.id).await, NotFound);
    assert_fails!(stage.delivery(&Scope::Platform, second.deliveries[0].id).await, NotFound);
    assert_eq!(stage.events_seen(&Scope::Platform).await, [first.event.id]);
    assert_eq!(stage.queue_length().await.unwrap(), 1);
    stage.publish(vec![second.clone()], None).await.unwrap();
    assert_eq!(stage.events_seen(&Scope::Platform).await, [second.event.id, first.event.id]);
}

pub async fn one_that_fails_spoils_no_other_that_comes_with_it(stage: &mut Stage) {
    let taken = Draft::at(NOW).make(&stage.ids);
    stage.publish(vec![taken.clone()], None).await.unwrap();
    let mut calls = JoinSet::new();
    for n in 0..60 {
        let store = stage.store();
        let fresh = Draft::at(NOW).make(&stage.ids);
        let batch = if n % 3 == 1 { vec![fresh.clone(), taken.clone()] } else { vec![fresh.clone()] };
        calls.spawn(async move { (n % 3 == 1, fresh.event.id, store.publish(batch, None).await.is_ok()) });
    }
    while let Some(call) = calls.join_next().await {
        let (spoiled, id, published) = call.unwrap();
        assert_eq!(published, !spoiled);
        assert_eq!(stage.event(&Scope::Platform, id).await.is_ok(), published);
    }
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 1 + 40);
}

pub async fn nothing_to_publish_is_no_fault(stage: &mut Stage) {
    stage.publish(Vec::new(), None).await.unwrap();
    assert_eq!(stage.events_seen(&Scope::Platform).await, []);
    assert_eq!(stage.queue_length().await.unwrap(), 0);
}

pub async fn an_id_with_other_random_bits_is_not_found(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let sent = stage.send(Draft::at(NOW).held_for(&endpoint)).await;
    let event = EventId::from_bits(sent.event.id.bits() ^ 1);
    assert_fails!(stage.event(&Scope::Platform, event).await, NotFound);
    assert_eq!(stage.deliveries_of(&Scope::Platform, event).await.unwrap_or_default(), []);
    let id = sent.delivery().id;
    let other = domain::id::DeliveryId::from_bits(id.bits() ^ 1);
    assert_fails!(stage.delivery(&Scope::Platform, other).await, NotFound);
    assert_fails!(stage.cancel_delivery(&Scope::Platform, other, NOW, None).await, NotFound);
    let new_id = stage.ids.delivery(NOW);
    assert_fails!(stage.retry_delivery(&Scope::Platform, other, new_id, NOW, None).await, NotFound);
    assert_eq!(stage.status(id).await, Status::Delivering);
    stage.record_at(&sent.delivery(), domain::retry::Verdict::Succeeded, NOW).await;
    assert_fails!(stage.delivery(&Scope::Platform, other).await, NotFound);
    assert_fails!(stage.retry_delivery(&Scope::Platform, other, new_id, NOW, None).await, NotFound);
}

pub async fn publishers_at_once_lose_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut calls = JoinSet::new();
    for n in 0..200 {
        let publication = Draft::at(at(n)).queued_for(&endpoint).make(&stage.ids);
        let store = stage.store();
        calls.spawn(async move {
            store.publish(vec![publication.clone()], None).await.unwrap();
            publication.event.id
        });
    }
    let mut published = calls.join_all().await;
    published.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(stage.events_seen(&Scope::Platform).await, published);
    assert_eq!(stage.claim_all(&endpoint, at(300)).await.len(), 200);
}
