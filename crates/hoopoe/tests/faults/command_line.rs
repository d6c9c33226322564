//! The other commands of the binary, from a shell's point of view.

use serde_json::{Value, json};
use testkit::{Finished, Receiver};

use crate::site::{KEY, LOCATION, Site, api, binary, endpoint};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

async fn hoopoe(args: &[&str], stdin: &[u8]) -> Finished {
    binary().args(args.iter().copied()).run(stdin).await
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_publishes_the_example_with_what_was_set() {
    let (site, receiver) = (Site::new(), Receiver::start().await);
    let server = site.start().await;
    endpoint(&api(&server), LOCATION, &receiver.url("/hook")).await;
    let args =
        ["trigger", "ContactCreate", "--location", LOCATION, "--set", "city=Austin", "--url", server.base()];
    let done = binary().args(args).env("HOOPOE_API_KEY", KEY).run(b"").await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.stdout.starts_with("evt_") && done.stdout.contains("1 delivery"), "{}", done.stdout);
    let payload = receiver.wait_for(1).await[0].json();
    assert_eq!((&payload["city"], &payload["locationId"]), (&"Austin".into(), &LOCATION.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_says_what_is_wrong() {
    let site = Site::new();
    let server = site.start().await;
    let base = server.base();
    for (args, said) in [
        (vec!["trigger", "ContactCreate", "--url", base], "HOOPOE_API_KEY"),
        (vec!["trigger", "ContactCrate", "--url", base, "--key", KEY], "ContactCreate"),
        (vec!["trigger", "ContactCreate", "--url", base, "--key", "hpk_wrong"], "unauthorized"),
        (vec!["trigger", "ContactCreate", "--url", base, "--key", KEY, "--set", "tags=5"], "/tags"),
        (vec!["trigger", "ContactCreate", "--url", "http://127.0.0.1:1", "--key", KEY], "hoopoe serve"),
    ] {
        let done = hoopoe(&args, b"").await;
        assert_eq!(done.code, Some(1), "{args:?}: {done:?}");
        assert!(done.stderr.contains(said) && done.stderr.lines().count() == 1, "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains(KEY));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_a_good_signature_from_a_bad_one() {
    let body = br#"{"type":"ContactCreate"}"#;
    let secret = SECRET.parse().unwrap();
    let signature = hoopoe_webhooks::Signer::new(&secret).x_wl_signature(body);
    let good = hoopoe(&["verify", "--secret", SECRET, "--signature", &signature], body).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.starts_with("valid"), "{}", good.stdout);
    let longer = [body.as_slice(), b"\n"].concat();
    let bad = hoopoe(&["verify", "--secret", SECRET, "--signature", &signature], &longer).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stdout.starts_with("not valid") && bad.stdout.contains("line breaks"), "{}", bad.stdout);
    for done in [good, bad] {
        assert!(!format!("{done:?}").contains(SECRET));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_takes_the_headers_of_standard_webhooks() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (age_s, code) in [(0, Some(0)), (3_600, Some(1))] {
        let timestamp = now - age_s;
        let signer = hoopoe_webhooks::Signer::new(&SECRET.parse().unwrap());
        let signature = signer.standard("evt_1", timestamp as i64, b"{}");
        let stamp = timestamp.to_string();
        let args =
            ["verify", "--secret", SECRET, "--id", "evt_1", "--timestamp", &stamp, "--signature", &signature];
        let done = hoopoe(&args, b"{}").await;
        assert_eq!(done.code, code, "{done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_prints_what_the_server_serves() {
    let site = Site::new();
    let server = site.start().await;
    let served = server.client().get("/openapi.json").await;
    let printed = hoopoe(&["openapi"], b"").await;
    assert_eq!(printed.code, Some(0));
    assert!(served.body == printed.stdout.as_bytes(), "the two differ");
    let document: Value = served.json();
    assert_eq!(document["openapi"], json!("3.1.0"));
}
