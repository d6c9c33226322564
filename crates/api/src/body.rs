//! Reads a request's body once, with a limit of bytes and of time, and checks its media type.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use domain::limits::{BATCH_BYTES_MAX, BODY_BYTES_MAX, EVENT_BYTES_MAX};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use crate::determined::undetermined;
use crate::problem::{Code, Problem};

/// How long a body may take to arrive.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(30);
/// Of a body that is too large this much is read and dropped, so that the client can read the answer before the connection
/// closes on it.
const DRAINED_BYTES_MAX: usize = 1024 * 1024;

/// For a body that comes in pieces room is made at once as announced, up to this; what comes beyond it makes its own.
const RESERVED_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(EVENT_BYTES_MAX == BODY_BYTES_MAX, "events are read like every other body");

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    NdJson,
}

/// A request that changes something: its body, and what idempotency needs.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) media: Media,
    pub(crate) body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Command {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media = media_of(request.headers())?;
        if media == Media::NdJson {
            return Err(unsupported("send the body as application/json"));
        }
        read(request, media, BODY_BYTES_MAX, |_| Ok(())).await
    }
}

impl Command {
    /// With the limit and the media types of a batch. `room` is asked for as many bytes as have come before they are kept.
    pub(crate) async fn of_batch(
        request: Request,
        room: impl FnMut(usize) -> Result<(), Problem>,
    ) -> Result<Self, Problem> {
        let media = media_of(request.headers())?;
        read(request, media, BATCH_BYTES_MAX, room).await
    }
}

/// No media type counts as JSON.
fn media_of(headers: &HeaderMap) -> Result<Media, Problem> {
    let identity = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(identity) {
        return Err(unsupported("send the body without content-encoding"));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Media::Json) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(Media::Json),
        "application/x-ndjson" | "application/ndjson" => Ok(Media::NdJson),
        _ => Err(unsupported("send the body with content-type: application/json")),
    }
}

fn unsupported(remedy: &'static str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, format!("this media type is not accepted here: {remedy}"))
}

async fn read(
    request: Request,
    media: Media,
    bytes_max: usize,
    room: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Command, Problem> {
    let (parts, body) = request.into_parts();
    let announced = announced_bytes(&parts.headers);
    let reading = tokio::time::timeout(ARRIVAL_TIME_MAX, collect(body, announced, bytes_max, room));
    let body = undetermined(reading).await.map_err(|_| late())??;
    Ok(Command { headers: parts.headers, path: parts.uri.path().to_owned(), media, body })
}

fn announced_bytes(headers: &HeaderMap) -> usize {
    let value = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What is announced decides early; what really comes decides in any case. What is refused is read to its end and dropped.
async fn collect(
    mut body: Body,
    announced: usize,
    bytes_max: usize,
    mut room: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    let bytes_read_max = bytes_max.saturating_add(DRAINED_BYTES_MAX);
    if announced > bytes_read_max {
        return Err(too_large(bytes_max));
    }
    let mut kept = BytesMut::new();
    let mut first = Bytes::new();
    let mut bytes_read = 0;
    let mut roomy = Ok(());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
        bytes_read += data.len();
        if bytes_read > bytes_read_max {
            break;
        }
        if bytes_read > bytes_max || roomy.is_err() {
            continue;
        }
        roomy = room(data.len());
        if roomy.is_err() {
            (kept, first) = Default::default();
            continue;
        }
        // A body that comes in one piece, as nearly all do, is not copied.
        if bytes_read == data.len() {
            first = data;
            continue;
        }
        if kept.is_empty() {
            kept.reserve(announced.min(RESERVED_BYTES_MAX));
        }
        kept.extend_from_slice(&std::mem::take(&mut first));
        kept.extend_from_slice(&data);
    }
    match bytes_read {
        _ if bytes_read > bytes_max => Err(too_large(bytes_max)),
        _ if kept.is_empty() => roomy.map(|()| first),
        _ => roomy.map(|()| kept.freeze()),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("the body of this request may have at most {bytes_max} bytes: send less"),
    )
}

fn late() -> Problem {
    Problem::new(Code::RequestTimeout, "the body did not arrive in time: send it again").ending_connection()
}

fn broken() -> Problem {
    Problem::new(Code::RequestTimeout, "the body did not arrive completely: send it again")
        .ending_connection()
}
