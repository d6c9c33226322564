//! What the store counts.

use std::fmt;

use prometheus_client::registry::Unit;

use super::page::{Distribution, Page};
use crate::backend::Stats;

/// What both kinds of store have.
struct Commits {
    count: u64,
    operations: u64,
    lost: u64,
    micros: u64,
    micros_max: u64,
}

pub(super) fn write(page: &mut Page<'_>, stats: Stats) -> fmt::Result {
    match stats {
        Stats::Sqlite(stats) => {
            write_commits(
                page,
                &Commits {
                    count: stats.commits,
                    operations: stats.operations,
                    lost: stats.lost_batches,
                    micros: stats.commit_micros,
                    micros_max: stats.commit_micros_max,
                },
            )?;
            let bytes = stats.wal_bytes as f64;
            page.gauge_in("store_write_ahead_log", "The log that is in use", Unit::Bytes, bytes)
        }
        Stats::Postgres(stats) => {
            write_commits(
                page,
                &Commits {
                    count: stats.commits,
                    operations: stats.operations,
                    lost: stats.lost_batches,
                    micros: stats.commit_micros,
                    micros_max: stats.commit_micros_max,
                },
            )?;
            let help = "Connections to the database that are open and unused";
            page.gauge("store_idle_connections", help, stats.idle_connections)
        }
    }
}

fn write_commits(page: &mut Page<'_>, commits: &Commits) -> fmt::Result {
    page.counter("store_commits", "Transactions committed and synced", commits.count)?;
    page.counter("store_operations", "Operations in those transactions", commits.operations)?;
    page.counter("store_lost_batches", "Transactions undone, by a full disk for one", commits.lost)?;
    // Sum and count alone: their rates give the mean duration.
    let durations =
        Distribution { bounds_s: Vec::new(), counts: &[commits.count], sum_s: commits.micros as f64 / 1e6 };
    page.seconds("store_commit_duration", "Time in commits, which is mostly the disk's sync", &durations)?;
    let max_s = commits.micros_max as f64 / 1e6;
    page.gauge_in("store_commit_duration_max", "The longest commit since the start", Unit::Seconds, max_s)
}
