//! TLS towards receivers: 1.2 or 1.3, the system's roots and the operator's, HTTP/2 offered before 1.1.

use std::io;
use std::sync::Arc;

use domain::outcome::Failure;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::socket::{Misconduct, Socket};
use crate::settings::StartError;

const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Which HTTP is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

pub(super) fn connector(extra_roots: &[CertificateDer<'static>]) -> Result<TlsConnector, StartError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(StartError::Tls)?
        .with_root_certificates(roots(extra_roots)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A system without root certificates starts all the same: `--dev` and private receivers need none.
fn roots(extra: &[CertificateDer<'static>]) -> Result<RootCertStore, StartError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    for certificate in extra {
        roots.add(certificate.clone()).map_err(StartError::RootCertificate)?;
    }
    if added == 0 {
        tracing::warn!(
            "no root certificates were found on this system; receivers' certificates cannot be checked"
        );
    }
    Ok(roots)
}

pub(super) async fn handshake(
    connector: &TlsConnector,
    host: &str,
    socket: Socket,
) -> Result<(TlsStream<Socket>, Spoken), Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::Tls("the URL's host cannot be checked against a certificate".to_owned()))?;
    let stream =
        connector.connect(name, socket).await.map_err(|fault| Failure::Tls(sentence(&fault).to_owned()))?;
    let spoken = match stream.get_ref().1.alpn_protocol() {
        Some(ALPN_H2) => Spoken::Http2,
        _ => Spoken::Http1,
    };
    Ok((stream, spoken))
}

fn sentence(fault: &io::Error) -> &'static str {
    if Misconduct::of(fault).is_some() {
        return "the receiver sent too much";
    }
    let Some(fault) = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return "the receiver closed the connection";
    };
    match fault {
        rustls::Error::InvalidCertificate(fault) => certificate_sentence(fault),
        rustls::Error::NoCertificatesPresented => "the receiver showed no certificate",
        rustls::Error::AlertReceived(_) => "the receiver refused the handshake",
        rustls::Error::PeerIncompatible(_) => {
            "the receiver offers neither TLS 1.2 nor TLS 1.3 with a known cipher"
        }
        rustls::Error::InvalidMessage(_) => "the receiver does not speak TLS on this port",
        _ => "the handshake could not be completed",
    }
}

fn certificate_sentence(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::UnknownIssuer => {
            "its certificate is not issued by a known authority, or intermediate certificates are missing"
        }
        CertificateError::Revoked => "its certificate has been revoked",
        _ => "its certificate is not valid",
    }
}
