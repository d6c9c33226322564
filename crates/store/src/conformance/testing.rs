//! Test sends: logged as a delivery, hidden as an event, never repeated.

use domain::delivery::{EndReason, Status, Trigger};
use domain::event::{Event, Visibility};
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Sent, Stage, at, company, location};
use crate::deliveries::DeliveryFilter;
use crate::queue::{Claim, ClaimedDelivery};

/// The event and the delivery of a test send to `endpoint`, not stored yet.
fn test_send(stage: &Stage, endpoint: &domain::endpoint::Endpoint) -> (Event, ClaimedDelivery) {
    let draft = Draft::at(NOW).of(location("loc")).payload("{\"type\":\"ContactCreate\",\"test\":true}");
    let publication = draft.held_for(endpoint).make(&stage.ids);
    let delivery = Sent::new(&publication, Claim(0)).delivery();
    let event = Event { visibility: Visibility::TestOnly, ..publication.event };
    (event, ClaimedDelivery { trigger: Trigger::Test, ..delivery })
}

pub async fn a_test_is_logged_with_its_one_attempt(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for (verdict, status) in [
        (Verdict::Succeeded, Status::Succeeded),
        (Verdict::Ended(EndReason::Gone), Status::Failed),
        // A test is over after its one attempt.
        (Verdict::RetryAt(at(5)), Status::Failed),
    ] {
        let (event, delivery) = test_send(stage, &endpoint);
        let record = stage.outcome(&delivery, verdict, NOW);
        stage.record_test(event.clone(), record.clone(), None).await.unwrap();
        let (shown, attempts) = stage.delivery(&location("loc"), delivery.id).await.unwrap();
        assert_eq!((shown.trigger, shown.status, shown.attempt_count), (Trigger::Test, status, 1));
        assert_eq!((shown.event_id, shown.endpoint_id), (event.id, endpoint.id));
        assert_eq!((shown.next_attempt_at, shown.completed_at.is_some()), (None, true));
        assert_eq!(attempts, [(*record.attempt).clone()]);
        assert_fails!(stage.event(&Scope::Platform, event.id).await, NotFound);
    }
    assert_eq!(stage.queue_length().await.unwrap(), 0);
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
}

pub async fn a_test_is_listed_among_its_endpoints_deliveries(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let real = stage.ended(&endpoint, Verdict::Succeeded).await;
    let (event, delivery) = test_send(stage, &endpoint);
    let record = stage.outcome(&delivery, Verdict::Succeeded, NOW);
    stage.record_test(event.clone(), record, None).await.unwrap();
    let filter = DeliveryFilter { endpoint_id: Some(endpoint.id), ..Default::default() };
    assert_eq!(stage.deliveries_in(&location("loc"), filter, 1).await, [delivery.id, real.id]);
    let filter = DeliveryFilter { event_id: Some(event.id), ..Default::default() };
    assert_eq!(stage.deliveries_in(&Scope::Platform, filter, 50).await, [delivery.id]);
    assert_eq!(stage.deliveries_seen(&company("co")).await, []);
    assert_eq!(stage.events_seen(&Scope::Platform).await, [real.event_id]);
    stage.crash(at(1)).await;
    assert_eq!(stage.deliveries_seen(&Scope::Platform).await, [delivery.id, real.id]);
}

pub async fn a_test_of_a_disabled_endpoint_is_logged_too(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    stage.disable(&endpoint, domain::endpoint::DisabledReason::Gone, NOW).await;
    let (event, delivery) = test_send(stage, &endpoint);
    let record = stage.outcome(&delivery, Verdict::Succeeded, NOW);
    stage.record_test(event, record, None).await.unwrap();
    assert_eq!(stage.status(delivery.id).await, Status::Succeeded);
}
