//! An endpoint's attempts, counted.

use domain::id::EndpointId;
use domain::outcome::Outcome;
use domain::tally::{Quantiles, Tally, Window};
use domain::time::Timestamp;
use serde::Serialize;
use store::tallies::Tallied;
use utoipa::ToSchema;

use super::{text, time};

/// What became of an endpoint's attempts in a window of time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointStats)]
pub(crate) struct StatsView {
    endpoint_id: String,
    /// `1h`, `24h`, `7d` or `30d`.
    window: &'static str,
    /// When the first span begins.
    #[schema(format = DateTime)]
    since: String,
    /// Now; the last span is not over.
    #[schema(format = DateTime)]
    until: String,
    /// How long each span is.
    bucket_seconds: i64,
    /// Without test sends.
    attempts: u64,
    outcomes: OutcomesView,
    /// From 0 to 1; null where there was no attempt.
    #[schema(required)]
    success_rate: Option<f64>,
    /// Null where the receiver answered nothing.
    #[schema(required)]
    latency_ms: Option<LatencyView>,
    /// When the latest attempt of the last 30 days began, also before the window.
    #[schema(required, format = DateTime)]
    last_attempt_at: Option<String>,
    /// One entry per span, oldest first, also where nothing happened.
    series: Vec<SpanView>,
}

/// Attempts by how they ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = OutcomeCounts)]
struct OutcomesView {
    succeeded: u64,
    http_error: u64,
    timeout: u64,
    dns: u64,
    connect: u64,
    tls: u64,
    blocked: u64,
    protocol: u64,
}

/// Milliseconds within which so many percent of the answers came, a tenth off at most: `durationMs` of the attempts that were
/// answered, with any status.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LatencyQuantiles)]
struct LatencyView {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// One span of the window.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointStatsSpan)]
struct SpanView {
    /// When it begins.
    #[schema(format = DateTime)]
    at: String,
    outcomes: OutcomesView,
    #[schema(required)]
    latency_ms: Option<LatencyView>,
}

impl StatsView {
    pub(crate) fn of(id: EndpointId, window: Window, tallied: &Tallied, now: Timestamp) -> Self {
        let whole = tallied.whole();
        let span_ms = window.grain().span_ms();
        let series = tallied.spans.iter().zip(0..).map(|(span, place)| SpanView {
            at: time(tallied.since.plus_millis(place * span_ms)),
            outcomes: OutcomesView::of(span),
            latency_ms: LatencyView::of(span),
        });
        Self {
            endpoint_id: text(id),
            window: window.as_str(),
            since: time(tallied.since),
            until: time(now),
            bucket_seconds: span_ms / 1_000,
            attempts: whole.attempts(),
            outcomes: OutcomesView::of(&whole),
            success_rate: whole.success_rate(),
            latency_ms: LatencyView::of(&whole),
            last_attempt_at: tallied.last_attempt_at.map(time),
            series: series.collect(),
        }
    }
}

impl OutcomesView {
    fn of(tally: &Tally) -> Self {
        Self {
            succeeded: tally.of(Outcome::Succeeded),
            http_error: tally.of(Outcome::HttpError),
            timeout: tally.of(Outcome::Timeout),
            dns: tally.of(Outcome::Dns),
            connect: tally.of(Outcome::Connect),
            tls: tally.of(Outcome::Tls),
            blocked: tally.of(Outcome::Blocked),
            protocol: tally.of(Outcome::Protocol),
        }
    }
}

impl LatencyView {
    fn of(tally: &Tally) -> Option<Self> {
        tally.latencies.quantiles().map(|Quantiles { p50, p95, p99 }| Self { p50, p95, p99 })
    }
}
