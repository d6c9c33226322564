//! Changes as the audit log tells of them: whose object it is, and how it stood before and after.

use domain::api_key::ApiKey;
use domain::app::App;
use domain::audit::{Action, Object};
use domain::endpoint::Endpoint;
use domain::location::{AppId, Location};
use domain::scope::Owner;
use domain::session::Session;

use super::columns::target_owner;
use crate::audit::Subject;
use crate::tenants::InstallChange;

#[derive(Debug)]
pub struct Change<'a> {
    pub action: Action,
    pub owner: Option<Owner>,
    pub object: Object,
    pub before: Option<Subject<'a>>,
    pub after: Option<Subject<'a>>,
}

/// One that is deleted is shown as it was, and not as it is.
pub fn of_endpoint<'a>(action: Action, before: Option<&'a Endpoint>, changed: &'a Endpoint) -> Change<'a> {
    let after = (action != Action::EndpointDeleted).then_some(changed);
    Change {
        action,
        owner: Some(changed.owner.clone()),
        object: Object::new("endpoint", changed.id),
        before: before.map(Subject::Endpoint),
        after: after.map(Subject::Endpoint),
    }
}

pub fn of_api_key<'a>(action: Action, before: Option<&'a ApiKey>, after: Option<&'a ApiKey>) -> Change<'a> {
    let key = after.or(before).expect("a change is of a key");
    Change {
        action,
        owner: key.scope.owner(),
        object: Object::new("api-key", key.id),
        before: before.map(Subject::ApiKey),
        after: after.map(Subject::ApiKey),
    }
}

pub fn of_session<'a>(action: Action, before: Option<&'a Session>, after: Option<&'a Session>) -> Change<'a> {
    let session = after.or(before).expect("a change is of a session");
    Change {
        action,
        owner: session.scope.owner(),
        object: Object::new("session", session.id),
        before: before.map(Subject::Session),
        after: after.map(Subject::Session),
    }
}

pub fn of_location<'a>(
    action: Action,
    before: Option<&'a Location>,
    after: Option<&'a Location>,
) -> Change<'a> {
    let location = after.or(before).expect("a change is of a location");
    Change {
        action,
        owner: Some(Owner::Location(location.id.clone())),
        object: Object::new("location", &location.id),
        before: before.map(Subject::Location),
        after: after.map(Subject::Location),
    }
}

pub fn of_app<'a>(action: Action, id: &AppId, before: Option<&'a App>, after: Option<&'a App>) -> Change<'a> {
    Change {
        action,
        owner: Some(Owner::App(id.clone())),
        object: Object::new("app", id),
        before: before.map(Subject::App),
        after: after.map(Subject::App),
    }
}

/// Told to whom it was done: the app comes to the location, or leaves it.
pub fn of_install(action: Action, change: &InstallChange) -> Change<'_> {
    let owner = target_owner(&change.target);
    let target = Some(Subject::Install(&change.app_id, &change.target));
    let (before, after) = if action == Action::AppInstalled { (None, target) } else { (target, None) };
    Change { action, owner: Some(owner), object: Object::new("app", &change.app_id), before, after }
}
