//! The log's days: a row lives in the part of the log of the UTC day of its own id; attempts live with their delivery.

use domain::id::{first_key_at, key_time};
use domain::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// A UTC day, counted from 1970-01-01.
pub type Day = i64;

pub fn day_of(key: i64) -> Day {
    day_at(key_time(key))
}

pub fn day_at(at: Timestamp) -> Day {
    at.as_millis().div_euclid(DAY_MS)
}

/// The smallest key that an id made on `day` can have.
pub fn first_key_of(day: Day) -> i64 {
    first_key_at(Timestamp::from_millis(day.saturating_mul(DAY_MS)))
}

/// `YYYYMMDD`, as the names of the day's tables end.
pub fn suffix(day: Day) -> String {
    let text = Timestamp::from_millis(day.saturating_mul(DAY_MS)).to_string();
    text.chars().take(10).filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_its_day() {
        let at: Timestamp = "2024-02-29T23:59:59.999Z".parse().unwrap();
        let key = first_key_at(at);
        assert_eq!(suffix(day_of(key)), "20240229");
        assert_eq!(suffix(day_of(first_key_at(at.plus_millis(1)))), "20240301");
        assert!(first_key_of(day_of(key)) <= key && key < first_key_of(day_of(key) + 1));
    }
}
