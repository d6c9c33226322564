//! Sign, verify and explain webhook signatures: `x-wl-signature` and [Standard Webhooks 1.0].
//!
//! For both ends of a delivery: [`Secret`] and [`Signer`] make the headers, [`verify`] and its two parts check them
//! on a receiver, and [`explain`] says in plain words why a signature does not match.
//!
//! It reads no clock, opens no socket, never panics on what a stranger sent, and never shows a secret. It knows
//! nothing of the Hoopoe server: receivers can use it alone.
//!
//! ```
//! use hoopoe_webhooks::{Secret, Signer, Window, verify};
//!
//! let secret: Secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".parse()?;
//! let signature = Signer::new(&secret).standard("evt_1", 1_700_000_000, b"{}");
//! let header = |name: &str| match name {
//!     "webhook-id" => Some("evt_1"),
//!     "webhook-timestamp" => Some("1700000000"),
//!     "webhook-signature" => Some(signature.as_str()),
//!     _ => None,
//! };
//! verify(&[secret], header, b"{}", Window::at(1_700_000_005))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [Standard Webhooks 1.0]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

mod explain;
mod headers;
mod secret;
mod sign;
mod verify;

pub use explain::{Explanation, Finding, FindingCode, explain};
pub use headers::{Headers, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_WL_SIGNATURE};
pub use secret::{Secret, SecretError};
pub use sign::{Signer, standard_header};
pub use verify::{TOLERANCE_SECONDS_DEFAULT, VerifyError, Window, verify, verify_standard, verify_x_wl};
