//! What the API shows: one JSON shape per noun, camelCase, every field always there and null where absent.
//!
//! The only place that knows these shapes. A view never holds a credential but the two that exist to show one.

mod audit;
mod delivery;
mod endpoint;
mod event;
mod event_type;
mod key;
mod session;
mod signature;
mod stats;
mod stream;
mod system;
mod tenant;

use domain::scope::Owner;
use domain::time::Timestamp;

pub(crate) use audit::{AuditView, audited};
pub(crate) use delivery::{AttemptView, DeliveryRow, DeliveryView, ListedDeliveryView, TestView};
pub(crate) use endpoint::{EndpointCreated, EndpointView, HEADER_MASK, SecretView};
pub(crate) use event::{BatchAnswer, BatchItem, Became, EventAccepted, EventRow, EventView};
pub(crate) use event_type::EventTypeView;
pub(crate) use key::{ApiKeyCreated, ApiKeyView};
pub(crate) use session::{CurrentSession, PortalLink, SessionView};
pub(crate) use signature::{SignatureReport, SignatureView};
pub(crate) use stats::StatsView;
pub(crate) use stream::{DeletedEndpoint, StreamedAttempt};
pub(crate) use system::{SystemParts, SystemView, WorstEndpoint, node_id};
pub(crate) use tenant::{AppView, InstallView, LocationView};

/// RFC 3339, UTC, with milliseconds.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

pub(crate) fn text(id: impl std::fmt::Display) -> String {
    id.to_string()
}

/// As `locationId`, `companyId` and `appId`: at most one of them; none is the platform.
pub(crate) fn owner_ids(owner: Option<&Owner>) -> [Option<String>; 3] {
    match owner {
        None => [None, None, None],
        Some(Owner::Location(id)) => [Some(text(id)), None, None],
        Some(Owner::Company(id)) => [None, Some(text(id)), None],
        Some(Owner::App(id)) => [None, None, Some(text(id))],
    }
}
