//! Points in time, and the clock as a parameter.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// From the year 0001 to 9999-12-30T22:00Z, where RFC 3339 and the time library both can write.
const WRITABLE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_207_200_000;

/// The text is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-01-31T09:30:00.000Z")]
pub struct TimestampFault;

impl Timestamp {
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }
    pub const fn as_millis(self) -> i64 {
        self.0
    }
    /// Whole seconds, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
    #[must_use]
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }
    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339, UTC, with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.clamp(*WRITABLE_MS.start(), *WRITABLE_MS.end());
        let time = jiff::Timestamp::from_millisecond(ms).expect("clamped to years that can be written");
        write!(f, "{time:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Any RFC 3339 offset; finer than a millisecond is cut off. What lies beyond the writable span, such as the last day of
/// the year 9999 that stands for "never", becomes its nearest end.
impl FromStr for Timestamp {
    type Err = TimestampFault;
    fn from_str(text: &str) -> Result<Self, TimestampFault> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(time.as_millisecond()));
        }
        let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|_| TimestampFault)?;
        match (pieces.time(), pieces.offset(), pieces.date().year()) {
            (Some(_), Some(_), 9999) => Ok(Self(*WRITABLE_MS.end())),
            _ => Err(TimestampFault),
        }
    }
}

/// Where "now" comes from. The system's clock in service, one that is moved by hand in tests.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
    /// Resolves when this clock has reached `at`; at once when it has already.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>>;
    /// Milliseconds since some moment, of a clock that nobody sets: for spans that must not change with the time of day.
    fn steady_ms(&self) -> i64 {
        self.now().as_millis()
    }
    /// By that clock.
    fn sleep_ms(&self, ms: i64) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.sleep_until(self.now().plus_millis(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds_and_reads_back() {
        let time: Timestamp = "2024-06-01T11:30:00.0509+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2024-06-01T09:30:00.050Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert!("2024-06-01".parse::<Timestamp>().is_err());
        assert!("yesterday".parse::<Timestamp>().is_err());
        let never: Timestamp = "9999-12-31T23:59:59Z".parse().unwrap();
        assert!(never > "9999-12-30T00:00:00Z".parse().unwrap());
        for bad in ["9999-13-31T23:59:59Z", "9999-12-31", "9999-12-31T23:59:59", "9999-12-31T25:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_beyond_what_can_be_written_do_not_panic() {
        for ms in [i64::MIN, i64::MAX] {
            assert!(!Timestamp::from_millis(ms).to_string().is_empty());
        }
    }
}
