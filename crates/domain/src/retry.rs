//! When a failed attempt is repeated: the schedule, its jitter, `Retry-After`, and giving up.

use crate::delivery::EndReason;
use crate::limits::RETRY_AFTER_SECONDS_MAX;
use crate::outcome::{Failure, Outcome};
use crate::time::Timestamp;

/// Seconds before attempts 2 to 14: 5 s × 4ⁿ, capped at 12 h; about 79 h 35 m in all.
pub const DEFAULT_WAITS_S: [u32; 13] =
    [5, 20, 80, 320, 1_280, 5_120, 20_480, 43_200, 43_200, 43_200, 43_200, 43_200, 43_200];

/// Each wait is made longer or shorter by up to this share.
pub const JITTER: f64 = 0.2;

/// How an attempt ended, as far as repeating it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<'a> {
    pub result: Result<u16, &'a Failure>,
    /// From 1.
    pub attempt_number: u32,
    /// The answer's `Retry-After`, as [`retry_after_ms`] read it.
    pub retry_after_ms: Option<i64>,
    pub at: Timestamp,
}

/// What becomes of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Succeeded,
    RetryAt(Timestamp),
    Ended(EndReason),
}

/// Judges one attempt. `waits_s`: seconds before attempts 2, 3, …; `jitter`: a random number from -1 to 1.
pub fn judge(ended: Ended<'_>, waits_s: &[u32], jitter: f64) -> Verdict {
    match ended.result {
        Ok(status) if Outcome::of_status(status) == Outcome::Succeeded => return Verdict::Succeeded,
        Ok(410) => return Verdict::Ended(EndReason::Gone),
        Err(Failure::Blocked { for_good: true }) => return Verdict::Ended(EndReason::AddressRefused),
        _ => {}
    }
    match waits_s.get(ended.attempt_number.saturating_sub(1) as usize) {
        None => Verdict::Ended(EndReason::Exhausted),
        Some(wait_s) => {
            let wait_ms = jittered_ms(*wait_s, jitter).max(ended.retry_after_ms.unwrap_or(0));
            Verdict::RetryAt(ended.at.plus_millis(wait_ms))
        }
    }
}

fn jittered_ms(wait_s: u32, jitter: f64) -> i64 {
    let factor = 1.0 + JITTER * jitter.clamp(-1.0, 1.0);
    (f64::from(wait_s) * 1000.0 * factor).round() as i64
}

/// Reads a `Retry-After` (RFC 9110 §10.2.3): seconds, or an HTTP date. Milliseconds from `now`, at most 24 h; `None`
/// for what is neither, or lies in the past.
pub fn retry_after_ms(value: &str, now: Timestamp) -> Option<i64> {
    let value = value.trim();
    let max_ms = RETRY_AFTER_SECONDS_MAX * 1000;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse::<i64>().unwrap_or(i64::MAX);
        return Some(seconds.saturating_mul(1000).min(max_ms)).filter(|ms| *ms > 0);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date_ms = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    let wait_ms = i64::try_from(date_ms).ok()?.saturating_sub(now.as_millis());
    (wait_ms > 0).then(|| wait_ms.min(max_ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn failed(attempt_number: u32) -> Ended<'static> {
        Ended { result: Ok(500), attempt_number, retry_after_ms: None, at: NOW }
    }

    #[test]
    fn the_default_schedule_is_5_s_times_4_to_the_n_capped_at_12_h() {
        let computed: Vec<u32> = (0..13).map(|n| (5 * 4u64.pow(n)).min(43_200) as u32).collect();
        assert_eq!(computed, DEFAULT_WAITS_S);
        assert_eq!(DEFAULT_WAITS_S.iter().sum::<u32>(), 79 * 3600 + 35 * 60 + 5);
    }

    #[test]
    fn attempts_end_with_the_schedule() {
        assert_eq!(judge(failed(1), &DEFAULT_WAITS_S, 0.0), Verdict::RetryAt(NOW.plus_seconds(5)));
        assert_eq!(judge(failed(13), &DEFAULT_WAITS_S, 0.0), Verdict::RetryAt(NOW.plus_seconds(43_200)));
        assert_eq!(judge(failed(14), &DEFAULT_WAITS_S, 0.0), Verdict::Ended(EndReason::Exhausted));
        assert_eq!(judge(failed(1), &[], 0.0), Verdict::Ended(EndReason::Exhausted));
    }

    #[test]
    fn gone_and_refused_addresses_are_not_repeated() {
        let gone = Ended { result: Ok(410), ..failed(1) };
        assert_eq!(judge(gone, &DEFAULT_WAITS_S, 0.0), Verdict::Ended(EndReason::Gone));
        for (for_good, verdict) in [
            (true, Verdict::Ended(EndReason::AddressRefused)),
            (false, Verdict::RetryAt(NOW.plus_seconds(5))),
        ] {
            let failure = Failure::Blocked { for_good };
            assert_eq!(judge(Ended { result: Err(&failure), ..failed(1) }, &DEFAULT_WAITS_S, 0.0), verdict);
        }
        let success = Ended { result: Ok(204), ..failed(14) };
        assert_eq!(judge(success, &DEFAULT_WAITS_S, 0.0), Verdict::Succeeded);
    }

    #[test]
    fn retry_after_counts_when_it_is_longer() {
        let ended = |ms| Ended { retry_after_ms: Some(ms), ..failed(1) };
        assert_eq!(judge(ended(60_000), &DEFAULT_WAITS_S, 0.0), Verdict::RetryAt(NOW.plus_seconds(60)));
        assert_eq!(judge(ended(1_000), &DEFAULT_WAITS_S, 0.0), Verdict::RetryAt(NOW.plus_seconds(5)));
        assert_eq!(
            judge(Ended { attempt_number: 14, ..ended(1) }, &DEFAULT_WAITS_S, 0.0),
            Verdict::Ended(EndReason::Exhausted)
        );
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let table: &[(&str, Option<i64>)] = &[
            ("120", Some(120_000)),
            (" 7 ", Some(7_000)),
            ("0", None),
            ("99999999999999999999999", Some(86_400_000)),
            ("86401", Some(86_400_000)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", Some(30_000)),
            ("Tue, 14 Nov 2023 22:13:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400_000)),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ];
        for (value, expected) in table {
            assert_eq!(retry_after_ms(value, NOW), *expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_a_fifth_of_its_schedule(n in 1u32..14, jitter in -1.0f64..1.0) {
            let wait_ms = f64::from(DEFAULT_WAITS_S[n as usize - 1]) * 1000.0;
            let Verdict::RetryAt(at) = judge(failed(n), &DEFAULT_WAITS_S, jitter) else { panic!("gave up early") };
            let ratio = at.since(NOW) as f64 / wait_ms;
            prop_assert!((0.799..=1.201).contains(&ratio), "{ratio}");
        }

        #[test]
        fn any_retry_after_is_bounded_and_never_panics(value in ".*") {
            if let Some(ms) = retry_after_ms(&value, NOW) {
                prop_assert!((1..=86_400_000).contains(&ms));
            }
        }
    }
}
