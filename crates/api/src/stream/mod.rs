//! What happens to the caller's endpoints, as it happens: server-sent events over the store's feed.
//!
//! A stream holds nothing but its place in the feed's ring: it takes out a little whenever its client has taken what came before,
//! and one that falls behind the ring is told so. What an event shows is judged when it is sent, as a GET would at that moment.

mod events;
mod places;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use domain::id::EndpointId;
use domain::limits::{STREAM_BYTES_AT_ONCE, STREAM_EVENTS_AT_ONCE, STREAM_HEARTBEAT_MS};
use domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use store::feed::{Happened, Heard, Listener, Numbering};

pub(crate) use places::Streams;

use self::events::{Shown, written};
use self::places::Place;
use crate::Api;
use crate::caller::{Caller, Viewer};
use crate::endpoints::no_endpoint;
use crate::problem::Problem;
use crate::query::Params;
use crate::views::node_id;

/// How often a stream on which nothing happens looks whether its caller may still see anything.
const VALIDITY_PAUSE: Duration = Duration::from_secs(1);
/// When a client that lost its stream may come back, milliseconds.
const RETRY_MS: u32 = 1_000;
/// Before a number that an event has on all nodes.
const ALL_NODES: &str = "all";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follow what happens.
///
/// Server-sent events (`text/event-stream`) of the endpoints that the caller sees: `attempt` with `{"delivery", "attempt"}` after each
/// attempt, test sends included; `endpoint` with the endpoint after each change of it or of its health, or `{"id", "deleted": true}`;
/// `reset` with `{}` where something was missed: read anew what you show. With `payloads=true` an attempt carries `request` and
/// `response` as `GET /v1/deliveries/{id}` shows them, and `payload`, the published body as a string. Every event has an id: send the
/// last one as `last-event-id` to go on from there. The server keeps what happened for a minute or so. Where several nodes serve, each
/// tells what happens on all within a second and goes on for a client of any other, and shows an endpoint as it stands when that is
/// told: of changes in quick succession each may show the last. A single one begins anew when it restarts. A comment comes every
/// 15 seconds. The stream ends when its key or session does, and when the server stops.
#[utoipa::path(
    get, path = "/v1/stream", operation_id = "streamEvents", tag = "Deliveries",
    params(
        ("endpointId" = Option<String>, Query, description = "Only what happens to this endpoint"),
        ("payloads" = Option<bool>, Query, description = "Whether attempts carry headers and bodies"),
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that was received"),
    ),
    responses((status = 200, description = "Events, without end", body = String, content_type = "text/event-stream")),
)]
pub(crate) async fn stream_events(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let endpoint_id =
        params.parsed("endpointId", "must be an endpoint's id: `ep_…`", |text| text.parse().ok());
    let payloads = params.parsed("payloads", "must be true or false", |text| text.parse().ok());
    params.finish()?;
    if let Some(id) = endpoint_id {
        api.store.endpoint(&viewer.scope, id).await.map_err(no_endpoint)?;
    }
    let shown = if payloads == Some(true) { Shown::Payloads } else { Shown::Outcomes };
    let caller: Caller = (*viewer).clone();
    let place = api.streams.enter(caller.owner())?;
    let listener = api.store.listen().await?;
    let stream = Stream::new(api, caller, Wish { endpoint_id, shown }, (listener, place))
        .resumed(headers.get(LAST_EVENT_ID));
    let chunks = futures::stream::unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathered answers would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

impl Api {
    /// Ends all streams, which would otherwise keep their connections open. Call it when the server begins to stop.
    pub fn end_streams(&self) {
        self.streams.end.cancel();
    }
}

/// What a client wants to hear of.
struct Wish {
    endpoint_id: Option<EndpointId>,
    shown: Shown,
}

/// One client's stream.
struct Stream {
    api: Arc<Api>,
    caller: Caller,
    endpoint_id: Option<EndpointId>,
    shown: Shown,
    listener: Listener,
    /// The number of the next event that it has not seen.
    from: u64,
    beat_at: Timestamp,
    greeting: Greeting,
    _place: Place,
}

/// What is to be said first.
enum Greeting {
    /// The point to go on from is not known here.
    Reset,
    Welcome,
    Said,
}

impl Stream {
    fn new(api: Arc<Api>, caller: Caller, wish: Wish, (listener, place): (Listener, Place)) -> Self {
        let (from, beat_at) = (listener.next(), api.clock.now().plus_millis(STREAM_HEARTBEAT_MS));
        let Wish { endpoint_id, shown } = wish;
        let greeting = Greeting::Welcome;
        Self { api, caller, endpoint_id, shown, listener, from, beat_at, greeting, _place: place }
    }

    /// From the point that the client names, if it names one.
    fn resumed(mut self, last: Option<&HeaderValue>) -> Self {
        let Some(last) = last else { return self };
        let known = last.to_str().ok().and_then(|text| text.split_once('-'));
        let ours = known.filter(|(numbering, _)| *numbering == self.numbering());
        match ours.and_then(|(_, number)| number.parse().ok()) {
            Some(number) => self.from = number,
            None => self.greeting = Greeting::Reset,
        }
        self
    }

    /// `None`: it is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.api.streams.end.is_cancelled() || !self.caller.is_still_valid(&self.api) {
                return None;
            }
            match std::mem::replace(&mut self.greeting, Greeting::Said) {
                Greeting::Welcome => return Some(self.told(&format!("retry: {RETRY_MS}\n: here you are\n"))),
                Greeting::Reset => return Some(self.reset()),
                Greeting::Said => {}
            }
            match self.listener.hear(self.from, STREAM_EVENTS_AT_ONCE) {
                Heard::Lost { next } => {
                    self.from = next;
                    return Some(self.reset());
                }
                Heard::Events(events) if events.is_empty() => {}
                Heard::Events(events) => {
                    let text = self.take(&events);
                    if !text.is_empty() {
                        return Some(text.into());
                    }
                    // Others' events may come without end.
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            if let Some(beat) = self.rest().await {
                return Some(beat);
            }
        }
    }

    /// Until something happens, or a heartbeat is due, which is what it gives.
    async fn rest(&mut self) -> Option<Bytes> {
        let beat = self.api.clock.sleep_until(self.beat_at);
        tokio::select! {
            () = self.listener.wait_for(self.from) => None,
            () = self.api.streams.end.cancelled() => None,
            () = tokio::time::sleep(VALIDITY_PAUSE) => None,
            () = beat => {
                self.beat_at = self.api.clock.now().plus_millis(STREAM_HEARTBEAT_MS);
                Some(self.told(": still here\n"))
            }
        }
    }

    /// Events as text, as far as they are for this client, up to so many bytes.
    fn take(&mut self, events: &[Arc<Happened>]) -> String {
        let mut text = String::new();
        for happened in events {
            self.from += 1;
            if self.is_for_it(happened) {
                text.push_str(&self.id());
                text.push_str(&written(happened, self.shown));
            }
            if text.len() >= STREAM_BYTES_AT_ONCE {
                break;
            }
        }
        text
    }

    fn is_for_it(&self, happened: &Happened) -> bool {
        let endpoint = happened.endpoint();
        self.endpoint_id.is_none_or(|id| id == endpoint.id)
            && self.api.store.routes().read().sees(&self.caller.scope, &endpoint.owner)
    }

    fn reset(&self) -> Bytes {
        self.told("event: reset\ndata: {}\n")
    }

    fn told(&self, lines: &str) -> Bytes {
        format!("{}{lines}\n", self.id()).into()
    }

    /// Names the place from which to go on.
    fn id(&self) -> String {
        format!("id: {}-{}\n", self.numbering(), self.from)
    }

    /// What a number is known by.
    fn numbering(&self) -> String {
        match self.api.store.feed().numbering() {
            Numbering::OfThisProcess => node_id(self.api.settings.node),
            Numbering::OfAll => ALL_NODES.to_owned(),
        }
    }
}
