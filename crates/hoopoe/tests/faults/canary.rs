//! Known secrets go through everything that a server does, and are then searched for in everything that it leaves: files,
//! log lines, metrics, answers.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};
use testkit::{Answer, Client, Receiver, Running, eventually};

use crate::site::{KEY, LOCATION, Site, api, contact};

const FIRST_SECRET: &str = "whsec_Y2FuYXJ5LW9uZS1jYW5hcnktb25lLWNhbmFyeS0x";
const SECOND_SECRET: &str = "own-secret/without+prefix=of~a platform?";
const HEADER_VALUE: &str = "Basic canary-header-value:0123456789==";
const WRONG_KEY: &str = "hpk_wrong_canary_0123456789abcdefghijkl";

/// A secret in every form that it might be written in.
struct Canary {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new(name: &'static str, secret: &[u8]) -> Self {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let url: String = url::form_urlencoded::byte_serialize(secret).collect();
        let percent = url.replace('+', "%20");
        let mut forms =
            vec![secret.to_vec(), hex.to_uppercase().into(), hex.into(), url.into(), percent.into()];
        // As debug formatting and JSON show bytes and text.
        forms.push(format!("{secret:?}").trim_matches(['[', ']']).into());
        if let Ok(text) = std::str::from_utf8(secret) {
            forms.push(format!("{text:?}").trim_matches('"').into());
            forms.extend(text.strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok()));
        }
        // Without the last character or two, which depend on what would follow.
        for encoded in [STANDARD.encode(secret), URL_SAFE.encode(secret)] {
            forms.push(encoded.trim_end_matches('=')[..secret.len() * 4 / 3 - 1].into());
        }
        Self { name, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| memchr::memmem::find(bytes, form).is_some())
    }
}

