//! Connections: accepted, bounded, and ended in order. It knows nothing of what the requests mean.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::Front;
use axum::Router;
use axum::http::Request;
use axum::response::Response;
use domain::limits::CONNECTIONS_MAX;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// For a request's head, and for the next request on a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
const HEADERS_MAX: usize = 100;
/// After an `accept` that failed, mostly for want of file descriptors: trying at once would only heat the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long running requests may take once the server stops: a test send takes up to 10 s.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until `stop`, then lets running requests finish. HTTP/1.1: what needs more stands behind a proxy.
pub(crate) async fn serve<S>(listener: TcpListener, service: S, stop: CancellationToken)
where
    S: Answering,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepting = accept(&listener, &places);
        let (stream, peer, place) = tokio::select! {
            accepted = accepting => accepted,
            // Reaps what has ended, so that the set holds only live connections.
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let connection = graceful.watch(connection(stream, service.for_peer(peer)));
        connections.spawn(async move {
            let _place = place;
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
) -> (TcpStream, IpAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip(), place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What answers requests: the API's front, or a router alone.
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
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<S>> {
    // Answers are single small writes; without this they may wait for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
