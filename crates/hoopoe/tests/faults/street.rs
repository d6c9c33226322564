//! A server and a healthy endpoint: how long an event takes to arrive there, whoever the neighbours are.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use testkit::{Answer, Client, Program, Receiver, Running};

use crate::site::{Site, api, contact, endpoint};

/// 100 events a second, the rate for which the budget of ARCHITECTURE.md is written.
const PACE: Duration = Duration::from_millis(10);
/// The p99 may grow by half.
const RATIO_MAX: f64 = 1.5;
/// Below this a difference is the scheduler's, not a queue's: with a lane that waits for its neighbour it would be seconds.
const NOISE: Duration = Duration::from_millis(5);

pub(crate) struct Street {
    _site: Site,
    pub(crate) server: Running,
    pub(crate) api: Client,
    pub(crate) receiver: Receiver,
}

impl Street {
    pub(crate) async fn new() -> Self {
        Self::with(|program| program).await
    }

    pub(crate) async fn with(settings: impl FnOnce(Program) -> Program) -> Self {
        let site = Site::new();
        let server = settings(site.program().args(["--core-dumps"])).start().await;
        let (api, receiver) = (api(&server), Receiver::start().await);
        endpoint(&api, "healthy", &receiver.url("/healthy")).await;
        receiver.usually("/hanging", Answer::hang());
        Self { _site: site, server, api, receiver }
    }

    /// p99 from the publish to the arrival at the healthy receiver, of so many events.
    pub(crate) async fn measure(&self, events: usize) -> Duration {
        let before = self.receiver.received().iter().filter(|one| one.path == "/healthy").count();
        let mut ticks = tokio::time::interval(PACE);
        let mut publishing = Vec::with_capacity(events);
        for n in 0..events {
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
        let mut waited = self.arrivals(before + events, &published).await;
        waited.sort();
        waited[events * 99 / 100]
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

pub(crate) fn check_that_nothing_changed(alone: Vec<Duration>, beside: Vec<Duration>) {
    check_within(alone, beside, NOISE);
}

/// The median round's p99 on both streets, so that one hiccup decides nothing.
pub(crate) fn check_within(alone: Vec<Duration>, beside: Vec<Duration>, noise: Duration) {
    let (alone, beside) = (median(alone), median(beside));
    println!("p99 alone {alone:?}, beside bad neighbours {beside:?}");
    let allowed = alone.mul_f64(RATIO_MAX) + noise;
    assert!(beside <= allowed, "p99 {beside:?} beside bad neighbours, {alone:?} alone");
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() / 2]
}