/// What was seen, and where.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Any answer that is not meant to show a secret.
    async fn ask(&mut self, api: &Client, method: &str, path: &str, body: &str) -> Value {
        let answered = api.send(method.parse().unwrap(), path, body.to_owned()).await;
        self.add(format!("{method} {path}"), format!("{:?} {}", answered.headers, answered.text()));
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    /// Every file but the master key's own.
    fn add_files(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_none_or(|name| name != "master.key") {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    fn holds(&self, canary: &Canary) -> Vec<&str> {
        let found = self.0.iter().filter(|(_, bytes)| canary.is_in(bytes));
        found.map(|(place, _)| place.as_str()).collect()
    }
}

fn master_key(site: &Site) -> Vec<u8> {
    let text = std::fs::read_to_string(site.data_dir().join("master.key")).unwrap();
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

async fn start(site: &Site) -> Running {
    let program = site.program().env("HOOPOE_LOG_LEVEL", "trace");
    program.args(["--retry-schedule="]).start().await
}

/// Registers an endpoint with the secret and the header; its route.
async fn register(seen: &mut Seen, api: &Client, location: &str, url: &str, secret: &str) -> String {
    let body = json!({"locationId": location, "url": url, "eventTypes": ["*"], "secret": secret,
        "headers": {"authorization": HEADER_VALUE}});
    // The one answer that shows the secret.
    let created = api.post("/v1/endpoints", &body).await.expect(201);
    let route = format!("/v1/endpoints/{}", created["id"].as_str().unwrap());
    seen.ask(api, "GET", &route, "").await;
    route
}

/// Requests that hold a secret where none belongs.
async fn wrong_requests(seen: &mut Seen, api: &Client, route: &str) {
    let stranger = api.clone().with_key(WRONG_KEY);
    seen.ask(&stranger, "GET", "/v1/events", "").await;
    let basic = api.clone().with_header("authorization", &format!("Basic {KEY}"));
    seen.ask(&basic, "GET", "/v1/events", "").await;
    let url = "https://hooks.example.com/in";
    for body in [
        format!("{{\"secret\": \"{FIRST_SECRET}\""),
        json!({"locationId": LOCATION, "url": url, "eventTypes": ["*"], "secret": FIRST_SECRET, "x": 1})
            .to_string(),
        json!({"locationId": LOCATION, "url": url, "eventTypes": ["*"], "secret": [FIRST_SECRET]})
            .to_string(),
        json!({"locationId": LOCATION, "url": url, "eventTypes": ["*"], "headers": {"host": HEADER_VALUE}})
            .to_string(),
        json!({"locationId": LOCATION, "url": "http://", "secret": format!("{SECOND_SECRET}\u{e9}")})
            .to_string(),
    ] {
        seen.ask(api, "POST", "/v1/endpoints", &body).await;
    }
    let too_soon = json!({"secret": FIRST_SECRET}).to_string();
    seen.ask(api, "POST", &format!("{route}/secret/rotate"), &too_soon).await;
}

/// Deliveries that fail in every way, and one that arrives.
async fn deliver(seen: &mut Seen, api: &Client, receiver: &Receiver) {
    receiver.usually("/error", Answer::status(500).body("no"));
    receiver.usually("/close", Answer::close());
    receiver.usually("/reset", Answer::reset());
    let tls = receiver.url("/tls").replace("http://", "https://");
    let refusing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let urls = [
        receiver.url("/hook"),
        receiver.url("/error"),
        receiver.url("/close"),
        receiver.url("/reset"),
        // Never answers a handshake: a timeout.
        tls,
        format!("http://{refusing}/refused"),
        "https://canary.hoopoe-nowhere.example/dns".to_owned(),
    ];
    let mut routes = Vec::new();
    for (n, url) in urls.iter().enumerate() {
        routes.push(register(seen, api, &format!("canary-{n}"), url, SECOND_SECRET).await);
        api.post("/v1/events", &contact(&format!("canary-{n}"), n)).await.expect(202);
    }
    for route in routes {
        seen.ask(api, "POST", &format!("{route}/test"), "{}").await;
    }
    for n in 0..urls.len() {
        let wanted = if n == 0 { "succeeded" } else { "failed" };
        let listing = format!("/v1/deliveries?locationId=canary-{n}&status={wanted}");
        let ended = eventually(&listing, || async {
            let page = api.get(&listing).await.expect(200);
            // The test send is one, and the event's own.
            (page["data"].as_array().unwrap().len() >= 2).then_some(page)
        })
        .await;
        for delivery in ended["data"].as_array().unwrap() {
            let id = delivery["id"].as_str().unwrap();
            seen.ask(api, "GET", &format!("/v1/deliveries/{id}"), "").await;
        }
    }
}

async fn look_around(seen: &mut Seen, api: &Client, server: &Running, site: &Site) {
    for path in ["/v1/events", "/v1/endpoints", "/v1/deliveries", "/v1/api-keys", "/metrics", "/docs"] {
        seen.ask(api, "GET", path, "").await;
    }
    seen.add_files(&site.data_dir());
    seen.add("stdout", server.stdout());
    seen.add("the log", server.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_found_in_anything_that_a_server_leaves() {
    let (site, receiver, mut seen) = (Site::new(), Receiver::start().await, Seen::default());
    let server = start(&site).await;
    let client = api(&server);
    let first_key = master_key(&site);
    let key = client.post("/v1/api-keys", &json!({"name": "k", "permissions": ["view"]})).await.expect(201);
    let key = key["key"].as_str().unwrap().to_owned();
    seen.ask(&client.clone().with_key(&key), "GET", "/v1/events", "").await;
    let route = register(&mut seen, &client, LOCATION, &receiver.url("/hook"), FIRST_SECRET).await;
    client.post(&format!("{route}/secret/rotate"), &json!({})).await.expect(200);
    let shown = client.get(&format!("{route}/secret")).await.expect(200);
    assert_eq!(shown["previousSecret"], FIRST_SECRET);
    let made = shown["secret"].as_str().unwrap().to_owned();
    wrong_requests(&mut seen, &client, &route).await;
    deliver(&mut seen, &client, &receiver).await;
    seen.ask(&client, "POST", "/v1/system/master-key/rotate", "{}").await;
    let second_key = master_key(&site);
    look_around(&mut seen, &client, &server, &site).await;
    seen.add("the log of the first", server.kill().await.stderr);
    seen.add_files(&site.data_dir());

    let mut server = start(&site).await;
    let client = api(&server);
    assert_eq!(client.get(&format!("{route}/secret")).await.expect(200), shown, "they are still there");
    look_around(&mut seen, &client, &server, &site).await;
    server.signal("TERM").await;
    assert!(server.ended().await.success());
    seen.add("the log of the second", server.stderr());
    seen.add_files(&site.data_dir());

    let log =
        String::from_utf8(seen.0.iter().find(|(place, _)| place == "the log").unwrap().1.clone()).unwrap();
    assert!(log.contains("TRACE") && log.contains("/secret/rotate"), "the log is a trace");
    assert!(receiver.received().iter().any(|one| one.header("authorization") == Some(HEADER_VALUE)));
    for canary in [
        Canary::new("a secret that was brought", SECOND_SECRET.as_bytes()),
        Canary::new("a secret that was made", made.as_bytes()),
        Canary::new("the previous secret", FIRST_SECRET.as_bytes()),
        Canary::new("the header's value", HEADER_VALUE.as_bytes()),
        Canary::new("an API key", key.as_bytes()),
        Canary::new("the platform's key", KEY.as_bytes()),
        Canary::new("a key that was refused", WRONG_KEY.as_bytes()),
        Canary::new("the first master key", &first_key),
        Canary::new("the second master key", &second_key),
    ] {
        assert_eq!(seen.holds(&canary), Vec::<&str>::new(), "{} was found", canary.name);
    }
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canary = Canary::new("a secret", FIRST_SECRET.as_bytes());
    let hex: String = FIRST_SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [
        format!("secret={FIRST_SECRET};"),
        hex,
        STANDARD.encode(format!("{FIRST_SECRET}and more")),
        format!("{:?}", FIRST_SECRET.as_bytes()),
        "canary-one-canary-one-canary-1".to_owned(),
    ] {
        assert!(canary.is_in(text.as_bytes()), "{text}");
    }
    assert!(Canary::new("x", b"a b/c+d").is_in(b"q=a+b%2Fc%2Bd"));
    assert!(!canary.is_in(b"whsec_another"));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_leaves_no_core_dump_unless_it_is_asked_to() {
    use std::os::unix::fs::MetadataExt as _;
    let site = Site::new();
    let limits =
        |server: &Running| std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = |limits: String| {
        limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned()
    };
    let owner =
        |server: &Running| std::fs::metadata(format!("/proc/{}/environ", server.pid())).unwrap().uid();
    let server = site.start().await;
    let words = core(limits(&server));
    let words: Vec<_> = words.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{words:?}");
    // What may not be dumped belongs to root, whoever runs it.
    assert_eq!(owner(&server), 0);
    server.kill().await;
    let server = site.program().args(["--core-dumps"]).start().await;
    let mine = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(owner(&server), mine);
}
