//! What the delivery engine counts.

use std::fmt;

use delivery::{Counters, DURATION_BUCKETS_MS, Refused};
use domain::outcome::Outcome;

use super::page::{Distribution, Page};

pub(super) fn write(page: &mut Page<'_>, engine: &Counters) -> fmt::Result {
    let attempts = Outcome::ALL.map(|outcome| ([("outcome", outcome.as_str())], engine.attempts(outcome)));
    page.counters("delivery_attempts", "Finished attempts, test sends included", attempts)?;
    let durations = Distribution {
        bounds_s: DURATION_BUCKETS_MS.iter().map(|ms| f64::from(*ms) / 1000.0).collect(),
        counts: &engine.durations(),
        sum_s: engine.duration_sum_ms() as f64 / 1000.0,
    };
    page.seconds("delivery_attempt_duration", "From an attempt's start to its outcome", &durations)?;
    let refused = Refused::ALL.map(|refused| ([("kind", refused.as_str())], engine.refused(refused)));
    page.counters("egress_refused", "Connections that the address guard refused", refused)?;
    page.gauge("deliveries_in_flight", "Attempts running now", engine.in_flight())?;
    page.gauge("deliveries_claimed", "Deliveries held in memory now", engine.claimed())?;
    page.gauge("outcomes_unrecorded", "Outcomes that wait to be recorded now", engine.unrecorded())?;
    page.gauge("circuits_open", "Endpoints to which nothing but probes is sent now", engine.circuits_open())?;
    page.counter(
        "circuit_openings",
        "Circuits opened because an endpoint failed",
        engine.circuit_openings(),
    )?;
    page.counter("outcomes_recorded", "Outcomes recorded", engine.recorded())?;
    page.counter("outcomes_lost", "Outcomes whose claim no longer held", engine.lost())?;
    page.counter("outcomes_unrecordable", "Outcomes that the store refused for good", engine.unrecordable())?;
    page.counter(
        "deliveries_ended_unsent",
        "Deliveries ended because their endpoint is gone",
        engine.ended(),
    )?;
    page.counter("attempt_panics", "Attempts that ended in a fault of the server", engine.panics())
}
