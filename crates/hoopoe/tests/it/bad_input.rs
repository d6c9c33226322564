//! What may not be published: each fault has its code, and nothing is stored.

use serde_json::{Value, json};

use crate::world::{LOCATION, World, contact, pointers, refused, text};

const MAX: usize = 256 * 1024;

fn padded(length: usize) -> Vec<u8> {
    let empty = contact(LOCATION).to_string().replace("\"Ada\"", "\"\"");
    let name = "x".repeat(length - empty.len());
    empty.replace("\"\"", &format!("\"{name}\"")).into_bytes()
}

fn table() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let with = |member: &str| {
        format!(r#"{{"type":"ContactCreate","locationId":"{LOCATION}",{member}}}"#).into_bytes()
    };
    vec![
        ("nothing", b"".to_vec(), 400, "invalid-json"),
        ("spaces", b"  \n".to_vec(), 400, "invalid-json"),
        ("half an object", br#"{"type":"#.to_vec(), 400, "invalid-json"),
        ("two values", br#"{} {}"#.to_vec(), 400, "invalid-json"),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf".as_slice(), &with("\"id\":\"x\"")].concat(),
            400,
            "invalid-json",
        ),
        (
            "invalid UTF-8",
            with("\"id\":\"\u{0}\"").iter().map(|b| if *b == 0 { 0xff } else { *b }).collect(),
            400,
            "invalid-json",
        ),
        ("not a number", with("\"n\":NaN"), 400, "invalid-json"),
        ("an array", b"[]".to_vec(), 422, "not-an-object"),
        ("a string", b"\"ContactCreate\"".to_vec(), 422, "not-an-object"),
        ("null", b"null".to_vec(), 422, "not-an-object"),
        ("a duplicate key", with("\"id\":\"x\",\"id\":\"y\""), 422, "duplicate-key"),
        (
            "a duplicate key deep inside",
            with("\"id\":\"x\",\"a\":[{\"b\":1,\"\\u0062\":2}]"),
            422,
            "duplicate-key",
        ),
        ("no type", format!(r#"{{"locationId":"{LOCATION}"}}"#).into_bytes(), 422, "unknown-type"),
        (
            "an unknown type",
            contact(LOCATION).to_string().replace("ContactCreate", "ContactCrate").into_bytes(),
            422,
            "unknown-type",
        ),
        ("no scope id", br#"{"type":"ContactCreate","id":"x"}"#.to_vec(), 422, "invalid-payload"),
        ("a scope id with a space", contact("a b").to_string().into_bytes(), 422, "invalid-payload"),
        (
            "a scope id of 65 characters",
            contact(&"x".repeat(65)).to_string().into_bytes(),
            422,
            "invalid-payload",
        ),
        ("a wrong type of a member", with("\"id\":\"x\",\"tags\":\"vip\""), 422, "invalid-payload"),
        ("one byte too many", padded(MAX + 1), 413, "payload-too-large"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_payloads_are_refused_with_their_code_and_nothing_is_stored() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    for (case, body, status, code) in table() {
        let answered = world.api.send(http::Method::POST, "/v1/events", body).await;
        refused(case, &answered, status, code);
    }
    assert_eq!(world.list("/v1/events").await, Vec::<Value>::new());
    assert_eq!(world.list("/v1/deliveries").await, Vec::<Value>::new());
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_payload_is_accepted_and_delivered_whole() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let body = padded(MAX);
    world.api.send(http::Method::POST, "/v1/events", body.clone()).await.expect(202);
    assert_eq!(world.receiver.wait_for(1).await[0].body, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_payload_is_named_with_its_place() {
    let world = World::start().await;
    let payload = json!({"type": "ContactCreate", "id": 5, "tags": ["a", 7], "dnd": "no"});
    let problem = world.api.post("/v1/events", &payload).await.expect_problem(422, "invalid-payload");
    let mut found = pointers(&problem);
    found.sort_unstable();
    assert_eq!(found, ["/dnd", "/id", "/locationId", "/tags/1"], "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_a_hundred_faults_are_named() {
    let world = World::start().await;
    let mut payload = contact(LOCATION);
    payload["tags"] = vec![7; 150].into();
    let problem = world.api.post("/v1/events", &payload).await.expect_problem(422, "invalid-payload");
    assert_eq!(pointers(&problem).len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_type_gets_a_suggestion() {
    let world = World::start().await;
    let payload = json!({"type": "ContactCrate", "locationId": LOCATION});
    let problem = world.api.post("/v1/events", &payload).await.expect_problem(422, "unknown-type");
    assert!(problem.to_string().contains("ContactCreate"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_waives_the_schema_and_nothing_else() {
    let world = World::start().await;
    let mut faulty = contact(LOCATION);
    faulty["tags"] = "vip".into();
    for mode in ["off", "warn"] {
        world.api.post(&format!("/v1/events?validate={mode}"), &faulty).await.expect(202);
    }
    world.api.post("/v1/events?validate=reject", &faulty).await.expect_problem(422, "invalid-payload");
    let unknown = json!({"type": "Nothing", "locationId": LOCATION});
    world.api.post("/v1/events?validate=off", &unknown).await.expect_problem(422, "unknown-type");
    let nowhere = json!({"type": "ContactCreate"});
    world.api.post("/v1/events?validate=off", &nowhere).await.expect_problem(422, "invalid-payload");
    let wrong_mode = world.api.post("/v1/events?validate=maybe", &contact(LOCATION)).await;
    assert_eq!(wrong_mode.status.as_u16(), 422, "{}", wrong_mode.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_default_for_the_schema_can_be_set() {
    let world = World::start_with(|args| args.validate = Some(hoopoe::config::ValidateMode::Off)).await;
    let mut faulty = contact(LOCATION);
    faulty["tags"] = "vip".into();
    world.publish(&faulty).await;
    world.api.post("/v1/events?validate=reject", &faulty).await.expect_problem(422, "invalid-payload");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_accepted_and_answered_by_its_canonical_name() {
    let world = World::start().await;
    world.endpoint(json!({"eventTypes": ["ConversationUnreadUpdate"]})).await;
    let shown = world.api.get("/v1/event-types/ConversationUnread").await.expect(200);
    assert_eq!(shown["type"], "ConversationUnreadWebhook");
    let mut payload = shown["example"].clone();
    payload["type"] = "ConversationUnreadUpdate".into();
    payload["locationId"] = LOCATION.into();
    let event = world.publish(&payload).await;
    assert_eq!((text(&event, "type"), &event["deliveries"]), ("ConversationUnreadWebhook", &1.into()));
    let request = world.receiver.wait_for(1).await.remove(0);
    assert_eq!(request.expect_header("x-wl-event"), "ConversationUnreadWebhook");
    assert_eq!(request.json()["type"], "ConversationUnreadUpdate");
    assert_eq!(world.list("/v1/events?type=ConversationUnread").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_whole_payload_is_told_in_a_sentence_that_names_it() {
    let world = World::start().await;
    let answered = world.api.post("/v1/events", &json!({"type": "AppInstall", "appId": "an-app"})).await;
    let problem = refused("neither location nor company", &answered, 422, "invalid-payload");
    assert_eq!(pointers(&problem), [""]);
    assert_eq!(text(&problem, "detail"), "the payload must have `locationId` or `companyId`");
}
