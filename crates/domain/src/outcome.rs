//! What a response or a failure means. A failing receiver is a value, not an error of ours.

use std::fmt;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Succeeded,
    /// A status other than 2xx.
    HttpError,
    Timeout,
    Dns,
    Connect,
    Tls,
    /// The address guard refused; no packet left.
    Blocked,
    /// What came back was not HTTP.
    Protocol,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::HttpError,
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Blocked,
        Self::Protocol,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::HttpError => "http-error",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Blocked => "blocked",
            Self::Protocol => "protocol",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// Any 2xx is success; everything else, redirects included, is not.
    pub fn of_status(status: u16) -> Self {
        if (200..300).contains(&status) { Self::Succeeded } else { Self::HttpError }
    }
}

/// Where an attempt was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Resolving,
    Connecting,
    Tls,
    Sending,
    Waiting,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "while its name was being resolved",
            Self::Connecting => "while connecting",
            Self::Tls => "during the TLS handshake",
            Self::Sending => "while the request was being sent",
            Self::Waiting => "while waiting for the answer",
        })
    }
}

/// Why no status line came. `Display` is the sentence that the receiver's owner reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Timeout(Phase),
    /// What the resolver said, such as `no such name`.
    Dns(String),
    Connect(String),
    Tls(String),
    /// `for_good`: the URL names the address itself, so that no later look-up can differ.
    Blocked {
        for_good: bool,
    },
    Protocol(String),
}

impl Failure {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout(_) => Outcome::Timeout,
            Self::Dns(_) => Outcome::Dns,
            Self::Connect(_) => Outcome::Connect,
            Self::Tls(_) => Outcome::Tls,
            Self::Blocked { .. } => Outcome::Blocked,
            Self::Protocol(_) => Outcome::Protocol,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(phase) => write!(f, "the receiver did not answer within 10 seconds; time ran out {phase}"),
            Self::Dns(why) => write!(f, "the receiver's name could not be resolved: {why}"),
            Self::Connect(why) => write!(f, "no connection to the receiver could be made: {why}"),
            Self::Tls(why) => write!(f, "the TLS handshake with the receiver failed: {why}"),
            Self::Blocked { .. } => {
                f.write_str("the receiver's name leads to an address that may not be called; use one that is publicly reachable")
            }
            Self::Protocol(why) => write!(f, "the receiver's answer is not valid HTTP: {why}"),
        }
    }
}

/// The sentence for a status that is no success.
pub fn status_sentence(status: u16) -> Option<String> {
    match status {
        200..300 => None,
        300..400 => Some(format!(
            "the receiver answered {status}, a redirect, which is not followed; register the final URL"
        )),
        410 => Some("the receiver answered 410 Gone, so the endpoint was disabled".to_owned()),
        _ => Some(format!("the receiver answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success() {
        for (status, outcome) in [
            (200, Outcome::Succeeded),
            (204, Outcome::Succeeded),
            (299, Outcome::Succeeded),
            (199, Outcome::HttpError),
            (300, Outcome::HttpError),
            (301, Outcome::HttpError),
            (410, Outcome::HttpError),
            (503, Outcome::HttpError),
        ] {
            assert_eq!(Outcome::of_status(status), outcome, "{status}");
            assert_eq!(status_sentence(status).is_none(), outcome == Outcome::Succeeded, "{status}");
        }
        assert!(status_sentence(302).unwrap().contains("redirect"));
    }
}
