//! Values of settings that have rules of their own, read alike from flags, variables and the file.

use std::str::FromStr;

use catalogue::Validate;
use clap::ValueEnum;
use domain::limits::{RETRY_SCHEDULE_ENTRIES_MAX, RETRY_WAIT_SECONDS_MAX};
use serde::Deserialize;

/// What `--dev` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Production,
    /// Receivers may use http, loopback and private addresses.
    Dev,
}

/// What a payload's schema faults do unless the request says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidateMode {
    /// The schema is not asked
    Off,
    /// Faults are told in the answer, and the event is accepted
    Warn,
    /// Faults refuse the event
    #[default]
    Reject,
}

impl From<ValidateMode> for Validate {
    fn from(mode: ValidateMode) -> Self {
        match mode {
            ValidateMode::Off => Self::Off,
            ValidateMode::Warn => Self::Warn,
            ValidateMode::Reject => Self::Reject,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Seconds before attempts 2, 3, …: 0 to 30 waits of 1 to 604,800.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits(pub Vec<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a retry schedule has 0 to {RETRY_SCHEDULE_ENTRIES_MAX} waits of 1 to {RETRY_WAIT_SECONDS_MAX} whole seconds"
)]
pub struct WaitsFault;

impl Waits {
    pub(super) fn checked(waits: Vec<u32>) -> Result<Self, WaitsFault> {
        let fits = waits.len() <= RETRY_SCHEDULE_ENTRIES_MAX
            && waits.iter().all(|wait| (1..=RETRY_WAIT_SECONDS_MAX).contains(wait));
        if fits { Ok(Self(waits)) } else { Err(WaitsFault) }
    }
}

/// Numbers separated by commas; nothing at all means no retry.
impl FromStr for Waits {
    type Err = WaitsFault;
    fn from_str(text: &str) -> Result<Self, WaitsFault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let waits: Result<Vec<u32>, _> = text.split(',').map(|wait| wait.trim().parse()).collect();
        Self::checked(waits.map_err(|_| WaitsFault)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_schedule_is_numbers_within_bounds() {
        assert_eq!("5, 300,1800".parse(), Ok(Waits(vec![5, 300, 1800])));
        assert_eq!("".parse(), Ok(Waits(vec![])));
        let too_many = vec!["1"; 31].join(",");
        for bad in ["0", "604801", "5,,6", "5s", "-1", &too_many] {
            assert_eq!(bad.parse::<Waits>(), Err(WaitsFault), "{bad}");
        }
    }
}
