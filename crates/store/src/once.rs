//! Answers kept for `Idempotency-Key`: stored in the same transaction as the effect, for 24 hours.

use async_trait::async_trait;
use bytes::Bytes;
use domain::time::Timestamp;

use crate::StoreError;

/// Where a key counts: its owner and the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnceKey {
    /// The API key's or session's owner, such as `platform` or `location:ve9EPM428h8vShlRW1KT`.
    pub owner: String,
    pub path: String,
    pub key: String,
}

/// The first answer to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// SHA-256 of the request's body.
    pub request_hash: [u8; 32],
    pub status: u16,
    /// The answer's JSON, with credentials replaced by null.
    pub body: Bytes,
}

/// Makes the answer (status, JSON) from the effect's result.
pub type Answering<T> = Box<dyn FnOnce(&T) -> (u16, Bytes) + Send>;

/// To be stored with an effect. `answer` is made from the effect's result inside the transaction.
pub struct Once<T> {
    pub key: OnceKey,
    pub request_hash: [u8; 32],
    pub expires_at: Timestamp,
    pub answer: Answering<T>,
}

impl<T> std::fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once").field("key", &self.key).finish_non_exhaustive()
    }
}

/// An effect's optional idempotency. A write whose key is taken and not expired stores nothing and fails with
/// [`StoreError::KeyUsed`].
pub type MaybeOnce<T> = Option<Once<T>>;

#[async_trait]
pub trait Answers {
    /// The answer kept for `key`, unless it has expired at `now`.
    async fn kept_answer(&self, key: &OnceKey, now: Timestamp) -> Result<Option<KeptAnswer>, StoreError>;
}
