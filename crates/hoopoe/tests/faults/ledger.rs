//! What publishers were promised and what the receiver saw, compared at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::limits::{PUBLISH_STORE_MS_MAX, PUBLISH_WAIT_MS_MAX};
use testkit::{Answered, Client, Receiver};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::site::{LOCATION, contact};

/// Of an answer to a publication, on a machine that does other things too.
pub(crate) const ANSWER: Duration = Duration::from_millis(PUBLISH_WAIT_MS_MAX + PUBLISH_STORE_MS_MAX + 2_000);
const WAIT: Duration = Duration::from_millis(100);

/// Ids of events that were acknowledged with a 202.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    count: watch::Sender<usize>,
    next: Arc<AtomicUsize>,
}

/// Publishers at work until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<()>>,
}

/// Publishers that do not give up, whatever they are told.
pub(crate) struct Insisting {
    stop: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<Told>>,
}

/// What they were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Times they were told to come again.
    pub(crate) refused: usize,
    /// Times no answer came, since the node died.
    pub(crate) unanswered: usize,
    /// The longest that an answer took.
    pub(crate) slowest: Duration,
    /// What they must never be told.
    pub(crate) wrong: Vec<String>,
}

impl Ledger {
    /// `count` publishers, by turns at each of these nodes, which a `503` with a `Retry-After` keeps from nothing.
    pub(crate) fn insist(&self, apis: &[Client], count: usize) -> Insisting {
        let stop = Arc::new(AtomicBool::new(false));
        let publisher = |n: usize| {
            let (ledger, api, stop) = (self.clone(), apis[n % apis.len()].clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut told, mut again) = (Told::default(), tokio::time::interval(WAIT));
                again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                while !stop.load(Ordering::Relaxed) {
                    if !ledger.publish_telling(&api, &mut told).await {
                        // As a publisher does that was told to wait.
                        again.tick().await;
                    }
                }
                told
            })
        };
        Insisting { publishers: (0..count).map(publisher).collect(), stop }
    }

    /// Whether it was taken.
    pub(crate) async fn publish_telling(&self, api: &Client, told: &mut Told) -> bool {
        let payload = contact(LOCATION, self.next.fetch_add(1, Ordering::Relaxed)).to_string();
        let at = Instant::now();
        let asking = api.try_send(http::Method::POST, "/v1/events", payload);
        let silence = Err("no answer".to_owned());
        let answered = tokio::time::timeout(ANSWER, asking).await.unwrap_or(silence);
        told.slowest = told.slowest.max(at.elapsed());
        match answered {
            Ok(answered) if answered.status.as_u16() == 202 => {
                self.note(&answered);
                return true;
            }
            Ok(answered) if answered.status.as_u16() == 503 && answered.header("retry-after").is_some() => {
                told.refused += 1;
            }
            Ok(answered) => told.wrong.push(format!("{} {}", answered.status, answered.text())),
            Err(_) => told.unanswered += 1,
        }
        false
    }

    fn note(&self, answered: &Answered) {
        let id = answered.json()["id"].as_str().unwrap().to_owned();
        self.acknowledged.lock().unwrap().insert(id);
        self.count.send_modify(|count| *count += 1);
    }

    /// `count` publishers, each one event after the other, until the server does not answer or [`Load::stop`].
    pub(crate) fn publish(&self, api: &Client, count: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let publisher = |_| {
            let (ledger, api, stop) = (self.clone(), api.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed)
                    && ledger.publish_one(&api).await.is_some_and(|status| status == 202)
                {}
            })
        };
        Load { publishers: (0..count).map(publisher).collect(), stop }
    }

    /// One event; the status that came back, if any.
    pub(crate) async fn publish_one(&self, api: &Client) -> Option<u16> {
        let payload = contact(LOCATION, self.next.fetch_add(1, Ordering::Relaxed)).to_string();
        let answered = api.try_send(http::Method::POST, "/v1/events", payload).await.ok()?;
        if answered.status.as_u16() == 202 {
            self.note(&answered);
        }
        Some(answered.status.as_u16())
    }

    /// Their ids.
    pub(crate) fn events(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many are acknowledged.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut counts = self.count.subscribe();
        testkit::patiently("acknowledged events", counts.wait_for(|now| *now >= count)).await.unwrap();
    }

    /// Acknowledged events that the receiver has not seen.
    pub(crate) fn missing(&self, receiver: &Receiver) -> Vec<String> {
        let seen = arrivals(receiver);
        self.acknowledged.lock().unwrap().iter().filter(|id| !seen.contains_key(*id)).cloned().collect()
    }
}

impl Insisting {
    pub(crate) async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for publisher in self.publishers {
            let told = publisher.await.unwrap();
            all.refused += told.refused;
            all.unanswered += told.unanswered;
            all.slowest = all.slowest.max(told.slowest);
            all.wrong.extend(told.wrong);
        }
        all
    }
}

impl Told {
    /// Nothing but "taken" and "come again", and always within the bound of a publication.
    #[track_caller]
    pub(crate) fn must_be_right(&self) {
        assert_eq!(self.wrong, Vec::<String>::new());
        assert_eq!(self.unanswered, 0);
        assert!(self.slowest < ANSWER, "{:?}", self.slowest);
    }
}

impl Load {
    /// Lets running requests end and returns when no publisher is left.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for publisher in self.publishers {
            publisher.await.unwrap();
        }
    }
}

/// How often each `webhook-id` arrived.
pub(crate) fn arrivals(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for request in receiver.received() {
        *seen.entry(request.expect_header("webhook-id").to_owned()).or_default() += 1;
    }
    seen
}

/// Arrivals beyond the first of each event.
pub(crate) fn duplicates(receiver: &Receiver) -> usize {
    arrivals(receiver).values().map(|count| count - 1).sum()
}
