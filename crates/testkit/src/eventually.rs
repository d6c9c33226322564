//! Bounded polling, for what only a real process can tell by being asked. Where a notification exists, wait for that.

use std::time::Duration;

use crate::patiently;

/// How often the question is put.
const EVERY: Duration = Duration::from_millis(20);

/// Asks until the answer is `Some`; fails the test after [`PATIENCE`](crate::PATIENCE).
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    patiently(what, asking).await
}
