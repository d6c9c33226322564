//! `hoopoe listen`: live events to a local server. It follows the server's stream and repeats each attempt's request, as it was
//! sent, to a URL of this machine, in order, one at a time.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use catalogue::Catalogue;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::connection::{Connection, whole};
use super::sse::{Event, Reader};
use super::trigger::find;

/// As long as a delivery's attempt may take.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(10);
/// A sign of life comes every 15 seconds; without any the connection is gone, although nobody said so.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Before the stream is asked for again: from here, doubled up to there.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Belong to a connection, and not to the request.
const NOT_FORWARDED: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "accept-encoding"];
/// Stands for a value that is nobody's to see.
const MASK: &str = "********";

#[derive(Debug, Args)]
#[command(
    after_help = "Every attempt of a delivery is forwarded with the body and the headers that were sent, signatures included:
  hoopoe listen --forward-to http://localhost:3000/hooks --events ContactCreate,InvoicePaid"
)]
pub(super) struct ListenArgs {
    /// Where to post events to
    #[arg(long, value_name = "URL")]
    forward_to: String,
    /// Only these event types; repeatable, or with commas
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    events: Vec<String>,
    /// Only what is sent to this endpoint, ep_…
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// The Hoopoe server's base URL
    #[arg(
        long,
        visible_alias = "url",
        env = "HOOPOE_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: String,
    /// An API key that may view
    #[arg(long, env = "HOOPOE_API_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

/// What is followed, and where it goes.
struct Listening {
    server: Connection,
    server_url: String,
    path: String,
    key: String,
    local: Connection,
    local_url: String,
    /// Canonical names; none is all.
    types: Vec<String>,
    last_id: Option<String>,
}

/// Why a stream is not followed any more.
enum Ended {
    /// It may be asked for again.
    Lost(anyhow::Error),
    /// The server will say the same again.
    Refused(anyhow::Error),
}

pub(super) fn run(args: ListenArgs) -> anyhow::Result<ExitCode> {
    let listening = Listening::of(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = listening.run() => ended,
            interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        }
    })?;
    eprintln!("stopped listening");
    Ok(ExitCode::SUCCESS)
}

impl Listening {
    fn of(args: ListenArgs) -> anyhow::Result<Self> {
        let Some(key) = args.key else {
            bail!(
                "no API key: give one with --key or in HOOPOE_API_KEY (`hoopoe serve` printed the first one)"
            );
        };
        let catalogue = Catalogue::builtin();
        let types = args.events.iter().map(|name| Ok(find(&catalogue, name)?.name().to_owned()));
        let types = types.collect::<anyhow::Result<_>>()?;
        let local = Connection::to(&args.forward_to).context("--forward-to cannot be used")?;
        let mut path = "/v1/stream?payloads=true".to_owned();
        if let Some(id) = &args.endpoint {
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            anyhow::ensure!(
                plain && id.starts_with("ep_"),
                "--endpoint `{id}` is no endpoint's id: it begins with ep_"
            );
            path = format!("{path}&endpointId={id}");
        }
        Ok(Self {
            server: Connection::to(&args.server)?,
            server_url: args.server,
            path,
            key,
            local,
            local_url: args.forward_to,
            types,
            last_id: None,
        })
    }

