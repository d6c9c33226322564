//! What the embedded store counts.

use std::fmt;

use prometheus_client::registry::Unit;
use store_sqlite::StatsView;

use super::page::{Distribution, Page};

pub(super) fn write(page: &mut Page<'_>, stats: StatsView) -> fmt::Result {
    page.counter("store_commits", "Transactions committed and synced", stats.commits)?;
    page.counter("store_operations", "Operations in those transactions", stats.operations)?;
    page.counter("store_lost_batches", "Transactions undone, by a full disk for one", stats.lost_batches)?;
    // Sum and count alone: their rates give the mean duration.
    let durations = Distribution {
        bounds_s: Vec::new(),
        counts: &[stats.commits],
        sum_s: stats.commit_micros as f64 / 1e6,
    };
    page.seconds("store_commit_duration", "Time in commits, which is mostly the disk's sync", &durations)?;
    let max_s = stats.commit_micros_max as f64 / 1e6;
    page.gauge_in("store_commit_duration_max", "The longest commit since the start", Unit::Seconds, max_s)?;
    page.gauge_in("store_write_ahead_log", "The log that is in use", Unit::Bytes, stats.wal_bytes as f64)
}
