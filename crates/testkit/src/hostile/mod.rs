//! Receivers that mean harm: raw sockets that follow a few lines of bad manners, over TCP, TLS or HTTP/2.
//!
//! [`kinds`] lists what an attacker would try, each with what an attempt at it must come to. They do not understand what
//! they are sent any further than their manners need.

mod authority;
mod connection;
mod http2;
mod kinds;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use self::authority::Authority;
pub use self::http2::{answer_head, frame, settings};
pub use self::kinds::{Expected, Kind, kinds};
use crate::patiently;

/// What a receiver does with each connection.
#[derive(Debug, Clone)]
pub struct Manners {
    pub over: Over,
    pub waits_for: WaitsFor,
    pub first: Bytes,
    pub then: Then,
}

/// What a connection is wrapped in, and with which certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Tcp,
    /// Called by `https`, but the manners' bytes go over the bare socket.
    NoTls,
    Tls(Certificate),
    /// HTTP/2 is agreed on in the handshake.
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    SelfSigned,
    OtherName,
}

/// What must have come before the first byte goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    Nothing,
    /// An HTTP/1.1 request's head, whatever of its body has come with it.
    Head,
    /// A whole HTTP/1.1 request.
    Request,
    /// The frame that begins an HTTP/2 request.
    Http2Request,
}

#[derive(Debug, Clone)]
pub enum Then {
    Close,
    Reset,
    /// Sends no more, but reads on.
    HalfClose,
    /// Reads on.
    Hang,
    /// Neither reads nor writes nor closes.
    Deaf,
    /// Is never accepted, in a queue that is full.
    NeverAccept,
    /// Without end, and without reading.
    Endless(Bytes),
    /// One byte a second, in a circle.
    Trickle(Bytes),
}

/// One hostile receiver on a port of its own. Dropping it closes everything.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    is_https: bool,
    seen: watch::Sender<Seen>,
    tasks: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    begun: usize,
    ended: usize,
    longest: Duration,
}

impl Hostile {
    pub async fn start(manners: Arc<Manners>, authority: &Authority) -> Self {
        let seen = watch::Sender::new(Seen::default());
        let is_https = manners.over != Over::Tcp;
        let listener = listener(&manners);
        let address = listener.local_addr().expect("a bound socket has an address");
        let tasks = if matches!(manners.then, Then::NeverAccept) {
            tokio::spawn(fill(listener))
        } else {
            let tls = authority.acceptor(manners.over);
            tokio::spawn(accept(listener, manners, tls, seen.clone()))
        };
        Self { address, is_https, seen, tasks }
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Connections that were accepted.
    pub fn connections(&self) -> usize {
        self.seen.borrow().begun
    }

    /// The longest that a connection lasted, of those that ended.
    pub fn longest(&self) -> Duration {
        self.seen.borrow().longest
    }

    /// Waits until so many connections are over, by whichever side.
    pub async fn ended(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        let ending = seen.wait_for(|seen| seen.ended >= count);
        patiently("hostile connections to end", ending).await.expect("the sender lives in self");
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

fn listener(manners: &Manners) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let backlog = if matches!(manners.then, Then::NeverAccept) { 1 } else { 1_024 };
    socket.listen(backlog).expect("a bound socket listens")
}

/// Takes every place of the queue.
async fn fill(listener: TcpListener) {
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut own = JoinSet::new();
    for _ in 0..4 {
        own.spawn(TcpStream::connect(address));
    }
    let _held = (listener, own);
    std::future::pending().await
}

async fn accept(
    listener: TcpListener,
    manners: Arc<Manners>,
    tls: Option<TlsAcceptor>,
    seen: watch::Sender<Seen>,
) {
    // Ends with this task.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (manners, tls, seen) = (Arc::clone(&manners), tls.clone(), seen.clone());
        let at = Instant::now();
        seen.send_modify(|seen| seen.begun += 1);
        connections.spawn(async move {
            connection::serve(socket, &manners, tls).await;
            seen.send_modify(|seen| {
                seen.ended += 1;
                seen.longest = seen.longest.max(at.elapsed());
            });
        });
        while connections.try_join_next().is_some() {}
    }
}
