//! The only socket to an address that a customer gave.
//!
//! Resolve, judge every answer, dial the very address that was judged, TLS, one request, and its answer within bounds.
//! Redirects are not followed and no proxy is asked, whatever the environment says. What comes back is a value; nothing
//! here decides what it means for a delivery.

mod connection;
mod dns;
#[cfg(test)]
mod dns_tests;
mod frames;
mod guard;
#[cfg(test)]
mod hostile_tests;
mod pool;
mod progress;
mod socket;
mod target;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod tls_tests;
mod watched;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::address_rules::AddressPolicy;
use domain::limits::ATTEMPT_TIMEOUT_MS;
use domain::outcome::{Failure, Phase};
use domain::time::{Clock, Timestamp};
use domain::url_rules::{Host, UrlPolicy};
use futures::future::BoxFuture;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use self::connection::{Broken, Http1, Http2, Peer};
use self::dns::{Names, SystemNames};
pub use self::guard::Refused;
use self::pool::{Connection, Pool};
pub(crate) use self::progress::{AtFault, Exchange};
pub use self::progress::{Progress, Reading};
use self::socket::Socket;
pub use self::target::{Origin, Target};
use self::tls::Spoken;
use crate::request::Outgoing;
use crate::settings::{Settings, StartError};

/// Addresses of one name that are tried in one attempt.
const DIALLED_MAX: usize = 4;
/// How long to wait for one address while another is left to try.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// On the machine's own steady time: after this an attempt is over, whatever the clock says, which may have been set back.
const EXCHANGE_TIME_MAX: Duration = Duration::from_millis(ATTEMPT_TIMEOUT_MS as u64 + 1_000);
const PRUNE_INTERVAL: Duration = Duration::from_secs(15);

/// What a transport's exchange comes to: `Ok` once a status line came, whatever it says.
pub type TransportFuture<'a> = BoxFuture<'a, Result<(), Failure>>;

/// One request to a receiver. Egress in service, a script in simulations.
pub trait Transport: std::fmt::Debug + Send + Sync + 'static {
    /// Sends, and writes into `progress` what happens. Has no time limit of its own: the future is dropped when the
    /// attempt's time has run out, and must then let go of what it holds.
    fn exchange<'a>(&'a self, outgoing: &'a Outgoing, progress: &'a Arc<Progress>) -> TransportFuture<'a>;
}

/// One exchange within its time: `deadline_at` is one limit for all phases, on the given clock.
pub(crate) async fn exchange(
    transport: &dyn Transport,
    clock: &Arc<dyn Clock>,
    outgoing: &Outgoing,
    deadline_at: Timestamp,
) -> Exchange {
    let progress = Arc::new(Progress::new(Arc::clone(clock)));
    let ended = tokio::select! {
        biased;
        ended = transport.exchange(outgoing, &progress) => Some(ended),
        () = clock.sleep_until(deadline_at) => None,
        () = tokio::time::sleep(EXCHANGE_TIME_MAX) => None,
    };
    progress.finish(ended)
}

/// The production transport.
pub struct Egress {
    address_policy: AddressPolicy,
    url_policy: UrlPolicy,
    names: Box<dyn Names>,
    tls: TlsConnector,
    pool: Arc<Pool>,
    _pruning: AbortOnDropHandle<()>,
}

impl Egress {
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// An extra root certificate is not usable.
    pub fn new(settings: &Settings) -> Result<Self, StartError> {
        Self::with_names(settings, Box::new(SystemNames::new()))
    }

    fn with_names(settings: &Settings, names: Box<dyn Names>) -> Result<Self, StartError> {
        let pool = Arc::new(Pool::default());
        let pruned = Arc::clone(&pool);
        let pruning = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PRUNE_INTERVAL).await;
                pruned.prune();
            }
        });
        Ok(Self {
            address_policy: settings.address_policy.clone(),
            url_policy: settings.url_policy,
            names,
            tls: tls::connector(&settings.extra_root_certificates)?,
            pool,
            _pruning: AbortOnDropHandle::new(pruning),
        })
    }

    /// Over a kept connection if there is one. If that proves stale (a receiver may close an idle connection at any
    /// moment), once more over a fresh one.
    async fn send(&self, outgoing: &Outgoing, progress: &Arc<Progress>) -> Result<(), Failure> {
        if let Some(connection) = self.pool.take(&outgoing.target.origin) {
            match self.send_over(connection, outgoing, progress).await {
                Err(broken) if broken.before_any_answer => {}
                ended => return ended.map_err(|broken| broken.failure),
            }
        }
        // Rare, and by far the largest of all futures here: it would be moved with every exchange.
        let connection = Box::pin(self.connect(&outgoing.target, progress)).await?;
        self.send_over(connection, outgoing, progress).await.map_err(|broken| broken.failure)
    }

    async fn send_over(
        &self,
        connection: Connection,
        outgoing: &Outgoing,
        progress: &Arc<Progress>,
    ) -> Result<(), Broken> {
        let origin = &outgoing.target.origin;
        match connection {
            Connection::Http1(mut connection) => {
                progress.dialled(connection.peer.remote);
                let response = connection.send(outgoing, progress).await?;
                if read_answer(response, progress).await && connection.becomes_ready().await {
                    self.pool.give(origin, connection);
                }
            }
            Connection::Http2(stream) => {
                progress.dialled(stream.connection().peer.remote);
                // Unless an answer comes, the connection is not trusted with another request.
                let suspicion = Suspicion { pool: &self.pool, origin, connection: stream.connection() };
                let response = stream.send(outgoing, progress).await?;
                suspicion.dispel();
                read_answer(response, progress).await;
            }
        }
        Ok(())
    }

    async fn connect(&self, target: &Target, progress: &Progress) -> Result<Connection, Failure> {
        let origin = &target.origin;
        if !origin.https && self.url_policy == UrlPolicy::Strict {
            return Err(Failure::Connect("plain http is not allowed; use https".to_owned()));
        }
        let ips = self.addresses(&target.host, progress).await?;
        progress.enter(Phase::Connecting);
        let (stream, remote) = dial(&ips, origin.port, progress).await?;
        let socket = Socket::new(stream);
        let peer = Peer { remote, meter: socket.meter() };
        if !origin.https {
            return Http1::open(socket, peer).await.map(Connection::Http1);
        }
        progress.enter(Phase::Tls);
        let (stream, spoken) = tls::handshake(&self.tls, &origin.host, socket).await?;
        match spoken {
            Spoken::Http1 => Http1::open(stream, peer).await.map(Connection::Http1),
            Spoken::Http2 => {
                let connection = Http2::open(stream, peer).await?;
                self.pool.share(origin, &connection);
                let full = || Failure::Protocol("it allows no request at all".to_owned());
                connection.stream().map(Connection::Http2).ok_or_else(full)
            }
        }
    }

    async fn addresses(&self, host: &Host, progress: &Progress) -> Result<Vec<IpAddr>, Failure> {
        match host {
            Host::Ip(ip) => guard::literal(*ip, &self.address_policy, progress),
            Host::Name(name) => {
                guard::name(name, &self.address_policy, progress)?;
                progress.enter(Phase::Resolving);
                let ips = self.names.look_up(name).await?;
                guard::answers(name, ips, &self.address_policy, progress)
            }
        }
    }
}

