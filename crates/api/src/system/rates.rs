//! How much was accepted, delivered and failed in the last ten minutes, in steps of five seconds, on all nodes together and on
//! each: it is for looking.

use std::collections::HashMap;

use domain::limits::{RATES_SECONDS, RATES_STEP_SECONDS};
use domain::time::Timestamp;
use parking_lot::Mutex;
use store::nodes::{Counts, Step};

const STEP_MS: i64 = RATES_STEP_SECONDS * 1_000;
const STEPS: i64 = RATES_SECONDS / RATES_STEP_SECONDS;
/// The latest steps that "per second" is the mean of.
const STEPS_OF_NOW: i64 = 3;

/// What this process has told already.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    told: Mutex<Counts>,
}

/// When the step after this moment begins, and what came before it can be told.
pub(crate) fn next_step_at(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis().div_euclid(STEP_MS) + 1) * STEP_MS)
}

/// The beginning of the oldest step that is shown.
pub(crate) fn first_step_at(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((last_step(now) - STEPS + 1) * STEP_MS)
}

impl Rates {
    /// What was counted since the last time is of the step that has just ended.
    pub(crate) fn step(&self, now: Timestamp, total: Counts, in_flight: u64) -> Step {
        let at = Timestamp::from_millis(last_step(now) * STEP_MS);
        Step { at, counts: total.since(*self.told.lock()), in_flight }
    }

    /// So much is known by all. What could not be told is told with the next step.
    pub(crate) fn told(&self, total: Counts) {
        *self.told.lock() = total;
    }
}

/// Every step that is over, oldest first, with its beginning: of all that `steps` names together.
pub(crate) fn series<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    now: Timestamp,
) -> Vec<(Timestamp, Counts)> {
    let mut by_step: HashMap<i64, Counts> = HashMap::new();
    for step in steps {
        let counts = by_step.entry(step.at.as_millis().div_euclid(STEP_MS)).or_default();
        *counts = counts.plus(step.counts);
    }
    let last = last_step(now);
    let of = |step| (Timestamp::from_millis(step * STEP_MS), by_step.get(&step).copied().unwrap_or_default());
    (last - STEPS + 1..=last).map(of).collect()
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
        let mut steps = vec![rates.step(at(5), accepted(30), 1)];
        rates.told(accepted(30));
        steps.push(rates.step(at(10), accepted(75), 0));
        let shown = series(&steps, at(12));
        assert_eq!(shown.len(), 120);
        assert_eq!(shown[118..], [(at(0), accepted(30)), (at(5), accepted(45))]);
        assert_eq!(per_second(&shown)[0], 5.0);
        assert_eq!(per_second(&series(&steps, at(25)))[0], 0.0, "nothing for three steps");
        assert_eq!(series(&steps, at(604))[0], (at(0), accepted(30)));
        assert_eq!(first_step_at(at(604)), at(0));
        assert_eq!(series(&steps, at(605))[0], (at(5), accepted(45)));
    }

    #[test]
    fn steps_of_several_nodes_add_up_and_what_was_not_told_comes_with_the_next() {
        let (one, two) = (Rates::default(), Rates::default());
        let _untold = one.step(at(5), accepted(10), 0);
        let steps = [one.step(at(10), accepted(15), 0), two.step(at(10), accepted(1), 0)];
        assert_eq!(series(&steps, at(12))[118..], [(at(0), accepted(0)), (at(5), accepted(16))]);
    }

    #[test]
    fn the_next_step_begins_after_now() {
        assert_eq!([at(0), at(4), at(5)].map(next_step_at), [at(5), at(5), at(10)]);
    }
}
