//! An endpoint's health: when its deliveries wait for it, when it is given up, and the words for both.
//!
//! Pure: the time and the jitter come in, what follows comes out. `circuit` decides who may be sent to, `share` how
//! much of that each of several nodes sends, `failing` when an
//! endpoint that does nothing but fail is disabled, `describe` what its owner reads.

mod circuit;
mod describe;
mod failing;
mod share;

use std::sync::Arc;

pub use circuit::{Allowance, Change, Circuit, pause_ms};
pub use describe::{Health, describe};
pub use failing::{FailedRun, LastFailure};
pub use share::share_of;

use crate::endpoint::{Endpoint, EndpointState};
use crate::time::Timestamp;

/// Whose health it is. Once the endpoint is moved or enabled anew it is another receiver's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    pub url: Arc<str>,
    pub enabled_since: Timestamp,
}

impl Receiver {
    /// `None` for an endpoint that is not enabled: nothing is sent to it.
    pub fn of(endpoint: &Endpoint) -> Option<Self> {
        match endpoint.state {
            EndpointState::Enabled { since } => {
                Some(Self { url: Arc::clone(&endpoint.url), enabled_since: since })
            }
            EndpointState::Disabled { .. } | EndpointState::Deleted { .. } => None,
        }
    }

    /// Whether what is sent to the endpoint goes to this receiver.
    pub fn is_of(&self, endpoint: &Endpoint) -> bool {
        Self::of(endpoint).as_ref() == Some(self)
    }
}

/// What is kept of an endpoint whose circuit is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// When the circuit opened, or when the receiver answered again.
    pub since: Timestamp,
    pub failed_probes: u32,
    /// What is due before is held back by us.
    pub held_until: Timestamp,
    /// `None`: the receiver answers again, and what waited is being released.
    pub run: Option<FailedRun>,
}
