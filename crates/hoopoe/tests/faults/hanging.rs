//! A dead neighbour is harmless: an endpoint that hangs does not slow another one down.

use crate::site::{contact, endpoint};
use crate::street::{Street, check_that_nothing_changed};

const WAITING: usize = 1_000;
const ROUNDS: usize = 5;
const EVENTS_PER_ROUND: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_does_not_slow_another_one_down() {
    let quiet = Street::new().await;
    let noisy = Street::new().await;
    add_hanging_neighbour(&noisy).await;
    quiet.measure(EVENTS_PER_ROUND).await;
    // By turns, so that whatever else the machine does meets both.
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(quiet.measure(EVENTS_PER_ROUND).await);
        beside.push(noisy.measure(EVENTS_PER_ROUND).await);
    }
    check_that_the_neighbour_hung(&noisy).await;
    check_that_nothing_changed(alone, beside);
}

async fn add_hanging_neighbour(street: &Street) {
    endpoint(&street.api, "hanging", &street.receiver.url("/hanging")).await;
    let events: Vec<_> = (0..WAITING).map(|n| contact("hanging", n)).collect();
    let body = serde_json::json!({ "events": events });
    street.api.post("/v1/events/batch", &body).await.expect(200);
    street.receiver.wait_for_one("a request that hangs", |one| one.path == "/hanging").await;
}

async fn check_that_the_neighbour_hung(street: &Street) {
    assert!(!street.server.stderr().contains("panicked"), "{}", street.server.stderr());
    let listing = "/v1/deliveries?locationId=hanging&status=succeeded";
    assert_eq!(street.api.get(listing).await.expect(200)["data"], serde_json::json!([]));
    let sent = street.receiver.received().iter().filter(|one| one.path == "/hanging").count();
    assert!((1..WAITING).contains(&sent), "{sent} of {WAITING} are waiting no more");
}
