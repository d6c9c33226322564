//! `Idempotency-Key`: one effect per key, its answer stored with it, for as long as it is kept.

use std::sync::Arc;

use bytes::Bytes;
use domain::delivery::Delivery;
use domain::endpoint::{Endpoint, EndpointPatch};
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::secret::SecretText;
use domain::time::Timestamp;
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::StoreError;
use crate::endpoints::Rotation;
use crate::once::{KeptAnswer, Once, OnceKey};

fn key(key: &str) -> OnceKey {
    OnceKey { owner: "platform".into(), path: "/v1/events".into(), key: key.into() }
}

/// Kept for a day; the answer is made by `answer`.
fn with_answer<T>(key: OnceKey, answer: impl FnOnce(&T) -> (u16, Bytes) + Send + 'static) -> Option<Once<T>> {
    Some(Once { key, request_hash: [9; 32], expires_at: at(DAY_S), answer: Box::new(answer) })
}

fn once<T>(key: OnceKey) -> Option<Once<T>> {
    with_answer(key, |_| (202, Bytes::from_static(b"{\"kept\":true}")))
}

fn kept() -> KeptAnswer {
    KeptAnswer { request_hash: [9; 32], status: 202, body: Bytes::from_static(b"{\"kept\":true}") }
}

/// After this the key `k` is taken.
async fn use_up(stage: &Stage) {
    stage.publish(vec![Draft::at(NOW).make(&stage.ids)], once(key("k"))).await.unwrap();
}

pub async fn a_key_is_used_once_and_its_answer_is_kept(stage: &mut Stage) {
    assert_eq!(stage.kept_answer(&key("k"), NOW).await.unwrap(), None);
    let first = Draft::at(NOW).make(&stage.ids);
    stage.publish(vec![first.clone()], once(key("k"))).await.unwrap();
    assert_eq!(stage.kept_answer(&key("k"), NOW).await.unwrap(), Some(kept()));
    let second = Draft::at(at(1)).make(&stage.ids);
    assert_fails!(stage.publish(vec![second.clone()], once(key("k"))).await, KeyUsed);
    assert_fails!(stage.event(&Scope::Platform, second.event.id).await, NotFound);
    assert_eq!(stage.events_seen(&Scope::Platform).await, [first.event.id]);
    assert_eq!(stage.kept_answer(&key("k"), at(1)).await.unwrap(), Some(kept()));
}

pub async fn a_key_counts_for_its_owner_and_path_alone(stage: &mut Stage) {
    let mine = key("k");
    let other_owner = OnceKey { owner: "location:loc".into(), ..mine.clone() };
    let other_path = OnceKey { path: "/v1/events/batch".into(), ..mine.clone() };
    let (other_key, other_case) = (key("k2"), key("K"));
    for one in [&mine, &other_owner, &other_path, &other_key, &other_case] {
        assert_eq!(stage.kept_answer(one, NOW).await.unwrap(), None, "{one:?}");
        stage.publish(vec![Draft::at(NOW).make(&stage.ids)], once(one.clone())).await.unwrap();
    }
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 5);
}

pub async fn an_answer_that_expired_is_gone_and_its_key_free(stage: &mut Stage) {
    stage.publish(vec![Draft::at(NOW).make(&stage.ids)], once(key("k"))).await.unwrap();
    let expires_at = at(DAY_S);
    let just_before = expires_at.plus_millis(-1);
    assert_eq!(stage.kept_answer(&key("k"), just_before).await.unwrap(), Some(kept()));
    let early = Draft::at(just_before).make(&stage.ids);
    assert_fails!(stage.publish(vec![early], once(key("k"))).await, KeyUsed);
    assert_eq!(stage.kept_answer(&key("k"), expires_at).await.unwrap(), None);
    let again = Once {
        key: key("k"),
        request_hash: [1; 32],
        expires_at: at(2 * DAY_S),
        answer: Box::new(|(): &()| (200, Bytes::from_static(b"second"))),
    };
    stage.publish(vec![Draft::at(expires_at).make(&stage.ids)], Some(again)).await.unwrap();
    let second = KeptAnswer { request_hash: [1; 32], status: 200, body: Bytes::from_static(b"second") };
    assert_eq!(stage.kept_answer(&key("k"), expires_at).await.unwrap(), Some(second));
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 2);
}

