//! How long a connection waits for its client: for a request's head once it has begun, and for an answer to be taken.
//! Between requests it may rest longer, which is hyper's own timeout.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// For a head, from its first byte, and from the connection's beginning for the first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take none of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

const HEAD: u8 = 0;
const ANSWERING: u8 = 1;
const RESTING: u8 = 2;

/// What a connection is about.
#[derive(Debug, Default)]
pub(crate) struct Phase(AtomicU8);

impl Phase {
    /// The head is complete; its body has a time of its own.
    pub(crate) fn has_a_request(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }
    pub(crate) fn has_answered(&self) {
        self.0.store(RESTING, Ordering::Relaxed);
    }
    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }
}

/// A stream that fails with `TimedOut` when its client is too slow.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    phase: Arc<Phase>,
    head_until: Instant,
    head_timer: Timer,
    /// Since when nothing could be written.
    stalled_until: Option<Instant>,
    stall_timer: Timer,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, phase: Arc<Phase>) -> Self {
        let head_until = Instant::now() + HEAD_TIMEOUT;
        let (head_timer, stall_timer) = (Timer::default(), Timer::default());
        Self { stream, phase, head_until, head_timer, stalled_until: None, stall_timer }
    }

    fn watched<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stalled_until = None;
            return written;
        }
        let until = *self.stalled_until.get_or_insert_with(|| Instant::now() + STALL_TIMEOUT);
        match self.stall_timer.poll(cx, until) {
            Poll::Ready(()) => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            if self.phase.is(RESTING) {
                self.phase.0.store(HEAD, Ordering::Relaxed);
                self.head_until = Instant::now() + HEAD_TIMEOUT;
            }
            return read;
        }
        let until = self.head_until;
        if self.phase.is(HEAD) && self.head_timer.poll(cx, until).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Made when it is first waited for: most requests need none.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}
