//! The other commands of the binary, from a shell's point of view.

use serde_json::{Value, json};
use testkit::{Finished, Receiver};

use crate::site::{KEY, LOCATION, Site, api, binary, contact, endpoint};

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

#[tokio::test(flavor = "multi_thread")]
async fn listen_forwards_what_was_sent_and_comes_back_after_the_server_did() {
    let (site, receiver, local) = (Site::new(), Receiver::start().await, Receiver::start().await);
    let server = site.program().start().await;
    let address = server.base().trim_start_matches("http://").to_owned();
    let api_client = api(&server);
    let id = endpoint(&api_client, LOCATION, &receiver.url("/hook")).await;
    endpoint(&api_client, "another", &receiver.url("/hook")).await;
    let args = [
        "listen",
        "--forward-to",
        &local.url("/here?from=hoopoe"),
        "--endpoint",
        &id,
        "--server",
        server.base(),
    ];
    let mut listening = binary()
        .args(args)
        .args(["--events", "ContactCreate,ContactDelete"])
        .env("HOOPOE_API_KEY", KEY)
        .start()
        .await;
    let publish = async |client: &testkit::Client, location: &str, n: usize| {
        client.post("/v1/events", &contact(location, n)).await.expect(202);
    };
    publish(&api_client, "another", 0).await;
    publish(&api_client, LOCATION, 1).await;
    let forwarded = local.wait_for(1).await.remove(0);
    let sent = receiver.wait_for(2).await.into_iter().find(|request| request.body == forwarded.body).unwrap();
    assert_eq!(forwarded.path, "/here?from=hoopoe");
    for name in
        ["x-wl-signature", "webhook-signature", "webhook-id", "content-type", "user-agent", "x-wl-attempt"]
    {
        assert_eq!(forwarded.expect_header(name), sent.expect_header(name));
    }
    testkit::eventually("a line of the event", || async {
        let line = listening.stdout().lines().find(|line| line.contains("ContactCreate evt_"))?.to_owned();
        (line.contains("attempt 1 -> 200 in ") && line.ends_with(" ms")).then_some(())
    })
    .await;

    server.kill().await;
    let again = ["serve", "--dev", "--listen", &address, "--data-dir"];
    let program = binary().args(again).args([site.data_dir()]).env("HOOPOE_PLATFORM_KEY", KEY);
    let server = program.start().await;
    testkit::eventually("it to listen again", || async {
        listening.stdout().contains("some events were missed").then_some(())
    })
    .await;
    publish(&api(&server), LOCATION, 2).await;
    assert_eq!(local.wait_for(2).await[1].json()["id"], "contact-2");
    listening.signal("INT").await;
    assert!(listening.ended().await.success());
    assert!(listening.stderr().ends_with("stopped listening\n"), "{}", listening.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_says_what_is_wrong() {
    let site = Site::new();
    let server = site.start().await;
    let base = server.base();
    let nobody = "ep_00000000000000000000000000";
    for (args, said) in [
        (vec!["--server", base], "HOOPOE_API_KEY"),
        (vec!["--server", base, "--key", "hpk_wrong"], "unauthorized"),
        (vec!["--server", base, "--key", KEY, "--endpoint", nobody], "not-found"),
        (vec!["--server", base, "--key", KEY, "--events", "ContactCrate"], "ContactCreate"),
        (vec!["--server", "http://127.0.0.1:1", "--key", KEY], "hoopoe serve"),
    ] {
        let done =
            hoopoe(&[vec!["listen", "--forward-to", "http://127.0.0.1:1/x"], args.clone()].concat(), b"")
                .await;
        assert_eq!(done.code, Some(1), "{args:?}: {done:?}");
        assert!(done.stderr.contains(said) && done.stderr.lines().count() == 1, "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains(KEY));
    }
}
