//! Many events in one request: a JSON array or lines of NDJSON. One bad item spoils no other; what is stored of each is its
//! own bytes.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use domain::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX};
use http::{StatusCode, Uri};
use serde_json::value::{RawValue, to_raw_value};

use super::{Published, Wishes, publish, wishes};
use crate::Api;
use crate::answer;
use crate::body::{Command, Media};
use crate::caller::{Caller, Publisher};
use crate::determined::undetermined;
use crate::fields::Fields;
use crate::layers::RequestId;
use crate::once::once;
use crate::problem::{Code, Problem};
use crate::views::{BatchAnswer, BatchItem, text};

/// Items that are checked before other requests get their turn on this thread.
const ITEMS_PER_TURN: usize = 32;

/// Publish up to 1,000 events.
///
/// `{"events": […]}`, or one payload a line as `application/x-ndjson`. Every event is judged by itself; the good ones are stored
/// together. Where the server limits how fast a key or a location may publish, each event counts by itself, and what is too
/// much is refused with `too-many-requests` in its own result.
#[utoipa::path(
    post, path = "/v1/events/batch", operation_id = "publishEvents", tag = "Events",
    params(
        ("validate" = Option<String>, Query, description = "`reject`, `warn` or `off`: overrides the server's default for the schema part alone"),
        ("x-origin-app" = Option<String>, Header, description = "The app that caused the events: its endpoints with `skipOwnEvents` are left out"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; the same key and body within 24 hours have one effect"),
    ),
    request_body(
        description = "1 to 1,000 payloads of at most 256 KiB each, at most 16 MiB in all",
        content((BatchRequest = "application/json"), (String = "application/x-ndjson")),
    ),
    responses((status = 200, description = "What became of each event, in order", body = BatchAnswer)),
)]
pub(crate) async fn publish_batch(
    State(api): State<Arc<Api>>,
    caller: Publisher,
    uri: Uri,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let accountable = api.accountable(&caller.scope);
    let mut arrival = api.arrivals.begin(&accountable);
    let command = Command::of_batch(request, |bytes| arrival.take(bytes)).await?;
    // Not before the body is here: a slow client would keep the turn from everybody else.
    let _turn = undetermined(api.batches.acquire()).await.map_err(|_| busy())?;
    caller.must_still_be_valid(&api)?;
    let wishes = wishes(&api, &uri, &command)?;
    once(&api, &caller, &command, async |keep| {
        let items = items(&command)?;
        let Checked { results, publications, published } =
            check(&api, &caller, &items, &wishes, &request_id.0).await;
        let accepted = publications.len();
        let body = answer::bytes(&BatchAnswer { results });
        let kept = body.clone();
        let keep = keep.answer(move |()| (StatusCode::OK, kept));
        if accepted > 0 || keep.is_some() {
            let claim = api.store.publish(publications, keep).await?;
            published.into_iter().for_each(|published| published.hand_over(claim));
        }
        api.counters.accepted(accepted);
        Ok(answer::json_bytes(StatusCode::OK, body))
    })
    .await
}

/// A batch as JSON.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code, reason = "it only describes the body, which is read item by item")]
pub(crate) struct BatchRequest {
    /// Payloads. Each is judged by itself: one that is none spoils no other.
    #[schema(min_items = 1, max_items = 1000, value_type = Vec<Value>)]
    events: Vec<()>,
}

fn busy() -> Problem {
    Problem::new(
        Code::StoreUnavailable,
        "the server is stopping: repeat the request with the same Idempotency-Key",
    )
}

struct Checked {
    results: Vec<BatchItem>,
    publications: Vec<store::events::Publication>,
    published: Vec<Published>,
}

async fn check(api: &Api, caller: &Caller, items: &[Bytes], wishes: &Wishes, request_id: &str) -> Checked {
    let mut checked = Checked { results: Vec::new(), publications: Vec::new(), published: Vec::new() };
    for (n, item) in items.iter().enumerate() {
        if n % ITEMS_PER_TURN == ITEMS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        match draft(api, caller, item.clone(), wishes) {
            Ok(draft) => {
                let id = Some(text(draft.publication.event.id));
                checked.results.push(BatchItem { status: 202, id, problem: None, warnings: draft.warnings });
                checked.publications.push(draft.publication);
                checked.published.push(draft.published);
            }
            Err(problem) => {
                api.counters.refused(problem.code);
                checked.results.push(refused(&problem, request_id));
            }
        }
    }
    checked
}

