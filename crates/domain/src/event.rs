//! Events: published payloads, and what was decided for every endpoint considered.

use bytes::Bytes;

use crate::endpoint::TypeName;
use crate::id::{DeliveryId, EndpointId, EventId};
use crate::location::{AppId, CompanyId, LocationId};
use crate::scope::Owner;
use crate::time::Timestamp;

/// Which id of a payload decides where an event of a type goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventScope {
    Location,
    Company,
    App,
}

impl EventScope {
    pub const ALL: [Self; 3] = [Self::Location, Self::Company, Self::App];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Company => "company",
            Self::App => "app",
        }
    }
    /// That of the events which are `owner`'s.
    pub fn of(owner: &Owner) -> Self {
        match owner {
            Owner::Location(_) => Self::Location,
            Owner::Company(_) => Self::Company,
            Owner::App(_) => Self::App,
        }
    }
    /// Whose an event of this scope is that names these.
    pub fn owner(
        self,
        (location_id, company_id, app_id): (Option<&LocationId>, Option<&CompanyId>, Option<&AppId>),
    ) -> Option<Owner> {
        match self {
            Self::Location => location_id.cloned().map(Owner::Location),
            Self::Company => company_id.cloned().map(Owner::Company),
            Self::App => app_id.cloned().map(Owner::App),
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// An event: validated and, once a store returns it, stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// Canonical, also where the payload names an alias.
    pub type_name: TypeName,
    /// Which of the ids says whose event it is. The others are data.
    pub scope: EventScope,
    pub location_id: Option<LocationId>,
    pub company_id: Option<CompanyId>,
    pub app_id: Option<AppId>,
    /// The published bytes, untouched.
    pub payload: Bytes,
    pub visibility: Visibility,
    /// Every endpoint considered, in the order of decision. Decided once, at publish.
    pub considered: Vec<Considered>,
}

/// Test sends have an event too, which listings of events leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Listed,
    TestOnly,
}

impl Event {
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }

    /// Whose event it is. Nobody else sees it for an id that it names; `None` where the id of its scope is missing, which no
    /// published event lacks.
    pub fn owner(&self) -> Option<Owner> {
        self.scope.owner((self.location_id.as_ref(), self.company_id.as_ref(), self.app_id.as_ref()))
    }
}

/// What became of an event at one endpoint, as decided when it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Considered {
    pub endpoint_id: EndpointId,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Delivery(DeliveryId),
    Skipped(SkipReason),
}

/// Why a considered endpoint got no delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    Disabled,
    Filtered,
    MissingScope,
    OwnEvent,
}

impl SkipReason {
    pub const ALL: [Self; 4] = [Self::Disabled, Self::Filtered, Self::MissingScope, Self::OwnEvent];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Filtered => "filtered",
            Self::MissingScope => "missing-scope",
            Self::OwnEvent => "own-event",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
