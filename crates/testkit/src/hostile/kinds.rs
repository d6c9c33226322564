//! What a kind of hostile receiver is, and what an attempt at it must come to.

use std::sync::Arc;

use super::Manners;
use super::table;

/// One way to do harm.
#[derive(Debug, Clone)]
pub struct Kind {
    pub name: &'static str,
    pub manners: Arc<Manners>,
    pub expected: Expected,
}

/// Of every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The outcome's word; more than one where it depends on who is faster.
    pub outcomes: &'static [&'static str],
    pub status: Option<u16>,
    /// Part of the sentence that the receiver's owner reads.
    pub says: &'static str,
}

/// All of them.
pub fn kinds() -> Vec<Kind> {
    [table::silence(), table::heads(), table::bodies(), table::tls(), table::http2(), table::http2_floods()]
        .concat()
}

pub(super) fn kind(name: &'static str, manners: Manners, expected: Expected) -> Kind {
    Kind { name, manners: Arc::new(manners), expected }
}

pub(super) fn succeeded(status: u16) -> Expected {
    Expected { outcomes: &["succeeded"], status: Some(status), says: "" }
}

pub(super) fn refused(status: u16) -> Expected {
    Expected { outcomes: &["http-error"], status: Some(status), says: "the receiver answered" }
}

pub(super) fn timeout(says: &'static str) -> Expected {
    Expected { outcomes: &["timeout"], status: None, says }
}

pub(super) fn protocol(says: &'static str) -> Expected {
    Expected { outcomes: &["protocol"], status: None, says }
}

pub(super) fn tls(says: &'static str) -> Expected {
    Expected { outcomes: &["tls"], status: None, says }
}

/// Whether connecting was over when the reset came depends on who is faster.
pub(super) fn reset_early(outcomes: &'static [&'static str]) -> Expected {
    Expected { outcomes, status: None, says: "the connection" }
}
