//! Making signatures, with the per-secret work done beforehand.
//!
//! Pure computation; which secret signs what during a rotation is the caller's decision.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Secret;

/// Both keyed HMAC states of one [`Secret`]: per signature only the content is hashed, never the key.
#[derive(Clone)]
pub struct Signer {
    platform: Hmac<Sha256>,
    standard: Hmac<Sha256>,
}

impl Signer {
    pub fn new(secret: &Secret) -> Self {
        Self { platform: keyed(secret.platform_key()), standard: keyed(secret.standard_key()) }
    }

    /// Value of `x-wl-signature`: 64 lower-case hex digits of HMAC-SHA256 over the body.
    pub fn x_wl_signature(&self, body: &[u8]) -> String {
        hex(&digest(&self.platform, &[body]))
    }

    /// One entry of `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
    ///
    /// The id must be the value sent as `webhook-id` and hold no `.` (Standard Webhooks 1.0, "Signature scheme").
    pub fn standard(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        self.standard_text(id, &timestamp_seconds.to_string(), body)
    }

    /// As [`standard`](Self::standard), over the timestamp exactly as a header spells it.
    pub(crate) fn standard_text(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        format!("v1,{}", STANDARD.encode(digest(&self.standard, &parts)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

/// Value of `webhook-signature` during a rotation: one entry for each signer, in their order (the newest first).
pub fn standard_header(signers: &[&Signer], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let entries: Vec<_> = signers.iter().map(|signer| signer.standard(id, timestamp_seconds, body)).collect();
    entries.join(" ")
}

pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

pub(crate) fn digest(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
