//! What an operator may set, and why an engine cannot start.

use domain::address_rules::AddressPolicy;
use domain::limits::{AUDIT_DAYS_DEFAULT, RETENTION_DAYS_DEFAULT};
use domain::retry::DEFAULT_WAITS_S;
use domain::url_rules::UrlPolicy;
use rustls::pki_types::CertificateDer;

/// How the engine behaves; [`Settings::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seconds before attempts 2, 3, 4 … of an endpoint that has no schedule of its own.
    pub retry_waits_s: Vec<u32>,
    /// Which addresses may be dialled.
    pub address_policy: AddressPolicy,
    /// `Strict` refuses to send to a plain `http` URL, also one that a `--dev` server once stored.
    pub url_policy: UrlPolicy,
    /// Trusted beside the system's roots.
    pub extra_root_certificates: Vec<CertificateDer<'static>>,
    /// `Hoopoe/<version>`; printable ASCII.
    pub user_agent: String,
    /// Days that events, deliveries and attempts are kept.
    pub retention_days: u32,
    /// Days that entries of the audit log are kept.
    pub audit_retention_days: u32,
    /// Spreads the retries; from the system's randomness in service, fixed in tests.
    pub jitter_seed: u64,
}

impl Settings {
    /// Strict rules, the default schedule and retention.
    pub fn new(user_agent: String, jitter_seed: u64) -> Self {
        Self {
            retry_waits_s: DEFAULT_WAITS_S.to_vec(),
            address_policy: AddressPolicy::strict(),
            url_policy: UrlPolicy::Strict,
            extra_root_certificates: Vec::new(),
            user_agent,
            retention_days: RETENTION_DAYS_DEFAULT,
            audit_retention_days: AUDIT_DAYS_DEFAULT,
            jitter_seed,
        }
    }
}

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the user agent is not printable ASCII")]
    UserAgent(#[source] http::header::InvalidHeaderValue),
    #[error("an extra root certificate cannot be used")]
    RootCertificate(#[source] rustls::Error),
    #[error("the TLS versions cannot be set up")]
    Tls(#[source] rustls::Error),
}
