//! What a store refuses or fails at, as a problem. A failure of ours goes along as its cause, for the log, and is not told.

use domain::secret::RotationFault;
use store::StoreError;

use super::{Code, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("object"),
            StoreError::CallerGone => crate::caller::gone(),
            StoreError::EndpointLimit { max } => Self::new(
                Code::EndpointLimit,
                format!(
                    "the owner has {max} endpoints, as many as it may: delete one that is no longer used"
                ),
            ),
            StoreError::ApiKeyLimit { max } => Self::new(
                Code::ApiKeyLimit,
                format!("the owner has {max} API keys, as many as it may: delete one that is no longer used"),
            ),
            StoreError::SessionLimit { max } => Self::new(
                Code::SessionLimit,
                format!("the owner has {max} sessions, as many as it may: revoke some, or make shorter ones"),
            ),
            StoreError::Rotation(fault) => of_rotation(fault),
            StoreError::EndpointDisabled => Self::new(
                Code::EndpointDisabled,
                "the delivery's endpoint is disabled or deleted: enable it, then retry",
            ),
            StoreError::DeliveryEnded => {
                Self::new(Code::DeliveryFinished, "the delivery has ended, so there is nothing to cancel")
            }
            StoreError::KeyUsed => Self::new(
                Code::IdempotencyInProgress,
                "a request with this Idempotency-Key is being answered: repeat it in a moment",
            ),
            StoreError::InvalidCursor => {
                Self::new(Code::InvalidCursor, "the cursor does not belong to this list: begin without one")
            }
            StoreError::Unavailable { .. } => Self::new(
                Code::StoreUnavailable,
                "the store did not answer; nothing is promised: repeat the request with the same Idempotency-Key",
            )
            .caused_by(error),
            StoreError::Internal { .. } => Self::new(
                Code::InternalError,
                "the server failed; nothing is promised: repeat it, and tell the operator the requestId if it happens again",
            )
            .caused_by(error),
        }
    }
}

fn of_rotation(fault: RotationFault) -> Problem {
    let code = match fault {
        RotationFault::InProgress => Code::RotationInProgress,
        RotationFault::NotRunning => Code::NoRotation,
        RotationFault::GraceOutOfRange => Code::InvalidRequest,
    };
    Problem::new(code, fault.to_string())
}
