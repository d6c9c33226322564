//! Locations (the tenants) and companies (the agencies that own them). Their ids are the platform's own strings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits::TENANT_ID_LENGTH_MAX;

/// The text is not an id that the platform may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`")]
pub struct TenantIdFault;

macro_rules! tenant_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = TenantIdFault;
            fn from_str(text: &str) -> Result<Self, TenantIdFault> {
                if is_tenant_id(text) { Ok(Self(text.into())) } else { Err(TenantIdFault) }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )*};
}
tenant_ids! {
    /// A sub-account of the platform: the tenant.
    LocationId;
    /// An agency, which owns locations.
    CompanyId;
    /// A marketplace app.
    AppId;
}

/// 1 to 64 of `A-Za-z0-9_-`.
pub fn is_tenant_id(text: &str) -> bool {
    (1..=TENANT_ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// What the platform told us of a location; publishing to one never registered is fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: LocationId,
    pub name: Option<String>,
    /// The company that the location is registered under; routing asks this, never a payload.
    pub company_id: Option<CompanyId>,
}
