//! The server as shown.

use domain::endpoint::Endpoint;
use domain::health::Failing;
use domain::limits::RATES_STEP_SECONDS;
use domain::time::Timestamp;
use domain::url_rules::UrlPolicy;
use serde::Serialize;
use store::maintenance::Footprint;
use store::nodes::{Counts, Node, Whole};
use utoipa::ToSchema;

use super::endpoint::HealthView;
use super::{owner_ids, text, time};
use crate::Settings;
use crate::system::{per_second, series};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the server is doing, all nodes together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = System)]
pub(crate) struct SystemView {
    /// Of the node that answers, as is when it was started.
    version: &'static str,
    #[schema(format = DateTime)]
    started_at: String,
    /// The id of the node that answers.
    answered_by: String,
    /// It was started with `--dev`: for local work only.
    dev: bool,
    /// Events accepted, mean of the last 15 seconds that were counted.
    accepted_per_second: f64,
    /// Attempts that succeeded, likewise.
    delivered_per_second: f64,
    /// Attempts that failed, likewise.
    failed_per_second: f64,
    /// Attempts running, as the nodes told it last.
    in_flight: u64,
    /// Deliveries that are not finished.
    waiting: u64,
    /// When the oldest of them was made.
    #[schema(required, format = DateTime)]
    oldest_waiting_at: Option<String>,
    /// The last ten minutes, oldest first.
    series: Vec<RateView>,
    /// How long each step of the series is.
    bucket_seconds: i64,
    /// At most ten: those with most waiting and those that are not healthy, most waiting first.
    worst_endpoints: Vec<WorstEndpoint>,
    /// Those that live, the longest running first.
    nodes: Vec<NodeView>,
    store: StoreView,
}

/// What was counted in one step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemStep)]
struct RateView {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    accepted: u64,
    delivered: u64,
    failed: u64,
}

/// An endpoint that somebody may want to look at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorstEndpoint {
    endpoint_id: String,
    url: String,
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    health: HealthView,
    /// Its deliveries that are not finished.
    waiting: u64,
    #[schema(required, format = DateTime)]
    oldest_waiting_at: Option<String>,
}

/// A process of the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Node)]
struct NodeView {
    /// New at each start.
    id: String,
    /// Machine and process.
    #[schema(example = "hooks-1/4711")]
    name: String,
    version: String,
    #[schema(format = DateTime)]
    started_at: String,
    /// When it was last heard of: the one that answers now, another when it told what it counted.
    #[schema(format = DateTime)]
    renewed_at: String,
    /// Its share of what is counted above.
    accepted_per_second: f64,
    delivered_per_second: f64,
    failed_per_second: f64,
    in_flight: u64,
}

/// Where everything is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoreFootprint)]
struct StoreView {
    #[schema(example = "sqlite")]
    kind: &'static str,
    size_bytes: u64,
    retention_days: u32,
}

/// What the view is made of.
pub(crate) struct SystemParts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) whole: &'a Whole,
    pub(crate) now: Timestamp,
    pub(crate) waiting: u64,
    pub(crate) oldest_waiting_at: Option<Timestamp>,
    pub(crate) worst: Vec<WorstEndpoint>,
    pub(crate) store: Footprint,
}

impl SystemView {
    pub(crate) fn of(parts: SystemParts<'_>) -> Self {
        let SystemParts { settings, whole, now, waiting, oldest_waiting_at, worst, store } = parts;
        let series = series(whole.steps.iter().map(|(_, step)| step), now);
        let nodes: Vec<NodeView> = whole.nodes.iter().map(|node| NodeView::of(node, whole, now)).collect();
        let [accepted_per_second, delivered_per_second, failed_per_second] = per_second(&series);
        Self {
            version: VERSION,
            started_at: time(settings.started_at),
            answered_by: node_id(whole.own_id),
            dev: settings.url_policy == UrlPolicy::Dev,
            accepted_per_second,
            delivered_per_second,
            failed_per_second,
            in_flight: nodes.iter().map(|node| node.in_flight).sum(),
            waiting,
            oldest_waiting_at: oldest_waiting_at.map(time),
            series: series.into_iter().map(RateView::of).collect(),
            bucket_seconds: RATES_STEP_SECONDS,
            worst_endpoints: worst,
            nodes,
            store: StoreView {
                kind: store.kind,
                size_bytes: store.bytes,
                retention_days: settings.retention_days,
            },
        }
    }
}

/// Of 16 hexadecimal digits.
pub(crate) fn node_id(node: u64) -> String {
    format!("{node:016x}")
}

impl NodeView {
    fn of(node: &Node, whole: &Whole, now: Timestamp) -> Self {
        let steps = whole.steps.iter().filter(|(id, _)| *id == node.id).map(|(_, step)| step);
        let latest = steps.clone().next_back();
        let renewed_at = match latest {
            _ if node.id == whole.own_id => now,
            // It told the step when that was over.
            Some(step) => step.at.plus_seconds(RATES_STEP_SECONDS),
            None => node.started_at,
        };
        let [accepted_per_second, delivered_per_second, failed_per_second] = per_second(&series(steps, now));
        Self {
            id: node_id(node.id),
            name: node.name.clone(),
            version: node.version.clone(),
            started_at: time(node.started_at),
            renewed_at: time(renewed_at),
            accepted_per_second,
            delivered_per_second,
            failed_per_second,
            in_flight: latest.map_or(0, |step| step.in_flight),
        }
    }
}

impl RateView {
    fn of((at, counts): (Timestamp, Counts)) -> Self {
        let Counts { accepted, delivered, failed } = counts;
        Self { at: time(at), accepted, delivered, failed }
    }
}

impl WorstEndpoint {
    pub(crate) fn of(
        endpoint: &Endpoint,
        failing: Option<&Failing>,
        (waiting, oldest_at): (u64, Option<Timestamp>),
    ) -> Self {
        let [location_id, company_id, app_id] = owner_ids(Some(&endpoint.owner));
        Self {
            endpoint_id: text(endpoint.id),
            url: text(&endpoint.url),
            location_id,
            company_id,
            app_id,
            health: HealthView::of(endpoint, failing),
            waiting,
            oldest_waiting_at: oldest_at.map(time),
        }
    }
}
