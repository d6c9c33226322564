//! How much was accepted, delivered and failed in the last ten minutes, in steps of five seconds. In memory, of this process
//! alone: it is for looking, and a restart begins anew.

use std::collections::VecDeque;

use domain::limits::{RATES_SECONDS, RATES_STEP_SECONDS};
use domain::time::Timestamp;
use parking_lot::Mutex;

const STEP_MS: i64 = RATES_STEP_SECONDS * 1_000;
const STEPS: i64 = RATES_SECONDS / RATES_STEP_SECONDS;
/// The latest steps that "per second" is the mean of.
const STEPS_OF_NOW: i64 = 3;

/// Events accepted, attempts that succeeded, attempts that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
}

impl Counts {
    fn since(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(earlier.accepted),
            delivered: self.delivered.saturating_sub(earlier.delivered),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }
}

/// What was counted in each step that is over.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// In all, when it was last asked.
    total: Counts,
    /// With the step's number, counted from 1970; steps in which nothing happened may be left out.
    steps: VecDeque<(i64, Counts)>,
}

/// When the step after this moment begins, and what came before it can be put down.
pub(crate) fn next_step_at(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis().div_euclid(STEP_MS) + 1) * STEP_MS)
}

impl Rates {
    /// Puts what was counted since the last time down to the step that has just ended.
    pub(crate) fn step(&self, now: Timestamp, total: Counts) {
        let step = last_step(now);
        let mut ring = self.ring.lock();
        let counts = total.since(ring.total);
        ring.total = total;
        ring.steps.push_back((step, counts));
        while ring.steps.front().is_some_and(|(oldest, _)| *oldest <= step - STEPS) {
            ring.steps.pop_front();
        }
    }

    /// Every step that is over, oldest first, with its beginning.
    pub(crate) fn series(&self, now: Timestamp) -> Vec<(Timestamp, Counts)> {
        let ring = self.ring.lock();
        let last = last_step(now);
        let of = |step| {
            let found = ring.steps.iter().rev().find(|(known, _)| *known == step);
            (
                Timestamp::from_millis(step * STEP_MS),
                found.map_or_else(Counts::default, |(_, counts)| *counts),
            )
        };
        (last - STEPS + 1..=last).map(of).collect()
    }
}

/// A second's worth of each: accepted, delivered, failed.
pub(crate) fn per_second(series: &[(Timestamp, Counts)]) -> [f64; 3] {
    let latest = &series[series.len().saturating_sub(STEPS_OF_NOW as usize)..];
    let sum = |of: fn(&Counts) -> u64| latest.iter().map(|(_, counts)| of(counts)).sum::<u64>();
    let sums = [sum(|counts| counts.accepted), sum(|counts| counts.delivered), sum(|counts| counts.failed)];
    sums.map(|sum| sum as f64 / (STEPS_OF_NOW * RATES_STEP_SECONDS) as f64)
}

fn last_step(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(STEP_MS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus_seconds(seconds)
    }

    fn accepted(accepted: u64) -> Counts {
        Counts { accepted, ..Counts::default() }
    }

    #[test]
    fn what_was_counted_stands_in_its_step_for_ten_minutes() {
        let rates = Rates::default();
        rates.step(at(5), accepted(30));
        rates.step(at(10), accepted(75));
        let series = rates.series(at(12));
        assert_eq!(series.len(), 120);
        assert_eq!(series[118..], [(at(0), accepted(30)), (at(5), accepted(45))]);
        assert_eq!(per_second(&series)[0], 5.0);
        assert_eq!(per_second(&rates.series(at(25)))[0], 0.0, "nothing for three steps");
        assert_eq!(rates.series(at(604))[0], (at(0), accepted(30)));
        rates.step(at(605), accepted(75));
        assert_eq!(rates.series(at(605))[0], (at(5), accepted(45)));
        assert_eq!(rates.ring.lock().steps.len(), 2);
    }

    #[test]
    fn the_next_step_begins_after_now() {
        assert_eq!([at(0), at(4), at(5)].map(next_step_at), [at(5), at(5), at(10)]);
    }
}
