//! Connections: accepted, bounded, and ended in order. It knows nothing of what the requests mean.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use api::Front;
use axum::Router;
use axum::http::Request;
use axum::response::Response;
use domain::limits::CONNECTIONS_MAX;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::addresses::Addresses;
use crate::patience::{Patient, Phase};

/// For the next request on a kept connection, its head included.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// What is kept of a connection's bytes. A head that is larger is answered with a bare 431; the API says more from
/// `REQUEST_HEADER_BYTES_MAX` on.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
/// After an `accept` that failed, mostly for want of file descriptors: trying at once would only heat the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long running requests may take once the server stops: a test send takes up to 10 s.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until `stop`, then lets running requests finish. HTTP/1.1: what needs more stands behind a proxy.
pub(crate) async fn serve<S>(
    listener: TcpListener,
    service: S,
    addresses: Arc<Addresses>,
    stop: CancellationToken,
) where
    S: Answering,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepting = accept(&listener, &places);
        let (stream, from, place) = tokio::select! {
            accepted = accepting => accepted,
            // Reaps what has ended, so that the set holds only live connections.
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let Some(share) = addresses.enter(from.ip()) else { continue };
        let connection = graceful.watch(connection(stream, service.for_peer(from.ip())));
        connections.spawn(async move {
            let (_place, _share) = (place, share);
            // A connection that breaks is its client's affair.
            let _ = connection.await;
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running {FINISH_TIMEOUT:?} after the stop and were cut off");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What answers requests: the API's front, or a router alone. It is always ready.
pub(crate) trait Answering:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
    /// For the requests of one connection, from there.
    fn for_peer(&self, _: IpAddr) -> Self {
        self.clone()
    }
}

impl Answering for Router {}

impl Answering for Front {
    fn for_peer(&self, address: IpAddr) -> Self {
        self.clone().of_peer(address)
    }
}

fn connection<S: Answering>(
    stream: TcpStream,
    service: S,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    // Answers are single small writes; without this they may wait for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let phase = Arc::new(Phase::default());
    let answering = Arc::clone(&phase);
    let answer = move |request| {
        let phase = Arc::clone(&answering);
        phase.has_a_request();
        // Always ready: see `Answering`.
        let answer = service.clone().call(request);
        async move {
            let answer = answer.await;
            phase.has_answered();
            answer
        }
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, Arc::clone(&phase))), service_fn(answer))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A connection to a server that answers `body`. The clock jumps when nobody can go on.
    async fn connected(body: &'static str) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(move || async move { body }));
        let addresses = Arc::new(Addresses::new(None));
        tokio::spawn(serve(listener, router, addresses, CancellationToken::new()));
        TcpStream::connect(address).await.unwrap()
    }

    /// Seconds until the server has closed, and how much it sent before.
    async fn closed_after(stream: &mut TcpStream) -> (u64, usize) {
        let began = Instant::now();
        let mut sent = Vec::new();
        let _ = stream.read_to_end(&mut sent).await;
        (began.elapsed().as_secs(), sent.len())
    }

    async fn answered(stream: &mut TcpStream) {
        let mut answer = [0; 256];
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_not_waited_for() {
        for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: a"] {
            let mut stream = connected("ok").await;
            stream.write_all(begun.as_bytes()).await.unwrap();
            assert_eq!(closed_after(&mut stream).await, (10, 0), "{begun}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_further_byte_buys_no_time() {
        let mut stream = connected("ok").await;
        stream.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await.unwrap();
        let began = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        while stream.write_all(b"a").await.is_ok() && began.elapsed() < Duration::from_secs(60) {
            ticks.tick().await;
        }
        assert!(began.elapsed() <= Duration::from_secs(12), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_may_rest_longer_and_the_next_head_may_not_trickle() {
        let mut stream = connected("ok").await;
        stream.write_all(REQUEST).await.unwrap();
        answered(&mut stream).await;
        tokio::time::advance(Duration::from_secs(30)).await;
        stream.write_all(REQUEST).await.unwrap();
        answered(&mut stream).await;
        let mut resting = connected("ok").await;
        resting.write_all(REQUEST).await.unwrap();
        answered(&mut resting).await;
        assert_eq!(closed_after(&mut resting).await.0, 60);
        let mut trickling = connected("ok").await;
        trickling.write_all(REQUEST).await.unwrap();
        answered(&mut trickling).await;
        trickling.write_all(b"GET / HT").await.unwrap();
        assert_eq!(closed_after(&mut trickling).await.0, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_answer_loses_its_connection() {
        // More than the system keeps for a socket.
        let body: &'static str = "x".repeat(64 * 1024 * 1024).leak();
        let mut stream = connected(body).await;
        stream.write_all(REQUEST).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        // Nothing is read meanwhile, so only the timeout lets the clock jump.
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..40 {
            ticks.tick().await;
        }
        assert!(closed_after(&mut stream).await.1 < body.len());
    }
}
