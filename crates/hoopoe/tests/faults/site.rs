//! A data directory and the binary over it, started as often as a test wishes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Client, Program, Running, eventually};

pub(crate) const KEY: &str = "hpk_faults_0123456789abcdefghijklmnopqr";
pub(crate) const LOCATION: &str = "ve9EPM428h8vShlRW1KT";

pub(crate) struct Site {
    dir: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `hoopoe serve --dev` on a free port with the platform's key set.
    pub(crate) fn program(&self) -> Program {
        program_over(&self.data_dir())
    }

    pub(crate) async fn start(&self) -> Running {
        self.program().start().await
    }
}

pub(crate) fn binary() -> Program {
    Program::new(env!("CARGO_BIN_EXE_hoopoe"))
}

pub(crate) fn program_over(data_dir: &Path) -> Program {
    binary()
        .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
        .args([data_dir])
        .env("HOOPOE_PLATFORM_KEY", KEY)
        .env("HOOPOE_LOG_LEVEL", "warn")
}

pub(crate) fn api(running: &Running) -> Client {
    running.client().with_key(KEY)
}

/// Registers an endpoint of the location at this URL for everything; its id.
pub(crate) async fn endpoint(api: &Client, location: &str, url: &str) -> String {
    let body = json!({"locationId": location, "url": url, "eventTypes": ["*"]});
    let created = api.post("/v1/endpoints", &body).await.expect(201);
    created["id"].as_str().unwrap().to_owned()
}

/// A contact that carries a number, to tell payloads apart.
pub(crate) fn contact(location: &str, n: usize) -> Value {
    json!({"type": "ContactCreate", "locationId": location, "id": format!("contact-{n}"), "firstName": "Ada"})
}

/// Waits until no delivery is unfinished.
pub(crate) async fn until_all_are_finished(api: &Client) {
    eventually("every delivery to finish", || async {
        let metrics = api.get("/metrics").await.text();
        metrics.lines().any(|line| line == "hoopoe_deliveries_unfinished 0").then_some(())
    })
    .await;
}

/// Waits until this node has heard of the endpoint.
pub(crate) async fn until_known(api: &Client, endpoint_id: &str) {
    eventually("the endpoint on the other node", || async {
        (api.get(&format!("/v1/endpoints/{endpoint_id}")).await.status == 200).then_some(())
    })
    .await;
}
