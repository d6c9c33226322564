//! Which endpoints want an event, and why the others do not.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::event::{EventScope, SkipReason};
use crate::location::{AppId, CompanyId, LocationId};
use crate::scope::Owner;

/// What routing looks at of an event. Other ids in a payload are data, never routing.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub type_name: &'a str,
    pub scope: EventScope,
    /// What an app must hold to receive this type; `None` needs nothing.
    pub oauth_scope: Option<&'a str>,
    pub location_id: Option<&'a LocationId>,
    pub company_id: Option<&'a CompanyId>,
    pub app_id: Option<&'a AppId>,
    /// The app that caused the event, if the publisher said so.
    pub origin_app_id: Option<&'a AppId>,
}

/// Who is registered where: one consistent view, read while an event is routed.
pub trait Topology {
    fn endpoints_of(&self, owner: &Owner) -> &[Arc<Endpoint>];
    /// The company that the location is registered under.
    fn company_of(&self, location_id: &LocationId) -> Option<&CompanyId>;
    fn apps_in_location(&self, location_id: &LocationId) -> &[AppId];
    fn apps_in_company(&self, company_id: &CompanyId) -> &[AppId];
    /// The scopes that an app holds; `None`: all.
    fn scopes_of(&self, app_id: &AppId) -> Option<&[String]>;
}

/// One considered endpoint: sent to, or the reason why not.
#[derive(Debug, Clone)]
pub struct Choice {
    pub endpoint: Arc<Endpoint>,
    pub skipped: Option<SkipReason>,
}

/// Every endpoint that subscribes to the type and whose owner fits, with the decision for each.
pub fn fan_out(subject: Subject<'_>, topology: &impl Topology) -> Vec<Choice> {
    let mut choices = Vec::new();
    for owner in owners(subject, topology) {
        let missing_scope = missing_scope(&owner, subject, topology);
        for endpoint in topology.endpoints_of(&owner) {
            if endpoint.subscription.wants(subject.type_name) {
                let skipped =
                    missing_scope.or_else(|| disabled(endpoint)).or_else(|| own_event(endpoint, subject));
                choices.push(Choice { endpoint: Arc::clone(endpoint), skipped });
            }
        }
    }
    choices
}

/// Whose endpoints are considered, each owner once.
fn owners(subject: Subject<'_>, topology: &impl Topology) -> Vec<Owner> {
    match subject.scope {
        EventScope::App => subject.app_id.cloned().map(Owner::App).into_iter().collect(),
        EventScope::Company => company_owners(subject.company_id, topology),
        EventScope::Location => match subject.location_id {
            Some(location_id) => location_owners(location_id, topology),
            // `UserCreate` of an agency's user has no location.
            None => company_owners(subject.company_id, topology),
        },
    }
}

fn location_owners(location_id: &LocationId, topology: &impl Topology) -> Vec<Owner> {
    let mut owners = vec![Owner::Location(location_id.clone())];
    owners.extend(topology.apps_in_location(location_id).iter().cloned().map(Owner::App));
    for owner in company_owners(topology.company_of(location_id), topology) {
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    owners
}

fn company_owners(company_id: Option<&CompanyId>, topology: &impl Topology) -> Vec<Owner> {
    let Some(company_id) = company_id else { return Vec::new() };
    let apps = topology.apps_in_company(company_id).iter().cloned().map(Owner::App);
    std::iter::once(Owner::Company(company_id.clone())).chain(apps).collect()
}

fn missing_scope(owner: &Owner, subject: Subject<'_>, topology: &impl Topology) -> Option<SkipReason> {
    let (Owner::App(app_id), Some(needed)) = (owner, subject.oauth_scope) else { return None };
    let held = topology.scopes_of(app_id).is_none_or(|held| held.iter().any(|scope| scope == needed));
    (!held).then_some(SkipReason::MissingScope)
}

fn disabled(endpoint: &Endpoint) -> Option<SkipReason> {
    (!endpoint.is_enabled()).then_some(SkipReason::Disabled)
}

fn own_event(endpoint: &Endpoint, subject: Subject<'_>) -> Option<SkipReason> {
    let own = matches!(&endpoint.owner, Owner::App(app_id) if Some(app_id) == subject.origin_app_id);
    (own && endpoint.skip_own_events).then_some(SkipReason::OwnEvent)
}
