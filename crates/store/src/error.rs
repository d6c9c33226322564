//! What can go wrong in a store, as far as a caller can act on it.

use domain::secret::RotationFault;

/// Every failure of a store's method.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object in the caller's world.
    #[error("not found")]
    NotFound,
    /// Who makes this change was valid when it was asked for, and is not any more: its key was deleted, its session revoked.
    #[error("the caller's key or session has ended")]
    CallerGone,
    /// The owner has as many endpoints as it may have.
    #[error("the owner has {max} endpoints already, as many as are allowed")]
    EndpointLimit { max: usize },
    /// The owner has as many API keys as it may have.
    #[error("the owner has {max} API keys already, as many as are allowed")]
    ApiKeyLimit { max: usize },
    /// The owner has as many sessions as it may have.
    #[error("the owner has {max} sessions already, as many as are allowed")]
    SessionLimit { max: usize },
    #[error(transparent)]
    Rotation(#[from] RotationFault),
    /// The endpoint is disabled or deleted, so the delivery cannot be sent.
    #[error("the endpoint is disabled")]
    EndpointDisabled,
    /// The delivery has ended, so there is nothing to cancel.
    #[error("the delivery has ended")]
    DeliveryEnded,
    /// Another request with the same idempotency key was stored first: look its answer up.
    #[error("the idempotency key was used by another request")]
    KeyUsed,
    /// A cursor that this listing did not issue.
    #[error("the cursor was not issued by this listing")]
    InvalidCursor,
    /// Nothing was stored, or nobody knows: the disk is full, the database is away, the process is ending. Repeating
    /// is safe with an idempotency key.
    #[error("the store is unavailable: {reason}")]
    Unavailable { reason: String },
    /// A fault of ours or damaged data.
    #[error("the store failed while {doing}")]
    Internal { doing: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}
