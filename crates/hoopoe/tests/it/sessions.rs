//! Sessions: a link that works once and for a minute, a cookie that scripts and other sites cannot use, an end at once.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answered, Client};

use crate::authorization::{Location, signed_in};
use crate::world::{LOCATION, World, refused, text};

async fn link(world: &World, body: Value) -> Value {
    world.api.post("/v1/portal-sessions", &body).await.expect(201)
}

fn code_of(link: &Value) -> String {
    text(link, "url").split_once("/login?code=").unwrap().1.to_owned()
}

fn browser(world: &World) -> Client {
    Client::new(world.api.base()).with_header("content-type", "application/x-www-form-urlencoded")
}

async fn redeem(client: &Client, code: &str) -> Answered {
    client.send(Method::POST, "/login", format!("code={code}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_and_looking_at_it_opens_nothing() {
    let world = World::start().await;
    let made =
        link(&world, json!({"locationId": LOCATION, "permissions": ["view", "manage"], "ttlSeconds": 600}))
            .await;
    assert_eq!(made["expiresAt"], world.now().plus_millis(600_000).to_string());
    assert_eq!(made["urlExpiresAt"], world.now().plus_millis(60_000).to_string());
    let path = text(&made, "url").strip_prefix(world.api.base()).unwrap();
    let browser = browser(&world);
    for _ in 0..2 {
        let page = browser.get(path).await;
        assert_eq!((page.status.as_u16(), page.header("set-cookie")), (200, None));
        assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(page.text().contains("method=\"post\""), "{}", page.text());
    }
    let signed_in = redeem(&browser, &code_of(&made)).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.header("location")), (303, Some("/")));
    let cookie = signed_in.header("set-cookie").unwrap().to_owned();
    for part in ["hoopoe_session=hps_", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "this server is reached by http");
    let again = redeem(&browser, &code_of(&made)).await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (401, None));
    let pair = cookie.split(';').next().unwrap();
    let current = Client::new(world.api.base())
        .with_header("cookie", pair)
        .get("/v1/sessions/current")
        .await
        .expect(200);
    assert_eq!((&current["locationId"], &current["id"]), (&LOCATION.into(), &made["sessionId"]));
    assert_eq!(current["permissions"], json!(["view", "manage"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_a_minute_and_a_session_for_its_time() {
    let world = World::start().await;
    let late = link(&world, json!({"locationId": LOCATION})).await;
    world.clock.advance_ms(60_000);
    assert_eq!(redeem(&browser(&world), &code_of(&late)).await.status.as_u16(), 401);
    let short = link(&world, json!({"locationId": LOCATION, "ttlSeconds": 60})).await;
    world.clock.advance_ms(59_999);
    let cookie = redeem(&browser(&world), &code_of(&short)).await.header("set-cookie").unwrap().to_owned();
    let client = Client::new(world.api.base()).with_header("cookie", cookie.split(';').next().unwrap());
    client.get("/v1/endpoints").await.expect(200);
    world.clock.advance_ms(1);
    refused("an ended session", &client.get("/v1/endpoints").await, 401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_at_once_when_it_is_revoked_and_outlives_a_restart_when_not() {
    let world = World::start().await;
    let token = signed_in(&world, Location(LOCATION), &["view"]).await;
    let world = world.restart().await;
    let client = Client::new(world.api.base()).with_key(&token);
    let id = text(&client.get("/v1/sessions/current").await.expect(200), "id").to_owned();
    assert!(world.list("/v1/sessions").await.iter().any(|session| session["id"] == id.as_str()));
    world.api.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    refused("a revoked session", &client.get("/v1/endpoints").await, 401, "unauthorized");
    assert!(!world.list("/v1/sessions").await.iter().any(|session| session["id"] == id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_cookie_needs_the_token_that_only_our_pages_can_read() {
    let world = World::start().await;
    let token = signed_in(&world, Location(LOCATION), &["manage", "view"]).await;
    let cookie = Client::new(world.api.base()).with_header("cookie", &format!("a=b; hoopoe_session={token}"));
    let body = json!({"locationId": LOCATION, "url": world.receiver.url("/x"), "eventTypes": ["*"]});
    refused("without", &cookie.post("/v1/endpoints", &body).await, 403, "forbidden");
    let wrong = cookie.clone().with_header("x-csrf-token", "00000000000000000000000000000000");
    refused("a wrong one", &wrong.post("/v1/endpoints", &body).await, 403, "forbidden");
    let current = cookie.get("/v1/sessions/current").await.expect(200);
    let right = cookie.with_header("x-csrf-token", text(&current, "csrfToken"));
    right.post("/v1/endpoints", &body).await.expect(201);
}

/// A link can come from anybody who has a location of his own.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_is_asked_before_a_link_takes_him_elsewhere() {
    let world = World::start().await;
    let token = signed_in(&world, Location(LOCATION), &["view"]).await;
    let browser = browser(&world).with_header("cookie", &format!("hoopoe_session={token}"));
    let page = async |whose: Value| {
        let made = link(&world, whose).await;
        let path = text(&made, "url").strip_prefix(world.api.base()).unwrap().to_owned();
        (made, browser.get(&path).await.text())
    };
    let (own, shown) = page(json!({"locationId": LOCATION})).await;
    assert!(shown.contains("<script>") && !shown.contains("Stay where you are"), "{shown}");
    let (_, shown) = page(json!({"locationId": "elsewhere"})).await;
    assert!(!shown.contains("<script>") && shown.contains("Stay where you are"), "{shown}");
    assert!(shown.contains(&format!("signed in to location <code>{LOCATION}</code>")), "{shown}");
    // The session whose cookie is replaced is nobody's any more.
    assert_eq!(redeem(&browser, &code_of(&own)).await.status.as_u16(), 303);
    let before = Client::new(world.api.base()).with_key(&token);
    refused("the session before", &before.get("/v1/endpoints").await, 401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_signs_nobody_in() {
    let world = World::start().await;
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let made = link(&world, json!({"locationId": LOCATION})).await;
        let foreign = browser(&world).with_header(header, value);
        let answered = redeem(&foreign, &code_of(&made)).await;
        assert_eq!(
            (answered.status.as_u16(), answered.header("set-cookie")),
            (403, None),
            "{header}: {value}"
        );
        let own = browser(&world).with_header("sec-fetch-site", "same-origin");
        assert_eq!(redeem(&own, &code_of(&made)).await.status.as_u16(), 303, "the code is not spent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_codes_is_told_to_wait_and_a_right_one_still_works() {
    let world = World::start().await;
    let made = link(&world, json!({"locationId": LOCATION})).await;
    for n in 0..domain::limits::FAILED_SIGN_INS_PER_ADDRESS {
        assert_eq!(redeem(&browser(&world), &format!("hpc_{n}")).await.status.as_u16(), 401);
    }
    let answered = redeem(&browser(&world), "hpc_one_more").await;
    assert_eq!(answered.status.as_u16(), 429);
    assert!(answered.header("retry-after").is_some() && answered.header("set-cookie").is_none());
    // Behind a proxy, who tries and whose code is right have one address.
    assert_eq!(redeem(&browser(&world), &code_of(&made)).await.status.as_u16(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_over_https_makes_links_and_cookies_for_https() {
    let world =
        World::start_with(|args| args.public_url = Some("https://hooks.example.com/".to_owned())).await;
    let made = link(&world, json!({"locationId": LOCATION})).await;
    assert!(text(&made, "url").starts_with("https://hooks.example.com/login?code=hpc_"), "{made}");
    let cookie = redeem(&browser(&world), &code_of(&made)).await.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-hoopoe_session=hps_") && cookie.ends_with("; Secure"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let client = |pair: &str| Client::new(world.api.base()).with_header("cookie", pair);
    let current = client(pair).get("/v1/sessions/current").await.expect(200);
    assert!(current["csrfToken"].is_string(), "{current}");
    // One that a neighbouring host could have set.
    let plain = client(pair.trim_start_matches("__Host-")).get("/v1/sessions/current").await;
    refused("the plain name", &plain, 401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_carries_two_sessions_is_not_signed_in() {
    let world = World::start().await;
    let one = signed_in(&world, Location(LOCATION), &["view"]).await;
    let other = signed_in(&world, Location(LOCATION), &["view"]).await;
    let with = |cookies: String| Client::new(world.api.base()).with_header("cookie", &cookies);
    let both = with(format!("hoopoe_session={one}; hoopoe_session={other}"));
    let problem = refused("two", &both.get("/v1/endpoints").await, 401, "unauthorized");
    assert!(text(&problem, "detail").contains("two sessions"), "{problem}");
    assert_eq!(both.get("/v1/sessions/current").await.status.as_u16(), 401);
    with(format!("hoopoe_session={one}; hoopoe_session={one}")).get("/v1/endpoints").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_built_of_a_plain_host_alone() {
    let world = World::start().await;
    let of_host = |world: &World, host: &str| world.api.clone().with_header("host", host);
    let body = json!({"locationId": LOCATION});
    let before = world.list("/v1/sessions").await.len();
    for host in ["evil.example/x?", "user@evil.example", "a b", "x:port", "[::1"] {
        let answered = of_host(&world, host).post("/v1/portal-sessions", &body).await;
        let problem = refused(host, &answered, 400, "invalid-host");
        assert!(text(&problem, "detail").contains("--public-url"), "{problem}");
    }
    assert_eq!(world.list("/v1/sessions").await.len(), before);
    let made = of_host(&world, "hooks.example.com:8443").post("/v1/portal-sessions", &body).await.expect(201);
    assert!(text(&made, "url").starts_with("http://hooks.example.com:8443/login?code="), "{made}");
    let world =
        World::start_with(|args| args.public_url = Some("https://hooks.example.com".to_owned())).await;
    let made = of_host(&world, "evil.example/x?").post("/v1/portal-sessions", &body).await.expect(201);
    assert!(text(&made, "url").starts_with("https://hooks.example.com/login?code="), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_answer_holds_no_link() {
    let world = World::start().await;
    let client = world.api.clone().with_header("idempotency-key", "k");
    let first = client.post("/v1/portal-sessions", &json!({"locationId": LOCATION})).await.expect(201);
    let second = client.post("/v1/portal-sessions", &json!({"locationId": LOCATION})).await.expect(201);
    assert_eq!((&second["sessionId"], &second["url"]), (&first["sessionId"], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_wishes_for_a_session_are_refused_with_their_faults() {
    let world = World::start().await;
    for (case, body, code) in [
        ("publishing", json!({"locationId": LOCATION, "permissions": ["publish"]}), "invalid-request"),
        ("nothing", json!({"locationId": LOCATION, "permissions": []}), "invalid-request"),
        ("too short", json!({"locationId": LOCATION, "ttlSeconds": 59}), "invalid-request"),
        ("too long", json!({"locationId": LOCATION, "ttlSeconds": 604_801}), "invalid-request"),
        ("two owners", json!({"locationId": LOCATION, "appId": "a"}), "invalid-request"),
        ("an unknown field", json!({"locationId": LOCATION, "brand": {}}), "unknown-field"),
    ] {
        refused(case, &world.api.post("/v1/portal-sessions", &body).await, 422, code);
    }
    let page = Client::new(world.api.base()).get("/login").await;
    assert_eq!(page.status.as_u16(), 422);
    let hostile = Client::new(world.api.base()).get("/login?code=%22%3E%3Cscript%3E").await;
    assert!(hostile.status.as_u16() == 422 && !hostile.text().contains("<script>"), "{}", hostile.text());
}
