//! A throwaway certificate authority, and certificates of every fault for 127.0.0.1.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::{Certificate, Over};

/// Trust it, and only what it has signed well is good.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    good: TlsAcceptor,
    http2: TlsAcceptor,
    expired: TlsAcceptor,
    self_signed: TlsAcceptor,
    other_name: TlsAcceptor,
}

impl Authority {
    #[expect(clippy::new_without_default, reason = "it makes keys, which no default should")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let signed = |params: CertificateParams, alpn: &[&[u8]]| {
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            acceptor(certificate.der().clone(), &key, alpn)
        };
        let mut past = params_for("127.0.0.1");
        past.not_before = date_time_ymd(2019, 1, 1);
        past.not_after = date_time_ymd(2020, 1, 1);
        let own_key = KeyPair::generate().expect("a key");
        let mut own = params_for("127.0.0.1");
        own.distinguished_name.push(DnType::CommonName, "nobody's but its own");
        let own = own.self_signed(&own_key).expect("a certificate");
        Self {
            der: issuer.der().clone(),
            good: signed(params_for("127.0.0.1"), &[b"http/1.1"]),
            http2: signed(params_for("127.0.0.1"), &[b"h2"]),
            expired: signed(past, &[b"http/1.1"]),
            other_name: signed(params_for("other.example.com"), &[b"http/1.1"]),
            self_signed: acceptor(own.der().clone(), &own_key, &[b"http/1.1"]),
            issuer,
        }
    }

    /// For `--ca-certificates`.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for this name or address, and its key; both PEM.
    pub fn certificate_for(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params_for(name).signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(super) fn acceptor(&self, over: Over) -> Option<TlsAcceptor> {
        let acceptor = match over {
            Over::Tcp | Over::NoTls => return None,
            Over::Http2 => &self.http2,
            Over::Tls(Certificate::Good) => &self.good,
            Over::Tls(Certificate::Expired) => &self.expired,
            Over::Tls(Certificate::SelfSigned) => &self.self_signed,
            Over::Tls(Certificate::OtherName) => &self.other_name,
        };
        Some(acceptor.clone())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn params_for(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name or an address")
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair, alpn: &[&[u8]]) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is the certificate's");
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
