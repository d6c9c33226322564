//! HTTP requests to a Hoopoe server, or to another that somebody names, over http or https. Follows no redirects and asks no proxy.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

/// Connecting, sending and the whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Where a server is.
#[derive(Debug)]
pub(super) struct Connection {
    base: Url,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Connection {
    /// `url`: scheme, host and port, optionally a path that the API is below.
    pub(super) fn to(url: &str) -> anyhow::Result<Self> {
        let advice = || format!("`{url}` is no base URL; give one such as http://127.0.0.1:8080");
        let base = Url::parse(url).with_context(advice)?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            bail!(advice());
        }
        Ok(Self { base })
    }

    /// Posts a JSON body to `path` and waits for the answer.
    pub(super) fn post(&self, path: &str, key: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header(header::HOST, self.authority())
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("hoopoe-cli/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .context("the API key holds characters that no key has")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answering = async { tokio::time::timeout(TIMEOUT, self.exchange(request)).await };
        match runtime.block_on(answering) {
            Ok(answer) => answer,
            Err(_) => bail!("no answer from {} within {} seconds", self.base, TIMEOUT.as_secs()),
        }
    }

    fn authority(&self) -> String {
        let host = self.base.host_str().expect("checked when made");
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Begins to read a stream of events, from `last_id` on if there is one. Within the runtime of the caller.
    pub(super) async fn open(
        &self,
        path: &str,
        key: &str,
        last_id: Option<&str>,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .uri(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header(header::HOST, self.authority())
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::ACCEPT, "text/event-stream")
            .header(header::USER_AGENT, concat!("hoopoe-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let request =
            request.body(Full::default()).context("the API key holds characters that no key has")?;
        match tokio::time::timeout(TIMEOUT, self.begin(request)).await {
            Ok(response) => response,
            Err(_) => bail!("no answer from {} within {} seconds", self.base, TIMEOUT.as_secs()),
        }
    }

    /// Posts to the base URL itself, query and all, with these headers beside `host`.
    pub(super) async fn forward(&self, headers: HeaderMap, body: Bytes) -> anyhow::Result<Answer> {
        let query = self.base.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::post(format!("{}{query}", self.base.path()))
            .header(header::HOST, self.authority())
            .body(Full::new(body))
            .with_context(|| format!("{} cannot be posted to", self.base))?;
        request.headers_mut().extend(headers);
        self.exchange(request).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let response = self.begin(request).await?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: whole(response).await? })
    }

    async fn begin(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let addresses = self.base.socket_addrs(|| None);
        let addresses = addresses.with_context(|| format!("the host of {} is not known", self.base))?;
        let stream = TcpStream::connect(addresses.as_slice()).await.with_context(|| {
            format!("no server at {}; start one with `hoopoe serve`, or check --url", self.base)
        })?;
        if self.base.scheme() == "https" {
            let name = self.base.host_str().expect("checked when made").trim_matches(['[', ']']).to_owned();
            let tls = TlsConnector::from(Arc::new(tls_config()?));
            let stream = tls.connect(ServerName::try_from(name)?, stream).await;
            return send(stream.with_context(|| format!("TLS with {} failed", self.base))?, request).await;
        }
        send(stream, request).await
    }
}

fn tls_config() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let what = "the server did not speak HTTP; check --url";
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context(what)?;
    tokio::spawn(connection);
    sender.send_request(request).await.context(what)
}

pub(super) async fn whole(response: Response<Incoming>) -> anyhow::Result<Bytes> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body
        .map_err(|error| anyhow::anyhow!(error))
        .context("the server's answer ended early or is too long")?;
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_base_url_is_accepted() {
        for bad in ["", "127.0.0.1:8080", "ftp://x", "data:x"] {
            assert!(Connection::to(bad).is_err(), "{bad}");
        }
        assert_eq!(Connection::to("http://127.0.0.1:8080").unwrap().authority(), "127.0.0.1:8080");
        assert_eq!(Connection::to("https://[::1]/hooks").unwrap().authority(), "[::1]");
    }
}
