//! An endpoint's state in words that its owner understands and can act on.

use super::{FailedRun, Failing, LastFailure, pause_ms};
use crate::endpoint::{DisabledReason, Endpoint, EndpointState};
use crate::limits::FAILING_DAYS;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// The `health` of an endpoint as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub since: Timestamp,
    pub message: String,
}

/// `failing`: what is kept of the endpoint as it stands, if anything.
pub fn describe(endpoint: &Endpoint, failing: Option<&Failing>) -> Health {
    match (endpoint.state, failing) {
        (EndpointState::Enabled { .. }, Some(failing)) => of_failing(failing),
        (EndpointState::Enabled { since }, None) => {
            health("healthy", None, since, "Events are delivered as they happen.")
        }
        (EndpointState::Disabled { reason, since }, _) => {
            health("disabled", Some(reason.as_str()), since, &disabled_message(reason))
        }
        (EndpointState::Deleted { since }, _) => health("deleted", None, since, "The endpoint was deleted."),
    }
}

fn health(state: &'static str, reason: Option<&'static str>, since: Timestamp, message: &str) -> Health {
    Health { state, reason, since, message: message.to_owned() }
}

fn of_failing(failing: &Failing) -> Health {
    match &failing.run {
        Some(run) => {
            let message = failing_message(run, failing.failed_probes);
            health("failing", Some(run.last.outcome.as_str()), run.since, &message)
        }
        None => health(
            "recovering",
            None,
            failing.since,
            "Your server answers again. The events that waited are being sent, slowly at first.",
        ),
    }
}

fn failing_message(run: &FailedRun, failed_probes: u32) -> String {
    format!(
        "The last {} attempts failed ({}). New events wait; one attempt every {} tests whether your server is back. \
         If none succeeds by {}, the endpoint is disabled.",
        run.failed_attempts,
        failure_words(run.last),
        pause_words(failed_probes),
        run.ends_at(),
    )
}

fn failure_words(failure: LastFailure) -> String {
    let words = match (failure.outcome, failure.status_code) {
        (_, Some(status @ 300..400)) => {
            return format!(
                "your server answered {status}, a redirect, which is not followed: set the final URL"
            );
        }
        (_, Some(status)) => return format!("your server answered {status}"),
        (Outcome::Timeout, None) => "your server did not answer within 10 seconds",
        (Outcome::Dns, None) => "your server's name could not be resolved",
        (Outcome::Connect, None) => "no connection to your server could be made",
        (Outcome::Tls, None) => "the TLS handshake with your server failed; look at its certificate",
        (Outcome::Blocked, None) => {
            "your server's name leads to an address that may not be called; use one that is publicly reachable"
        }
        (Outcome::Protocol, None) => "your server's answer is not valid HTTP",
        (Outcome::HttpError | Outcome::Succeeded, None) => "your server did not accept them",
    };
    words.to_owned()
}

fn pause_words(failed_probes: u32) -> String {
    match pause_ms(failed_probes, 0.0) / 1_000 {
        seconds @ ..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", (seconds + 30) / 60),
    }
}

fn disabled_message(reason: DisabledReason) -> String {
    match reason {
        DisabledReason::ByHand => {
            "Switched off by hand: new events are not sent here, and unfinished deliveries wait until it is enabled."
                .to_owned()
        }
        DisabledReason::Gone => {
            "Your server answered 410 Gone, which asks us to stop. Enable the endpoint when it is ready to receive again."
                .to_owned()
        }
        DisabledReason::Failing => format!(
            "Every attempt failed for {FAILING_DAYS} days, so we stopped trying. Mend your server, then enable the endpoint."
        ),
    }
}
