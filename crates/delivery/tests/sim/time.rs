//! The engine's clock: Tokio's paused time, which passes at once, and an offset by which the clock was set.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

const BEGINNING: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One time for all processes of a history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When the present process began; `None` between two.
    started: Option<Instant>,
    before_ms: i64,
    offset_ms: i64,
}

impl Time {
    /// Within the process's runtime.
    pub(crate) fn start(&self) {
        self.state.lock().started = Some(Instant::now());
    }

    /// The process is gone, and for so long there is none.
    pub(crate) fn stop(&self, downtime_ms: i64) {
        let elapsed_ms = self.elapsed_ms();
        let mut state = self.state.lock();
        (state.started, state.before_ms) = (None, elapsed_ms + downtime_ms);
    }

    /// Since the history began, whatever the clock says.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        let state = self.state.lock();
        let running = state.started.map_or(Duration::ZERO, |started| started.elapsed());
        state.before_ms + i64::try_from(running.as_millis()).expect("histories are short")
    }

    /// Somebody sets the clock.
    pub(crate) fn jump(&self, ms: i64) {
        self.state.lock().offset_ms += ms;
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let elapsed_ms = self.elapsed_ms();
        BEGINNING.plus_millis(elapsed_ms + self.state.lock().offset_ms)
    }

    /// As the system's clock does it: a timer that runs does not notice that the clock is set.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let time = self.clone();
        Box::pin(async move {
            while let Ok(left_ms @ 1..) = u64::try_from(at.since(time.now())) {
                pass(Duration::from_millis(left_ms)).await;
            }
        })
    }
}

/// Lets virtual time pass: paused, it jumps to the next thing that waits for it, and nobody waits for real.
pub(crate) async fn pass(duration: Duration) {
    let _ = tokio::time::timeout(duration, std::future::pending::<()>()).await;
}
