//! Sessions: a link signs a person in once, and from then on a cookie says who it is.
//!
//! The platform's backend makes a link for the person that it shows its settings page to; the operator's own link comes
//! from the server's start or from `hoopoe login-link`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::api_key::Permission;
use domain::audit::Actor;
use domain::id::SessionId;
use domain::limits::{
    LOGIN_CODE_SECONDS, SESSION_SECONDS_DEFAULT, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN,
    SESSIONS_PER_OWNER_MAX,
};
use domain::scope::Scope;
use domain::session::Session;
use domain::time::Timestamp;
use http::{HeaderMap, StatusCode, Uri, header};
use sha2::{Digest, Sha256};
use store::StoreError;
use store::sessions::LoginCode;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::api_keys::{generated, no_more_than_own, no_owner, permissions};
use crate::body::Command;
use crate::caller::{Caller, From, Manager, SignedIn, Viewer, audited};
use crate::cookie::{self, ReachedBy};
use crate::fields::Fields;
use crate::host;
use crate::once::once;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::views::{CurrentSession, PortalLink, SessionView, text, time};

/// What every login code begins with.
const CODE_PREFIX: &str = "hpc_";
/// What a session may be: it publishes nothing.
const PERMISSIONS: [Permission; 2] = [Permission::Manage, Permission::View];
const OPERATORS_SECONDS: i64 = 12 * 3_600;

/// No link could be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A session to make.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct PortalSessionBody {
    /// Whose world it sees: one of the three, or none for the operator's own.
    location_id: Option<String>,
    company_id: Option<String>,
    app_id: Option<String>,
    /// Of `manage` and `view`; no more than the caller's own. `["view"]` by default.
    #[schema(min_items = 1)]
    permissions: Option<Vec<String>>,
    /// How long the session lasts; it ends with the key that makes it at the latest.
    #[schema(minimum = 60, maximum = 604_800, default = 3_600)]
    ttl_seconds: Option<u32>,
}

/// Make a session and the link that opens it.
///
/// Send the person's browser to `url`: it is good for one use within 60 seconds, and what it leads to is signed in by an
/// HttpOnly cookie. Needs an API key with the permission `manage`; a session cannot make another.
#[utoipa::path(
    post, path = "/v1/portal-sessions", operation_id = "createPortalSession", tag = "Sessions",
    params(("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    request_body(content = Option<PortalSessionBody>, description = "Optional"),
    responses((status = 201, description = "The link", body = PortalLink)),
)]
pub(crate) async fn create_portal_session(
    State(api): State<Arc<Api>>,
    caller: Manager,
    command: Command,
) -> Result<Response, Problem> {
    once(&api, &caller, &command, async |keep| {
        if caller.session().is_some() {
            return Err(Problem::new(Code::Forbidden, "a session cannot make another: use an API key"));
        }
        let now = api.clock.now();
        let wish = Wish::read(&command.body)?;
        let base = base_url(&api, &command.headers)?;
        no_more_than_own(&caller, &wish.permissions)?;
        let (code, login_code) = login_code(now)?;
        let granted_by = caller.grants(&wish.scope);
        let mut session = wish.session(api.ids.session(now), granted_by, now);
        let ends_at = caller.key_ends_at().unwrap_or(session.expires_at);
        session.expires_at = session.expires_at.min(ends_at);
        let keep = keep.answer(move |session: &Session| {
            (StatusCode::CREATED, answer::bytes(&link(session, login_code, None)))
        });
        let store = caller.store(&api);
        let made = store
            .create_session(&caller.scope, session, login_code, SESSIONS_PER_OWNER_MAX, keep)
            .await
            .map_err(no_owner)?;
        let url = format!("{base}/login?code={code}");
        Ok(answer::json(StatusCode::CREATED, &link(&made, login_code, Some(url))))
    })
    .await
}

fn link(session: &Session, code: LoginCode, url: Option<String>) -> PortalLink {
    PortalLink {
        session_id: text(session.id),
        url,
        url_expires_at: time(code.expires_at),
        expires_at: time(session.expires_at),
    }
}

#[derive(Debug)]
struct Wish {
    scope: Scope,
    permissions: Vec<Permission>,
    seconds: i64,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::of_optional(body)?;
        let scope = Scope::of(fields.owner(None));
        let given = fields.has("permissions");
        let named = permissions(&mut fields, &PERMISSIONS);
        let seconds = fields.number("ttlSeconds", SESSION_SECONDS_MIN..=SESSION_SECONDS_MAX);
        let seconds = fields.or_default("ttlSeconds", seconds, SESSION_SECONDS_DEFAULT);
        fields.finish()?;
        let permissions = if given { named } else { vec![Permission::View] };
        Ok(Self { scope, permissions, seconds: i64::from(seconds) })
    }

    fn session(self, id: SessionId, granted_by: Scope, now: Timestamp) -> Session {
        Session {
            id,
            scope: self.scope,
            granted_by,
            permissions: self.permissions,
            expires_at: now.plus_seconds(self.seconds),
            opened_at: None,
            last_used_at: None,
        }
    }
}

