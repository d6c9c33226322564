//! API keys. A key is shown once, in the answer that creates it, and stored as a hash.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::api_key::{ApiKey, Permission};
use domain::id::ApiKeyId;
use domain::limits::{API_KEYS_PER_OWNER_MAX, NAME_LENGTH_MAX};
use domain::scope::Scope;
use domain::time::Timestamp;
use http::{StatusCode, Uri};
use sha2::{Digest, Sha256};
use store::StoreError;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::{Caller, Manager, Viewer};
use crate::fields::{Fields, Given};
use crate::once::once;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::views::{ApiKeyCreated, ApiKeyView};

/// Random bytes of a key.
const KEY_BYTES: usize = 32;
const KEY_PREFIX: &str = "hpk_";

/// A key to make.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct ApiKeyBody {
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// Whose key it is: one of the three, or none for the platform's own.
    location_id: Option<String>,
    company_id: Option<String>,
    app_id: Option<String>,
    /// Of `publish`, `manage` and `view`; no more than the caller's own.
    #[schema(min_items = 1)]
    permissions: Vec<String>,
    /// When it ceases to be valid; null is never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// List the API keys.
///
/// Newest first, without the keys themselves.
#[utoipa::path(
    get, path = "/v1/api-keys", operation_id = "listApiKeys", tag = "API keys",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<ApiKeyView>)),
)]
pub(crate) async fn list_api_keys(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/api-keys", &caller.owner());
    let page = api.store.list_api_keys(&caller.scope, list.request(&wish)?).await?;
    Ok(answer::ok(&list.listing(page, |key| ApiKeyView::of(&key))))
}

/// Make an API key.
///
/// The key is in this answer only. It sees its owner's world and nothing else. It ends with the key that makes it at the
/// latest, which is also when it ends if `expiresAt` is left out. A session cannot make keys, since they would outlive it; the
/// operator's own can. What a company's key makes for a location ends when the location leaves the company.
#[utoipa::path(
    post, path = "/v1/api-keys", operation_id = "createApiKey", tag = "API keys",
    params(("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    request_body = ApiKeyBody,
    responses((status = 201, description = "The new key", body = ApiKeyCreated)),
)]
pub(crate) async fn create_api_key(
    State(api): State<Arc<Api>>,
    caller: Manager,
    command: Command,
) -> Result<Response, Problem> {
    once(&api, &caller, &command, async |keep| {
        let now = api.clock.now();
        let NewKey { name, scope, permissions, expires_at } =
            new_key(&command.body, caller.key_ends_at(), now)?;
        no_more_than_own(&caller, &permissions)?;
        nothing_that_outlives(&caller)?;
        let key = generated(KEY_PREFIX)?;
        let hash = Sha256::digest(&key).into();
        let id = api.ids.api_key(now);
        let granted_by = caller.grants(&scope);
        let new = ApiKey { id, name, scope, granted_by, permissions, hash, expires_at, last_used_at: None };
        let keep =
            keep.answer(|stored: &ApiKey| (StatusCode::CREATED, answer::bytes(&created(stored, None))));
        let store = caller.store(&api);
        let stored =
            store.create_api_key(&caller.scope, new, API_KEYS_PER_OWNER_MAX, keep).await.map_err(no_owner)?;
        Ok(answer::json(StatusCode::CREATED, &created(&stored, Some(key))))
    })
    .await
}

fn created(stored: &ApiKey, key: Option<String>) -> ApiKeyCreated {
    ApiKeyCreated { view: ApiKeyView::of(stored), key }
}

/// The owner is of another world.
pub(crate) fn no_owner(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("owner"),
        other => other.into(),
    }
}

fn nothing_that_outlives(caller: &Caller) -> Result<(), Problem> {
    match caller.session() {
        Some(_) if caller.scope != Scope::Platform => Err(Problem::new(
            Code::Forbidden,
            "a session cannot make keys, since they would outlive it: make them with an API key",
        )),
        _ => Ok(()),
    }
}

/// `hpk_`, or what else it shall begin with, and 64 hex characters from the operating system's random source.
pub(crate) fn generated(prefix: &str) -> Result<String, Problem> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| {
        tracing::error!("the operating system gives no random bytes");
        Problem::new(
            Code::InternalError,
            "the server failed; nothing was changed: tell the operator the requestId",
        )
    })?;
    Ok(bytes.iter().fold(prefix.to_owned(), |mut key, byte| {
        let _ = write!(key, "{byte:02x}"); // writing to a String cannot fail
        key
    }))
}

/// Nobody makes himself more than he is.
pub(crate) fn no_more_than_own(caller: &Caller, wanted: &[Permission]) -> Result<(), Problem> {
    match wanted.iter().find(|permission| !caller.may(**permission)) {
        None => Ok(()),
        Some(missing) => Err(Problem::new(
            Code::Forbidden,
            format!(
                "only permissions that one has can be given, and this caller lacks `{}`",
                missing.as_str()
            ),
        )),
    }
}

#[derive(Debug)]
struct NewKey {
    name: String,
    scope: Scope,
    permissions: Vec<Permission>,
    expires_at: Option<Timestamp>,
}

