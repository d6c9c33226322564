//! What the API counts.

use std::fmt;

use api::counters::{CountersView, LATENCY_BUCKETS_MS};

use super::page::{Distribution, Page};

pub(super) fn write(page: &mut Page<'_>, api: &CountersView) -> fmt::Result {
    let requests = api.requests.iter().map(|(kind, count)| {
        let route = if kind.route.is_empty() { "none" } else { kind.route.as_str() };
        let class = format!("{}xx", kind.status_class);
        ([("method", kind.method.to_owned()), ("route", route.to_owned()), ("status_class", class)], *count)
    });
    page.counters("http_requests", "Answered requests of the API", requests)?;
    let durations = Distribution {
        bounds_s: LATENCY_BUCKETS_MS.iter().map(|ms| *ms as f64 / 1000.0).collect(),
        counts: &api.latency_buckets,
        sum_s: api.latency_sum_us as f64 / 1e6,
    };
    page.seconds("http_request_duration", "From a request's head to its answer", &durations)?;
    page.counter("events_accepted", "Events stored and answered with 202", api.events_accepted)?;
    let refused = api.events_refused.iter().map(|(code, count)| ([("code", code.as_str())], *count));
    page.counters("events_refused", "Events refused, by the problem's code", refused)
}
