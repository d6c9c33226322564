//! `/metrics`: what the parts of the server count, read anew at every scrape, in the OpenMetrics text format. Names carry
//! their units; labels take their values from closed sets, so that no caller can make series grow.

use std::fmt;
use std::sync::Arc;

use api::counters::ApiCounters;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use delivery::Engine;
use domain::time::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Registry, Unit};

use crate::backend::Backend;

use super::page::Page;
use super::{api_page, engine_page, store_page};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PREFIX: &str = "hoopoe";

/// The parts that count.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub api: Arc<ApiCounters>,
    pub engine: Engine,
    pub(crate) backend: Backend,
    pub started_at: Timestamp,
}

/// One scrape: the counters, and what had to be asked for.
#[derive(Debug)]
struct Scrape {
    metrics: Metrics,
    /// `None`: the store did not answer; the gauge is left out rather than wrong.
    unfinished: Option<u64>,
}

/// A router with `GET /metrics` alone.
pub fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(show)).layer(map_response(guarded)).with_state(metrics)
}

async fn guarded(mut response: Response) -> Response {
    api::put_security_headers(response.headers_mut());
    response
}

async fn show(State(metrics): State<Metrics>) -> Response {
    match metrics.render().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Metrics {
    /// The text as a scraper gets it.
    ///
    /// # Errors
    /// The text could not be formatted, a fault of ours.
    pub async fn render(&self) -> Result<String, fmt::Error> {
        let unfinished = self.backend.store().queue_length().await.ok();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape { metrics: self.clone(), unfinished }));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let Metrics { api, engine, backend, started_at } = &self.metrics;
        let mut page = Page::new(encoder, PREFIX);
        page.info("build", "The running version", [("version", env!("CARGO_PKG_VERSION"))])?;
        let started_at_s = started_at.as_millis() as f64 / 1000.0;
        page.gauge_in(
            "process_start_time",
            "When the server started, Unix time",
            Unit::Seconds,
            started_at_s,
        )?;
        api_page::write(&mut page, &api.view())?;
        engine_page::write(&mut page, engine.counters())?;
        if let Some(unfinished) = self.unfinished {
            page.gauge("deliveries_unfinished", "Deliveries that have not ended", unfinished)?;
        }
        let endpoints = backend.store().routes().read().endpoints().count() as u64;
        page.gauge("endpoints", "Endpoints that are not deleted", endpoints)?;
        let nodes = backend.store().living() as u64;
        page.gauge("nodes", "Nodes that serve from the store, as far as this one knows", nodes)?;
        store_page::write(&mut page, backend.stats())
    }
}
