//! Endpoints: a registered receiver URL with its subscription.

use std::sync::Arc;

use crate::id::EndpointId;
use crate::scope::Owner;
use crate::secret::{SecretText, Secrets};
use crate::time::Timestamp;

/// The canonical name of an event type, such as `ContactCreate`.
pub type TypeName = Arc<str>;

/// Which event types an endpoint wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// `["*"]`: all, also those that are added later.
    All,
    /// Canonical names, sorted, without repetition.
    Types(Vec<TypeName>),
}

impl Subscription {
    pub fn to(mut names: Vec<TypeName>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self::Types(names)
    }

    pub fn wants(&self, type_name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Types(names) => names.binary_search_by(|name| (**name).cmp(type_name)).is_ok(),
        }
    }
}

/// An endpoint as stored, with its secrets in the clear: for routing and signing, never for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub owner: Owner,
    /// As `url_rules` normalised it.
    pub url: Arc<str>,
    pub description: String,
    pub subscription: Subscription,
    /// The endpoint's own headers, names in lower case. Values are secrets.
    pub headers: Vec<(String, SecretText)>,
    /// Seconds before attempts 2, 3, 4 …; `None` is the server's schedule.
    pub retry_schedule: Option<Vec<u32>>,
    /// Leave out the events that the owning app itself caused.
    pub skip_own_events: bool,
    pub state: EndpointState,
    pub secrets: Secrets,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    Enabled {
        since: Timestamp,
    },
    Disabled {
        reason: DisabledReason,
        since: Timestamp,
    },
    /// Removed by its owner; kept as long as the log speaks of it.
    Deleted {
        since: Timestamp,
    },
}

/// Why an endpoint receives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// A person switched it off. Unfinished deliveries wait.
    ByHand,
    /// The receiver answered 410 Gone. Unfinished deliveries end as failed.
    Gone,
    /// Every attempt failed for days. Unfinished deliveries end as failed.
    Failing,
}

impl DisabledReason {
    pub const ALL: [Self; 3] = [Self::ByHand, Self::Gone, Self::Failing];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl Endpoint {
    pub fn is_enabled(&self) -> bool {
        matches!(self.state, EndpointState::Enabled { .. })
    }
    pub fn is_deleted(&self) -> bool {
        matches!(self.state, EndpointState::Deleted { .. })
    }
}

/// A change of an endpoint; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPatch {
    pub url: Option<Arc<str>>,
    pub description: Option<String>,
    pub subscription: Option<Subscription>,
    /// All of them; a value that is `None` stays as it is stored, and where nothing is stored any more, the header goes.
    pub headers: Option<Vec<(String, Option<SecretText>)>>,
    /// `Some(None)` goes back to the server's schedule.
    pub retry_schedule: Option<Option<Vec<u32>>>,
    pub skip_own_events: Option<bool>,
    pub enabled: Option<bool>,
}

impl EndpointPatch {
    pub fn apply(self, endpoint: &Endpoint, now: Timestamp) -> Endpoint {
        let mut changed = endpoint.clone();
        changed.url = self.url.unwrap_or(changed.url);
        changed.description = self.description.unwrap_or(changed.description);
        changed.subscription = self.subscription.unwrap_or(changed.subscription);
        changed.headers =
            self.headers.map_or(changed.headers, |headers| with_kept(headers, &endpoint.headers));
        changed.retry_schedule = self.retry_schedule.unwrap_or(changed.retry_schedule);
        changed.skip_own_events = self.skip_own_events.unwrap_or(changed.skip_own_events);
        changed.state = match self.enabled {
            Some(true) => enabled(endpoint.state, now),
            Some(false) => disabled(endpoint.state, now),
            None => changed.state,
        };
        changed.updated_at = now;
        changed
    }
}

fn with_kept(
    headers: Vec<(String, Option<SecretText>)>,
    stored: &[(String, SecretText)],
) -> Vec<(String, SecretText)> {
    let value_of =
        |name: &str| stored.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    headers
        .into_iter()
        .filter_map(|(name, given)| given.or_else(|| value_of(&name)).map(|value| (name, value)))
        .collect()
}

fn enabled(state: EndpointState, now: Timestamp) -> EndpointState {
    match state {
        EndpointState::Disabled { .. } => EndpointState::Enabled { since: now },
        other => other,
    }
}

/// By hand; an endpoint that is disabled already keeps its reason.
fn disabled(state: EndpointState, now: Timestamp) -> EndpointState {
    match state {
        EndpointState::Enabled { .. } => {
            EndpointState::Disabled { reason: DisabledReason::ByHand, since: now }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_sorted_and_asked_by_name() {
        let some = Subscription::to(vec!["NoteCreate".into(), "ContactCreate".into(), "NoteCreate".into()]);
        assert_eq!(some, Subscription::Types(vec!["ContactCreate".into(), "NoteCreate".into()]));
        assert!(some.wants("NoteCreate") && !some.wants("NoteDelete"));
        assert!(Subscription::All.wants("WhateverComes"));
    }

    /// Two changes at once: what one of them keeps is what the other has stored by then.
    #[test]
    fn a_kept_header_is_as_it_is_when_the_change_is_made() {
        let secret = |text: &str| SecretText::new(text.to_owned());
        let stored = vec![("x-a".to_owned(), secret("new a")), ("x-b".to_owned(), secret("b"))];
        let asked = vec![
            ("x-a".to_owned(), None),
            ("x-b".to_owned(), Some(secret("new b"))),
            ("x-gone".to_owned(), None),
        ];
        let kept = with_kept(asked, &stored);
        let texts: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(texts, [("x-a", "new a"), ("x-b", "new b")]);
    }
}
