//! What an endpoint's attempts came to: counts by outcome and a histogram of the receiver's latency, which add up, so that
//! small spans of time make larger ones and nothing has to be counted again.
//!
//! Test sends are not counted: they say nothing of how events are delivered.

use crate::attempt::Attempt;
use crate::limits::ATTEMPT_TIMEOUT_MS;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Buckets of a [`Latencies`].
pub const LATENCY_BUCKETS: usize = 40;
/// The longest latency, milliseconds, of each bucket. What is between the shortest and the longest of one is told as a value
/// that is off by a tenth at most.
const LATENCY_BOUNDS_MS: [u32; LATENCY_BUCKETS] = bounds();

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

const fn bounds() -> [u32; LATENCY_BUCKETS] {
    let mut bounds = [0; LATENCY_BUCKETS];
    let (mut place, mut shortest) = (0, 1);
    while place < LATENCY_BUCKETS {
        // The middle of lo..=hi, 2·lo·hi/(lo+hi), is off by (hi-lo)/(hi+lo): a tenth where hi is 11/9 of lo.
        bounds[place] = shortest * 11 / 9;
        shortest = bounds[place] + 1;
        place += 1;
    }
    bounds
}

const _: () = assert!(LATENCY_BOUNDS_MS[LATENCY_BUCKETS - 1] as i64 >= ATTEMPT_TIMEOUT_MS);

/// How long receivers took to answer, on a scale of 40 steps from 1 ms to 10 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies {
    counts: [u64; LATENCY_BUCKETS],
}

/// The attempts of one endpoint in one span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the order of [`Outcome::ALL`].
    outcomes: [u64; Outcome::ALL.len()],
    /// Of the attempts that the receiver answered, with any status.
    pub latencies: Latencies,
    /// When the latest of them began.
    pub last_attempt_at: Option<Timestamp>,
}

/// Half of the attempts were at least as fast, and so on, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: [0; LATENCY_BUCKETS] }
    }
}

impl Latencies {
    pub fn add(&mut self, ms: u32) {
        let place = LATENCY_BOUNDS_MS.partition_point(|bound| *bound < ms).min(LATENCY_BUCKETS - 1);
        self.counts[place] += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Buckets that hold something, with how much.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// For backends: as [`counts`](Self::counts) gave it. A place that does not exist is passed over.
    pub fn put(&mut self, place: usize, count: u64) {
        if let Some(known) = self.counts.get_mut(place) {
            *known += count;
        }
    }

    /// `None`: nothing was answered.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let all: u64 = self.counts.iter().sum();
        let at = |percent| self.quantile(percent, all);
        Some(Quantiles { p50: at(50)?, p95: at(95)?, p99: at(99)? })
    }

    /// By nearest rank.
    fn quantile(&self, percent: u64, all: u64) -> Option<f64> {
        let rank = u64::try_from((u128::from(all) * u128::from(percent)).div_ceil(100)).unwrap_or(all);
        let mut seen = 0;
        let reaches = |(_, count): &(usize, u64)| {
            seen += count;
            seen >= rank
        };
        self.counts().find(reaches).map(|(place, _)| middle_ms(place))
    }
}

/// To a tenth of a millisecond: a whole one would be too coarse for the fastest.
fn middle_ms(place: usize) -> f64 {
    let shortest = f64::from(place.checked_sub(1).map_or(1, |before| LATENCY_BOUNDS_MS[before] + 1));
    let longest = f64::from(LATENCY_BOUNDS_MS[place]);
    (20.0 * shortest * longest / (shortest + longest)).round() / 10.0
}

impl Tally {
    pub fn add(&mut self, attempt: &Attempt) {
        self.put(attempt.outcome, 1);
        if matches!(attempt.outcome, Outcome::Succeeded | Outcome::HttpError) {
            self.latencies.add(attempt.duration_ms);
        }
        self.last_attempt_at = self.last_attempt_at.max(Some(attempt.started_at));
    }

    pub fn merge(&mut self, other: &Self) {
        self.outcomes.iter_mut().zip(other.outcomes).for_each(|(mine, theirs)| *mine += theirs);
        self.latencies.merge(&other.latencies);
        self.last_attempt_at = self.last_attempt_at.max(other.last_attempt_at);
    }

    /// For backends.
    pub fn put(&mut self, outcome: Outcome, count: u64) {
        self.outcomes[place_of(outcome)] += count;
    }

    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[place_of(outcome)]
    }

    pub fn attempts(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// From 0 to 1; `None`: nothing was attempted.
    pub fn success_rate(&self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0).then(|| self.of(Outcome::Succeeded) as f64 / attempts as f64)
    }
}

fn place_of(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|known| *known == outcome).expect("ALL holds every outcome")
}

/// How long the spans are that a backend keeps tallies of. Attempts are counted in minutes; a minute that no window shows by
/// itself any more goes into the spans of every coarser grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    Minute,
    Quarter,
    TwoHours,
    EightHours,
}

impl Grain {
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::TwoHours, Self::EightHours];
    /// Those that minutes go into.
    pub const COARSE: [Self; 3] = [Self::Quarter, Self::TwoHours, Self::EightHours];

    pub const fn span_ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Quarter => 15 * MINUTE_MS,
            Self::TwoHours => 2 * HOUR_MS,
            Self::EightHours => 8 * HOUR_MS,
        }
    }

    /// The beginning of the span that `at` is in.
    #[must_use]
    pub const fn start_of(self, at: Timestamp) -> Timestamp {
        let span_ms = self.span_ms();
        Timestamp::from_millis(at.as_millis().div_euclid(span_ms).saturating_mul(span_ms))
    }

    /// Spans that begin before this are shown by no window any more. Of minutes: they are in the coarser spans by then, or
    /// have to go there.
    #[must_use]
    pub const fn kept_from(self, now: Timestamp) -> Timestamp {
        match self {
            // Whole quarters, so that a quarter is written once.
            Self::Minute => Self::Quarter.start_of(now).plus_millis(-HOUR_MS),
            Self::Quarter => Window::Day.since(now),
            Self::TwoHours => Window::Week.since(now),
            Self::EightHours => Window::Month.since(now),
        }
    }
}

/// What may be asked for: the time up to now, in equal spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    Hour,
    Day,
    Week,
    Month,
}

impl Window {
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == text)
    }

    pub const fn grain(self) -> Grain {
        match self {
            Self::Hour => Grain::Minute,
            Self::Day => Grain::Quarter,
            Self::Week => Grain::TwoHours,
            Self::Month => Grain::EightHours,
        }
    }

    /// How many spans it has: 60, 96, 84 or 90.
    pub const fn spans(self) -> usize {
        let whole_ms = match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
        };
        (whole_ms / self.grain().span_ms()) as usize
    }

    /// The beginning of its first span. The last is the one that `now` is in, and so is not over.
    #[must_use]
    pub const fn since(self, now: Timestamp) -> Timestamp {
        let before_ms = (self.spans() as i64 - 1) * self.grain().span_ms();
        self.grain().start_of(now).plus_millis(-before_ms)
    }
}

// Every minute that the shortest window shows is still kept as one.
const _: () = assert!(Window::Hour.spans() as i64 * MINUTE_MS <= HOUR_MS);
const _: () = assert!(DAY_MS % Grain::EightHours.span_ms() == 0);
