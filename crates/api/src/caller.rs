//! Who calls, and what the caller may do. Tokens are compared as hashes and never logged.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use domain::api_key::{ApiKey, Permission};
use domain::audit::Actor;
use domain::scope::{Owner, Scope};
use domain::session::Session;
use domain::time::Timestamp;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, header};
use sha2::{Digest, Sha256};
use store::Store;
use store::audit::AuditNote;
use store::known::Known;
use subtle::ConstantTimeEq;

use crate::Api;
use crate::cookie::{self, ReachedBy, SESSION_PREFIX};
use crate::layers::RequestId;
use crate::problem::{Code, Problem};
use crate::views;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) scope: Scope,
    who: Who,
    from: From,
    token_hash: [u8; 32],
}

#[derive(Debug, Clone)]
enum Who {
    /// The operator's own key, from the environment.
    PlatformKey,
    ApiKey(Arc<Known<ApiKey>>),
    Session(Arc<Known<Session>>),
}

/// Where a request comes from and what it is called, for the audit log.
#[derive(Debug, Clone, Default)]
pub(crate) struct From {
    pub(crate) address: Option<IpAddr>,
    request_id: Option<Arc<str>>,
}

/// The address at the other end of the request's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl From {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self {
            address: extensions.get::<Peer>().map(|peer| peer.0),
            request_id: extensions.get::<RequestId>().map(|id| Arc::clone(&id.0)),
        }
    }
}

impl Caller {
    fn new(scope: Scope, who: Who, from: From, token_hash: &[u8; 32]) -> Self {
        Self { scope, who, from, token_hash: *token_hash }
    }

    /// Of the token's hash: tells callers apart and tells nothing of the token.
    pub(crate) fn token_tag(&self) -> u64 {
        u64::from_be_bytes(self.token_hash.first_chunk().copied().unwrap_or_default())
    }

    /// Whether the key or the session that it came with would be let in now. For what outlives its request.
    pub(crate) fn is_still_valid(&self, api: &Api) -> bool {
        let now = api.clock.now();
        match self.who {
            Who::PlatformKey => true,
            Who::ApiKey(_) => {
                let key = api.store.api_key_by_hash(&self.token_hash);
                key.is_some_and(|key| key.value.is_valid_at(now))
            }
            Who::Session(_) => {
                let session = api.store.session_by_hash(&self.token_hash);
                session.is_some_and(|session| session.value.is_valid_at(now))
            }
        }
    }

    /// `platform`, or kind and id such as `location:ve9EPM428h8vShlRW1KT`.
    pub(crate) fn owner(&self) -> String {
        self.scope
            .owner()
            .map_or_else(|| "platform".to_owned(), |owner| format!("{}:{}", owner.kind(), owner.id()))
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        match &self.who {
            Who::PlatformKey => true,
            Who::ApiKey(key) => key.value.may(permission),
            Who::Session(session) => session.value.permissions.contains(&permission),
        }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.who {
            Who::Session(session) => Some(&session.value),
            Who::PlatformKey | Who::ApiKey(_) => None,
        }
    }

    /// By whose authority something that acts for `scope` is made: what a company makes for its location is the company's gift,
    /// and so is what is made with that.
    pub(crate) fn grants(&self, scope: &Scope) -> Scope {
        let granted_by = match &self.who {
            Who::PlatformKey => &Scope::Platform,
            Who::ApiKey(key) => &key.value.granted_by,
            Who::Session(session) => &session.value.granted_by,
        };
        if self.scope == *scope { granted_by.clone() } else { self.scope.clone() }
    }

    /// For what is not written down in the audit log, where the store asks the same: a body may have been long on its way.
    ///
    /// # Errors
    /// The key or session ended since the request began.
    pub(crate) fn must_still_be_valid(&self, api: &Api) -> Result<(), Problem> {
        if self.is_still_valid(api) { Ok(()) } else { Err(gone()) }
    }

    /// When the key that calls ends: what it makes ends no later.
    pub(crate) fn key_ends_at(&self) -> Option<Timestamp> {
        match &self.who {
            Who::ApiKey(key) => key.value.expires_at,
            Who::PlatformKey | Who::Session(_) => None,
        }
    }

    /// The store through which this caller changes something, so that the audit log tells who did.
    pub(crate) fn store(&self, api: &Api) -> Arc<dyn Store> {
        let actor = match &self.who {
            Who::PlatformKey => Actor::PlatformKey,
            Who::ApiKey(key) => {
                let ApiKey { id, name, scope, .. } = &key.value;
                Actor::ApiKey { id: *id, name: name.clone(), scope: scope.clone() }
            }
            Who::Session(session) => {
                Actor::Session { id: session.value.id, scope: session.value.scope.clone() }
            }
        };
        audited(api, actor, &self.from)
    }

    /// # Errors
    /// `forbidden` for a caller whose world is not everything.
    pub(crate) fn on_the_platform(&self) -> Result<(), Problem> {
        match self.scope {
            Scope::Platform => Ok(()),
            _ => Err(Problem::new(Code::Forbidden, "this is for the platform's own keys: use one of them")),
        }
    }

    /// What the platform alone does, to an object of `owner`.
    ///
    /// # Errors
    /// `forbidden` for an object of the caller's own; one of another world is not found, as everywhere.
    pub(crate) fn on_the_platform_with(
        &self,
        api: &Api,
        what: &'static str,
        owner: &Owner,
    ) -> Result<(), Problem> {
        if self.scope != Scope::Platform && !api.store.routes().read().sees(&self.scope, owner) {
            return Err(Problem::not_found(what));
        }
        self.on_the_platform()
    }
}

