//! Who calls, and what the caller may do. Tokens are compared as hashes and never logged.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use domain::api_key::Permission;
use domain::scope::{Owner, Scope};
use http::request::Parts;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Api;
use crate::problem::{Code, Problem};

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) scope: Scope,
    /// `platform`, or kind and id such as `location:ve9EPM428h8vShlRW1KT`.
    pub(crate) owner: String,
    permissions: Vec<Permission>,
    /// Of the token's hash: tells callers apart and tells nothing of the token.
    pub(crate) token_tag: u64,
}

impl Caller {
    fn new(scope: Scope, permissions: Vec<Permission>, token_hash: &[u8; 32]) -> Self {
        let owner = owner_of(&scope)
            .map_or_else(|| "platform".to_owned(), |owner| format!("{}:{}", owner.kind(), owner.id()));
        let tag = token_hash.first_chunk().copied().unwrap_or_default();
        Self { scope, owner, permissions, token_tag: u64::from_be_bytes(tag) }
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// # Errors
    /// `forbidden` for a caller whose world is not everything.
    pub(crate) fn on_the_platform(&self) -> Result<(), Problem> {
        match self.scope {
            Scope::Platform => Ok(()),
            _ => Err(Problem::new(Code::Forbidden, "this is for the platform's own keys: use one of them")),
        }
    }
}

/// Whose world a scope is; `None` for the platform.
pub(crate) fn owner_of(scope: &Scope) -> Option<Owner> {
    match scope {
        Scope::Platform => None,
        Scope::Company(id) => Some(Owner::Company(id.clone())),
        Scope::Location(id) => Some(Owner::Location(id.clone())),
        Scope::App(id) => Some(Owner::App(id.clone())),
    }
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
                permitted(api, &parts.headers, Permission::$permission).map(Self)
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

fn permitted(api: &Api, headers: &HeaderMap, permission: Permission) -> Result<Caller, Problem> {
    let caller = authenticate(api, headers)?;
    if caller.may(permission) {
        return Ok(caller);
    }
    let needed = permission.as_str();
    Err(Problem::new(Code::Forbidden, format!("this needs the permission `{needed}`: use a key that has it")))
}

fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Caller, Problem> {
    let token = bearer_token(headers)?;
    let hash: [u8; 32] = Sha256::digest(token).into();
    if api.platform_key_hash.is_some_and(|known| bool::from(known.ct_eq(&hash))) {
        return Ok(Caller::new(Scope::Platform, Permission::ALL.to_vec(), &hash));
    }
    match api.store.api_key_by_hash(&hash) {
        Some(key) if key.is_valid_at(api.clock.now()) => {
            Ok(Caller::new(key.scope.clone(), key.permissions.clone(), &hash))
        }
        Some(_) => Err(refused("the API key has expired: use a new one")),
        None => Err(refused("the token is not a valid API key: check that it was copied whole")),
    }
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
