//! Buckets of events a second.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::num::NonZeroU32;

use hoopoe_domain::limits::PUBLISH_BUCKETS_MAX;
use hoopoe_domain::publish_rate::{Buckets, Exhausted};
use hoopoe_domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn buckets<K: Eq + std::hash::Hash + Clone>(per_second: u32) -> Buckets<K> {
    Buckets::new(NonZeroU32::new(per_second).unwrap())
}

fn taken(buckets: &mut Buckets<u32>, key: u32, now: Timestamp, wanted: usize) -> usize {
    (0..wanted).filter(|_| buckets.take(&key, now).is_ok()).count()
}

#[test]
fn a_bucket_holds_one_second_s_worth_and_fills_steadily() {
    for per_second in [1, 3, 7, 1_000, 300_000, 1_000_000] {
        let mut buckets = buckets(per_second);
        let whole = per_second as usize;
        assert_eq!(taken(&mut buckets, 1, NOW, whole + 5), whole, "{per_second}");
        assert_eq!(buckets.take(&1, NOW), Err(Exhausted { retry_after_seconds: 1 }));
        let half = taken(&mut buckets, 1, NOW.plus_millis(500), whole + 5);
        assert!((whole / 2..=whole / 2 + whole / 1_000).contains(&half), "{half} of {per_second}");
        assert_eq!(taken(&mut buckets, 1, NOW.plus_millis(60_000), whole + 5), whole, "{per_second}");
    }
}

#[test]
fn what_one_key_takes_is_no_other_s() {
    let mut buckets = buckets(2);
    assert_eq!(taken(&mut buckets, 1, NOW, 5), 2);
    assert_eq!(taken(&mut buckets, 2, NOW, 5), 2);
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let mut buckets = buckets(2);
    assert_eq!(taken(&mut buckets, 1, NOW, 2), 2);
    let before = NOW.plus_seconds(-86_400);
    assert_eq!(taken(&mut buckets, 1, before, 2), 0, "it counts as empty");
    assert_eq!(taken(&mut buckets, 1, before.plus_seconds(1), 5), 2);
}

#[test]
fn more_keys_than_there_are_buckets_share_one() {
    let mut buckets = buckets(1);
    for key in 0..PUBLISH_BUCKETS_MAX as u32 {
        buckets.take(&key, NOW).unwrap();
    }
    let newcomers = PUBLISH_BUCKETS_MAX as u32..PUBLISH_BUCKETS_MAX as u32 + 10;
    let admitted = newcomers.clone().filter(|key| buckets.take(key, NOW).is_ok()).count();
    assert_eq!(admitted, 1);
    // Once the others are full again they make room.
    let admitted = newcomers.filter(|key| buckets.take(key, NOW.plus_seconds(1)).is_ok()).count();
    assert_eq!(admitted, 10);
}
