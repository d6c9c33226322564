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
    requests: Mutex<BTreeMap<Requested, u64>>,
    latency: Latency,
    events_accepted: AtomicU64,
    events_refused: Mutex<BTreeMap<Code, u64>>,
}

/// One kind of answered request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requested {
    pub method: String,
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
    pub(crate) fn answered(&self, requested: Requested, took: Duration) {
        *self.requests.lock().entry(requested).or_default() += 1;
        let ms = took.as_millis() as u64;
        let bucket = LATENCY_BUCKETS_MS.partition_point(|bound| *bound < ms);
        self.latency.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.latency.sum_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self, events: usize) {
        self.events_accepted.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, code: Code) {
        *self.events_refused.lock().entry(code).or_default() += 1;
    }

    pub fn view(&self) -> CountersView {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CountersView {
            requests: self.requests.lock().iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
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
        let kind = Requested { method: "GET".into(), route: "/healthz".into(), status_class: 2 };
        for ms in [0, 1, 2, 20_000] {
            counters.answered(kind.clone(), Duration::from_millis(ms));
        }
        let view = counters.view();
        assert_eq!(view.requests, [(kind, 4)]);
        assert_eq!(view.latency_buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(view.latency_sum_us, 20_003_000);
    }
}
