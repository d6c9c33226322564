//! Secrets at rest: sealed with XChaCha20-Poly1305 under the server's master key, the same for every backend.
//!
//! A sealed value is one version byte, the id of its key, a random nonce of 24 bytes, and the ciphertext with its tag.
//! Version 1, which named no key, still opens. `context` (which column of which object) is authenticated, so that a sealed
//! value cannot be moved to another place.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Without the id of its key.
const VERSION_ANONYMOUS: u8 = 1;
const VERSION: u8 = 2;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;

/// The 256 bits that everything is sealed under. Never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Seals under the present master key; opens under that one and, while a rotation runs, the one before.
#[derive(Clone)]
pub struct Vault {
    present: Sealer,
    previous: Option<Sealer>,
}

#[derive(Clone)]
struct Sealer {
    /// Tells keys apart and tells nothing of them.
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
}

/// Why a value does not open, or could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultFault {
    #[error("the value is sealed under another master key")]
    OtherKey,
    /// Under an older version's format this may also be another key.
    #[error("the sealed value is damaged, or was sealed for another place")]
    Damaged,
    #[error("the value could not be sealed")]
    NotSealed,
}

impl Vault {
    pub fn new(master_key: &MasterKey) -> Self {
        Self { present: Sealer::new(master_key), previous: None }
    }

    /// Also opens what is sealed under the key before.
    #[must_use]
    pub fn with_previous(mut self, master_key: &MasterKey) -> Self {
        self.previous = Some(Sealer::new(master_key));
        self
    }

    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, VaultFault> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| VaultFault::NotSealed)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.present.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultFault::NotSealed)?;
        Ok([&[VERSION], self.present.id.as_slice(), &nonce, &sealed].concat())
    }

    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultFault> {
        match sealed.split_first() {
            Some((&VERSION, rest)) => {
                let (id, rest) = rest.split_first_chunk().ok_or(VaultFault::Damaged)?;
                let sealer = self.sealers().find(|sealer| sealer.id == *id).ok_or(VaultFault::OtherKey)?;
                sealer.open(context, rest)
            }
            Some((&VERSION_ANONYMOUS, rest)) => {
                let mut opened = self.sealers().filter_map(|sealer| sealer.open(context, rest).ok());
                opened.next().ok_or(VaultFault::Damaged)
            }
            _ => Err(VaultFault::Damaged),
        }
    }

    /// Whether the value would be sealed like this today: under the present key, in the present format.
    pub fn is_present(&self, sealed: &[u8]) -> bool {
        sealed.strip_prefix(&[VERSION]).is_some_and(|rest| rest.starts_with(&self.present.id))
    }

    fn sealers(&self) -> impl Iterator<Item = &Sealer> {
        std::iter::once(&self.present).chain(&self.previous)
    }
}

impl Sealer {
    fn new(master_key: &MasterKey) -> Self {
        let hash =
            Sha256::new().chain_update(b"hoopoe/key-id/1").chain_update(master_key.expose()).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&hash[..KEY_ID_BYTES]);
        Self { id, cipher: XChaCha20Poly1305::new(master_key.expose().into()) }
    }

    fn open(&self, context: &str, nonce_and_text: &[u8]) -> Result<Vec<u8>, VaultFault> {
        let (nonce, text) = nonce_and_text.split_first_chunk::<NONCE_BYTES>().ok_or(VaultFault::Damaged)?;
        let payload = Payload { msg: text, aad: context.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultFault::Damaged)
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

    fn key(byte: u8) -> MasterKey {
        MasterKey::new([byte; 32])
    }

    /// As the version before sealed.
    fn sealed_anonymously(key: &MasterKey, context: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = [9; NONCE_BYTES];
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = Sealer::new(key).cipher.encrypt(&XNonce::from(nonce), payload).unwrap();
        [&[VERSION_ANONYMOUS], nonce.as_slice(), &sealed].concat()
    }

    #[test]
    fn a_sealed_value_opens_only_with_its_key_and_in_its_place() {
        let vault = Vault::new(&key(7));
        let sealed = vault.seal("endpoint/1/secret", b"whsec_abc").unwrap();
        assert_eq!(vault.open("endpoint/1/secret", &sealed).unwrap(), b"whsec_abc");
        assert_eq!(vault.open("endpoint/2/secret", &sealed), Err(VaultFault::Damaged));
        assert_eq!(Vault::new(&key(8)).open("endpoint/1/secret", &sealed), Err(VaultFault::OtherKey));
        assert!(!sealed.windows(5).any(|window| window == b"whsec"));
        for cut in 0..sealed.len() {
            assert!(vault.open("endpoint/1/secret", &sealed[..cut]).is_err());
        }
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(vault.open("endpoint/1/secret", &bent).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_same_value_seals_differently_each_time() {
        let vault = Vault::new(&key(7));
        assert_ne!(vault.seal("x", b"y").unwrap(), vault.seal("x", b"y").unwrap());
    }

    #[test]
    fn while_the_key_changes_both_open_and_the_present_one_seals() {
        let old = Vault::new(&key(7)).seal("x", b"y").unwrap();
        let both = Vault::new(&key(8)).with_previous(&key(7));
        assert_eq!(both.open("x", &old).unwrap(), b"y");
        assert!(!both.is_present(&old));
        let new = both.seal("x", b"y").unwrap();
        assert!(both.is_present(&new));
        assert_eq!(Vault::new(&key(8)).open("x", &new).unwrap(), b"y");
        assert_eq!(Vault::new(&key(7)).open("x", &new), Err(VaultFault::OtherKey));
    }

    #[test]
    fn what_the_version_before_sealed_still_opens_and_counts_as_old() {
        let old = sealed_anonymously(&key(7), "x", b"y");
        for vault in [Vault::new(&key(7)), Vault::new(&key(8)).with_previous(&key(7))] {
            assert_eq!(vault.open("x", &old).unwrap(), b"y");
            assert_eq!(vault.open("other", &old), Err(VaultFault::Damaged));
            assert!(!vault.is_present(&old));
        }
        assert_eq!(Vault::new(&key(8)).open("x", &old), Err(VaultFault::Damaged));
    }

    #[test]
    fn a_key_and_a_vault_are_never_printed() {
        let text = format!("{:?} {:?}", key(7), Vault::new(&key(7)));
        assert_eq!(text, "MasterKey(…) Vault(…)");
    }
}
