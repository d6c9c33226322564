//! `kill -9` in the middle of a rotation of the master key: the next start opens every secret and finishes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Client, Receiver, Running, patiently};

use crate::site::{LOCATION, Site, api, binary, contact, until_all_are_finished};

const ROUTE: &str = "/v1/system/master-key/rotate";
/// Several slices' worth, so that there is a middle.
const ENDPOINTS: usize = 1_200;
const AT_ONCE: usize = 100;
const KILLS: usize = 4;

fn lines(key_file: &Path) -> usize {
    std::fs::read_to_string(key_file).unwrap().lines().count()
}

/// Registers all, the first at the receiver; each with its secret.
async fn register(api: &Client, url: &str) -> Vec<(String, Value)> {
    let mut endpoints = Vec::new();
    for batch in 0..ENDPOINTS / AT_ONCE {
        let created = (0..AT_ONCE).map(async |n| {
            let location = if batch + n == 0 { LOCATION.to_owned() } else { format!("loc-{batch}-{n}") };
            let body =
                json!({"locationId": location, "url": url, "eventTypes": ["*"], "headers": {"x-token": "t"}});
            api.post("/v1/endpoints", &body).await.expect(201)
        });
        for created in futures::future::join_all(created).await {
            endpoints.push((created["id"].as_str().unwrap().to_owned(), created["secret"].clone()));
        }
    }
    endpoints
}

/// Kills the server `later` after it has written a file with both keys.
async fn kill_while_rotating(server: Running, key_file: &Path, later: Duration) {
    let client = api(&server);
    let rotating = tokio::spawn(async move { client.try_send(http::Method::POST, ROUTE, "{}").await });
    let both = async {
        while lines(key_file) != 2 && !rotating.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    patiently("a file with both keys", both).await;
    let at = Instant::now();
    while at.elapsed() < later {
        tokio::task::yield_now().await;
    }
    server.kill().await;
    let _ = rotating.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_is_finished_by_the_next_start() {
    let (site, receiver) = (Site::new(), Receiver::start().await);
    let key_file = site.data_dir().join("master.key");
    let mut server = site.start().await;
    let endpoints = register(&api(&server), &receiver.url("/hook")).await;
    let (mut in_the_middle, mut keys) = (0, Vec::new());
    for round in 0..KILLS {
        kill_while_rotating(server, &key_file, Duration::from_millis(10 * round as u64)).await;
        in_the_middle += usize::from(lines(&key_file) == 2);
        server = site.start().await;
        assert_eq!(lines(&key_file), 1, "the start finishes");
        keys.push(std::fs::read_to_string(&key_file).unwrap());
        // The first, one of each slice, and the last.
        for (id, secret) in endpoints.iter().step_by(97).chain(endpoints.last()) {
            let shown = api(&server).get(&format!("/v1/endpoints/{id}/secret")).await.expect(200);
            assert_eq!(shown["secret"], *secret, "round {round}");
        }
    }
    assert!(in_the_middle >= 2, "{in_the_middle} of {KILLS} kills were in the middle");
    keys.dedup();
    assert!(keys.len() >= 2, "the keys changed");
    api(&server).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    let request = receiver.wait_for(1).await.remove(0);
    let secrets = [endpoints[0].1.as_str().unwrap().parse().unwrap()];
    hoopoe_webhooks::verify_x_wl(&secrets, request.header("x-wl-signature"), &request.body).unwrap();
    assert_eq!(request.expect_header("x-token"), "t");
    until_all_are_finished(&api(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_rotates_the_master_key_of_a_running_server() {
    let site = Site::new();
    let server = site.start().await;
    let key_file = site.data_dir().join("master.key");
    let before = std::fs::read(&key_file).unwrap();
    let command = binary().args(["keys", "rotate-master", "--url", server.base()]);
    let finished = command.clone().env("HOOPOE_API_KEY", crate::site::KEY).run(b"").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("was rotated"), "{}", finished.stdout);
    assert_ne!(std::fs::read(&key_file).unwrap(), before);
    let refused = command.env("HOOPOE_API_KEY", "hpk_wrong_0123456789abcdefghijklmnopqr").run(b"").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("401 unauthorized"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_environment_are_changed_by_a_restart_and_the_log_says_when_it_is_done() {
    let site = Site::new();
    let [old, new] = ["a7", "5b"].map(|byte| byte.repeat(32));
    let with = |keys: &[(&str, &str)]| {
        let program = site.program().env("HOOPOE_LOG_LEVEL", "info");
        keys.iter().fold(program, |program, (name, value)| program.env(name, value))
    };
    let server = with(&[("HOOPOE_MASTER_KEY", &old)]).start().await;
    let id = crate::site::endpoint(&api(&server), LOCATION, "http://127.0.0.1:40000/").await;
    let secret = api(&server).get(&format!("/v1/endpoints/{id}/secret")).await.expect(200);
    server.kill().await;
    let both = with(&[("HOOPOE_MASTER_KEY", &new), ("HOOPOE_MASTER_KEY_PREVIOUS", &old)]);
    let mut server = both.start().await;
    server.logged("HOOPOE_MASTER_KEY_PREVIOUS is no longer needed").await;
    server.kill().await;
    let server = with(&[("HOOPOE_MASTER_KEY", &new)]).start().await;
    assert_eq!(api(&server).get(&format!("/v1/endpoints/{id}/secret")).await.expect(200), secret);
    server.kill().await;
    let refused = with(&[("HOOPOE_MASTER_KEY", &old)]).run(b"").await;
    assert!(refused.stderr.contains("another master key"), "{}", refused.stderr);
}
