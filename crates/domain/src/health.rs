//! An endpoint's state in words that its owner understands.

use crate::endpoint::{DisabledReason, Endpoint, EndpointState};
use crate::time::Timestamp;

/// The `health` of an endpoint as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub since: Timestamp,
    pub message: &'static str,
}

pub fn describe(endpoint: &Endpoint) -> Health {
    match endpoint.state {
        EndpointState::Enabled { since } => {
            Health { state: "healthy", reason: None, since, message: "Events are delivered as they happen." }
        }
        EndpointState::Disabled { reason, since } => Health {
            state: "disabled",
            reason: Some(reason.as_str()),
            since,
            message: disabled_message(reason),
        },
        EndpointState::Deleted { since } => {
            Health { state: "deleted", reason: None, since, message: "The endpoint was deleted." }
        }
    }
}

fn disabled_message(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::ByHand => {
            "Switched off by hand: new events are not sent here, and unfinished deliveries wait until it is enabled."
        }
        DisabledReason::Gone => {
            "Your server answered 410 Gone, which asks us to stop. Enable the endpoint when it is ready to receive again."
        }
        DisabledReason::Failing => {
            "Every attempt failed for days, so we stopped trying. Mend your server, then enable the endpoint."
        }
    }
}
