//! The master key changes while the store serves: what is sealed under another key is sealed anew, slice by slice.

use async_trait::async_trait;
use domain::id::EndpointId;

use crate::StoreError;
use crate::once::MaybeOnce;
use crate::vault::Vault;

/// One slice that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub values: usize,
    /// Go on after this one; `None`: nothing is sealed under another key any more, for good.
    pub next: Option<EndpointId>,
}

#[async_trait]
pub trait Sealing {
    /// Seals and opens with `vault` from now on; a write that begins after this returned uses no other. The vault must open
    /// whatever the one before has sealed, or [`reseal`](Self::reseal) must have come to its end.
    async fn use_vault(&self, vault: Vault, maybe_once: MaybeOnce<()>) -> Result<(), StoreError>;

    /// Seals one bounded slice of what is under another key anew, beginning after `after`. It may be begun again at any time,
    /// also by another process after a crash. The proof that a key is the right one changes last, so that a store in the
    /// middle opens only with both keys. With the end, what was there before is wiped as far as the storage allows.
    async fn reseal(&self, after: Option<EndpointId>) -> Result<Resealed, StoreError>;
}
