//! The console beside the API: whose paths are whose, and who may show it in a frame.

use http::Method;
use serde_json::json;
use testkit::Client;

use crate::world::{LOCATION, World, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_console_has_every_path_that_is_not_the_api_s() {
    let world = World::start().await;
    for path in ["/", "/endpoints", "/deliveries/dlv_01?tab=raw"] {
        let page = world.api.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(page.header("x-request-id").is_some(), "it is seen in the log like every request");
    }
    assert_eq!(world.api.get("/brand.json").await.expect(200)["name"], "Hoopoe");
    world.api.get("/v1/nothing").await.expect_problem(404, "not-found");
    world.api.post("/endpoints", &json!({})).await.expect_problem(404, "not-found");
    assert_eq!(world.api.get("/assets/nothing.js").await.status.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_allowed_may_frame_the_console_and_its_sign_in() {
    let world = World::start_with(|args| {
        args.public_url = Some("https://hooks.example.com".to_owned());
        args.frame_ancestors = Some(vec!["https://crm.example.com".parse().unwrap()]);
        args.brand_name = Some("Acme Hooks".parse().unwrap());
    })
    .await;
    let made = world.api.post("/v1/portal-sessions", &json!({"locationId": LOCATION})).await.expect(201);
    let code = text(&made, "url").split_once("code=").unwrap().1;
    for path in ["/?embed=1", &format!("/login?code={code}&embed=1")] {
        let page = world.api.get(path).await;
        let policy = page.header("content-security-policy").unwrap().to_owned();
        assert!(policy.ends_with("frame-ancestors 'self' https://crm.example.com"), "{policy}");
        assert_eq!(page.header("x-frame-options"), None, "{path}");
    }
    let browser =
        Client::new(world.api.base()).with_header("content-type", "application/x-www-form-urlencoded");
    let signed_in = browser.send(Method::POST, "/login", format!("code={code}&embed=1")).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.header("location")), (303, Some("/?embed=1")));
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=None; Secure; Partitioned"), "{cookie}");
    // The API's own answers stay out of frames.
    let docs = world.api.get("/docs").await;
    assert_eq!(docs.header("x-frame-options"), Some("DENY"));
    assert_eq!(world.api.get("/brand.json").await.expect(200)["name"], "Acme Hooks");
}
