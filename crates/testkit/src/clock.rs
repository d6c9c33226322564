//! A clock that stands still until a test moves it. It knows who sleeps on it, so that a test can wait for the sleepers
//! before it moves the time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::patiently;

/// Clones share one time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts changes of the set of sleepers.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    next_number: u64,
    /// By time, then in the order of arrival.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        let state = State { now, next_number: 0, sleepers: BTreeMap::new() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changes: watch::Sender::new(0) }) }
    }

    /// Starts at the system's time, for receivers whose libraries compare `webhook-timestamp` with their own clock.
    pub fn at_real_time() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let ms = since_epoch.expect("the system's clock is set").as_millis();
        Self::at(Timestamp::from_millis(ms.try_into().expect("fits for millions of years")))
    }

    /// Moves the time, waking sleepers in the order of their times.
    pub fn advance_ms(&self, ms: i64) {
        let to = self.now().plus_millis(ms);
        self.advance_to(to);
    }

    /// Moves the time to `at` (never back), waking sleepers in the order of their times.
    pub fn advance_to(&self, at: Timestamp) {
        let mut state = self.shared.state.lock();
        while let Some(entry) = state.sleepers.first_entry().filter(|entry| entry.key().0 <= at) {
            let ((due_at, _), waker) = entry.remove_entry();
            state.now = state.now.max(due_at);
            // A sleeper that was dropped just now needs no waking.
            let _ = waker.send(());
        }
        state.now = state.now.max(at);
        drop(state);
        self.shared.changed();
    }

    /// The times that are slept for, earliest first.
    pub fn sleepers(&self) -> Vec<Timestamp> {
        self.shared.state.lock().sleepers.keys().map(|(at, _)| *at).collect()
    }

    /// Waits until at least `count` sleep.
    pub async fn wait_for_sleepers(&self, count: usize) {
        self.wait_until(&format!("{count} sleepers"), |sleepers| sleepers.len() >= count).await;
    }

    /// Waits until somebody sleeps for a time from `from` to `to`, both included; returns that time.
    pub async fn wait_for_sleeper_between(&self, from: Timestamp, to: Timestamp) -> Timestamp {
        let within = |sleepers: &[Timestamp]| sleepers.iter().copied().find(|at| (from..=to).contains(at));
        self.wait_until(&format!("a sleeper between {from} and {to}"), |sleepers| within(sleepers).is_some())
            .await;
        within(&self.sleepers()).unwrap_or(to)
    }

    async fn wait_until(&self, what: &str, mut holds: impl FnMut(&[Timestamp]) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async { while !holds(&self.sleepers()) && changes.changed().await.is_ok() {} };
        patiently(what, waiting).await;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.shared.state.lock().now
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let mut state = self.shared.state.lock();
        if at <= state.now {
            return Box::pin(std::future::ready(()));
        }
        let place = (at, state.next_number);
        state.next_number += 1;
        let (waker, woken) = oneshot::channel();
        state.sleepers.insert(place, waker);
        drop(state);
        self.shared.changed();
        let bed = Bed { shared: Arc::clone(&self.shared), place };
        Box::pin(async move {
            let _bed = bed;
            let _ = woken.await;
        })
    }
}

/// A sleeper's place, left when its future is dropped.
struct Bed {
    shared: Arc<Shared>,
    place: (Timestamp, u64),
}

impl Drop for Bed {
    fn drop(&mut self) {
        let left = self.shared.state.lock().sleepers.remove(&self.place).is_some();
        if left {
            self.shared.changed();
        }
    }
}

impl Shared {
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_millis(1_000))
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_times_and_not_before() {
        let clock = clock();
        let (woken, mut order) = tokio::sync::mpsc::unbounded_channel();
        for ms in [3_000, 2_000, 9_000] {
            let (sleep, woken) = (clock.sleep_until(Timestamp::from_millis(ms)), woken.clone());
            tokio::spawn(async move {
                sleep.await;
                woken.send(ms)
            });
        }
        clock.wait_for_sleepers(3).await;
        clock.advance_ms(999);
        assert_eq!(clock.sleepers().len(), 3);
        clock.advance_ms(1);
        assert_eq!(order.recv().await, Some(2_000));
        clock.advance_ms(5_000);
        assert_eq!(order.recv().await, Some(3_000));
        assert_eq!(clock.now().as_millis(), 7_000);
        assert_eq!(clock.sleepers(), [Timestamp::from_millis(9_000)]);
    }

    #[tokio::test]
    async fn a_dropped_sleeper_is_forgotten_and_the_past_needs_no_sleep() {
        let clock = clock();
        drop(clock.sleep_until(Timestamp::from_millis(5_000)));
        assert!(clock.sleepers().is_empty());
        clock.sleep_until(Timestamp::from_millis(1_000)).await;
    }
}
