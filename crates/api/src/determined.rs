//! Work that is done to its end, also when whoever waits for it is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Runs in its caller's task, which costs nothing, and goes on in a task of its own when it is dropped unfinished: a
/// client that leaves must not stop work between a store's commit and the hand-over to the engine. `F` must not panic.
pub(crate) struct Determined<'t, F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    work: Option<Pin<Box<F>>>,
    tasks: &'t TaskTracker,
}

impl<'t, F> Determined<'t, F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    /// `tasks` gets the work when it is dropped.
    pub(crate) fn new(work: F, tasks: &'t TaskTracker) -> Self {
        Self { work: Some(Box::pin(work)), tasks }
    }
}

impl<F> Future for Determined<'_, F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let work = self.work.as_mut().expect("it is not polled after it was ready");
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

/// When the whole runtime ends there is nobody left to go on.
impl<F> Drop for Determined<'_, F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_is_dropped_goes_on() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            gone.await.unwrap();
            done.send("all of it").unwrap();
        };
        let mut determined = Box::pin(Determined::new(work, &tasks));
        assert!(determined.as_mut().now_or_never().is_none());
        drop(determined);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok("all of it"));
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn work_that_is_waited_for_gives_its_result_and_no_task() {
        let tasks = TaskTracker::new();
        assert_eq!(Determined::new(async { 7 }, &tasks).await, 7);
        assert!(tasks.is_empty());
    }
}
