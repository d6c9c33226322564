//! Every key that somebody may have made out of a secret, with the slip that each of them is.
//!
//! The right keys come first. Keys stay inside this module's parent and are never shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use sha2::Sha256;

use super::Family;
use super::words::FindingCode::{self, *};
use crate::Secret;
use crate::sign::keyed;

const PREFIX: &str = "whsec_";
/// What a missing variable turns into in the usual languages.
const PLACEHOLDERS: [&str; 5] = ["", "undefined", "null", "None", "nil"];

/// A key that may have been used, keyed once.
#[derive(Debug, Clone)]
pub(super) struct Key {
    bytes: Vec<u8>,
    pub(super) mac: Hmac<Sha256>,
    /// Which of the given secrets it comes from, counted from 0.
    pub(super) secret: usize,
    xwl: Vec<FindingCode>,
    standard: Vec<FindingCode>,
}

impl Key {
    /// What is wrong with using this key for the family; nothing if it is the right one.
    pub(super) fn slips(&self, family: Family) -> &[FindingCode] {
        match family {
            Family::Xwl => &self.xwl,
            Family::Standard => &self.standard,
        }
    }
}

/// The keys of all secrets, without repetition.
pub(super) fn keys(secrets: &[&str]) -> Vec<Key> {
    let mut ring = Ring { keys: Vec::new(), secret: 0, shared: Vec::new() };
    for (index, text) in secrets.iter().enumerate() {
        ring.secret = index;
        ring.add_proper(text);
    }
    for (index, text) in secrets.iter().enumerate() {
        ring.secret = index;
        ring.add_slips_of(text);
    }
    ring.shared.clear();
    PLACEHOLDERS
        .iter()
        .for_each(|text| ring.add(text.as_bytes(), &[PlaceholderSecret], &[PlaceholderSecret]));
    ring.keys
}

struct Ring {
    keys: Vec<Key>,
    secret: usize,
    /// Slips of the given text itself, which every key from it shares.
    shared: Vec<FindingCode>,
}

impl Ring {
    fn add(&mut self, bytes: &[u8], xwl: &[FindingCode], standard: &[FindingCode]) {
        if self.keys.iter().any(|key| key.bytes == bytes) {
            return;
        }
        let with_shared = |slips: &[FindingCode]| [&self.shared, slips].concat();
        let (xwl, standard) = (with_shared(xwl), with_shared(standard));
        self.keys.push(Key { bytes: bytes.to_vec(), mac: keyed(bytes), secret: self.secret, xwl, standard });
    }

    fn add_proper(&mut self, text: &str) {
        let Ok(secret) = Secret::parse(text) else { return };
        if secret.is_raw() {
            self.add(secret.platform_key(), &[], &[]);
        } else {
            self.add(secret.platform_key(), &[], &[KeyNotDecoded]);
            self.add(secret.standard_key(), &[KeyDecoded], &[]);
        }
    }

    fn add_slips_of(&mut self, text: &str) {
        let clean = cleaned(text);
        if clean == text {
            let with_newline = format!("{text}\n");
            self.add(with_newline.as_bytes(), &[SignedWithSurroundings], &[SignedWithSurroundings]);
            self.shared.clear();
        } else {
            self.shared.clear();
            self.add(text.as_bytes(), &[SignedWithSurroundings], &[SignedWithSurroundings]);
            self.shared = vec![SecretSurrounded];
        }
        match clean.strip_prefix(PREFIX) {
            Some(encoded) => self.add_prefixed(clean, encoded),
            None => self.add_bare(clean),
        }
    }

    fn add_prefixed(&mut self, clean: &str, encoded: &str) {
        self.add(clean.as_bytes(), &[], &[KeyNotDecoded]);
        if let Some(decoded) = decode(encoded) {
            self.add(&decoded, &[KeyDecoded], &[]);
        }
        self.add(encoded.as_bytes(), &[SignedWithoutPrefix], &[KeyNotDecoded]);
    }

    fn add_bare(&mut self, clean: &str) {
        self.add(clean.as_bytes(), &[], &[]);
        let prefixed = format!("{PREFIX}{clean}");
        self.add(prefixed.as_bytes(), &[SecretWithoutPrefix], &[SecretWithoutPrefix, KeyNotDecoded]);
        match decode(clean) {
            Some(key) if Secret::parse(&prefixed).is_ok() => {
                self.add(&key, &[SecretWithoutPrefix, KeyDecoded], &[SecretWithoutPrefix]);
            }
            Some(key) => self.add(&key, &[KeyDecoded], &[RawModeMissing]),
            None => {}
        }
        if let Some(key) = unhex(clean) {
            self.add(&key, &[KeyHexDecoded], &[KeyHexDecoded]);
        }
    }
}

/// Without what is easily copied along: white space, quotation marks, invisible characters.
fn cleaned(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\u{200b}' | '\u{feff}')
    })
}

/// Base64 in either alphabet, padded or not.
fn decode(encoded: &str) -> Option<Vec<u8>> {
    let standard = encoded.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - standard.len() % 4) % 4);
    STANDARD.decode(format!("{standard}{padding}")).ok().filter(|key| !key.is_empty())
}

/// Bytes of a text of an even number of hex digits, at least two.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