fn login_code(now: Timestamp) -> Result<(String, LoginCode), Problem> {
    let code = generated(CODE_PREFIX)?;
    let hash = Sha256::digest(&code).into();
    Ok((code, LoginCode { hash, expires_at: now.plus_seconds(LOGIN_CODE_SECONDS) }))
}

/// Where people reach this server: as the operator said, else as the request did.
fn base_url(api: &Api, headers: &HeaderMap) -> Result<String, Problem> {
    match &api.settings.public_url {
        Some(url) => Ok(url.clone()),
        None => host::plain(headers).map(|host| format!("http://{host}")),
    }
}

/// See [`Api::login_link`].
pub(crate) async fn operators_link(api: &Api, base: &str) -> Result<String, LinkFault> {
    let now = api.clock.now();
    let (code, login_code) = login_code(now).map_err(|_| LinkFault::NoRandomness)?;
    let wish = Wish { scope: Scope::Platform, permissions: PERMISSIONS.to_vec(), seconds: OPERATORS_SECONDS };
    let session = wish.session(api.ids.session(now), Scope::Platform, now);
    let store = audited(api, Actor::System, &From::default());
    // The operator's links are not bounded: one is made at every start.
    store.create_session(&Scope::Platform, session, login_code, usize::MAX, None).await?;
    let base = api.settings.public_url.as_deref().unwrap_or(base);
    Ok(format!("{base}/login?code={code}"))
}

/// The session that a code would open, if it would.
pub(crate) async fn of_code(api: &Api, code: &str) -> Option<Session> {
    api.store.session_of_code(Sha256::digest(code).into(), api.clock.now()).await.ok()
}

/// Redeems a code: the session, and its token.
pub(crate) async fn open(api: &Api, code: &str, from: &From) -> Result<(Session, String), Problem> {
    let now = api.clock.now();
    let hash: [u8; 32] = Sha256::digest(code).into();
    let token = generated(cookie::SESSION_PREFIX)?;
    let store = audited(api, Actor::System, from);
    match store.open_session(hash, Sha256::digest(&token).into(), now).await {
        Ok(session) => Ok((session, token)),
        Err(StoreError::NotFound) => {
            api.sign_ins.failed(from.address, None, now)?;
            Err(Problem::new(
                Code::Unauthorized,
                "this link was used already or is older than a minute: ask for a new one",
            ))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// List the sessions.
///
/// Those that have not ended, newest first.
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "listSessions", tag = "Sessions",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<SessionView>)),
)]
pub(crate) async fn list_sessions(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/sessions", &caller.owner());
    let page = api.store.list_sessions(&caller.scope, api.clock.now(), list.request(&wish)?).await?;
    Ok(answer::ok(&list.listing(page, |session| SessionView::of(&session))))
}

/// The caller's own session.
///
/// With the token that its changes must carry as `x-csrf-token`. 404 for an API key, which is no session.
#[utoipa::path(
    get, path = "/v1/sessions/current", operation_id = "getCurrentSession", tag = "Sessions",
    responses((status = 200, description = "The session", body = CurrentSession)),
)]
pub(crate) async fn current_session(
    State(api): State<Arc<Api>>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = caller.session().ok_or_else(|| Problem::not_found("session"))?;
    let by_cookie = !headers.contains_key(header::AUTHORIZATION);
    let token = cookie::session_token(&headers, ReachedBy::of(&api.settings)).ok().flatten();
    let csrf_token = token.filter(|_| by_cookie).map(cookie::csrf_token);
    Ok(answer::ok(&CurrentSession { session: SessionView::of(session), csrf_token }))
}

/// Revoke a session.
///
/// It ceases to be valid at once. Needs the permission `manage`, but for the caller's own session, which this signs out.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", operation_id = "deleteSession", tag = "Sessions",
    params(("id" = String, Path, description = "`ses_…`")),
    responses((status = 204, description = "Revoked")),
)]
pub(crate) async fn delete_session(
    State(api): State<Arc<Api>>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SessionId>,
) -> Result<Response, Problem> {
    may_revoke(&caller, id)?;
    caller.store(&api).delete_session(&caller.scope, id).await.map_err(no_session)?;
    Ok(answer::no_content())
}

fn may_revoke(caller: &Caller, id: SessionId) -> Result<(), Problem> {
    let is_own = caller.session().is_some_and(|session| session.id == id);
    match is_own || caller.may(Permission::Manage) {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::Forbidden, "this needs the permission `manage`: use a key that has it"))
        }
    }
}

fn no_session(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("session"),
        other => other.into(),
    }
}