impl Transport for Egress {
    fn exchange<'a>(&'a self, outgoing: &'a Outgoing, progress: &'a Arc<Progress>) -> TransportFuture<'a> {
        Box::pin(self.send(outgoing, progress))
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("idle_connections", &self.pool.idle()).finish_non_exhaustive()
    }
}

/// Evicts an HTTP/2 connection when it is dropped: over an error, or when the attempt's time ran out on it.
struct Suspicion<'a> {
    pool: &'a Pool,
    origin: &'a Origin,
    connection: &'a Arc<Http2>,
}

impl Suspicion<'_> {
    fn dispel(self) {
        std::mem::forget(self);
    }
}

impl Drop for Suspicion<'_> {
    fn drop(&mut self) {
        self.pool.evict(self.origin, self.connection);
    }
}

/// Whether the whole answer was read, so that the connection can be used again.
async fn read_answer(response: Response<Incoming>, progress: &Progress) -> bool {
    let (head, mut body) = response.into_parts();
    progress.answered(head.status, head.headers);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(piece) = frame.data_ref() else { continue };
        if progress.body_piece(piece) == Reading::Enough {
            return false;
        }
    }
    progress.body_ended();
    true
}

/// The first address that answers, in order. The socket is checked to have gone to the address that was judged.
async fn dial(ips: &[IpAddr], port: u16, progress: &Progress) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut failure = Failure::Connect("the name has no address".to_owned());
    let mut is_ours = false;
    let tried = &ips[..ips.len().min(DIALLED_MAX)];
    for (place, ip) in tried.iter().enumerate() {
        let address = SocketAddr::new(*ip, port);
        progress.dialled(address);
        let connecting = TcpStream::connect(address);
        let connected = if place + 1 == tried.len() {
            connecting.await
        } else {
            let timed_out = |_| Err(std::io::ErrorKind::TimedOut.into());
            tokio::time::timeout(DIAL_TIMEOUT, connecting).await.unwrap_or_else(timed_out)
        };
        match connected {
            Ok(socket) => return checked(socket, address, progress),
            Err(fault) => {
                is_ours = is_of_this_machine(&fault, *ip);
                if is_ours {
                    tracing::warn!(%fault, "no connection to a receiver could be opened; raise this process's limits");
                }
                failure = Failure::Connect(connect_sentence(&fault).to_owned());
            }
        }
    }
    if is_ours {
        progress.out_of_resources();
    }
    Err(failure)
}

fn checked(
    socket: TcpStream,
    address: SocketAddr,
    progress: &Progress,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let peer = socket.peer_addr().map_err(|fault| Failure::Connect(connect_sentence(&fault).to_owned()))?;
    if (peer.ip(), peer.port()) != (address.ip(), address.port()) {
        tracing::warn!("a socket led elsewhere than to the address that was judged");
        progress.refused(Refused::OtherPeer);
        return Err(Failure::Blocked { for_good: false });
    }
    if let Err(fault) = socket.set_nodelay(true) {
        tracing::debug!(%fault, "TCP_NODELAY could not be set");
    }
    Ok((socket, address))
}

/// No file descriptor, no local port, no memory: of a receiver that says nothing. A machine without IPv6 has no local
/// address for it, which is no passing want.
fn is_of_this_machine(fault: &std::io::Error, ip: IpAddr) -> bool {
    use std::io::ErrorKind as Kind;
    // Linux, macOS and the BSDs agree on these two numbers.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match fault.kind() {
        Kind::AddrNotAvailable => ip.is_ipv4(),
        Kind::OutOfMemory => true,
        _ => matches!(fault.raw_os_error(), Some(ENFILE | EMFILE)),
    }
}

fn connect_sentence(fault: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match fault.kind() {
        Kind::ConnectionRefused => "the connection was refused",
        Kind::ConnectionReset | Kind::ConnectionAborted => "the connection was reset",
        Kind::TimedOut => "the receiver's address did not answer",
        Kind::HostUnreachable | Kind::NetworkUnreachable => "the receiver's network cannot be reached",
        _ => "the connection failed",
    }
}
