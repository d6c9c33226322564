//! The audit log's nouns: who did what to which object. An entry is written with the change that it tells of and never
//! changed again.

use std::net::IpAddr;

use bytes::Bytes;

use crate::id::{ApiKeyId, AuditId, SessionId};
use crate::scope::{Owner, Scope};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The operator's own key, from the server's environment.
    PlatformKey,
    /// `name` as it was then; `scope`: whose key it is.
    ApiKey {
        id: ApiKeyId,
        name: String,
        scope: Scope,
    },
    Session {
        id: SessionId,
        scope: Scope,
    },
    /// Hoopoe itself: at its start, or on what a receiver answered.
    System,
}

impl Actor {
    /// Whose key or session it was; what Hoopoe does by itself is the platform's.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::ApiKey { scope, .. } | Self::Session { scope, .. } => scope,
            Self::PlatformKey | Self::System => &Scope::Platform,
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident => $text:literal;)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// `object.verb`
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.as_str() == text)
            }
        }
    };
}

actions! {
    EndpointCreated => "endpoint.created";
    EndpointUpdated => "endpoint.updated";
    EndpointDeleted => "endpoint.deleted";
    /// By the engine: the receiver answered 410, or has failed for days.
    EndpointDisabled => "endpoint.disabled";
    EndpointTested => "endpoint.tested";
    SecretRead => "secret.read";
    SecretRotated => "secret.rotated";
    SecretPromoted => "secret.promoted";
    LocationPut => "location.put";
    LocationDeleted => "location.deleted";
    AppPut => "app.put";
    AppDeleted => "app.deleted";
    AppInstalled => "app.installed";
    AppUninstalled => "app.uninstalled";
    ApiKeyCreated => "api-key.created";
    ApiKeyDeleted => "api-key.deleted";
    SessionCreated => "session.created";
    /// Its code was redeemed.
    SessionOpened => "session.opened";
    SessionRevoked => "session.revoked";
    DeliveryRetried => "delivery.retried";
    DeliveryCancelled => "delivery.cancelled";
    /// By the operator's settings: customers may reach this block or name of the operator's network. Told at every start.
    EgressAllowed => "egress.allowed";
    MasterKeyRotated => "master-key.rotated";
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `endpoint`, `location`, …
    pub kind: String,
    /// Empty where there is only one.
    pub id: String,
}

impl Object {
    pub fn new(kind: &str, id: impl ToString) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string() }
    }
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Also says when.
    pub id: AuditId,
    pub action: Action,
    pub actor: Actor,
    /// Where the request came from; of a proxy, if one stands before the server.
    pub address: Option<IpAddr>,
    pub request_id: String,
    /// Whose object it is; `None`: the platform's.
    pub owner: Option<Owner>,
    pub object: Object,
    /// The object as the API showed it, without secrets; JSON.
    pub before: Option<Bytes>,
    pub after: Option<Bytes>,
}
