//! The limit loop once more, with the HTTP library that delivery uses in place of bare sockets: what a program can do that
//! signs and posts webhooks and nothing else.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::request::Composer;

/// A kept connection.
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Client {
    pub(super) async fn to(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("{address} takes no connection"))?;
        stream.set_nodelay(true).context("TCP_NODELAY cannot be set")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.context("no HTTP connection")?;
        let driver = tokio::spawn(async move {
            // The request's own future is told of every fault.
            let _ = connection.await;
        });
        Ok(Self { sender, _driver: AbortOnDropHandle::new(driver) })
    }

    /// Builds, signs and posts one webhook, and reads the whole answer.
    pub(super) async fn exchange(&mut self, composer: &Composer, sequence: u64) -> anyhow::Result<()> {
        let request: Request<Full<Bytes>> = composer.webhook_request(sequence)?;
        self.sender.ready().await.context("the connection broke")?;
        let answer = self.sender.send_request(request).await.context("the connection broke")?;
        ensure!(answer.status() == 200, "the receiver answered {}", answer.status());
        answer.into_body().collect().await.context("the answer broke off")?;
        Ok(())
    }
}