fn draft(api: &Api, caller: &Caller, item: Bytes, wishes: &Wishes) -> Result<publish::Draft, Problem> {
    if item.len() > EVENT_BYTES_MAX {
        let detail = format!("an event may have at most {EVENT_BYTES_MAX} bytes: send less");
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    publish::draft(api, caller, item, wishes)
}

fn refused(problem: &Problem, request_id: &str) -> BatchItem {
    BatchItem {
        status: problem.code.status().as_u16(),
        id: None,
        problem: to_raw_value(&problem.view(request_id)).ok(),
        warnings: Vec::new(),
    }
}

/// The items' own bytes, slices of the body.
fn items(command: &Command) -> Result<Vec<Bytes>, Problem> {
    let body = &command.body;
    let items: Vec<Bytes> = match command.media {
        Media::NdJson => lines(body).map(|line| body.slice_ref(line)).collect(),
        Media::Json => {
            let mut fields = Fields::of(body)?;
            fields.require("events");
            let events = fields.raw("events");
            fields.finish()?;
            let items = events.map_or(Ok(Vec::new()), array)?;
            items.into_iter().map(|item| body.slice_ref(item.get().as_bytes())).collect()
        }
    };
    match items.len() {
        1..=BATCH_EVENTS_MAX => Ok(items),
        n => Err(Problem::new(
            Code::BatchTooLarge,
            format!("the batch has {n} events; it may have 1 to {BATCH_EVENTS_MAX}: split it"),
        )),
    }
}

fn array(events: &RawValue) -> Result<Vec<&RawValue>, Problem> {
    serde_json::from_str(events.get()).map_err(|_| {
        let mut faults = crate::problem::Faults::default();
        faults.add(Code::InvalidRequest, "/events", "must be an array of payloads");
        faults.finish().expect_err("a fault was added")
    })
}

/// Lines end with LF or CR LF; lines of white space alone are skipped.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', body).chain([body.len()]);
    let lines = ends.scan(0, |from, end| Some(&body[std::mem::replace(from, end + 1)..end]));
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(media: Media, body: &str) -> Result<Vec<String>, Code> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let command = Command { headers: http::HeaderMap::new(), path: String::new(), media, body };
        let items = items(&command).map_err(|problem| problem.code)?;
        Ok(items.iter().map(|item| String::from_utf8(item.to_vec()).unwrap()).collect())
    }

    #[test]
    fn every_item_keeps_its_own_bytes() {
        let json = r#" {"events" : [ {"a" : 1e999} ,[ 1], "x" ] } "#;
        assert_eq!(read(Media::Json, json).unwrap(), [r#"{"a" : 1e999}"#, "[ 1]", r#""x""#]);
        let lines = "{\"a\" : 1}\r\n\n  \n {broken\n{}";
        assert_eq!(read(Media::NdJson, lines).unwrap(), ["{\"a\" : 1}", " {broken", "{}"]);
    }

    #[test]
    fn a_batch_has_1_to_1000_events_in_a_known_shape() {
        let of = |n: usize| format!("{{\"events\":[{}]}}", vec!["{}"; n].join(","));
        assert_eq!(read(Media::Json, &of(1_000)).unwrap().len(), 1_000);
        assert_eq!(read(Media::NdJson, &"{}\n".repeat(1_000)).unwrap().len(), 1_000);
        for (media, body, code) in [
            (Media::Json, of(0), Code::BatchTooLarge),
            (Media::Json, of(1_001), Code::BatchTooLarge),
            (Media::NdJson, "{}\n".repeat(1_001), Code::BatchTooLarge),
            (Media::NdJson, "\n".to_owned(), Code::BatchTooLarge),
            (Media::Json, "{}".to_owned(), Code::InvalidRequest),
            (Media::Json, r#"{"events":{}}"#.to_owned(), Code::InvalidRequest),
            (Media::Json, r#"{"events":null}"#.to_owned(), Code::InvalidRequest),
            (Media::Json, r#"{"events":[{}],"x":1}"#.to_owned(), Code::UnknownField),
            (Media::Json, r#"[{}]"#.to_owned(), Code::NotAnObject),
            (Media::Json, r#"{"events":[{]}"#.to_owned(), Code::InvalidJson),
            (Media::Json, String::new(), Code::InvalidJson),
        ] {
            assert_eq!(read(media, &body), Err(code), "{body:.40}");
        }
    }
}