    /// Until it is refused. A server that is not there at the beginning is told at once; one that goes away is waited for.
    async fn run(mut self) -> anyhow::Result<()> {
        let mut pause = PAUSE_MIN;
        loop {
            let known = self.last_id.clone();
            match self.follow().await {
                Ended::Refused(error) => return Err(error),
                Ended::Lost(error) if self.last_id.is_none() => return Err(error),
                Ended::Lost(error) => {
                    if self.last_id != known {
                        pause = PAUSE_MIN;
                    }
                    eprintln!(
                        "the stream ended, listening again in {} s: {}",
                        pause.as_secs(),
                        super::one_line(&error)
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn follow(&mut self) -> Ended {
        let response = match self.server.open(&self.path, &self.key, self.last_id.as_deref()).await {
            Ok(response) => response,
            Err(error) => return Ended::Lost(error),
        };
        let status = response.status();
        if status != StatusCode::OK {
            let problem = whole(response).await.unwrap_or_default();
            let problem = serde_json::from_slice(&problem).unwrap_or_default();
            let error = anyhow::anyhow!(super::refusal(status.as_u16(), &problem, &self.server_url));
            let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return if passes { Ended::Lost(error) } else { Ended::Refused(error) };
        }
        if self.last_id.is_none() {
            println!("listening on {}, forwarding to {}", self.server_url, self.local_url);
        }
        match self.read(response.into_body()).await {
            Ok(()) => Ended::Lost(anyhow::anyhow!("the server closed it")),
            Err(error) => Ended::Lost(error),
        }
    }

    /// To the stream's end.
    async fn read(&mut self, mut body: Incoming) -> anyhow::Result<()> {
        let mut reader = Reader::default();
        while let Some(frame) =
            tokio::time::timeout(SILENCE_MAX, body.frame()).await.context("the server is silent")?
        {
            let frame = frame.context("the connection broke")?;
            reader.push(frame.data_ref().map_or(&[], |data| data))?;
            while let Some(event) = reader.next() {
                self.happened(&event).await;
                self.last_id = event.id.or(self.last_id.take());
            }
        }
        Ok(())
    }

    async fn happened(&self, event: &Event) {
        match event.event.as_str() {
            "reset" => println!("some events were missed: GET /v1/deliveries lists them"),
            "attempt" => {
                let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                let wanted =
                    |name: &str| self.types.is_empty() || self.types.iter().any(|known| known == name);
                if data["delivery"]["type"].as_str().is_some_and(wanted) {
                    println!("{}", self.forwarded(&data).await);
                }
            }
            _ => {}
        }
    }

    /// What to say of one attempt.
    async fn forwarded(&self, data: &Value) -> String {
        let (delivery, attempt) = (&data["delivery"], &data["attempt"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let what = format!(
            "{} {} attempt {}",
            text(&delivery["type"]),
            text(&delivery["eventId"]),
            attempt["number"]
        );
        let body = Bytes::from(text(&data["payload"]));
        let headers = attempt["request"]["headers"].as_object().map(headers_of).unwrap_or_default();
        let began = Instant::now();
        let answer = tokio::time::timeout(FORWARD_TIMEOUT, self.local.forward(headers, body)).await;
        let took = began.elapsed().as_millis();
        match answer {
            Ok(Ok(answer)) => format!("{what} -> {} in {took} ms", answer.status),
            Ok(Err(error)) => format!("{what} -> failed: {}", super::one_line(&error)),
            Err(_) => format!("{what} -> no answer within {} s", FORWARD_TIMEOUT.as_secs()),
        }
    }
}

/// As they were sent, without those of the connection and those whose values are secrets.
fn headers_of(sent: &Map<String, Value>) -> HeaderMap {
    let kept = sent.iter().filter_map(|(name, value)| {
        let value = value.as_str().filter(|value| *value != MASK)?;
        if NOT_FORWARDED.contains(&name.as_str()) {
            return None;
        }
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(forward_to: &str) -> ListenArgs {
        ListenArgs {
            forward_to: forward_to.to_owned(),
            events: Vec::new(),
            endpoint: None,
            server: "http://127.0.0.1:8080".to_owned(),
            key: Some("hpk_x".to_owned()),
        }
    }

    #[test]
    fn what_cannot_be_listened_to_is_said_in_a_sentence() {
        let local = "http://localhost:3000/hooks";
        for (args, said) in [
            (ListenArgs { key: None, ..args(local) }, "HOOPOE_API_KEY"),
            (ListenArgs { events: vec!["ContactCreat".into()], ..args(local) }, "ContactCreate"),
            (ListenArgs { endpoint: Some("ep_1&x=y".into()), ..args(local) }, "--endpoint"),
            (args("localhost:3000"), "--forward-to"),
        ] {
            let error = format!("{:#}", Listening::of(args).err().unwrap());
            assert!(error.contains(said), "{error}");
        }
        let listening =
            Listening::of(ListenArgs { events: vec!["ContactCreate".into()], ..args(local) }).unwrap();
        assert_eq!(listening.types, ["ContactCreate"]);
    }

    #[test]
    fn headers_are_forwarded_as_sent_but_for_secrets_and_those_of_the_connection() {
        let sent = json!({"x-wl-signature": "5b7c", "authorization": "********", "content-length": "2", "x-own": "é"});
        let headers = headers_of(sent.as_object().unwrap());
        assert_eq!((headers["x-wl-signature"].to_str().unwrap(), headers.len()), ("5b7c", 2));
    }
}
