//! Who sees what in a listing, once the backend has looked up which locations and endpoints a world has.

use std::collections::HashSet;

use domain::audit::AuditEntry;
use domain::delivery::Delivery;
use domain::event::{Event, EventScope, Fate, Visibility};
use domain::id::EndpointId;
use domain::location::LocationId;
use domain::scope::{Owner, Scope};

use super::merge::KeyRange;
use crate::audit::AuditFilter;
use crate::deliveries::DeliveryFilter;
use crate::events::EventFilter;

/// What of the events a caller may see.
#[derive(Debug, Clone)]
pub enum World {
    All,
    Location(LocationId),
    Company {
        id: String,
        locations: HashSet<String>,
    },
    /// An app's, deleted ones too.
    Endpoints(HashSet<EndpointId>),
}

impl World {
    /// Of the events that name a location, those that can be in this world. Anybody who may publish for a company can name a
    /// foreign location in its events: they must not stand in the way of what is the location's own.
    pub fn scopes_naming_a_location(&self) -> &'static [EventScope] {
        match self {
            Self::Location(_) => &[EventScope::Location],
            Self::Company { .. } => &[EventScope::Location, EventScope::Company],
            Self::All | Self::Endpoints(_) => &EventScope::ALL,
        }
    }

    pub fn sees(&self, event: &Event) -> bool {
        event.visibility == Visibility::Listed
            && match self {
                Self::All => true,
                Self::Location(mine) => matches!(event.owner(), Some(Owner::Location(id)) if id == *mine),
                Self::Company { id: mine, locations } => match event.owner() {
                    Some(Owner::Location(id)) => locations.contains(id.as_str()),
                    Some(Owner::Company(id)) => id.as_str() == mine,
                    Some(Owner::App(_)) | None => false,
                },
                // What it was not sent it may not read either: it may lack the scope for it.
                Self::Endpoints(mine) => event
                    .considered
                    .iter()
                    .any(|one| mine.contains(&one.endpoint_id) && matches!(one.fate, Fate::Delivery(_))),
            }
    }
}

/// The keys of the deliveries that the event itself made.
pub fn own_deliveries(event: &Event) -> Vec<i64> {
    let own = event.considered.iter().filter_map(|one| match one.fate {
        Fate::Delivery(id) => Some(id.key()),
        Fate::Skipped(_) => None,
    });
    own.collect()
}

pub fn event_fits(event: &Event, filter: &EventFilter, range: KeyRange) -> bool {
    event.id.key() >= range.low
        && filter.location_id.as_ref().is_none_or(|id| event.location_id.as_ref() == Some(id))
        && filter.type_name.as_ref().is_none_or(|name| event.type_name == *name)
}

pub fn delivery_fits(delivery: &Delivery, filter: &DeliveryFilter) -> bool {
    filter.endpoint_id.is_none_or(|id| delivery.endpoint_id == id)
        && filter.event_id.is_none_or(|id| delivery.event_id == id)
        && filter.location_id.as_ref().is_none_or(|id| delivery.location_id.as_ref() == Some(id))
        && filter.type_name.as_ref().is_none_or(|name| delivery.type_name == *name)
        && filter.status.is_none_or(|status| delivery.status == status)
}

pub fn entry_fits(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    filter.action.is_none_or(|action| entry.action == action)
        && (filter.owner.is_none() || entry.owner == filter.owner)
        && filter.object_id.as_ref().is_none_or(|id| entry.object.id == *id)
}

/// Which stream of the audit log is gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditStream {
    Object(String),
    Owner(Owner),
    All,
}

impl AuditStream {
    pub fn of(scope: &Scope, filter: &AuditFilter) -> Self {
        if let Some(id) = &filter.object_id {
            return Self::Object(id.clone());
        }
        let own = match scope {
            Scope::Location(_) | Scope::App(_) => scope.owner(),
            Scope::Platform | Scope::Company(_) => None,
        };
        filter.owner.clone().or(own).map_or(Self::All, Self::Owner)
    }
}

/// Whose endpoints a listing goes through: one owner's, or everybody's.
pub fn listed_owner(scope: &Scope, wished: Option<&Owner>) -> Option<Owner> {
    match (wished, scope) {
        (Some(owner), _) => Some(owner.clone()),
        (None, Scope::Location(id)) => Some(Owner::Location(id.clone())),
        (None, Scope::App(id)) => Some(Owner::App(id.clone())),
        (None, Scope::Platform | Scope::Company(_)) => None,
    }
}
