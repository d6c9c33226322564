//! One connection to a receiver, and one request over it. Dropping a connection ends its task and closes its socket.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use domain::outcome::{Failure, Phase};
use http::header::HOST;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::frames::Frames;
use super::progress::Progress;
use super::socket::Meter;
use super::watched::{Watch, Watched};
use crate::request::Outgoing;

/// An answer's head may take this much memory while it comes in, bytes; what is longer is a protocol error.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEAD_LINES_MAX: usize = 128;
/// HTTP/2 flow control: no more than is kept of one answer, and of all answers of a connection together.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Requests at once on one HTTP/2 connection; where the receiver allows fewer, the rest wait in the connection.
const STREAMS_MAX: usize = 100;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// A body goes out in pieces of this size, so that it is known when the last was taken.
const PIECE_BYTES: usize = 16 * 1024;
/// How long a connection may take to be ready again after a whole answer.
const READY_WAIT: Duration = Duration::from_millis(5);

/// Where a connection leads, and what may still come from there.
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) meter: Arc<Meter>,
}

/// An HTTP/1.1 connection, used by one request at a time.
pub(super) struct Http1 {
    sender: http1::SendRequest<SentBody>,
    /// It has carried a request before.
    is_kept: bool,
    read: Arc<AtomicU64>,
    pub(super) peer: Peer,
    pub(super) opened_at: Instant,
    _driver: AbortOnDropHandle<()>,
}

/// An HTTP/2 connection, shared.
pub(super) struct Http2 {
    sender: http2::SendRequest<SentBody>,
    streams: AtomicUsize,
    pub(super) peer: Peer,
    pub(super) opened_at: Instant,
    _tasks: DropGuard,
}

/// A place on an HTTP/2 connection.
pub(super) struct Stream(Arc<Http2>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a request got no status line.
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// Nothing of an answer had come, and the connection is no longer usable: on a kept connection that is what a
    /// receiver's idle timeout looks like.
    pub(super) before_any_answer: bool,
}

impl Http1 {
    pub(super) async fn open<IO>(io: IO, peer: Peer) -> Result<Self, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let read = Arc::new(AtomicU64::new(0));
        let io = Watched::new(io, Counted(Arc::clone(&read)));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEAD_LINES_MAX)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|fault| failure(&fault, &peer.meter))?;
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            // The request's own future is told of every fault that concerns it.
            let _ = connection.await;
        }));
        Ok(Self { sender, is_kept: false, read, peer, opened_at: Instant::now(), _driver: driver })
    }

    pub(super) fn is_usable(&self) -> bool {
        self.sender.is_ready()
    }

    /// After a whole answer: whether the connection can take another request.
    pub(super) async fn becomes_ready(&mut self) -> bool {
        matches!(tokio::time::timeout(READY_WAIT, self.sender.ready()).await, Ok(Ok(())))
    }

    pub(super) async fn send(
        &mut self,
        outgoing: &Outgoing,
        progress: &Arc<Progress>,
    ) -> Result<Response<Incoming>, Broken> {
        let headers = outgoing.headers.clone();
        let request = request(outgoing.target.path.clone(), headers, outgoing, progress);
        let read_before = self.read.load(Ordering::Relaxed);
        self.peer.meter.allow(1);
        let is_kept = std::mem::replace(&mut self.is_kept, true);
        if is_kept {
            self.peer.meter.expect_quiet();
        }
        self.sender.send_request(request).await.map_err(|fault| {
            let read = self.read.load(Ordering::Relaxed);
            // Cancelled: the connection ended before the request was begun, maybe because something came unasked.
            let failure = match fault.is_canceled() && read > 0 && !is_kept {
                true => Failure::Protocol("it sent something before it was asked".to_owned()),
                false => failure(&fault, &self.peer.meter),
            };
            Broken { failure, before_any_answer: fault.is_canceled() || read == read_before }
        })
    }
}

impl Http2 {
    pub(super) async fn open<IO>(io: IO, peer: Peer) -> Result<Arc<Self>, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tasks = CancellationToken::new();
        let io = Watched::new(io, Frames::new(Arc::clone(&peer.meter)));
        let executor = UntilDropped(tasks.clone());
        let (sender, connection) = http2::Builder::new(executor.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|fault| failure(&fault, &peer.meter))?;
        executor.execute(async move {
            let _ = connection.await;
        });
        let streams = AtomicUsize::new(0);
        Ok(Arc::new(Self { sender, streams, peer, opened_at: Instant::now(), _tasks: tasks.drop_guard() }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// A place, unless all are taken.
    pub(super) fn stream(self: &Arc<Self>) -> Option<Stream> {
        let taken = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |streams| {
            (streams < STREAMS_MAX).then_some(streams + 1)
        });
        taken.is_ok().then(|| Stream(Arc::clone(self)))
    }
}

impl Stream {
    pub(super) fn connection(&self) -> &Arc<Http2> {
        &self.0
    }

    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        progress: &Arc<Progress>,
    ) -> Result<Response<Incoming>, Broken> {
        let mut sender = self.0.sender.clone();
        self.0.peer.meter.allow(self.0.streams.load(Ordering::Relaxed));
        let mut headers = outgoing.headers.clone();
        headers.remove(HOST);
        let request = request(outgoing.target.whole.clone(), headers, outgoing, progress);
        sender.send_request(request).await.map_err(|fault| Broken {
            failure: failure(&fault, &self.0.peer.meter),
            before_any_answer: fault.is_canceled() || fault.is_closed() || self.0.sender.is_closed(),
        })
    }
}

/// Runs what a connection needs until the connection is dropped. Left to itself it would stay, with its socket, until
/// the receiver has taken our last frames.
#[derive(Clone)]
struct UntilDropped(CancellationToken);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for UntilDropped {
    fn execute(&self, future: F) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(future));
    }
}

fn request(
    uri: http::Uri,
    headers: HeaderMap,
    outgoing: &Outgoing,
    progress: &Arc<Progress>,
) -> Request<SentBody> {
    progress.enter(Phase::Sending);
    let mut request = Request::new(SentBody { rest: outgoing.body.clone(), progress: Arc::clone(progress) });
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

fn failure(fault: &hyper::Error, meter: &Meter) -> Failure {
    let io = std::error::Error::source(fault).and_then(|source| source.downcast_ref::<io::Error>());
    let why = if meter.is_exhausted() {
        "it sent too much before its answer"
    } else if fault.is_parse_too_large() {
        "its headers are too large"
    } else if fault.is_parse() {
        "it could not be read as HTTP"
    } else if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset) {
        "the connection was reset before the answer came"
    } else if fault.is_incomplete_message() || fault.is_canceled() || fault.is_closed() || io.is_some() {
        "the connection was closed before the answer came"
    } else {
        "the exchange was broken off"
    };
    Failure::Protocol(why.to_owned())
}

/// The published bytes on their way out; says when the last were taken.
pub(super) struct SentBody {
    rest: Bytes,
    progress: Arc<Progress>,
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece_bytes = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(piece_bytes);
        if self.rest.is_empty() {
            self.progress.enter(Phase::Waiting);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Counts what comes in, so that "before any byte of an answer" is a fact.
struct Counted(Arc<AtomicU64>);

impl Watch for Counted {
    fn came(&mut self, bytes: &[u8]) {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}
