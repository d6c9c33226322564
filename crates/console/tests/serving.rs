//! What a browser gets. Whether the console was built or not, since a checkout may have either.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use hoopoe_console::{Brand, Logo, Parents, Stage, router};
use http_body_util::BodyExt;
use tower::ServiceExt;

async fn get(brand: Brand, path: &str, headers: &[(&str, &str)]) -> (Response<()>, Bytes) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(brand).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
}

fn header<'a>(response: &'a Response<()>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_page_of_the_console_is_its_index_under_a_strict_policy() {
    for path in ["/", "/endpoints", "/endpoints/ep_01/deliveries?status=failed", "/event-types/ContactCreate"]
    {
        let (response, body) = get(Brand::default(), path, &[]).await;
        assert_eq!(
            (response.status(), header(&response, "content-type")),
            (StatusCode::OK, "text/html; charset=utf-8")
        );
        assert_eq!(header(&response, "cache-control"), "no-cache", "{path}");
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.contains("script-src 'self';") && policy.ends_with("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains("<script>") && !text.contains("<style"), "nothing inline: {text}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_the_index() {
    for path in
        ["/assets/none.js", "/assets/", "/favicon.ico", "/.env", "/index.html.br", "/a/../../Cargo.toml"]
    {
        let (response, _) = get(Brand::default(), path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let post = Request::post("/endpoints").body(Body::empty()).unwrap();
    let answered = router(Brand::default()).oneshot(post).await.unwrap();
    assert_eq!(answered.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn what_the_browser_has_already_is_not_sent_again() {
    let (first, _) = get(Brand::default(), "/", &[]).await;
    let tag = header(&first, "etag").to_owned();
    let (again, body) = get(Brand::default(), "/", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status(), body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (other, _) = get(Brand::default(), "/", &[("if-none-match", "\"old\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_brand_is_told_and_its_parents_may_frame_the_console() {
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    let brand = Brand {
        name: "Acme".parse().unwrap(),
        logo: Some(Logo::new(svg.clone()).unwrap()),
        accent: Some("#AA00BB".parse().unwrap()),
        parents: Parents::new(vec![
            "https://crm.example.com".parse().unwrap(),
            "http://localhost:3000".parse().unwrap(),
        ])
        .unwrap(),
        stage: Stage::Dev,
    };
    let (_, told) = get(brand.clone(), "/brand.json", &[]).await;
    let expected = r##"{"name":"Acme","logo":"/brand/logo","colors":{"accent":"#aa00bb"},"dev":true}"##;
    assert_eq!(told, expected);
    let (picture, bytes) = get(brand.clone(), "/brand/logo", &[]).await;
    assert_eq!((header(&picture, "content-type"), bytes.as_ref()), ("image/svg+xml", &*svg));
    assert!(header(&picture, "content-security-policy").contains("sandbox"), "its script runs nowhere");
    let (page, _) = get(brand, "/?embed=1", &[]).await;
    let policy = header(&page, "content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors 'self' https://crm.example.com http://localhost:3000"),
        "{policy}"
    );
    let (none, _) = get(Brand::default(), "/brand/logo", &[]).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}
