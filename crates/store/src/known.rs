//! What proves who calls, as memory holds it: with when it was last used, which is not worth a write on every request.

use std::sync::atomic::{AtomicI64, Ordering};

use domain::time::Timestamp;

/// A use is noted once in so many milliseconds.
const STEP_MS: i64 = 1_000;
const NEVER: i64 = i64::MIN;

/// An API key or a session, and its last use.
#[derive(Debug)]
pub struct Known<T> {
    pub value: T,
    used_at: AtomicI64,
    /// As the file has it.
    kept_at: AtomicI64,
}

impl<T> Known<T> {
    pub fn new(value: T, used_at: Option<Timestamp>) -> Self {
        let at = used_at.map_or(NEVER, Timestamp::as_millis);
        Self { value, used_at: AtomicI64::new(at), kept_at: AtomicI64::new(at) }
    }

    pub fn used(&self, now: Timestamp) {
        // Most calls only read, so that callers with one key do not fight for a line of the cache.
        if now.as_millis() >= self.used_at.load(Ordering::Relaxed).saturating_add(STEP_MS) {
            self.used_at.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    pub fn used_at(&self) -> Option<Timestamp> {
        Some(self.used_at.load(Ordering::Relaxed)).filter(|at| *at != NEVER).map(Timestamp::from_millis)
    }

    /// The last use, if it has not been kept yet.
    pub fn unkept(&self) -> Option<Timestamp> {
        let used_at = self.used_at.load(Ordering::Relaxed);
        (used_at != self.kept_at.load(Ordering::Relaxed)).then(|| Timestamp::from_millis(used_at))
    }

    pub fn kept(&self, at: Timestamp) {
        self.kept_at.store(at.as_millis(), Ordering::Relaxed);
    }
}