/// `ends_at`: when the key that makes it ends.
fn new_key(body: &[u8], ends_at: Option<Timestamp>, now: Timestamp) -> Result<NewKey, Problem> {
    let mut fields = Fields::of(body)?;
    let scope = Scope::of(fields.owner(None));
    fields.require("name");
    let given = fields.text("name", NAME_LENGTH_MAX);
    if matches!(&given, Given::Value(name) if name.trim().is_empty()) {
        fields.fault("name", "must not be empty");
    }
    let name = given.value().unwrap_or_default();
    fields.require("permissions");
    let permissions = permissions(&mut fields, &Permission::ALL);
    let given = fields.parsed("expiresAt", |text| time_until(text, now, ends_at)).value();
    fields.finish()?;
    let expires_at = given.or(ends_at);
    Ok(NewKey { name, scope, permissions, expires_at })
}

/// In the future, and not after `end`.
fn time_until(text: &str, now: Timestamp, end: Option<Timestamp>) -> Result<Timestamp, String> {
    let at: Timestamp = text.parse().map_err(|fault: domain::time::TimestampFault| format!("is {fault}"))?;
    match end {
        _ if at <= now => Err("must be in the future".to_owned()),
        Some(end) if at > end => Err(format!("must not be after {end}, when the key that makes it ends")),
        _ => Ok(at),
    }
}

/// Those of `known` that are named, each once.
pub(crate) fn permissions(fields: &mut Fields<'_>, known: &[Permission]) -> Vec<Permission> {
    let Given::Value(items) = fields.list("permissions") else { return Vec::new() };
    let names: Vec<_> = known.iter().map(|permission| format!("`{}`", permission.as_str())).collect();
    if items.is_empty() {
        fields.fault("permissions", format!("must name at least one of {}", names.join(", ")));
    }
    let mut permissions = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match item.as_str().and_then(Permission::parse).filter(|permission| known.contains(permission)) {
            Some(permission) if permissions.contains(&permission) => {}
            Some(permission) => permissions.push(permission),
            None => fields.fault(&format!("permissions/{n}"), format!("must be one of {}", names.join(", "))),
        }
    }
    permissions
}

/// Delete an API key.
///
/// It ceases to be valid at once.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", operation_id = "deleteApiKey", tag = "API keys",
    params(("id" = String, Path, description = "`key_…`")),
    responses((status = 204, description = "Deleted")),
)]
pub(crate) async fn delete_api_key(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, Problem> {
    caller.store(&api).delete_api_key(&caller.scope, id, api.clock.now()).await.map_err(no_key)?;
    Ok(answer::no_content())
}

fn no_key(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("API key"),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_key_needs_a_name_and_permissions_and_may_expire_later() {
        let key = new_key(
            br#"{"name":"ci","permissions":["view","publish","view"],"expiresAt":"2030-01-01T00:00:00Z"}"#,
            None,
            NOW,
        );
        assert_eq!(key.unwrap().permissions, [Permission::View, Permission::Publish]);
        for (body, code) in [
            (r#"{"name":"","permissions":["view"]}"#, Code::InvalidRequest),
            (r#"{"permissions":["view"]}"#, Code::InvalidRequest),
            (r#"{"name":"x"}"#, Code::InvalidRequest),
            (r#"{"name":"x","permissions":[]}"#, Code::InvalidRequest),
            (r#"{"name":"x","permissions":["admin"]}"#, Code::InvalidRequest),
            (
                r#"{"name":"x","permissions":["view"],"expiresAt":"2001-01-01T00:00:00Z"}"#,
                Code::InvalidRequest,
            ),
            (r#"{"name":"x","permissions":["view"],"locationId":"a b"}"#, Code::InvalidRequest),
            (r#"{"name":"x","permissions":["view"],"locationId":"a","appId":"b"}"#, Code::InvalidRequest),
            (r#"{"name":"x","permissions":["view"],"key":"hpk_a"}"#, Code::UnknownField),
        ] {
            assert_eq!(new_key(body.as_bytes(), None, NOW).unwrap_err().code, code, "{body}");
        }
    }

    #[test]
    fn a_key_ends_no_later_than_the_one_that_makes_it() {
        let end: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let of = |field: &str| {
            new_key(format!(r#"{{"name":"x","permissions":["view"]{field}}}"#).as_bytes(), Some(end), NOW)
        };
        assert_eq!(of("").unwrap().expires_at, Some(end));
        assert_eq!(of(r#","expiresAt":null"#).unwrap().expires_at, Some(end));
        assert_eq!(of(r#","expiresAt":"2030-01-01T00:00:00Z""#).unwrap().expires_at, Some(end));
        assert_eq!(
            of(r#","expiresAt":"2029-01-01T00:00:00Z""#).unwrap().expires_at,
            Some(end.plus_seconds(-365 * 86_400))
        );
        let late = of(r#","expiresAt":"2030-01-01T00:00:00.001Z""#).unwrap_err();
        assert_eq!(late.code, Code::InvalidRequest);
    }

    #[test]
    fn a_generated_key_is_hpk_and_64_hex_characters() {
        let (a, b) = (generated(KEY_PREFIX).unwrap(), generated(KEY_PREFIX).unwrap());
        assert!(a.starts_with("hpk_") && a.len() == 68 && a != b);
    }
}
