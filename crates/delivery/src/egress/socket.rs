//! The bare socket below TLS and HTTP: bounds what one receiver can make us read, and keeps a kept connection honest.
//!
//! Parsers bound what they keep, not what they read: interim answers, pings, chunk extensions and the like can be sent
//! without end at no cost of memory, and at the cost of a processor.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Of a handshake or of one answer, everything counted. Headers of 32 KiB and a body of 64 KiB fit with room to spare.
pub(super) const READ_BYTES_MAX: u64 = 160 * 1024;

/// After so many bytes at a stretch others have their turn: those that take what was read, so that frames of a few bytes
/// do not pile up as objects of hundreds, and the neighbours. An ordinary answer is smaller.
const READ_BYTES_PER_TURN: u64 = 16 * 1024;

/// A connection to a receiver, as bytes.
pub(super) struct Socket {
    stream: TcpStream,
    meter: Arc<Meter>,
    read_this_turn: u64,
}

/// What a socket has read and may still read; shared with the connection that runs over it.
pub(super) struct Meter {
    read: AtomicU64,
    allowed: AtomicU64,
    is_to_be_quiet: AtomicBool,
}

/// Why a socket does not go on. The inner value of its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misconduct {
    #[error("the receiver sent more than one answer may take")]
    TooMuch,
    #[error("the receiver sent something, or closed, before it was asked")]
    Unasked,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, meter: Arc::new(Meter::new()), read_this_turn: 0 }
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Before the first byte of a request over a kept connection: what has come by now answers no request of ours. The
    /// kernel is asked, since the runtime may not have heard of it yet.
    fn check_quiet(&self) -> io::Result<()> {
        if !self.meter.is_to_be_quiet.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        match rustix::net::recv(&self.stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN) => Ok(()),
            _ => Err(io::Error::other(Misconduct::Unasked)),
        }
    }
}

impl Meter {
    pub(super) fn new() -> Self {
        let [read, allowed] = [0, READ_BYTES_MAX].map(AtomicU64::new);
        Self { read, allowed, is_to_be_quiet: AtomicBool::new(false) }
    }

    /// A request begins, one of so many that run over the connection.
    pub(super) fn allow(&self, running: usize) {
        let more = READ_BYTES_MAX * running.max(1) as u64;
        self.allowed.store(self.read.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// What came takes so much more than its own bytes.
    pub(super) fn charge(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// More came than was allowed, so that nothing is read any more.
    pub(super) fn is_exhausted(&self) -> bool {
        self.read.load(Ordering::Relaxed) > self.allowed.load(Ordering::Relaxed)
    }

    /// Nothing may have come when the next byte is written.
    pub(super) fn expect_quiet(&self) {
        self.is_to_be_quiet.store(true, Ordering::Relaxed);
    }
}

impl Misconduct {
    pub(super) fn of(fault: &io::Error) -> Option<Self> {
        fault.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.is_exhausted() {
            return Poll::Ready(Err(io::Error::other(Misconduct::TooMuch)));
        }
        if self.read_this_turn >= READ_BYTES_PER_TURN {
            self.read_this_turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = (buffer.filled().len() - before) as u64;
        self.meter.read.fetch_add(read, Ordering::Relaxed);
        self.read_this_turn = if polled.is_pending() { 0 } else { self.read_this_turn + read };
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_quiet()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_quiet()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }
}
