//! Which URLs may be registered, through the API of a server without `--dev`.

use serde_json::json;

use crate::world::{LOCATION, World, refused};

const GOOD: [&str; 6] = [
    "https://hooks.example.com/hoop",
    "https://example.com:8443/a?b=c",
    "https://bücher.example.org/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/x",
    "https://a_b.example.net",
];

const BAD: [&str; 33] = [
    "",
    "nonsense",
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com/#part",
    "https://hooks.example.com\\@evil.example.org/",
    "https://hooks.example.com/a b\u{a0}c",
    "https://localhost/",
    "https://api.localhost/",
    "https://printer.local/",
    "https://db.internal/",
    "https://kubernetes.default.svc/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata.goog/",
    "https://metadata.tencentyun.com/latest/meta-data/",
    "https://x.cluster.local/",
    "https://intranet/",
    "https://x.home.arpa/",
    "https://a.onion/",
    "https://127.0.0.1/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest",
    "https://168.63.129.16/",
    "https://0177.0.0.1/",
    "https://2130706433/",
    "https://[::1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[fe80::1%25eth0]/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:25/",
];

#[tokio::test(flavor = "multi_thread")]
async fn public_https_is_accepted_and_everything_else_refused() {
    let world = World::start_with(|args| args.dev = false).await;
    let body = |url: &str| json!({"locationId": LOCATION, "url": url, "eventTypes": ["ContactCreate"]});
    for url in GOOD {
        let answered = world.api.post("/v1/endpoints", &body(url)).await;
        assert_eq!(answered.status.as_u16(), 201, "{url}: {}", answered.text());
    }
    let too_long = format!("https://hooks.example.com/{}", "x".repeat(2_048));
    for url in BAD.iter().copied().chain([too_long.as_str()]) {
        refused(url, &world.api.post("/v1/endpoints", &body(url)).await, 422, "invalid-url");
    }
    assert_eq!(world.list("/v1/endpoints").await.len(), GOOD.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_loosens_scheme_and_address_and_nothing_else() {
    let world = World::start().await;
    let body = |url: &str| json!({"locationId": LOCATION, "url": url, "eventTypes": ["ContactCreate"]});
    for url in ["http://localhost:3000/", "http://127.0.0.1:3000/", "http://192.168.1.5/", "https://[::1]/"] {
        let answered = world.api.post("/v1/endpoints", &body(url)).await;
        assert_eq!(answered.status.as_u16(), 201, "{url}: {}", answered.text());
    }
    for url in [
        "http://u:p@localhost/",
        "http://localhost/#x",
        "http://localhost:0/",
        "ftp://localhost/",
        "http://localhost:25/",
    ] {
        refused(url, &world.api.post("/v1/endpoints", &body(url)).await, 422, "invalid-url");
    }
}
