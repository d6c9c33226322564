//! API keys: who calls, and what the caller may do. The key itself is never stored, only its SHA-256.

use crate::id::ApiKeyId;
use crate::scope::Scope;
use crate::time::Timestamp;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    Publish,
    Manage,
    View,
}

impl Permission {
    pub const ALL: [Self; 3] = [Self::Publish, Self::Manage, Self::View];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Manage => "manage",
            Self::View => "view",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub scope: Scope,
    /// By whose authority it was made: the platform's, its own owner's, or that of the company which its location was under.
    /// What a company gave ends when the location leaves it.
    pub granted_by: Scope,
    pub permissions: Vec<Permission>,
    /// SHA-256 of the whole key string; a key has at least 256 random bits or is the operator's own choice.
    pub hash: [u8; 32],
    pub expires_at: Option<Timestamp>,
    /// Within a minute; `None`: never.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}
