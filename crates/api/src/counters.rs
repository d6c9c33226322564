//! What the API counts, for the binary to render as metrics. Plain numbers; no names, ids or payloads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::problem::Code;

/// Upper bounds of the latency buckets, milliseconds; what is slower is in the last, open one.
pub const LATENCY_BUCKETS_MS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 500, 2_500, 10_000];

/// Counters since the start of the process.
#[derive(Debug, Default)]
pub struct ApiCounters {
    /// In order of the kinds.
    requests: Mutex<Vec<(Requested, u64)>>,
    latency: Latency,
    events_accepted: AtomicU64,
    events_refused: Mutex<BTreeMap<Code, u64>>,
}

/// One kind of answered request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requested {
    pub method: &'static str,
    /// The route as in the OpenAPI document, such as `/v1/events/{id}`; empty where none matched.
    pub route: String,
    /// 2 for 2xx, and so on.
    pub status_class: u16,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [AtomicU64; LATENCY_BUCKETS_MS.len() + 1],
    sum_us: AtomicU64,
}

/// A moment's numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CountersView {
    pub requests: Vec<(Requested, u64)>,
    /// Requests per bucket (not cumulative), one more than [`LATENCY_BUCKETS_MS`].
    pub latency_buckets: Vec<u64>,
    pub latency_sum_us: u64,
    pub events_accepted: u64,
    pub events_refused: Vec<(Code, u64)>,
}

impl ApiCounters {
    /// `method`, `route` and `status_class` as in [`Requested`].
    pub(crate) fn answered(&self, (method, route, status_class): (&'static str, &str, u16), took: Duration) {
        self.count((method, route, status_class));
        let ms = took.as_millis() as u64;
        let bucket = LATENCY_BUCKETS_MS.partition_point(|bound| *bound < ms);
        self.latency.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.latency.sum_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// There are a few dozen kinds, and only the first request of one allocates.
    fn count(&self, (method, route, status_class): (&'static str, &str, u16)) {
        let mut requests = self.requests.lock();
        let wanted = (method, route, status_class);
        let place = requests
            .binary_search_by(|(kind, _)| (kind.method, &*kind.route, kind.status_class).cmp(&wanted));
        match place {
            Ok(place) => requests[place].1 += 1,
            Err(place) => {
                let kind = Requested { method, route: route.to_owned(), status_class };
                requests.insert(place, (kind, 1));
            }
        }
    }

    pub(crate) fn accepted(&self, events: usize) {
        self.events_accepted.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn accepted_events(&self) -> u64 {
        self.events_accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self, code: Code) {
        *self.events_refused.lock().entry(code).or_default() += 1;
    }

    pub fn view(&self) -> CountersView {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CountersView {
            requests: self.requests.lock().clone(),
            latency_buckets: self.latency.buckets.iter().map(load).collect(),
            latency_sum_us: load(&self.latency.sum_us),
            events_accepted: load(&self.events_accepted),
            events_refused: self.events_refused.lock().iter().map(|(code, count)| (*code, *count)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_by_latency() {
        let counters = ApiCounters::default();
        for ms in [0, 1, 2, 20_000] {
            counters.answered(("GET", "/healthz", 2), Duration::from_millis(ms));
        }
        counters.answered(("GET", "", 4), Duration::ZERO);
        let view = counters.view();
        let kind = |route: &str, status_class| Requested { method: "GET", route: route.into(), status_class };
        assert_eq!(view.requests, [(kind("", 4), 1), (kind("/healthz", 2), 4)]);
        assert_eq!(view.latency_buckets, [3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(view.latency_sum_us, 20_003_000);
    }
}