/// The store with a note of who makes the next change.
pub(crate) fn audited(api: &Api, actor: Actor, from: &From) -> Arc<dyn Store> {
    let request_id = from.request_id.clone().unwrap_or_else(|| Arc::from(""));
    let id = api.ids.audit(api.clock.now());
    let note = AuditNote { id, actor, address: from.address, request_id, show: Some(views::audited) };
    Arc::clone(&api.store).audited(note)
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident $permission:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(Caller);

        impl Deref for $name {
            type Target = Caller;
            fn deref(&self) -> &Caller { &self.0 }
        }
        impl FromRequestParts<Arc<Api>> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
                let asked = Asked { method: &parts.method, headers: &parts.headers, from: From::of(&parts.extensions) };
                permitted(api, asked, Permission::$permission).map(Self)
            }
        }
    )*};
}

callers! {
    /// May publish.
    Publisher Publish;
    /// May change things, and read secrets.
    Manager Manage;
    /// May look.
    Viewer View;
}

impl Publisher {
    /// For the way past the router, which has no use for a request's extensions.
    pub(crate) fn of(api: &Api, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Self, Problem> {
        let from = From { address, request_id: None };
        permitted(api, Asked { method: &Method::POST, headers, from }, Permission::Publish).map(Self)
    }
}

/// Whoever has signed in, whatever they may.
#[derive(Debug)]
pub(crate) struct SignedIn(pub(crate) Caller);

impl FromRequestParts<Arc<Api>> for SignedIn {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let from = From::of(&parts.extensions);
        authenticate(api, Asked { method: &parts.method, headers: &parts.headers, from }).map(Self)
    }
}

/// What of a request says who calls.
struct Asked<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    from: From,
}

fn permitted(api: &Api, asked: Asked<'_>, permission: Permission) -> Result<Caller, Problem> {
    let caller = authenticate(api, asked)?;
    if caller.may(permission) {
        return Ok(caller);
    }
    let needed = permission.as_str();
    Err(Problem::new(Code::Forbidden, format!("this needs the permission `{needed}`: use a key that has it")))
}

/// By the header `authorization`; where there is none, by a session's cookie.
fn authenticate(api: &Api, asked: Asked<'_>) -> Result<Caller, Problem> {
    let Asked { method, headers, from } = asked;
    if headers.contains_key(header::AUTHORIZATION) {
        return by_token(api, bearer_token(headers)?, from);
    }
    let by_cookie = cookie::session_token(headers, ReachedBy::of(&api.settings)).map_err(|_| ambiguous())?;
    let Some(token) = by_cookie else {
        return Err(unauthorized("no credentials: send the header `authorization: Bearer hpk_…`", "Bearer"));
    };
    let caller = by_token(api, token.as_bytes(), from)?;
    if !method.is_safe() && !cookie::proves_intent(headers, token) {
        return Err(Problem::new(
            Code::Forbidden,
            "a change by a session's cookie needs the header `x-csrf-token`: GET /v1/sessions/current shows it",
        ));
    }
    Ok(caller)
}

pub(crate) fn by_token(api: &Api, token: &[u8], from: From) -> Result<Caller, Problem> {
    let hash: [u8; 32] = Sha256::digest(token).into();
    let now = api.clock.now();
    if api.platform_key_hash.is_some_and(|known| bool::from(known.ct_eq(&hash))) {
        return Ok(Caller::new(Scope::Platform, Who::PlatformKey, from, &hash));
    }
    let fault = if token.starts_with(SESSION_PREFIX.as_bytes()) {
        match api.store.session_by_hash(&hash) {
            Some(session) if session.value.is_valid_at(now) => {
                session.used(now);
                return Ok(Caller::new(session.value.scope.clone(), Who::Session(session), from, &hash));
            }
            Some(_) => "the session has ended: sign in again",
            None => "the session is not valid any more: sign in again",
        }
    } else {
        match api.store.api_key_by_hash(&hash) {
            Some(key) if key.value.is_valid_at(now) => {
                key.used(now);
                return Ok(Caller::new(key.value.scope.clone(), Who::ApiKey(key), from, &hash));
            }
            Some(_) => "the API key has expired: use a new one",
            None => "the token is not a valid API key: check that it was copied whole",
        }
    };
    api.sign_ins.failed(from.address, Some(hash), now)?;
    Err(refused(fault))
}

fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| {
        unauthorized("no credentials: send the header `authorization: Bearer hpk_…`", "Bearer")
    })?;
    let token = match value.as_bytes().split_first_chunk::<7>() {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return Err(refused("the header `authorization` is not of the form `Bearer hpk_…`")),
    };
    match values.next() {
        None => Ok(token),
        Some(_) => Err(refused("the header `authorization` is given more than once: send it once")),
    }
}

fn ambiguous() -> Problem {
    let detail = "the request has the cookies of two sessions: delete this site's cookies and sign in again";
    unauthorized(detail, "Bearer")
}

/// It was valid when the request began.
pub(crate) fn gone() -> Problem {
    refused("the key or session ended while the request was on its way: nothing was done")
}

fn refused(detail: &'static str) -> Problem {
    unauthorized(detail, r#"Bearer error="invalid_token""#)
}

/// RFC 6750 §3.
fn unauthorized(detail: &'static str, challenge: &'static str) -> Problem {
    Problem::new(Code::Unauthorized, detail).with_challenge(challenge)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(values: &[&'static str]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer_token(&headers).ok().map(<[u8]>::to_vec)
    }

    #[test]
    fn a_token_comes_in_one_bearer_header() {
        assert_eq!(token(&["Bearer hpk_a"]), Some(b"hpk_a".to_vec()));
        assert_eq!(token(&["bearer  hpk_a "]), Some(b"hpk_a".to_vec()));
        for bad in [&[] as &[_], &["hpk_a"], &["Basic hpk_a"], &["Bearer"], &["Bearer a", "Bearer a"]] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }
}
