//! Why an operation failed inside this backend, and what the caller is told of it.

use store::StoreError;
use store::backend::Damaged;
use store::vault::VaultFault;
use tokio_postgres::error::SqlState;

/// A failed operation.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The caller asked for what cannot be; nothing is wrong with the store.
    Refused(StoreError),
    Sql(tokio_postgres::Error),
    /// No connection came about; says why.
    Connect(tokio_postgres::Error),
    /// The database cannot be asked right now; says why.
    Away(&'static str),
    /// A row was to be written to a day that has no partitions any more, or not yet.
    NoSuchDay,
    Damaged(&'static str),
    Vault(VaultFault),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) if *told.code() == SqlState::CHECK_VIOLATION && told.constraint().is_none() => {
                Self::NoSuchDay
            }
            _ => Self::Sql(error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Damaged> for Fault {
    fn from(Damaged(what): Damaged) -> Self {
        Self::Damaged(what)
    }
}

impl From<VaultFault> for Fault {
    fn from(fault: VaultFault) -> Self {
        Self::Vault(fault)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a row is of a day that the log does not hold")]
struct DayMissing;

impl Fault {
    /// Whether the connection is still good for another transaction, once this one is rolled back.
    pub(crate) fn leaves_connection_good(&self) -> bool {
        match self {
            Self::Sql(error) => {
                !error.is_closed() && error.as_db_error().is_some_and(|told| !is_ending(told.code()))
            }
            Self::Away(_) | Self::Connect(_) => false,
            Self::Refused(_) | Self::NoSuchDay | Self::Damaged(_) | Self::Vault(_) => true,
        }
    }

    /// Whether the server has no connection left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Connect(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS))
    }

    /// Whether the transaction did nothing and may succeed if it is run again at once: two that stood in each other's way.
    pub(crate) fn is_collision(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        let code = error.code();
        code == Some(&SqlState::T_R_SERIALIZATION_FAILURE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// Whether others hold what it would lock, or stood in its way.
    pub(crate) fn is_in_the_way(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        self.is_collision() || error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether it is the operation's own fault, so that others that share its transaction may go on without it.
    pub(crate) fn is_own(&self) -> bool {
        match self {
            Self::Sql(error) => {
                error.code().is_some_and(|code| matches!(&code.code()[..2], "21" | "22" | "23"))
            }
            Self::Away(_) | Self::Connect(_) => false,
            Self::Refused(_) | Self::NoSuchDay | Self::Damaged(_) | Self::Vault(_) => true,
        }
    }

    /// What the caller of a method is told. `doing`: what the method was doing, such as `publishing`.
    pub(crate) fn told(self, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Away(why) => unavailable(why),
            Self::Connect(error) => {
                let why = reason(&error).filter(|_| error.code().is_some());
                let why = why.unwrap_or("no connection to the database came about");
                StoreError::Unavailable { reason: format!("{why} ({})", in_full(&error)) }
            }
            Self::Sql(error) => match reason(&error) {
                Some(why) => StoreError::Unavailable { reason: format!("{why} ({})", in_full(&error)) },
                None => StoreError::Internal { doing, source: error.into() },
            },
            Self::NoSuchDay => StoreError::Internal { doing, source: DayMissing.into() },
            Self::Damaged(what) => StoreError::Internal { doing, source: Damaged(what).into() },
            Self::Vault(fault) => StoreError::Internal { doing, source: fault.into() },
        }
    }
}

/// With what lies behind it, such as what is wrong with a certificate.
fn in_full(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(behind) = source {
        let told = behind.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        source = behind.source();
    }
    text
}

/// A sentence for a state that may pass; `None` for a fault of ours.
fn reason(error: &tokio_postgres::Error) -> Option<&'static str> {
    let Some(code) = error.code() else {
        // What the server did not say itself is of the way to it.
        return Some("the connection to the database broke");
    };
    match code.code().get(..2)? {
        "08" => Some("the connection to the database broke"),
        "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Some("the database may not be written"),
        "25" if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            Some("this node stood still and the database gave its transaction up")
        }
        "28" => Some("the database does not let this user in"),
        "40" => Some("the transaction collided with others"),
        "53" => Some("the database has no room or no connection left"),
        "55" => Some("the database is busy"),
        "57" => Some("the database is stopping, starting or took too long"),
        "58" => Some("the database's disk failed"),
        _ => None,
    }
}

/// Whether the server ends the connection with this, or it leads to one that others have taken the place of.
fn is_ending(code: &SqlState) -> bool {
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
    {
        return true;
    }
    matches!(code.code().get(..2), Some("08" | "57" | "58")) && *code != SqlState::QUERY_CANCELED
}

pub(crate) fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable { reason: why.to_owned() }
}

/// The answer to a call on a store that was closed.
pub(crate) const CLOSED: &str = "the store is closed";
