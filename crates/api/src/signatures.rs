//! Why a signature does not match: the search that `hoopoe verify` does, for whoever has no terminal. It shows no secret and
//! changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::api_key::Permission;
use domain::id::EndpointId;
use domain::limits::SIGNATURE_SECRET_LENGTH_MAX;
use domain::secret::SecretText;
use hoopoe_webhooks::{Explanation, Headers, WEBHOOK_SIGNATURE, X_WL_SIGNATURE, explain};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::{Caller, SignedIn};
use crate::determined::undetermined;
use crate::endpoints::no_endpoint;
use crate::fields::{Fields, Given, kind};
use crate::problem::{Code, Problem};
use crate::views::{SignatureReport, SignatureView};

/// For a turn.
const EXPLANATION_WAIT: Duration = Duration::from_secs(5);
/// Of a header's name that is faulty so much is told.
const FAULTY_NAME_CHARACTERS: usize = 100;

/// What was received, and the secret to check it with.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct SignatureCheck {
    /// The raw body as it was received, byte for byte.
    body: String,
    /// The request's headers, in any case; those that have nothing to do with signatures are passed over.
    headers: BTreeMap<String, String>,
    /// The secret as it was copied, slips included. Give this or `endpointId`.
    secret: Option<String>,
    /// Checks with this endpoint's secret, and during a rotation's grace with the previous one too. Needs the permission
    /// `manage`.
    endpoint_id: Option<String>,
}

/// What was asked, read.
struct Question {
    body: String,
    headers: BTreeMap<String, String>,
    key: Key,
}

enum Key {
    Secret(SecretText),
    Of(EndpointId),
}

/// Explain a signature.
///
/// Says for each signature header of a request whether it is right, and if not, what was probably done wrong. Nothing is stored,
/// and no secret is shown.
#[utoipa::path(
    post, path = "/v1/signatures/explain", operation_id = "explainSignatures", tag = "Secrets",
    request_body = SignatureCheck,
    responses((status = 200, description = "What is right and what is not", body = SignatureReport)),
)]
pub(crate) async fn explain_signatures(
    State(api): State<Arc<Api>>,
    SignedIn(caller): SignedIn,
    command: Command,
) -> Result<Response, Problem> {
    let Question { body, headers, key } = read(&command.body)?;
    let secrets = secrets(&api, &caller, key).await?;
    let now_seconds = api.clock.now().as_seconds();
    // The search hashes for up to a second, so that one of an owner's runs at a time, few in all, and none on a thread that
    // answers others. Who leaves gives up his turn.
    let _place = api.explaining.enter(&api.accountable(&caller.scope)).ok_or_else(busy)?;
    let turn = undetermined(tokio::time::timeout(EXPLANATION_WAIT, api.explanations.acquire()));
    let _turn = turn.await.map_err(|_| busy())?.expect("the semaphore is never closed");
    let searching = tokio::task::spawn_blocking(move || {
        let secrets: Vec<&str> = secrets.iter().map(SecretText::expose).collect();
        let headers = Headers::from_lookup(|name| headers.get(name).map(String::as_str));
        explain(&secrets, &headers, body.as_bytes(), now_seconds)
    });
    let explanation = searching.await.map_err(|_| failed())?;
    Ok(answer::ok(&report(&explanation)))
}

fn busy() -> Problem {
    Problem::new(
        Code::TooManyRequests,
        "signatures are being explained already, of one owner one at a time: repeat it",
    )
    .with_retry_after(EXPLANATION_WAIT.as_secs() as u32)
}

fn failed() -> Problem {
    Problem::new(
        Code::InternalError,
        "the signature could not be explained, a fault of the server: tell the operator the requestId",
    )
}

fn read(body: &[u8]) -> Result<Question, Problem> {
    let mut fields = Fields::of(body)?;
    fields.require("body");
    fields.require("headers");
    let body = fields.text("body", usize::MAX - 1).value();
    let headers = fields.object("headers").value().map(|members| header_values(&mut fields, members));
    let key = key(&mut fields);
    fields.finish()?;
    let (Some(body), Some(headers), Some(key)) = (body, headers, key) else {
        return Err(Problem::new(
            Code::InvalidRequest,
            "`body`, `headers` and one secret are needed: give all three",
        ));
    };
    Ok(Question { body, headers, key })
}

fn key(fields: &mut Fields<'_>) -> Option<Key> {
    let is_named = fields.has("secret") || fields.has("endpointId");
    let secret = fields.text("secret", SIGNATURE_SECRET_LENGTH_MAX);
    let endpoint_id = fields
        .parsed("endpointId", |text| text.parse().map_err(|_| "must be an endpoint's id: `ep_…`".to_owned()));
    let is_null = matches!(secret, Given::Null) || matches!(endpoint_id, Given::Null);
    match (secret.value(), endpoint_id.value()) {
        (Some(_), Some(_)) => {
            fields.fault("endpointId", "is one too many: give either `secret` or `endpointId`")
        }
        (Some(secret), None) => return Some(Key::Secret(SecretText::new(secret))),
        (None, Some(id)) => return Some(Key::Of(id)),
        (None, None) if is_null || !is_named => {
            fields.fault(
                "secret",
                "is required: give it, or `endpointId` to check with that endpoint's own secret",
            );
        }
        // It is named and has a fault of its own.
        (None, None) => {}
    }
    None
}

/// By name in lower case.
fn header_values(fields: &mut Fields<'_>, members: Map<String, Value>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in members {
        match value {
            Value::String(text) => {
                headers.insert(name.to_ascii_lowercase(), text);
            }
            other => {
                let name: String = name.chars().take(FAULTY_NAME_CHARACTERS).collect();
                fields.fault(&format!("headers/{name}"), format!("must be a string, not {}", kind(&other)));
            }
        }
    }
    headers
}

/// Those that the request may have been signed with.
async fn secrets(api: &Api, caller: &Caller, key: Key) -> Result<Vec<SecretText>, Problem> {
    let id = match key {
        Key::Secret(secret) => return Ok(vec![secret]),
        Key::Of(id) => id,
    };
    if !caller.may(Permission::Manage) {
        return Err(Problem::new(
            Code::Forbidden,
            "to check with an endpoint's own secret needs the permission `manage`: use a key that has it, or give `secret`",
        ));
    }
    let endpoint = api.store.endpoint(&caller.scope, id).await.map_err(no_endpoint)?;
    let previous = endpoint.secrets.previous_at(api.clock.now()).map(|previous| previous.secret.clone());
    Ok(std::iter::once(endpoint.secrets.current.clone()).chain(previous).collect())
}

/// One entry per signature header that is there; where there is none, both say so.
fn report(explanation: &Explanation) -> SignatureReport {
    let judged = match &explanation.headers[..] {
        [] => vec![(X_WL_SIGNATURE, false), (WEBHOOK_SIGNATURE, false)],
        judged => judged.to_vec(),
    };
    let signatures = judged.into_iter().map(|(header, valid)| {
        // What is wrong with the secret or the body is no fault of a header that is right.
        let concerns = |of: Option<&str>| of.map_or(!valid, |of| of == header);
        let said = explanation.findings.iter().filter(|finding| concerns(finding.header));
        let said: Vec<&str> = said.map(|finding| finding.sentence.as_str()).collect();
        SignatureView { header, valid, explanation: said.join(" ") }
    });
    SignatureReport { valid: explanation.valid, signatures: signatures.collect() }
}
