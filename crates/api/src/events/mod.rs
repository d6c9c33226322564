//! Events: publishing one or many, and what became of them.

mod arrivals;
mod batch;
mod list;
mod publish;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use catalogue::Validate;
use domain::location::AppId;
use http::{StatusCode, Uri};

pub(crate) use arrivals::Arrivals;
pub(crate) use batch::__path_publish_batch;
pub(crate) use batch::publish_batch;
pub(crate) use list::{__path_get_event, __path_list_events, get_event, list_events};
pub(crate) use publish::{Published, fan_out, publication};

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Publisher;
use crate::once::once;
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::views::EventAccepted;

/// Where events are published, one by one.
pub(crate) const PUBLISH_PATH: &str = "/v1/events";

/// What a request says about its events beside the payload.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) validate: Validate,
    /// The app that caused the events.
    pub(crate) origin_app_id: Option<AppId>,
}

/// Publish an event.
///
/// The body is the payload itself: a flat JSON object with `type` and the id that the type's scope asks for. It is stored and
/// sent byte for byte. The answer comes once event and deliveries are durably stored.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "publishEvent", tag = "Events",
    params(
        ("validate" = Option<String>, Query, description = "`reject`, `warn` or `off`: overrides the server's default for the schema part alone"),
        ("x-origin-app" = Option<String>, Header, description = "The app that caused the event: its endpoints with `skipOwnEvents` are left out"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; the same key and body within 24 hours have one effect"),
    ),
    request_body(content = Object, content_type = "application/json", description = "The payload, at most 256 KiB"),
    responses((status = 202, description = "Stored", body = EventAccepted)),
)]
pub(crate) async fn publish_event(
    State(api): State<Arc<Api>>,
    caller: Publisher,
    uri: Uri,
    command: Command,
) -> Result<Response, Problem> {
    caller.must_still_be_valid(&api)?;
    let wishes = wishes(&api, &uri, &command)?;
    once(&api, &caller, &command, async |keep| {
        let draft = publish::draft(&api, &caller, command.body.clone(), &wishes);
        let draft = draft.inspect_err(|problem| api.counters.refused(problem.code))?;
        let view = EventAccepted::of(&draft.publication.event, draft.warnings);
        let body = answer::bytes(&view);
        let kept = body.clone();
        let keep = keep.answer(move |()| (StatusCode::ACCEPTED, kept));
        let claim = api.store.publish(vec![draft.publication], keep).await?;
        draft.published.hand_over(claim);
        api.counters.accepted(1);
        Ok(answer::json_bytes(StatusCode::ACCEPTED, body))
    })
    .await
}

fn wishes(api: &Api, uri: &Uri, command: &Command) -> Result<Wishes, Problem> {
    let mut params = Params::of(uri);
    let validate = params.parsed("validate", "must be `off`, `warn` or `reject`", validate_of);
    let origin_app_id = match command.headers.get("x-origin-app").map(|value| value.to_str()) {
        None => None,
        Some(text) => {
            let id = text.ok().and_then(|text| text.parse().ok());
            if id.is_none() {
                let expected = "must be an app's id: 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`";
                params.faults.add(Code::InvalidRequest, "x-origin-app", expected);
            }
            id
        }
    };
    params.finish()?;
    Ok(Wishes { validate: validate.unwrap_or(api.settings.validate), origin_app_id })
}

fn validate_of(text: &str) -> Option<Validate> {
    match text {
        "off" => Some(Validate::Off),
        "warn" => Some(Validate::Warn),
        "reject" => Some(Validate::Reject),
        _ => None,
    }
}
