//! Work that is done to its end, also when whoever waits for it is gone; but not before there is anything to do.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

thread_local! {
    /// Whether the [`Determined`] that is being polled on this thread stopped in an [`undetermined`] wait.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Runs in its caller's task, which costs nothing, and goes on in a task of its own when it is dropped unfinished: a
/// client that leaves must not stop work between a store's commit and the hand-over to the engine. `F` must not panic.
pub(crate) struct Determined<'t, F>
where
    F: Future<Output: Send + 'static> + Send + Unpin + 'static,
{
    work: Option<F>,
    tasks: &'t TaskTracker,
    /// Nothing was begun yet, or the work stands in an [`undetermined`] wait.
    may_end: bool,
}

/// A wait within determined work that ends with whoever waits for the work, such as that for a client's body: a task of
/// its own would hold the connection of a client that sends nothing for as long as the client likes.
pub(crate) async fn undetermined<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    std::future::poll_fn(|cx| {
        let polled = wait.as_mut().poll(cx);
        WAITS.set(polled.is_pending());
        polled
    })
    .await
}

impl<'t, F> Determined<'t, F>
where
    F: Future<Output: Send + 'static> + Send + Unpin + 'static,
{
    /// `tasks` gets the work when it is dropped.
    pub(crate) fn new(work: F, tasks: &'t TaskTracker) -> Self {
        Self { work: Some(work), tasks, may_end: true }
    }
}

impl<F> Future for Determined<'_, F>
where
    F: Future<Output: Send + 'static> + Send + Unpin + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let work = self.work.as_mut().expect("it is not polled after it was ready");
        WAITS.set(false);
        let polled = Pin::new(work).poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        self.may_end = WAITS.take();
        polled
    }
}

/// When the whole runtime ends there is nobody left to go on.
impl<F> Drop for Determined<'_, F>
where
    F: Future<Output: Send + 'static> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let work = self.work.take().filter(|_| !self.may_end);
        if let (Some(work), Ok(runtime)) = (work, Handle::try_current()) {
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
        let mut determined = Determined::new(Box::pin(work), &tasks);
        assert!((&mut determined).now_or_never().is_none());
        drop(determined);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok("all of it"));
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn work_ends_with_its_waiter_where_nothing_is_determined_yet_and_goes_on_after_that() {
        let tasks = TaskTracker::new();
        let (arrive, arrived) = oneshot::channel::<()>();
        let (go, gone) = oneshot::channel::<()>();
        let work = async move {
            let _ = undetermined(arrived).await;
            let _ = gone.await;
        };
        let mut determined = Determined::new(Box::pin(work), &tasks);
        assert!((&mut determined).now_or_never().is_none());
        arrive.send(()).unwrap();
        assert!((&mut determined).now_or_never().is_none());
        drop(determined);
        assert_eq!(tasks.len(), 1, "it had everything");
        drop(go);
        let (_never, arrived) = oneshot::channel::<()>();
        let mut determined = Determined::new(Box::pin(undetermined(arrived)), &tasks);
        assert!((&mut determined).now_or_never().is_none());
        drop(determined);
        assert!(tasks.len() <= 1, "it had nothing");
        drop(Determined::new(Box::pin(async {}), &tasks));
        assert!(tasks.len() <= 1, "it was never begun");
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn work_that_is_waited_for_gives_its_result_and_no_task() {
        let tasks = TaskTracker::new();
        assert_eq!(Determined::new(Box::pin(async { 7 }), &tasks).await, 7);
        assert!(tasks.is_empty());
    }
}
