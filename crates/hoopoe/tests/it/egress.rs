//! What an operator opens, and what stays shut: from the flag to the socket, and to the counter.

use hoopoe::config::Mode;
use serde_json::{Value, json};

use crate::world::{LOCATION, World, path, refused, text};

fn endpoint(url: &str) -> Value {
    json!({"locationId": LOCATION, "url": url, "eventTypes": ["ContactCreate"]})
}

async fn refusals(world: &World, kind: &str) -> String {
    let metrics = world.api.get("/metrics").await.text();
    let series = format!("hoopoe_egress_refused_total{{kind=\"{kind}\"}} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
    found.unwrap_or_else(|| panic!("no {series} in {metrics}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_opens_may_be_saved_over_https_and_nothing_beside_it() {
    let world = World::start_with(|args| {
        args.dev = false;
        args.allow_names = Some(vec!["hooks.internal".parse().unwrap(), "*.corp.local".parse().unwrap()]);
        args.allow_cidrs = Some(vec!["10.1.0.0/16".parse().unwrap()]);
    })
    .await;
    for url in ["https://hooks.internal/in", "https://a.corp.local/", "https://10.1.2.3:8443/"] {
        world.api.post("/v1/endpoints", &endpoint(url)).await.expect(201);
    }
    for url in [
        "http://hooks.internal/in",
        "http://10.1.2.3/",
        "https://other.internal/",
        "https://corp.local/",
        "https://10.2.0.1/",
        "https://127.0.0.1/",
        "https://metadata.goog/",
    ] {
        refused(url, &world.api.post("/v1/endpoints", &endpoint(url)).await, 422, "invalid-url");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_block_is_called_and_without_it_no_packet_leaves_and_the_refusal_is_counted() {
    let world = World::start_with(|args| {
        args.dev = false;
        args.allow_cidrs = Some(vec!["127.0.0.1".parse().unwrap()]);
    })
    .await;
    // A kernel completes connections to a listener that nobody asks for them.
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("https://{}/", trap.local_addr().unwrap());
    let route = format!(
        "{}/test",
        path("endpoints", &world.api.post("/v1/endpoints", &endpoint(&url)).await.expect(201))
    );

    let world = world.restart_with(|config| config.allow_cidrs.clear()).await;
    let attempt = world.api.post(&route, &json!({})).await.expect(200);
    assert_eq!(
        (&attempt["outcome"], &attempt["remoteAddress"]),
        (&"blocked".into(), &Value::Null),
        "{attempt}"
    );
    assert!(!text(&attempt, "error").contains("127.0.0.1"), "{attempt}");
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(refusals(&world, "private").await, "1");
    assert_eq!(refusals(&world, "metadata-name").await, "0");

    // A delivery is judged by the same guard.
    world.publish_contact().await;
    testkit::eventually("the refusal", || async { (refusals(&world, "private").await == "2").then_some(()) })
        .await;
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    let world = world.restart_with(|config| config.allow_cidrs.push("127.0.0.0/8".parse().unwrap())).await;
    drop(trap);
    let attempt = world.api.post(&route, &json!({})).await.expect(200);
    assert_eq!(attempt["outcome"], "connect", "it was called, and nobody listens: {attempt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dev_saved_is_refused_when_the_server_is_no_longer_dev() {
    let world = World::start().await;
    let saved = world.api.post("/v1/endpoints", &endpoint("https://127.0.0.1:8443/")).await.expect(201);
    let world = world.restart_with(|config| config.mode = Mode::Production).await;
    let attempt =
        world.api.post(&format!("{}/test", path("endpoints", &saved)), &json!({})).await.expect(200);
    assert_eq!(attempt["outcome"], "blocked", "{attempt}");
}
