//! Nothing that is written to the log or to disk gives a secret or a payload away.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{KEY, World, contact, path, text};

/// Keeps every log line of this process.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_holds_a_secret_or_a_payload() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace,hyper=info,hyper_util=info,mio=info"))
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .expect("this test has a process, or a turn, of its own");

    let world = World::start().await;
    let endpoint = world.endpoint(json!({"headers": {"x-token": "header-secret"}})).await;
    let route = path("endpoints", &endpoint);
    world.receiver.script("/hook", [testkit::Answer::status(500).body("answer-body")]);
    let mut payload = contact(crate::world::LOCATION);
    payload["firstName"] = "payload-content".into();
    let id = world.delivery_of(&world.publish(&payload).await).await;
    world.once_retrying(&id, 1).await;
    world.api.post(&format!("{route}/test"), &json!({})).await.expect(200);
    world.api.post(&format!("{route}/secret/rotate"), &json!({})).await.expect(200);
    let rotated = world.api.get(&format!("{route}/secret")).await.expect(200);
    let key =
        world.api.post("/v1/api-keys", &json!({"name": "k", "permissions": ["view"]})).await.expect(201);
    payload["tags"] = "payload-fault".into();
    world.api.post("/v1/events", &payload).await.expect_problem(422, "invalid-payload");
    let secrets = [
        KEY.to_owned(),
        text(&endpoint, "secret").to_owned(),
        text(&rotated, "secret").to_owned(),
        text(&key, "key").to_owned(),
        "header-secret".to_owned(),
        "payload-content".to_owned(),
        "payload-fault".to_owned(),
        "answer-body".to_owned(),
    ];
    world.stop().await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/v1/events") && log.contains("refused"), "the log is captured: {log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

/// Panics when it is asked while `armed`, in whatever a request is doing.
struct FragileClock {
    clock: testkit::ManualClock,
    armed: Arc<std::sync::atomic::AtomicBool>,
}

impl domain::time::Clock for FragileClock {
    fn now(&self) -> domain::time::Timestamp {
        assert!(!self.armed.load(std::sync::atomic::Ordering::Relaxed), "the clock fell down");
        self.clock.now()
    }
    fn sleep_until(
        &self,
        at: domain::time::Timestamp,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.clock.sleep_until(at)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_tells_no_secret_and_stops_nothing() {
    let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let heard = Arc::new(Mutex::new(String::new()));
    let hears = Arc::clone(&heard);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hears.lock().unwrap().push_str(&format!("{panic} {}", std::backtrace::Backtrace::force_capture()));
    }));
    let world = World::start_on(|clock| FragileClock { clock, armed: Arc::clone(&armed) }).await;
    armed.store(true, std::sync::atomic::Ordering::Relaxed);
    let secret = "whsec_cGFuaWMtY2FuYXJ5LXBhbmljLWNhbmFyeS0wMDE=";
    let body = json!({"locationId": crate::world::LOCATION, "url": world.receiver.url("/hook"),
        "eventTypes": ["*"], "secret": secret, "headers": {"x-token": "panic-header-value"}});
    // With an id of its own, since a new one asks the clock before anybody listens for panics.
    let api = world.api.clone().with_header("x-request-id", "panic");
    let answered = api.post("/v1/endpoints", &body).await;
    armed.store(false, std::sync::atomic::Ordering::Relaxed);
    std::panic::set_hook(before);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("the clock fell down"), "{heard}");
    answered.expect_problem(500, "internal-error");
    for hidden in [secret, "panic-header-value", KEY] {
        assert!(!heard.contains(hidden) && !answered.text().contains(hidden), "{hidden} was told");
    }
    world.api.post("/v1/endpoints", &body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_secret_in_the_clear() {
    let world = World::start_on_files().await;
    let endpoint = world.endpoint(json!({"headers": {"x-token": "header-secret-value"}})).await;
    let key =
        world.api.post("/v1/api-keys", &json!({"name": "k", "permissions": ["view"]})).await.expect(201);
    world.publish_contact().await;
    world.receiver.wait_for(1).await;
    let dir = world.data_dir();
    let secret = text(&endpoint, "secret").to_owned();
    let encoded = secret.trim_start_matches("whsec_").to_owned();
    let mut seen = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        seen += bytes.len();
        for hidden in [encoded.as_str(), text(&key, "key"), "header-secret-value", KEY] {
            let found = bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes());
            assert!(!found, "{hidden} is in {}", file.display());
        }
    }
    assert!(seen > 10_000, "{seen} bytes were looked at");
}
