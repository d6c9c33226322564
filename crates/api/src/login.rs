//! The page that a login link leads to. Looking at it changes nothing, so that whoever only previews links opens no session;
//! the page posts the code itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::session::Session;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

use crate::Api;
use crate::caller::{Caller, From, SignedIn, by_token};
use crate::cookie::{self, ReachedBy};
use crate::determined::undetermined;
use crate::docs;
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::sessions;

const SCRIPT: &str = "document.forms[0].submit()";
const FORM_BYTES_MAX: usize = 1_024;
const FORM_TIME_MAX: Duration = Duration::from_secs(5);
const CODE_LENGTH_MAX: usize = 128;
/// Where one is after signing in; in a frame, without the console's own.
const HOME: &str = "/";
const HOME_IN_A_FRAME: &str = "/?embed=1";

/// Not part of the API's document: for browsers alone.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new().route("/login", get(ask).post(sign_in))
}

async fn ask(
    State(api): State<Arc<Api>>,
    signed_in: Result<SignedIn, Problem>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let mut params = Params::of(&uri);
    let Some(code) = params.text("code").filter(|code| is_plain(code)) else {
        return refused(&api, &no_code());
    };
    let embed = match params.text("embed").as_deref() {
        Some("1") => "<input type=\"hidden\" name=\"embed\" value=\"1\">",
        _ => "",
    };
    let form = format!(
        "<h1>Sign in</h1><form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"code\" \
         value=\"{code}\">{embed}<button>Sign in</button></form>"
    );
    let current = signed_in.as_ref().ok().and_then(|SignedIn(caller)| caller.session());
    let is_unclear = cookie::session_token(&headers, ReachedBy::of(&api.settings)).is_err();
    let other = match current {
        Some(current) => sessions::of_code(&api, &code).await.is_some_and(|new| new.scope != current.scope),
        None => false,
    };
    // Who follows a stranger's link shall not find himself at work in that stranger's world.
    let content = match current.filter(|_| other) {
        None if is_unclear => {
            format!("<p>Your browser holds two sessions: go on only if you asked for this link.</p>{form}")
        }
        Some(current) => format!(
            "<p>You are signed in to {}. This link signs you in to another place instead: go on only if you asked \
             for it.</p>{form}<p><a href=\"{HOME}\">Stay where you are</a></p>",
            whose(current)
        ),
        None => format!("{form}<script>{SCRIPT}</script>"),
    };
    page(&api, StatusCode::OK, &content)
}

/// So that it can stand in a page as it is.
fn is_plain(code: &str) -> bool {
    (1..=CODE_LENGTH_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn too_slow() -> Problem {
    Problem::new(Code::RequestTimeout, "the form took too long to arrive: open the link again")
        .ending_connection()
}

fn busy() -> Problem {
    Problem::new(
        Code::TooManyRequests,
        "too many people are signing in at this moment: open the link again in some seconds",
    )
    .with_retry_after(FORM_TIME_MAX.as_secs() as u32)
}

fn no_code() -> Problem {
    Problem::new(Code::InvalidRequest, "the link is not complete: copy all of it, or ask for a new one")
}

async fn sign_in(State(api): State<Arc<Api>>, request: Request) -> Response {
    signed_in(&api, request).await.unwrap_or_else(|problem| refused(&api, &problem))
}

async fn signed_in(api: &Api, request: Request) -> Result<Response, Problem> {
    let from = From::of(request.extensions());
    of_this_origin(request.headers())?;
    let before = session_before(api, request.headers(), &from);
    let arriving = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX);
    let _place = api.sign_ins_at_once.try_acquire().map_err(|_| busy())?;
    // Nobody is known yet, and a place is taken: a form is small and comes at once, or not at all.
    let arriving = tokio::time::timeout(FORM_TIME_MAX, arriving);
    let arrived = undetermined(arriving).await.map_err(|_| too_slow())?;
    let body = arrived.map_err(|_| no_code())?;
    let code = field_of(&body, "code").ok_or_else(no_code)?;
    let (session, token) = sessions::open(api, &code, &from).await?;
    if let Some(before) = before {
        end(api, &before).await;
    }
    let seconds = session.expires_at.since(api.clock.now()) / 1_000;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let home = if field_of(&body, "embed").as_deref() == Some("1") { HOME_IN_A_FRAME } else { HOME };
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(home));
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie::set(&token, seconds, ReachedBy::of(&api.settings)));
    Ok(response)
}

/// The session that this browser has had until now.
fn session_before(api: &Api, headers: &HeaderMap, from: &From) -> Option<Caller> {
    let token = cookie::session_token(headers, ReachedBy::of(&api.settings)).ok()??;
    by_token(api, token.as_bytes(), from.clone()).ok()
}

/// Nobody has the token any more whose cookie was replaced; should this fail, the session ends at its time.
async fn end(api: &Api, caller: &Caller) {
    let Some(session) = caller.session() else { return };
    if let Err(fault) = caller.store(api).delete_session(&caller.scope, session.id).await {
        tracing::warn!(%fault, "a session that was replaced could not be revoked");
    }
}

fn field_of(form: &Bytes, name: &str) -> Option<String> {
    let fields =
        form.split(|byte| *byte == b'&').filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
    fields
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
        .filter(|value| is_plain(value))
}

/// Another site must not sign its visitor in to a session of its own choice. Browsers say where a form comes from.
fn of_this_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    };
    match is_own {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::Forbidden, "the sign-in was sent by another site: open the link itself"))
        }
    }
}

/// For people, who would not read a problem's JSON.
fn refused(api: &Api, problem: &Problem) -> Response {
    let content = format!("<h1>You are not signed in</h1><p>It failed: {}.</p>", problem.sentence());
    let mut response = page(api, problem.code.status(), &content);
    if let Some(seconds) = problem.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.ends_connection() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn whose(session: &Session) -> String {
    session.scope.owner().map_or_else(
        || "the whole platform".to_owned(),
        |owner| format!("{} <code>{}</code>", owner.kind(), owner.id()),
    )
}

fn page(api: &Api, status: StatusCode, content: &str) -> Response {
    let policy = content_policy(api.settings.frame_ancestors.as_deref().unwrap_or("'none'"));
    docs::html(status, "Sign in", &format!("<main class=\"alone\">{content}</main>"), &policy)
}

/// The one style sheet and the one line of script in the page itself, and a form to this server.
fn content_policy(frame_ancestors: &str) -> String {
    let [style, script] = [docs::STYLE, SCRIPT].map(|text| STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; form-action 'self'; \
         base-uri 'none'; frame-ancestors {frame_ancestors}"
    )
}
