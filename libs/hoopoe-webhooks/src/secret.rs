//! A signing secret and the two keys that it stands for.
//!
//! The text is judged once, here; whoever holds a [`Secret`] holds a good one. It never appears in `Debug` output
//! or in an error.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

const PREFIX: &str = "whsec_";
/// Standard Webhooks 1.0, "Signature scheme": a key of 24 to 64 bytes.
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;
/// For platforms that bring secrets of their own: long enough not to be guessed, short enough for a form field.
const RAW_CHARACTERS_MIN: usize = 16;
const RAW_CHARACTERS_MAX: usize = 256;

/// A signing secret: `whsec_` and base64 of 24 to 64 bytes, or (raw mode) any 16 to 256 printable ASCII characters
/// that do not begin with `whsec_`.
///
/// One secret gives two keys: [`platform_key`](Self::platform_key) for `x-wl-signature` and
/// [`standard_key`](Self::standard_key) for `webhook-signature`.
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// The decoded part; `None` in raw mode, where the text's bytes are the key.
    decoded: Option<Vec<u8>>,
}

impl Secret {
    /// Reads a secret as it was shown to its owner.
    ///
    /// # Errors
    /// [`SecretError`] says which rule the text breaks and what to do about it; it never repeats the text.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        check_copy(text)?;
        let decoded = match text.strip_prefix(PREFIX) {
            Some(encoded) => Some(decode(encoded)?),
            None => check_raw(text).map(|()| None)?,
        };
        Ok(Self { text: text.to_owned(), decoded })
    }

    /// A new `whsec_` secret from 32 bytes that must come from the operating system's random source.
    pub fn from_random_bytes(bytes: [u8; 32]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), decoded: Some(bytes.to_vec()) }
    }

    /// The text that its owner sees and that is stored (encrypted). Never log it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Key of `x-wl-signature`: the bytes of the whole text, `whsec_` included.
    pub fn platform_key(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Key of `webhook-signature`: the base64-decoded part, or in raw mode the bytes of the whole text.
    pub fn standard_key(&self) -> &[u8] {
        self.decoded.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// Whether this is a secret without `whsec_`, for which stock Standard Webhooks libraries need their raw mode.
    pub fn is_raw(&self) -> bool {
        self.decoded.is_none()
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a text is no secret. Positions count characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretError {
    #[error("The secret is empty; copy it whole, from `whsec_` to its last character.")]
    Empty,
    #[error(
        "The secret has white space at its beginning or end; remove it (a line break is often copied along)."
    )]
    SurroundingWhitespace,
    #[error("The secret stands in quotation marks; remove them, they are no part of it.")]
    Quoted,
    #[error(
        "Character {position} of the secret is not printable ASCII; use letters, digits and signs of ASCII only."
    )]
    NotPrintableAscii { position: usize },
    #[error(
        "The secret has {characters} characters; without the prefix `whsec_` it needs 16 to 256: use a longer one."
    )]
    TooShort { characters: usize },
    #[error(
        "The secret has {characters} characters; without the prefix `whsec_` it may have 16 to 256: use a shorter one."
    )]
    TooLong { characters: usize },
    #[error(
        "What follows `whsec_` is URL-safe base64; write `+` for `-` and `/` for `_`, as stock libraries expect."
    )]
    UrlSafeBase64,
    #[error(
        "What follows `whsec_` lacks base64 padding; add `=` until its length is a multiple of 4, or copy it whole."
    )]
    MissingPadding,
    #[error(
        "What follows `whsec_` is not base64; copy the secret whole, or leave out `whsec_` if it is no base64."
    )]
    NotBase64,
    #[error(
        "What follows `whsec_` decodes to {bytes} bytes; it needs 24 to 64: use a longer one (32 is usual)."
    )]
    KeyTooShort { bytes: usize },
    #[error(
        "What follows `whsec_` decodes to {bytes} bytes; it may have 24 to 64: use a shorter one (32 is usual)."
    )]
    KeyTooLong { bytes: usize },
}

impl SecretError {
    /// A stable kebab-case name, the same in every language's library.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::SurroundingWhitespace => "surrounding-whitespace",
            Self::Quoted => "quoted",
            Self::NotPrintableAscii { .. } => "not-printable-ascii",
            Self::TooShort { .. } => "too-short",
            Self::TooLong { .. } => "too-long",
            Self::UrlSafeBase64 => "url-safe-base64",
            Self::MissingPadding => "missing-padding",
            Self::NotBase64 => "not-base64",
            Self::KeyTooShort { .. } => "key-too-short",
            Self::KeyTooLong { .. } => "key-too-long",
        }
    }
}

/// The accidents of copying, which would otherwise be reported as something stranger.
fn check_copy(text: &str) -> Result<(), SecretError> {
    if text.trim().is_empty() {
        return Err(SecretError::Empty);
    }
    if text.trim() != text {
        return Err(SecretError::SurroundingWhitespace);
    }
    if text.trim_matches(['"', '\'', '`']).starts_with(PREFIX) && !text.starts_with(PREFIX) {
        return Err(SecretError::Quoted);
    }
    match text.chars().position(|c| !matches!(c, ' '..='~')) {
        Some(at) => Err(SecretError::NotPrintableAscii { position: at + 1 }),
        None => Ok(()),
    }
}

fn check_raw(text: &str) -> Result<(), SecretError> {
    match text.len() {
        characters @ ..RAW_CHARACTERS_MIN => Err(SecretError::TooShort { characters }),
        RAW_CHARACTERS_MIN..=RAW_CHARACTERS_MAX => Ok(()),
        characters => Err(SecretError::TooLong { characters }),
    }
}

fn decode(encoded: &str) -> Result<Vec<u8>, SecretError> {
    let key = STANDARD.decode(encoded).map_err(|_| why_not_base64(encoded))?;
    match key.len() {
        bytes @ ..KEY_BYTES_MIN => Err(SecretError::KeyTooShort { bytes }),
        KEY_BYTES_MIN..=KEY_BYTES_MAX => Ok(key),
        bytes => Err(SecretError::KeyTooLong { bytes }),
    }
}

/// Tells the two mendable spellings from text that is no base64 at all.
fn why_not_base64(encoded: &str) -> SecretError {
    let unpadded = encoded.trim_end_matches('=');
    let standard = unpadded.replace('-', "+").replace('_', "/");
    let padded = format!("{standard}{}", "=".repeat((4 - standard.len() % 4) % 4));
    if STANDARD.decode(&padded).is_err() {
        return SecretError::NotBase64;
    }
    if standard == unpadded { SecretError::MissingPadding } else { SecretError::UrlSafeBase64 }
}
