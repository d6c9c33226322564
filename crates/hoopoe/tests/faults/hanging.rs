//! A dead neighbour is harmless: an endpoint that hangs does not slow another one down.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use testkit::{Answer, Client, Receiver};

use crate::site::{Site, api, contact, endpoint};

const WAITING: usize = 1_000;
const ROUNDS: usize = 5;
const EVENTS_PER_ROUND: usize = 400;
/// 100 events a second, the rate for which the budget of ARCHITECTURE.md is written.
const PACE: Duration = Duration::from_millis(10);
/// The p99 may grow by half.
const RATIO_MAX: f64 = 1.5;
/// Below this a difference is the scheduler's, not a queue's: with a lane that waits for its neighbour it would be seconds.
const NOISE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_does_not_slow_another_one_down() {
    let quiet = Street::new().await;
    let noisy = Street::new().await;
    noisy.add_hanging_neighbour().await;
    quiet.measure().await;
    // By turns, so that whatever else the machine does meets both; the median round, so that one hiccup decides nothing.
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(quiet.measure().await);
        beside.push(noisy.measure().await);
    }
    let (alone, beside) = (median(alone), median(beside));
    println!("p99 alone {alone:?}, beside a hanging endpoint {beside:?}");
    noisy.check_that_the_neighbour_hung().await;
    let allowed = alone.mul_f64(RATIO_MAX) + NOISE;
    assert!(beside <= allowed, "p99 {beside:?} beside a hanging endpoint, {alone:?} alone");
}

/// A server and a healthy endpoint.
struct Street {
    _site: Site,
    server: testkit::Running,
    api: Client,
    receiver: Receiver,
}

impl Street {
    async fn new() -> Self {
        let site = Site::new();
        let server = site.start().await;
        let (api, receiver) = (api(&server), Receiver::start().await);
        endpoint(&api, "healthy", &receiver.url("/healthy")).await;
        receiver.usually("/hanging", Answer::hang());
        Self { _site: site, server, api, receiver }
    }

    async fn add_hanging_neighbour(&self) {
        endpoint(&self.api, "hanging", &self.receiver.url("/hanging")).await;
        let events: Vec<_> = (0..WAITING).map(|n| contact("hanging", n)).collect();
        let body = serde_json::json!({ "events": events });
        self.api.post("/v1/events/batch", &body).await.expect(200);
        self.receiver.wait_for_one("a request that hangs", |one| one.path == "/hanging").await;
    }

    async fn check_that_the_neighbour_hung(&self) {
        assert!(!self.server.stderr().contains("panicked"), "{}", self.server.stderr());
        let listing = "/v1/deliveries?locationId=hanging&status=succeeded";
        assert_eq!(self.api.get(listing).await.expect(200)["data"], serde_json::json!([]));
        let sent = self.receiver.received().iter().filter(|one| one.path == "/hanging").count();
        assert!((1..WAITING).contains(&sent), "{sent} of {WAITING} are waiting no more");
    }

    /// p99 from the publish to the arrival at the healthy receiver.
    async fn measure(&self) -> Duration {
        let before = self.receiver.received().iter().filter(|one| one.path == "/healthy").count();
        let mut ticks = tokio::time::interval(PACE);
        let mut publishing = Vec::with_capacity(EVENTS_PER_ROUND);
        for n in 0..EVENTS_PER_ROUND {
            ticks.tick().await;
            let api = self.api.clone();
            publishing.push(tokio::spawn(async move {
                let at = Instant::now();
                let event = api.post("/v1/events", &contact("healthy", n)).await.expect(202);
                (event["id"].as_str().unwrap().to_owned(), at)
            }));
        }
        let mut published = HashMap::new();
        for one in publishing {
            published.extend([one.await.unwrap()]);
        }
        let mut waited = self.arrivals(before + EVENTS_PER_ROUND, &published).await;
        waited.sort();
        waited[EVENTS_PER_ROUND * 99 / 100]
    }

    async fn arrivals(&self, count: usize, published: &HashMap<String, Instant>) -> Vec<Duration> {
        testkit::eventually("the healthy endpoint's events", || async {
            let received = self.receiver.received();
            let healthy: Vec<_> = received.iter().filter(|one| one.path == "/healthy").collect();
            let waited = |one: &&&testkit::Received| {
                let at = published.get(one.expect_header("webhook-id"));
                at.map(|at| one.arrived_at.saturating_duration_since(*at))
            };
            (healthy.len() >= count).then(|| healthy.iter().filter_map(|one| waited(&one)).collect())
        })
        .await
    }
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() / 2]
}
