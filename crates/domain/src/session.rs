//! Sessions: a person's stay in the console or the portal. It begins with a code that is good for one use and a minute, and
//! goes on with a token. Neither is ever stored, only their SHA-256.

use crate::api_key::Permission;
use crate::id::SessionId;
use crate::scope::Scope;
use crate::time::Timestamp;

/// A session, from the moment at which its code is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub scope: Scope,
    /// As an API key's: by whose authority it was made.
    pub granted_by: Scope,
    /// `manage` and `view`; a session never publishes.
    pub permissions: Vec<Permission>,
    pub expires_at: Timestamp,
    /// When its code was redeemed; `None`: not yet.
    pub opened_at: Option<Timestamp>,
    /// Within a minute.
    pub last_used_at: Option<Timestamp>,
}

impl Session {
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
