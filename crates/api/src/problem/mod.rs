//! Problems: every answer that is an error, as RFC 9457 `application/problem+json`.
//!
//! A handler returns a [`Problem`]; the outermost layer writes it, because only that one knows the request's id. Nothing
//! internal goes into a problem: a caller gets a stable code, a sentence, and what to do.

mod codes;
mod of_payload;
mod of_store;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::limits::FAULTS_MAX;
use http::{HeaderValue, header};
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

pub use codes::Code;
pub(crate) use of_payload::pointed;

/// Seconds after which a caller may try again, where we cannot know better.
const RETRY_AFTER_SECONDS: u32 = 5;

/// One error answer, not yet written.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: Cow<'static, str>,
    errors: Vec<Fault>,
    /// `WWW-Authenticate`, where credentials are missing or refused.
    challenge: Option<&'static str>,
    /// Where it is known better than [`RETRY_AFTER_SECONDS`].
    retry_after_seconds: Option<u32>,
    /// Whether the connection ends with the answer, since the rest of the request may never come.
    ends_connection: bool,
    /// Our own failure behind it: for the operator's log, never for the caller.
    pub(crate) cause: Option<Arc<StoreError>>,
}

/// One fault and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct Fault {
    /// RFC 6901 pointer into the body, or the name of a query parameter or header.
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            challenge: None,
            retry_after_seconds: None,
            ends_connection: false,
            cause: None,
        }
    }

    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no such {what}; check the id and whose key you are using"),
        )
    }

    pub(crate) fn with_errors(mut self, mut errors: Vec<Fault>) -> Self {
        errors.truncate(FAULTS_MAX);
        self.errors = errors;
        self
    }

    /// Faults of a part, told from the whole.
    pub(crate) fn under(mut self, parent: &str) -> Self {
        for fault in &mut self.errors {
            fault.pointer.insert_str(0, parent);
        }
        self
    }

    pub(crate) fn with_challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub(crate) fn sentence(&self) -> &str {
        &self.detail
    }
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }

    /// Lets the connection end with the answer, since the rest of the request may never come.
    pub(crate) fn ending_connection(mut self) -> Self {
        self.ends_connection = true;
        self
    }
    pub(crate) fn ends_connection(&self) -> bool {
        self.ends_connection
    }

    pub(crate) fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    fn caused_by(mut self, cause: StoreError) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The problem as JSON sees it.
    pub(crate) fn view<'a>(&'a self, request_id: &'a str) -> ProblemView<'a> {
        ProblemView {
            kind: format!("/docs/errors/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
        }
    }

    /// The complete answer.
    pub(crate) fn write(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.view(request_id)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code.status();
        let media = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(self.code, Code::StoreUnavailable | Code::TooManyRequests | Code::IdempotencyInProgress) {
            let seconds = self.retry_after_seconds.unwrap_or(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.ends_connection {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Carries the problem to the outermost layer, which writes it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self);
        response
    }
}

/// RFC 9457 problem details.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemView<'a> {
    /// The page that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors/not-found")]
    kind: String,
    title: &'static str,
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: &'a str,
    /// Stable, kebab-case.
    #[schema(example = "not-found")]
    code: &'static str,
    /// As in the header `x-request-id`.
    request_id: &'a str,
    /// Every fault found, at most 100; only where the request itself has faults.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    #[schema(value_type = Vec<Fault>, required = false)]
    errors: &'a [Fault],
}

/// Collects the faults of one request, each with its code, so that all come in one answer.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<(Code, Fault)>,
}

impl Faults {
    pub(crate) fn add(&mut self, code: Code, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.found.len() < FAULTS_MAX {
            self.found.push((code, Fault { pointer: pointer.into(), detail: detail.into() }));
        }
    }

    /// A request with faults of one kind is a problem of that code, one with several is an `invalid-request`.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Some((first, _)) = self.found.first() else { return Ok(()) };
        let alike = self.found.iter().all(|(code, _)| code == first);
        let code = if alike { *first } else { Code::InvalidRequest };
        let errors: Vec<Fault> = self.found.into_iter().map(|(_, fault)| fault).collect();
        Err(Problem::new(code, sentence(&errors)).with_errors(errors))
    }
}

/// The only fault itself, or how many there are.
fn sentence(errors: &[Fault]) -> String {
    match errors {
        // The empty pointer is the whole.
        [only] if only.pointer.is_empty() => format!("the payload {}", only.detail),
        [only] => format!("`{}` {}", only.pointer, only.detail),
        _ => format!(
            "the request has {} faults; `errors` names each: correct them and send it again",
            errors.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_kind_keep_their_code_and_mixed_ones_become_an_invalid_request() {
        let mut faults = Faults::default();
        assert!(Faults::default().finish().is_ok());
        faults.add(Code::InvalidUrl, "/url", "must begin with https://");
        faults.add(Code::InvalidUrl, "/other", "too");
        assert_eq!(faults.finish().unwrap_err().code, Code::InvalidUrl);
        let mut faults = Faults::default();
        faults.add(Code::InvalidUrl, "/url", "must begin with https://");
        faults.add(Code::UnknownField, "/uri", "is not a field of this request");
        let problem = faults.finish().unwrap_err();
        assert_eq!((problem.code, problem.errors.len()), (Code::InvalidRequest, 2));
    }

    #[test]
    fn a_problem_is_written_as_rfc_9457() {
        let problem = Problem::new(Code::StoreUnavailable, "repeat it");
        let json = serde_json::to_string(&problem.view("req_1")).unwrap();
        assert_eq!(
            json,
            r#"{"type":"/docs/errors/store-unavailable","title":"The store cannot be reached","status":503,"detail":"repeat it","code":"store-unavailable","requestId":"req_1"}"#
        );
        assert_eq!(problem.write("req_1").headers()["retry-after"], "5");
    }
}
