//! A wire between a client and a server under a test's control: it can be slow, go dead without a word, and be cut.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const CHUNK_BYTES: usize = 64 * 1024;

/// Listens on a free port of 127.0.0.1 and leads to another; ends with its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    accepting: JoinHandle<()>,
}

/// What the wire is like.
#[derive(Debug, Clone, Copy, Default)]
struct Wire {
    /// Each way.
    delay: Duration,
    /// Connections stay, and nothing comes through.
    is_dead: bool,
    /// How often all connections were broken.
    cuts: u32,
}

impl Proxy {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let wire = watch::Sender::new(Wire::default());
        let accepting = tokio::spawn(accept(listener, target, wire.subscribe()));
        Self { address, wire, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// So much later comes an answer than it would by itself.
    pub fn slow_down(&self, round_trip: Duration) {
        self.wire.send_modify(|wire| wire.delay = round_trip / 2);
    }

    /// As a network that loses everything: nobody is told.
    pub fn go_dead(&self) {
        self.wire.send_modify(|wire| wire.is_dead = true);
    }

    /// What was under way arrives.
    pub fn heal(&self) {
        self.wire.send_modify(|wire| wire.is_dead = false);
    }

    /// Breaks every connection, and goes on with new ones.
    pub fn cut(&self) {
        self.wire.send_modify(|wire| wire.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, wire: watch::Receiver<Wire>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(connect(near, target, wire.clone()));
    }
}

async fn connect(near: TcpStream, target: SocketAddr, mut wire: watch::Receiver<Wire>) {
    let cuts = wire.borrow().cuts;
    let (there, back) = (wire.clone(), wire.clone());
    let joined = async {
        let far = TcpStream::connect(target).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(lead(near_in, far_out, there), lead(far_in, near_out, back));
        std::io::Result::Ok(())
    };
    tokio::select! {
        _ = joined => {}
        _ = wire.wait_for(|wire| wire.cuts != cuts) => {}
    }
}

/// One way. Bytes are under way while others follow, so that a slow wire is no narrow one.
async fn lead(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let delay = wire.clone();
    let taking = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let at = Instant::now() + delay.borrow().delay;
            if sender.send((at, chunk[..read].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let giving = async move {
        while let Some((at, bytes)) = under_way.recv().await {
            tokio::time::sleep_until(at).await;
            let lives = wire.wait_for(|wire| !wire.is_dead).await.is_ok();
            if !lives || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // An end is news like any other.
        let _ = wire.wait_for(|wire| !wire.is_dead).await;
        let _ = to.shutdown().await;
    };
    tokio::join!(taking, giving);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_wire_is_slow_dead_and_cut_as_it_is_told() {
        let proxy = Proxy::to(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let round_trip = Duration::from_millis(60);
        proxy.slow_down(round_trip);
        let at = Instant::now();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        assert!(at.elapsed() >= round_trip, "{:?}", at.elapsed());
        proxy.go_dead();
        stream.write_all(b"y").await.unwrap();
        let silent = tokio::time::timeout(2 * round_trip, stream.read_u8()).await;
        assert!(silent.is_err(), "{silent:?}");
        proxy.heal();
        assert_eq!(stream.read_u8().await.unwrap(), b'y');
        proxy.cut();
        assert!(stream.read_u8().await.is_err());
        let mut anew = TcpStream::connect(proxy.address()).await.unwrap();
        anew.write_all(b"z").await.unwrap();
        assert_eq!(anew.read_u8().await.unwrap(), b'z');
    }
}
