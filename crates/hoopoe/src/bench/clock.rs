//! The one clock of the benchmark: `CLOCK_MONOTONIC` as nanoseconds, which every process of the machine reads alike. Rust's
//! `Instant` is the same clock but keeps its number to itself.

use rustix::time::{ClockId, clock_gettime};

pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// Nanoseconds since some point that all processes share.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * SECOND_NS + now.tv_nsec.unsigned_abs()
}

pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / SECOND_NS as f64
}
