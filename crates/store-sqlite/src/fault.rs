//! Why an operation failed inside this backend, and what the caller is told of it.

use rusqlite::ErrorCode;
use store::StoreError;
use store::backend::Damaged;
use store::vault::VaultFault;

/// A failed operation.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The caller asked for what cannot be; nothing is wrong with the store.
    Refused(StoreError),
    Sql(rusqlite::Error),
    /// Stored bytes that do not read back.
    Damaged(&'static str),
    /// A value is sealed under a key that this process was not given.
    OtherKey,
    /// The operating system has no randomness, or a secret cannot be sealed.
    Sealing,
    /// A thread could not be started.
    Thread(std::io::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Thread(error)
    }
}

impl From<Damaged> for Fault {
    fn from(Damaged(what): Damaged) -> Self {
        Self::Damaged(what)
    }
}

impl From<VaultFault> for Fault {
    fn from(fault: VaultFault) -> Self {
        match fault {
            VaultFault::OtherKey => Self::OtherKey,
            VaultFault::Damaged => Self::Damaged("secret"),
            VaultFault::NotSealed => Self::Sealing,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a secret could not be sealed")]
struct NotSealed;

impl Fault {
    /// Whether the transaction that the operation shares with others is still good.
    pub(crate) fn is_own(&self) -> bool {
        match self {
            Self::Sql(rusqlite::Error::SqliteFailure(failure, _)) => matches!(
                failure.code,
                ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
            ),
            _ => true,
        }
    }

    /// What the caller of a method is told. `doing`: what the method was doing, such as `publishing`.
    pub(crate) fn told(self, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => match unavailable(&error) {
                Some(reason) => StoreError::Unavailable { reason },
                None => StoreError::Internal { doing, source: error.into() },
            },
            Self::Damaged(what) => StoreError::Internal { doing, source: Damaged(what).into() },
            Self::Thread(error) => StoreError::Internal { doing, source: error.into() },
            Self::OtherKey => StoreError::Internal { doing, source: VaultFault::OtherKey.into() },
            Self::Sealing => StoreError::Internal { doing, source: NotSealed.into() },
        }
    }
}

/// A sentence for a state that may pass, such as a full disk; `None` for a fault of ours.
pub(crate) fn unavailable(error: &rusqlite::Error) -> Option<String> {
    let sentence = match error.sqlite_error_code()? {
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::SystemIoFailure => "the disk failed to read or write",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "the database file is locked by another program"
        }
        ErrorCode::ReadOnly => "the database file may not be written",
        ErrorCode::CannotOpen => "the database file cannot be opened",
        ErrorCode::OutOfMemory => "there is no memory left",
        _ => return None,
    };
    Some(format!("{sentence} ({error})"))
}

/// The answer to a call on a store that was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable { reason: "the store is closed".to_owned() }
}
