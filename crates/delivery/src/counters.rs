//! What the engine counts, for `/metrics` and `/v1/system`. Plain atomics; exact in sum, not one consistent moment.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::outcome::Outcome;

use crate::egress::Refused;

/// Upper bounds of the duration histogram's buckets, milliseconds; a last bucket holds what is longer.
pub const DURATION_BUCKETS_MS: [u32; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 10_000];

/// Since the engine's start. Gauges are marked; all else only grows.
#[derive(Debug, Default)]
pub struct Counters {
    by_outcome: [AtomicU64; Outcome::ALL.len()],
    durations: [AtomicU64; DURATION_BUCKETS_MS.len() + 1],
    duration_sum_ms: AtomicU64,
    by_refused: [AtomicU64; Refused::ALL.len()],
    /// Gauge: attempts running.
    pub(crate) in_flight: AtomicU64,
    /// Gauge: claimed deliveries in memory, those in flight and unrecorded included.
    pub(crate) claimed: AtomicU64,
    /// Gauge: outcomes that wait to be recorded.
    pub(crate) unrecorded: AtomicU64,
    /// Gauge: circuits that are open.
    pub(crate) circuits_open: AtomicU64,
    pub(crate) circuit_openings: AtomicU64,
    pub(crate) recorded: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) unrecordable: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) panics: AtomicU64,
}

impl Counters {
    pub(crate) fn attempt(&self, outcome: Outcome, duration_ms: u32) {
        add(&self.by_outcome[outcome_place(outcome)], 1);
        add(&self.durations[DURATION_BUCKETS_MS.partition_point(|bound| *bound < duration_ms)], 1);
        add(&self.duration_sum_ms, u64::from(duration_ms));
    }

    pub(crate) fn refuse(&self, refused: Refused) {
        add(&self.by_refused[refused_place(refused)], 1);
    }

    /// Connections that the address guard refused for this reason, test sends included.
    pub fn refused(&self, refused: Refused) -> u64 {
        read(&self.by_refused[refused_place(refused)])
    }
    /// Finished attempts with this outcome, test sends included.
    pub fn attempts(&self, outcome: Outcome) -> u64 {
        read(&self.by_outcome[outcome_place(outcome)])
    }
    /// Attempts per bucket of [`DURATION_BUCKETS_MS`] (not cumulative), then those that took longer.
    pub fn durations(&self) -> [u64; DURATION_BUCKETS_MS.len() + 1] {
        std::array::from_fn(|place| read(&self.durations[place]))
    }
    /// Milliseconds of all finished attempts together.
    pub fn duration_sum_ms(&self) -> u64 {
        read(&self.duration_sum_ms)
    }
    /// Attempts running now.
    pub fn in_flight(&self) -> u64 {
        read(&self.in_flight)
    }
    /// Claimed deliveries in memory now, those in flight and unrecorded included.
    pub fn claimed(&self) -> u64 {
        read(&self.claimed)
    }
    /// Outcomes that wait to be recorded now.
    pub fn unrecorded(&self) -> u64 {
        read(&self.unrecorded)
    }
    /// Endpoints whose circuit is open now.
    pub fn circuits_open(&self) -> u64 {
        read(&self.circuits_open)
    }
    /// Circuits opened.
    pub fn circuit_openings(&self) -> u64 {
        read(&self.circuit_openings)
    }
    /// Outcomes recorded.
    pub fn recorded(&self) -> u64 {
        read(&self.recorded)
    }
    /// Outcomes whose claim no longer held.
    pub fn lost(&self) -> u64 {
        read(&self.lost)
    }
    /// Outcomes that the store refused again and again; their deliveries are sent again after a restart.
    pub fn unrecordable(&self) -> u64 {
        read(&self.unrecordable)
    }
    /// Deliveries ended without an attempt, because their endpoint is gone.
    pub fn ended(&self) -> u64 {
        read(&self.ended)
    }
    /// Attempts and tasks of the engine that ended in a fault of ours.
    pub fn panics(&self) -> u64 {
        read(&self.panics)
    }
}

fn outcome_place(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|known| *known == outcome).expect("ALL holds every outcome")
}

fn refused_place(refused: Refused) -> usize {
    Refused::ALL.iter().position(|known| *known == refused).expect("ALL holds every reason")
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it() {
        let counters = Counters::default();
        for ms in [0, 1, 2, 3, 10_000, 10_001] {
            counters.attempt(Outcome::Timeout, ms);
        }
        assert_eq!(counters.durations(), [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((counters.attempts(Outcome::Timeout), counters.attempts(Outcome::Dns)), (6, 0));
        assert_eq!(counters.duration_sum_ms(), 20_007);
    }
}
