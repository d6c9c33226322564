//! The first platform key, so that a new server can be used at all. Made when there is no key and the operator set none.

use std::fmt;

use anyhow::Context as _;
use domain::api_key::{ApiKey, Permission};
use domain::id::IdSource;
use domain::scope::Scope;
use domain::time::Timestamp;
use sha2::{Digest as _, Sha256};
use store::{Store, StoreError};
use zeroize::Zeroizing;

use crate::config::PlatformKey;

const NAME: &str = "first platform key";
/// 62 letters and digits: a key is copied with a double click. 43 of them hold 256 bits.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS: usize = 43;

/// A key that is shown once.
#[derive(Clone)]
pub struct FirstKey(Zeroizing<String>);

impl FirstKey {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FirstKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstKey(…)")
    }
}

/// Stores a key with all permissions on the platform, if there is none at all.
pub async fn make(
    store: &dyn Store,
    operators: Option<&PlatformKey>,
    ids: &IdSource,
    now: Timestamp,
) -> anyhow::Result<Option<FirstKey>> {
    if operators.is_some() || store.api_key_count() > 0 {
        return Ok(None);
    }
    let text = random_key()?;
    let key = ApiKey {
        id: ids.api_key(now),
        name: NAME.to_owned(),
        scope: Scope::Platform,
        granted_by: Scope::Platform,
        permissions: Permission::ALL.to_vec(),
        hash: Sha256::digest(text.as_bytes()).into(),
        expires_at: None,
        last_used_at: None,
    };
    match store.create_api_key(&Scope::Platform, key, 1, None).await {
        // Another node came first and shows its own.
        Err(StoreError::ApiKeyLimit { .. }) => return Ok(None),
        made => made.context("cannot store the first platform key")?,
    };
    Ok(Some(FirstKey(text)))
}

fn random_key() -> anyhow::Result<Zeroizing<String>> {
    let mut key = Zeroizing::new("hpk_".to_owned());
    let whole = key.len() + LETTERS;
    while key.len() < whole {
        let mut byte = [0];
        getrandom::fill(&mut byte).context("the system gave no randomness for a key")?;
        // The bytes above would make some letters likelier than others.
        let letter = usize::from(byte[0]);
        if letter < ALPHABET.len() * 4 {
            key.push(char::from(ALPHABET[letter % ALPHABET.len()]));
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_random_and_plain_to_copy() {
        let (one, other) = (random_key().unwrap(), random_key().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 47);
        assert!(one[4..].bytes().all(|letter| letter.is_ascii_alphanumeric()));
    }
}
