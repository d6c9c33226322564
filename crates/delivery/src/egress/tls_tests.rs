//! Egress over TLS, against a server with a certificate from a throwaway authority.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tests::{dev_settings, egress_with, send};
use super::*;

const NAMES: &[(&str, &[&str])] =
    &[("hooks.example.com", &["127.0.0.1"]), ("other.example.com", &["127.0.0.1"])];

/// Answers with the HTTP version it was asked in.
struct TlsServer {
    authority: CertificateDer<'static>,
    port: u16,
    connections: Arc<AtomicUsize>,
    _accepting: AbortOnDropHandle<()>,
}

impl TlsServer {
    /// With a certificate for `hooks.example.com`.
    async fn start(alpn: &[&[u8]]) -> Self {
        Self::start_speaking(rustls::DEFAULT_VERSIONS, alpn).await
    }

    async fn start_speaking(versions: &[&'static SupportedProtocolVersion], alpn: &[&[u8]]) -> Self {
        let (config, authority) = server_config(versions, alpn);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), socket));
            }
        });
        Self { authority, port, connections, _accepting: AbortOnDropHandle::new(accepting) }
    }

    fn url(&self, name: &str) -> String {
        format!("https://{name}:{}/", self.port)
    }

    fn egress(&self) -> Egress {
        let mut settings = dev_settings();
        settings.extra_root_certificates.push(self.authority.clone());
        egress_with(&settings, NAMES)
    }
}

fn server_config(
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> (ServerConfig, CertificateDer<'static>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["hooks.example.com".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (config, authority.der().clone())
}

async fn serve(acceptor: TlsAcceptor, socket: TcpStream) {
    let Ok(stream) = acceptor.accept(socket).await else { return };
    let answer = service_fn(|request: http::Request<Incoming>| async move {
        let version = format!("{:?} {}", request.version(), request.uri().path());
        request.into_body().collect().await?;
        Ok::<_, hyper::Error>(Response::new(Full::new(bytes::Bytes::from(version))))
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
}

fn tls_fault(exchange: Exchange) -> String {
    match exchange.result {
        Err(Failure::Tls(why)) => why,
        other => panic!("expected a TLS fault, got {other:?}"),
    }
}

fn body(exchange: Exchange) -> Vec<u8> {
    assert_eq!(exchange.result, Ok(200));
    exchange.response.unwrap().body.to_vec()
}

#[tokio::test]
async fn http_2_is_chosen_by_alpn_and_its_connection_shared() {
    let server = TlsServer::start(&[b"h2", b"http/1.1"]).await;
    let (egress, url) = (server.egress(), server.url("hooks.example.com"));
    let first = send(&egress, &url).await;
    assert!(first.timings.tls_ms.is_some());
    assert_eq!(body(first), b"HTTP/2.0 /");
    let together = futures::future::join_all((0..20).map(|_| send(&egress, &url))).await;
    for exchange in together {
        assert_eq!(exchange.timings.tls_ms, None);
        assert_eq!(body(exchange), b"HTTP/2.0 /");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn http_1_1_is_spoken_where_nothing_else_is_offered() {
    for alpn in [&[][..], &[&b"http/1.1"[..]]] {
        let server = TlsServer::start(alpn).await;
        let (egress, url) = (server.egress(), server.url("hooks.example.com"));
        for _ in 0..2 {
            assert_eq!(body(send(&egress, &url).await), b"HTTP/1.1 /");
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn an_unknown_authority_is_a_tls_failure() {
    let server = TlsServer::start(&[b"h2"]).await;
    let egress = egress_with(&dev_settings(), NAMES);
    let why = tls_fault(send(&egress, &server.url("hooks.example.com")).await);
    assert!(why.contains("known authority"), "{why}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_tls_failure() {
    let server = TlsServer::start(&[b"h2"]).await;
    let why = tls_fault(send(&server.egress(), &server.url("other.example.com")).await);
    assert_eq!(why, "its certificate is for another name");
}

#[tokio::test]
async fn a_receiver_without_tls_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _answering = AbortOnDropHandle::new(tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    }));
    let egress = egress_with(&dev_settings(), NAMES);
    let why = tls_fault(send(&egress, &format!("https://hooks.example.com:{port}/")).await);
    assert_eq!(why, "the receiver does not speak TLS on this port");
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::start_speaking(&[version], &[b"h2"]).await;
        let exchange = send(&server.egress(), &server.url("hooks.example.com")).await;
        assert_eq!(body(exchange), b"HTTP/2.0 /", "{version:?}");
    }
}

/// Answers a ClientHello, which it gives back, with these bytes.
async fn answering_hello(answer: Vec<u8>) -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 5];
        socket.read_exact(&mut head).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        socket.read_exact(&mut hello).await.unwrap();
        socket.write_all(&answer).await.unwrap();
        // Until the client has left.
        let _ = socket.read_to_end(&mut Vec::new()).await;
        hello
    });
    (port, answering)
}

/// A ServerHello of TLS 1.0 or 1.1 (RFC 4346 §7.4.1.3): version, random, no session, a cipher that was offered.
fn old_server_hello(minor: u8) -> Vec<u8> {
    let hello = [&[3, minor][..], &[7; 32], &[0], &[0xc0, 0x2f], &[0]].concat();
    let message = [&[2, 0, 0, hello.len() as u8], &hello[..]].concat();
    [&[22, 3, minor, 0, message.len() as u8], &message[..]].concat()
}

/// The versions in a ClientHello's `supported_versions` (RFC 8446 §4.2.1).
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let skip = |bytes: &[u8], length: usize| bytes[length..].to_vec();
    // Handshake header, version and random; then session id, ciphers and compressions, each with its length.
    let rest = skip(hello, 4 + 2 + 32);
    let rest = skip(&rest, 1 + usize::from(rest[0]));
    let rest = skip(&rest, 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]])));
    let rest = skip(&rest, 1 + usize::from(rest[0]));
    let mut extensions = &rest[2..];
    while let [a, b, c, d, after @ ..] = extensions {
        let (data, others) = after.split_at(usize::from(u16::from_be_bytes([*c, *d])));
        if [*a, *b] == [0, 43] {
            return data[1..].chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        }
        extensions = others;
    }
    panic!("no supported_versions");
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_offered_or_accepted() {
    // Protocol version, as an alert.
    let alert = vec![21, 3, 1, 0, 2, 2, 70];
    let too_old = "the receiver offers neither TLS 1.2 nor TLS 1.3 with a known cipher";
    for (answer, expected) in [
        (old_server_hello(2), too_old),
        (old_server_hello(1), too_old),
        (alert, "the receiver refused the handshake"),
    ] {
        let (port, answering) = answering_hello(answer).await;
        let egress = egress_with(&dev_settings(), NAMES);
        let why = tls_fault(send(&egress, &format!("https://hooks.example.com:{port}/")).await);
        assert_eq!(why, expected);
        assert_eq!(offered_versions(&answering.await.unwrap()), [0x0304, 0x0303]);
    }
}

#[tokio::test]
async fn an_extra_root_that_is_no_certificate_stops_the_start() {
    let mut settings = dev_settings();
    settings.extra_root_certificates.push(CertificateDer::from(vec![1, 2, 3]));
    assert!(matches!(Egress::new(&settings), Err(StartError::RootCertificate(_))));
}
