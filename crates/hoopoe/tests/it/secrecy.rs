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

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_secret_in_the_clear() {
    let world = World::start().await;
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
