//! A run of nothing but failure, and when it has lasted so long that the endpoint is given up.

use crate::limits::{CIRCUIT_FAILURES, CIRCUIT_TIMEOUTS, FAILING_ATTEMPTS_MIN, FAILING_DAYS};
use crate::outcome::Outcome;
use crate::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// How the latest attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastFailure {
    pub outcome: Outcome,
    pub status_code: Option<u16>,
}

/// Attempts that failed, one after the other, without a success in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRun {
    /// When the first of them failed.
    pub since: Timestamp,
    pub failed_attempts: u32,
    /// So many of the latest ones ran into the time limit.
    pub timeouts: u32,
    pub last: LastFailure,
}

impl FailedRun {
    /// The run with one more failure; `None` begins one.
    #[must_use]
    pub fn extended(run: Option<Self>, last: LastFailure, now: Timestamp) -> Self {
        let (since, failed_attempts, timeouts) = match run {
            Some(run) => (run.since, run.failed_attempts, run.timeouts),
            None => (now, 0, 0),
        };
        let timeouts = if last.outcome == Outcome::Timeout { timeouts.saturating_add(1) } else { 0 };
        Self { since, failed_attempts: failed_attempts.saturating_add(1), timeouts, last }
    }

    /// Long enough to stop sending for a while. Fewer timeouts do, for each held a slot until the limit.
    pub fn opens_a_circuit(&self) -> bool {
        self.failed_attempts >= CIRCUIT_FAILURES || self.timeouts >= CIRCUIT_TIMEOUTS
    }

    /// Long enough, in time and in attempts, to disable the endpoint.
    pub fn ends_the_endpoint(&self, now: Timestamp) -> bool {
        self.failed_attempts >= FAILING_ATTEMPTS_MIN && now >= self.ends_at()
    }

    /// When the endpoint is disabled, if nothing succeeds until then.
    pub fn ends_at(&self) -> Timestamp {
        self.since.plus_millis(FAILING_DAYS * DAY_MS)
    }
}
