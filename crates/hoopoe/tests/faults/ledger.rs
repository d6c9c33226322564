//! What publishers were promised and what the receiver saw, compared at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use testkit::{Client, Receiver};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::site::{LOCATION, contact};

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

impl Ledger {
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
            let id = answered.json()["id"].as_str().unwrap().to_owned();
            self.acknowledged.lock().unwrap().insert(id);
            self.count.send_modify(|count| *count += 1);
        }
        Some(answered.status.as_u16())
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