pub async fn of_many_with_one_key_at_once_one_has_its_effect(stage: &mut Stage) {
    let mut calls = JoinSet::new();
    for _ in 0..32 {
        let publication = Draft::at(NOW).make(&stage.ids);
        let store = stage.store();
        calls.spawn(async move {
            let id = publication.event.id;
            let text = Bytes::from(id.to_string());
            (id, store.publish(vec![publication], with_answer(key("k"), |()| (202, text))).await)
        });
    }
    let mut winners = Vec::new();
    for (id, result) in calls.join_all().await {
        match result {
            Ok(_) => winners.push(id),
            Err(StoreError::KeyUsed) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(stage.events_seen(&Scope::Platform).await, winners);
    let answer = stage.kept_answer(&key("k"), NOW).await.unwrap().unwrap();
    assert_eq!(answer.body, winners[0].to_string());
}

pub async fn a_call_that_fails_keeps_no_answer(stage: &mut Stage) {
    let taken = Draft::at(NOW).make(&stage.ids);
    stage.publish(vec![taken.clone()], None).await.unwrap();
    assert!(stage.publish(vec![taken], once(key("k"))).await.is_err());
    let unknown = stage.ids.delivery(NOW);
    assert_fails!(stage.cancel_delivery(&Scope::Platform, unknown, NOW, once(key("k"))).await, NotFound);
    let endpoint = stage.new_endpoint(&location("loc"));
    let result = stage.create_endpoint(&Scope::Platform, endpoint, 0, once(key("k"))).await;
    assert_fails!(result, EndpointLimit { max: 0 });
    assert_eq!(stage.kept_answer(&key("k"), NOW).await.unwrap(), None);
    stage.publish(vec![Draft::at(NOW).make(&stage.ids)], once(key("k"))).await.unwrap();
}

pub async fn an_endpoint_and_its_answer_are_stored_together(stage: &mut Stage) {
    let answer = |stored: &Endpoint| (201, Bytes::from(stored.id.to_string()));
    let (one, two) = (stage.new_endpoint(&location("loc")), stage.new_endpoint(&location("loc")));
    let (id, other_id) = (one.id, two.id);
    stage.create_endpoint(&Scope::Platform, one, 50, with_answer(key("k"), answer)).await.unwrap();
    let kept = stage.kept_answer(&key("k"), NOW).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.body), (201, Bytes::from(id.to_string())));
    assert_fails!(stage.create_endpoint(&Scope::Platform, two, 50, once(key("k"))).await, KeyUsed);
    assert!(stage.routes().endpoint(other_id).is_none());
}

pub async fn a_used_key_leaves_an_endpoint_as_it_is(stage: &mut Stage) {
    use_up(stage).await;
    let endpoint = stage.endpoint(&location("loc")).await;
    let id = endpoint.id;
    let patch = EndpointPatch { description: Some("changed".into()), ..Default::default() };
    assert_fails!(stage.update_endpoint(&Scope::Platform, id, patch, at(1), once(key("k"))).await, KeyUsed);
    let rotation = |grace_seconds| {
        let secret = SecretText::new("whsec_new".into());
        Rotation { secret, grace_seconds, now: at(1) }
    };
    assert_fails!(stage.rotate_secret(&Scope::Platform, id, rotation(60), once(key("k"))).await, KeyUsed);
    assert_eq!(stage.store().endpoint(&Scope::Platform, id).await.unwrap(), endpoint);
    let rotated = stage.rotate_secret(&Scope::Platform, id, rotation(60), None).await.unwrap();
    assert_fails!(stage.promote_secret(&Scope::Platform, id, at(2), once(key("k"))).await, KeyUsed);
    assert_eq!(stage.routes().endpoint(id), Some(rotated));
}

pub async fn a_used_key_leaves_a_delivery_as_it_is(stage: &mut Stage) {
    use_up(stage).await;
    let endpoint = stage.endpoint(&location("loc")).await;
    let id = stage.ended(&endpoint, Verdict::RetryAt(at(60))).await.id;
    let before = stage.shown(id).await;
    let new_id = stage.ids.delivery(at(1));
    let used = || once::<Delivery>(key("k"));
    assert_fails!(stage.cancel_delivery(&Scope::Platform, id, at(1), used()).await, KeyUsed);
    assert_fails!(stage.retry_delivery(&Scope::Platform, id, new_id, at(1), used()).await, KeyUsed);
    assert_eq!(stage.shown(id).await, before);
    let done = stage.ended(&endpoint, Verdict::Succeeded).await.id;
    assert_fails!(stage.retry_delivery(&Scope::Platform, done, new_id, at(1), used()).await, KeyUsed);
    assert_fails!(stage.delivery(&Scope::Platform, new_id).await, NotFound);
}

pub async fn a_retry_and_its_answer_are_stored_together(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let done = stage.ended(&endpoint, Verdict::Succeeded).await.id;
    let answer = |delivery: &Delivery| (202, Bytes::from(delivery.id.to_string()));
    let (first, second) = (stage.ids.delivery(at(1)), stage.ids.delivery(at(2)));
    let maybe_once = with_answer(key("k"), answer);
    stage.retry_delivery(&Scope::Platform, done, first, at(1), maybe_once).await.unwrap();
    let kept = stage.kept_answer(&key("k"), at(1)).await.unwrap().unwrap();
    assert_eq!(kept.body, first.to_string());
    let maybe_once = once(key("k"));
    assert_fails!(stage.retry_delivery(&Scope::Platform, done, second, at(2), maybe_once).await, KeyUsed);
    assert_eq!(stage.queue_length().await.unwrap(), 1);
}

pub async fn a_kept_answer_survives_a_crash(stage: &mut Stage) {
    stage.publish(vec![Draft::at(NOW).make(&stage.ids)], once(key("k"))).await.unwrap();
    stage.crash(at(1)).await;
    assert_eq!(stage.kept_answer(&key("k"), at(1)).await.unwrap(), Some(kept()));
    let again = Draft::at(at(1)).make(&stage.ids);
    assert_fails!(stage.publish(vec![again], once(key("k"))).await, KeyUsed);
}

pub async fn answers_keep_odd_keys_and_large_bodies(stage: &mut Stage) {
    let odd: Arc<str> = (b' '..=b'~').map(char::from).chain("'\";--".chars()).collect::<String>().into();
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let stored = body.clone();
    let maybe_once = with_answer(key(&odd), move |()| (299, stored));
    stage.publish(vec![Draft::at(NOW).make(&stage.ids)], maybe_once).await.unwrap();
    let kept = stage.kept_answer(&key(&odd), Timestamp::from_millis(0)).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.body == body), (299, true));
}
