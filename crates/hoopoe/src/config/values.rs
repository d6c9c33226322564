//! Values of settings that have rules of their own, read alike from flags, variables and the file.

use std::fmt;
use std::str::FromStr;

use catalogue::Validate;
use clap::ValueEnum;
use domain::limits::{RETRY_SCHEDULE_ENTRIES_MAX, RETRY_WAIT_SECONDS_MAX};
use serde::Deserialize;
use zeroize::Zeroizing;

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

/// Where a PostgreSQL is. It may hold a password, so it is never printed whole.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let is_one = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        is_one
            .then(|| Self(Zeroizing::new(text.to_owned())))
            .ok_or_else(|| "must be a URL such as postgres://user:password@host:5432/hoopoe".to_owned())
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Without user, password and options.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let place = rest.split('?').next().unwrap_or_default();
        write!(f, "postgres://{}", place.rsplit_once('@').map_or(place, |(_, place)| place))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
