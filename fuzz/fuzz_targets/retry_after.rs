//! `Retry-After` as receivers send it: nothing, or a wait of up to 24 hours that grows with what was asked for and shrinks as
//! time passes. The first 8 bytes are the time, the rest the value.
#![no_main]

use domain::limits::RETRY_AFTER_SECONDS_MAX;
use domain::retry::retry_after_ms;
use domain::time::Timestamp;
use libfuzzer_sys::fuzz_target;

const MAX_MS: i64 = RETRY_AFTER_SECONDS_MAX * 1_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, value)) = bytes.split_first_chunk::<8>() else { return };
    let Ok(value) = std::str::from_utf8(value) else { return };
    // Any time from 1970 to the year 9999.
    let now_ms = i64::from_be_bytes(*head).rem_euclid(253_402_300_800_000);
    let wait = |value: &str, now_ms: i64| retry_after_ms(value, Timestamp::from_millis(now_ms));
    let found = wait(value, now_ms);
    assert!(found.is_none_or(|ms| (1..=MAX_MS).contains(&ms)), "{found:?}");
    assert_eq!(wait(&format!(" {value}\t"), now_ms), found, "white space around a value");

    let trimmed = value.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = trimmed.parse::<i64>().unwrap_or(i64::MAX);
        assert_eq!(found.unwrap_or(0), seconds.min(RETRY_AFTER_SECONDS_MAX) * 1_000);
        assert_eq!(wait(value, now_ms / 2), found, "seconds do not depend on the clock");
        assert!(wait(&format!("{trimmed}0"), now_ms) >= found, "ten times as long");
    } else if let Some(ms) = found {
        let date = httpdate::parse_http_date(trimmed).expect("neither seconds nor a date");
        let date_ms = date.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        assert_eq!(ms, (date_ms - now_ms).min(MAX_MS));
        assert!(wait(value, now_ms + 1_000) <= found, "later, and longer");
    }
});
