//! A connection of which somebody sees each byte that comes in.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who sees it.
pub(super) trait Watch: Unpin {
    /// Asked before each read; an error takes its place.
    fn may_read(&self) -> io::Result<()> {
        Ok(())
    }

    fn came(&mut self, bytes: &[u8]);
}

/// What is written passes by.
pub(super) struct Watched<IO, W> {
    io: IO,
    watch: W,
}

impl<IO, W> Watched<IO, W> {
    pub(super) fn new(io: IO, watch: W) -> Self {
        Self { io, watch }
    }
}

impl<IO: AsyncRead + Unpin, W: Watch> AsyncRead for Watched<IO, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.watch.may_read()?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.watch.came(&buffer.filled()[before..]);
        polled
    }
}

impl<IO: AsyncWrite + Unpin, W: Watch> AsyncWrite for Watched<IO, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }
}
