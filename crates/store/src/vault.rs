//! Secrets at rest: sealed with XChaCha20-Poly1305 under the server's master key, the same for every backend.
//!
//! A sealed value is one version byte, a random nonce of 24 bytes, and the ciphertext with its tag. `context` (which column
//! of which object) is authenticated, so that a sealed value cannot be moved to another place.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// Seals and opens under one master key.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

/// The value was sealed under another key, for another place, or is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open under this master key")]
pub struct VaultFault;

impl Vault {
    pub fn new(master_key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(master_key.into()) }
    }

    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, VaultFault> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| VaultFault)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultFault)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultFault> {
        let (version, rest) = sealed.split_first().ok_or(VaultFault)?;
        let (nonce, cipher_text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultFault)?;
        if *version != VERSION {
            return Err(VaultFault);
        }
        let payload = Payload { msg: cipher_text, aad: context.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultFault)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_with_its_key_and_in_its_place() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal("endpoint/1/secret", b"whsec_abc").unwrap();
        assert_eq!(vault.open("endpoint/1/secret", &sealed).unwrap(), b"whsec_abc");
        assert_eq!(vault.open("endpoint/2/secret", &sealed), Err(VaultFault));
        assert_eq!(Vault::new(&[8; 32]).open("endpoint/1/secret", &sealed), Err(VaultFault));
        assert!(!sealed.windows(5).any(|window| window == b"whsec"));
        for cut in 0..sealed.len() {
            assert_eq!(vault.open("endpoint/1/secret", &sealed[..cut]), Err(VaultFault));
        }
    }

    #[test]
    fn the_same_value_seals_differently_each_time() {
        let vault = Vault::new(&[7; 32]);
        assert_ne!(vault.seal("x", b"y").unwrap(), vault.seal("x", b"y").unwrap());
    }
}
