//! Every operation of the document, for every kind of actor, on objects of every world: who may do what, from one table.
//!
//! What is expected follows from three facts of an operation (which permission it needs, whose object it touches, whether
//! it is the platform's alone) and two of an actor (its world, its permissions), by rules that are written down here once more.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answered, Client, Sse};

use crate::world::{World, is_on_postgres, text};

const COMPANY: &str = "comp-1";

/// Whose an object is, or whose world an actor sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Platform,
    Location(&'static str),
    Company(&'static str),
    App(&'static str),
}
pub(crate) use Owner::{App, Company, Location, Platform};

/// Location 1 is registered under company 1; app 1 is installed there, app 2 nowhere.
const OWNERS: [Owner; 6] =
    [Platform, Location("loc-1"), Location("loc-2"), Company(COMPANY), App("app-1"), App("app-2")];

impl Owner {
    fn sees(self, other: Self) -> bool {
        self == Platform || self == other || (self == Company(COMPANY) && other == Location("loc-1"))
    }

    /// As fields of a body.
    fn fields(self) -> Value {
        match self {
            Platform => json!({}),
            Location(id) => json!({"locationId": id}),
            Company(id) => json!({"companyId": id}),
            App(id) => json!({"appId": id}),
        }
    }
}

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// No token at all.
    Nothing,
    Publish,
    Manage,
    View,
}

/// What it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touches {
    /// Nothing of anybody's, or what is in the caller's own world.
    Nothing,
    /// An object of the estate's owner: not found where it is another world's.
    Object,
    /// The same for the location or the app itself, which the platform alone may change.
    PlatformsObject,
    /// The server itself, which is the platform's.
    Server,
    /// An owner that is named in a payload: forbidden where it is another world's.
    Payload,
}

struct Operation {
    id: &'static str,
    needs: Needs,
    touches: Touches,
    status: u16,
}

impl Operation {
    fn success(&self) -> u16 {
        // On a shared database the key is the environment's, and changes with a restart.
        if self.id == "rotateMasterKey" && is_on_postgres() { 409 } else { self.status }
    }
}

const fn op(id: &'static str, needs: Needs, touches: Touches, status: u16) -> Operation {
    Operation { id, needs, touches, status }
}

const OPERATIONS: [Operation; 48] = [
    op("getDocs", Needs::Nothing, Touches::Nothing, 200),
    op("getErrorPage", Needs::Nothing, Touches::Nothing, 200),
    op("getHealth", Needs::Nothing, Touches::Nothing, 200),
    op("getOpenApi", Needs::Nothing, Touches::Nothing, 200),
    op("getReadiness", Needs::Nothing, Touches::Nothing, 200),
    op("listApiKeys", Needs::View, Touches::Nothing, 200),
    op("createApiKey", Needs::Manage, Touches::Object, 201),
    op("deleteApiKey", Needs::Manage, Touches::Object, 204),
    op("getApp", Needs::View, Touches::Object, 200),
    op("putApp", Needs::Manage, Touches::PlatformsObject, 200),
    op("deleteApp", Needs::Manage, Touches::PlatformsObject, 204),
    op("installAppInCompany", Needs::Manage, Touches::PlatformsObject, 200),
    op("uninstallAppFromCompany", Needs::Manage, Touches::PlatformsObject, 204),
    op("installApp", Needs::Manage, Touches::PlatformsObject, 200),
    op("uninstallApp", Needs::Manage, Touches::PlatformsObject, 204),
    op("listAudit", Needs::Manage, Touches::Nothing, 200),
    op("listDeliveries", Needs::View, Touches::Nothing, 200),
    op("getDelivery", Needs::View, Touches::Object, 200),
    op("cancelDelivery", Needs::Manage, Touches::Object, 409),
    op("retryDelivery", Needs::Manage, Touches::Object, 202),
    op("listEndpoints", Needs::View, Touches::Nothing, 200),
    op("createEndpoint", Needs::Manage, Touches::Object, 201),
    op("getEndpoint", Needs::View, Touches::Object, 200),
    op("getEndpointStats", Needs::View, Touches::Object, 200),
    op("deleteEndpoint", Needs::Manage, Touches::Object, 204),
    op("updateEndpoint", Needs::Manage, Touches::Object, 200),
    op("disableEndpoint", Needs::Manage, Touches::Object, 200),
    op("enableEndpoint", Needs::Manage, Touches::Object, 200),
    op("getEndpointSecret", Needs::Manage, Touches::Object, 200),
    op("promoteEndpointSecret", Needs::Manage, Touches::Object, 409),
    op("rotateEndpointSecret", Needs::Manage, Touches::Object, 200),
    op("explainSignatures", Needs::Manage, Touches::Object, 200),
    op("testEndpoint", Needs::Manage, Touches::Object, 200),
    op("streamEvents", Needs::View, Touches::Object, 200),
    op("listEventTypes", Needs::View, Touches::Nothing, 200),
    op("getEventType", Needs::View, Touches::Nothing, 200),
    op("listEvents", Needs::View, Touches::Nothing, 200),
    op("publishEvent", Needs::Publish, Touches::Payload, 202),
    op("publishEvents", Needs::Publish, Touches::Nothing, 200),
    op("getEvent", Needs::View, Touches::Object, 200),
    op("getLocation", Needs::View, Touches::Object, 200),
    op("putLocation", Needs::Manage, Touches::PlatformsObject, 200),
    op("deleteLocation", Needs::Manage, Touches::PlatformsObject, 204),
    op("createPortalSession", Needs::Manage, Touches::Object, 201),
    op("listSessions", Needs::View, Touches::Nothing, 200),
    op("getSystem", Needs::View, Touches::Server, 200),
    op("rotateMasterKey", Needs::Manage, Touches::Server, 200),
    op("deleteSession", Needs::Manage, Touches::Object, 204),
];
/// Of the caller itself, whatever the estate; tested with the sessions.
const OF_THE_CALLER: [&str; 1] = ["getCurrentSession"];

/// How a request is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeds,
    Refused,
}

type Asking = (Method, String, Value);

/// Who asks.
struct Actor {
    name: String,
    client: Client,
    /// `None`: nobody that the server knows.
    world: Option<Owner>,
    permissions: &'static [&'static str],
    is_session: bool,
    /// A session's cookie without its CSRF token: it may look and change nothing.
    lacks_csrf: bool,
}

impl Actor {
    fn may(&self, needs: Needs) -> bool {
        let word = match needs {
            Needs::Nothing => return true,
            Needs::Publish => "publish",
            Needs::Manage => "manage",
            Needs::View => "view",
        };
        self.permissions.contains(&word)
    }

    fn expected(&self, operation: &Operation, estate: &Estate, method: &Method) -> u16 {
        let Operation { id, needs, touches, .. } = *operation;
        let status = operation.success();
        if needs == Needs::Nothing {
            return status;
        }
        let Some(world) = self.world else { return 401 };
        if (self.lacks_csrf && !method.is_safe()) || !self.may(needs) {
            return 403;
        }
        // A session begets nothing that could outlive it.
        let begets = id == "createPortalSession" || (id == "createApiKey" && world != Platform);
        if self.is_session && begets {
            return 403;
        }
        let sees = world.sees(estate.object_of(id));
        match touches {
            Touches::Nothing => status,
            Touches::Object if sees => status,
            Touches::PlatformsObject if world == Platform => status,
            Touches::PlatformsObject if sees => 403,
            Touches::Object | Touches::PlatformsObject => 404,
            Touches::Server if world == Platform => status,
            Touches::Server => 403,
            Touches::Payload if sees => status,
            Touches::Payload => 403,
        }
    }
}

/// An owner with one object of each kind.
struct Estate {
    owner: Owner,
    endpoint: String,
    delivery: String,
    event: String,
    key: String,
    session: String,
    payload: Value,
}

impl Estate {
    async fn of(world: &World, owner: Owner) -> Self {
        let endpoint_owner = if owner == Platform { Location("loc-3") } else { owner };
        let endpoint = endpoint(world, endpoint_owner).await;
        let payload = payload(world, endpoint_owner).await;
        let event = text(&world.publish(&payload).await, "id").to_owned();
        let of = format!("/v1/deliveries?endpointId={endpoint}");
        let delivery = text(&world.list(&of).await[0], "id").to_owned();
        world.once_delivery(&delivery, "succeeded").await;
        let (key, session) = (key(world, owner).await, session(world, owner).await);
        Self { owner, endpoint, delivery, event, key, session, payload }
    }

    /// Whose the object is that an operation touches: the location's or the app's own, where it is about those.
    fn object_of(&self, operation: &str) -> Owner {
        match (operation, self.owner) {
            ("getLocation" | "putLocation" | "deleteLocation", _) => Location(self.location()),
            (name, _)
                if name.ends_with("App") || name.contains("InCompany") || name.contains("FromCompany") =>
            {
                App(self.app())
            }
            ("createApiKey" | "deleteApiKey" | "createPortalSession" | "deleteSession", owner) => owner,
            (_, Platform) => Location("loc-3"),
            (_, owner) => owner,
        }
    }

    fn location(&self) -> &'static str {
        if let Location(id) = self.owner { id } else { "loc-3" }
    }
    fn app(&self) -> &'static str {
        if let App(id) = self.owner { id } else { "app-3" }
    }

    /// The request of an operation on this estate. What it would destroy is made anew where it is to succeed.
    async fn request(&self, world: &World, operation: &str, end: End) -> Asking {
        if let Some(path) = self.look(operation) {
            return (Method::GET, path, Value::Null);
        }
        let (verb, path, body) = match operation.contains("Endpoint") {
            true => self.change_of_endpoint(world, operation, end).await,
            false => self.change(world, operation, end).await,
        };
        (verb.parse().unwrap(), path, body)
    }

    /// Where an operation looks that changes nothing.
    fn look(&self, operation: &str) -> Option<String> {
        let Self { endpoint: ep, delivery, event, .. } = self;
        let (location, app) = (self.location(), self.app());
        let path = match operation {
            "getDocs" => "/docs".to_owned(),
            "getErrorPage" => "/docs/errors/forbidden".to_owned(),
            "getHealth" => "/healthz".to_owned(),
            "getOpenApi" => "/openapi.json".to_owned(),
            "getReadiness" => "/readyz".to_owned(),
            "listApiKeys" => "/v1/api-keys".to_owned(),
            "getApp" => format!("/v1/apps/{app}"),
            "listAudit" => "/v1/audit".to_owned(),
            "listDeliveries" => format!("/v1/deliveries?endpointId={ep}"),
            "getDelivery" => format!("/v1/deliveries/{delivery}"),
            "listEndpoints" => "/v1/endpoints".to_owned(),
            "getEndpoint" => format!("/v1/endpoints/{ep}"),
            "getEndpointStats" => format!("/v1/endpoints/{ep}/stats"),
            "getEndpointSecret" => format!("/v1/endpoints/{ep}/secret"),
            "listEventTypes" => "/v1/event-types".to_owned(),
            "getEventType" => "/v1/event-types/ContactCreate".to_owned(),
            "listEvents" => "/v1/events".to_owned(),
            "getEvent" => format!("/v1/events/{event}"),
            "getLocation" => format!("/v1/locations/{location}"),
            "getSystem" => "/v1/system".to_owned(),
            "streamEvents" => format!("/v1/stream?endpointId={ep}"),
            "listSessions" => "/v1/sessions".to_owned(),
            _ => return None,
        };
        Some(path)
    }

    async fn change_of_endpoint(&self, world: &World, operation: &str, end: End) -> (&str, String, Value) {
        let ep = &self.endpoint;
        let endpoint_owner = self.object_of("getEndpoint");
        let none = json!({});
        match operation {
            "createEndpoint" => {
                let body = json!({"url": world.receiver.url("/new"), "eventTypes": ["PlanChange"]});
                ("POST", "/v1/endpoints".to_owned(), named(body, endpoint_owner))
            }
            "deleteEndpoint" => {
                let id =
                    if end == End::Succeeds { endpoint(world, endpoint_owner).await } else { ep.clone() };
                ("DELETE", format!("/v1/endpoints/{id}"), none)
            }
            "updateEndpoint" => ("PATCH", format!("/v1/endpoints/{ep}"), json!({"description": "changed"})),
            "disableEndpoint" => {
                let id =
                    if end == End::Succeeds { endpoint(world, endpoint_owner).await } else { ep.clone() };
                ("POST", format!("/v1/endpoints/{id}/disable"), none)
            }
            "enableEndpoint" => ("POST", format!("/v1/endpoints/{ep}/enable"), none),
            "promoteEndpointSecret" => ("POST", format!("/v1/endpoints/{ep}/secret/promote"), none),
            "rotateEndpointSecret" => {
                ("POST", format!("/v1/endpoints/{ep}/secret/rotate"), json!({"graceSeconds": 0}))
            }
            "testEndpoint" => ("POST", format!("/v1/endpoints/{ep}/test"), none),
            other => panic!("the operation {other} has no request here: add it, and its row above"),
        }
    }

    async fn change(&self, world: &World, operation: &str, end: End) -> (&str, String, Value) {
        let Self { owner, delivery, key: key_id, session: session_id, payload, .. } = self;
        let (location, app) = (self.location(), self.app());
        let none = json!({});
        match operation {
            "createApiKey" => {
                let body = json!({"name": "k", "permissions": ["manage"]});
                ("POST", "/v1/api-keys".to_owned(), named(body, *owner))
            }
            "deleteApiKey" => {
                let id = if end == End::Succeeds { key(world, *owner).await } else { key_id.clone() };
                ("DELETE", format!("/v1/api-keys/{id}"), none)
            }
            "explainSignatures" => {
                let body = json!({"body": "{}", "headers": {}, "endpointId": self.endpoint});
                ("POST", "/v1/signatures/explain".to_owned(), body)
            }
            "putApp" => ("PUT", format!("/v1/apps/{app}"), none),
            "deleteApp" => ("DELETE", format!("/v1/apps/{app}"), none),
            "installAppInCompany" => ("PUT", format!("/v1/apps/{app}/company-installs/comp-9"), none),
            "uninstallAppFromCompany" => ("DELETE", format!("/v1/apps/{app}/company-installs/comp-9"), none),
            "installApp" => ("PUT", format!("/v1/apps/{app}/installs/loc-9"), none),
            "uninstallApp" => ("DELETE", format!("/v1/apps/{app}/installs/loc-9"), none),
            "cancelDelivery" => ("POST", format!("/v1/deliveries/{delivery}/cancel"), none),
            "retryDelivery" => ("POST", format!("/v1/deliveries/{delivery}/retry"), none),
            "publishEvent" => ("POST", "/v1/events".to_owned(), payload.clone()),
            "publishEvents" => ("POST", "/v1/events/batch".to_owned(), json!({"events": [payload]})),
            "putLocation" => {
                let company = if location == "loc-1" { json!(COMPANY) } else { Value::Null };
                ("PUT", format!("/v1/locations/{location}"), json!({"companyId": company}))
            }
            "deleteLocation" => ("DELETE", format!("/v1/locations/{location}"), none),
            "rotateMasterKey" => ("POST", "/v1/system/master-key/rotate".to_owned(), none),
            "createPortalSession" => {
                ("POST", "/v1/portal-sessions".to_owned(), named(json!({"permissions": ["manage"]}), *owner))
            }
            "deleteSession" => {
                let id = if end == End::Succeeds { session(world, *owner).await } else { session_id.clone() };
                ("DELETE", format!("/v1/sessions/{id}"), none)
            }
            other => panic!("the operation {other} has no request here: add it, and its row above"),
        }
    }

    /// Ids that only this estate has, by which it is known in a listing.
    fn ids(&self) -> [&str; 5] {
        [&self.endpoint, &self.delivery, &self.event, &self.key, &self.session].map(String::as_str)
    }
}

/// With the owner's fields.
fn named(mut body: Value, owner: Owner) -> Value {
    crate::world::merge(&mut body, owner.fields());
    body
}

async fn endpoint(world: &World, owner: Owner) -> String {
    let made = world.endpoint(owner.fields()).await;
    text(&made, "id").to_owned()
}

/// An event that goes to the owner's endpoint; an app gets those of the location in which it is installed.
async fn payload(world: &World, owner: Owner) -> Value {
    let name = match owner {
        Location(_) | Platform => "ContactCreate",
        Company(_) => "UserCreate",
        App(_) => "PlanChange",
    };
    let mut payload = world.api.get(&format!("/v1/event-types/{name}")).await.expect(200)["example"].clone();
    if matches!(owner, Company(_)) {
        payload.as_object_mut().unwrap().remove("locationId");
    }
    crate::world::merge(&mut payload, owner.fields());
    payload
}

async fn key(world: &World, owner: Owner) -> String {
    let mut body = json!({"name": "k", "permissions": ["view"]});
    crate::world::merge(&mut body, owner.fields());
    text(&world.api.post("/v1/api-keys", &body).await.expect(201), "id").to_owned()
}

async fn session(world: &World, owner: Owner) -> String {
    text(&link(world, owner, &["view"]).await, "sessionId").to_owned()
}

async fn link(world: &World, owner: Owner, permissions: &[&str]) -> Value {
    let mut body = json!({"permissions": permissions, "ttlSeconds": 604_800});
    crate::world::merge(&mut body, owner.fields());
    world.api.post("/v1/portal-sessions", &body).await.expect(201)
}

/// Opens a session in a browser's way: its token.
pub(crate) async fn signed_in(world: &World, owner: Owner, permissions: &[&str]) -> String {
    let link = link(world, owner, permissions).await;
    let (_, code) = text(&link, "url").split_once("code=").unwrap();
    let browser =
        Client::new(world.api.base()).with_header("content-type", "application/x-www-form-urlencoded");
    let answered = browser.send(Method::POST, "/login", format!("code={code}")).await;
    assert_eq!(answered.status.as_u16(), 303, "{}", answered.text());
    let cookie = answered.header("set-cookie").unwrap();
    cookie.split(['=', ';']).nth(1).unwrap().to_owned()
}

const WHOLE: &[&str] = &["publish", "manage", "view"];

async fn actors(world: &World) -> Vec<Actor> {
    let new = || Client::new(world.api.base());
    let nobody = |name: &str, client| Actor {
        name: name.to_owned(),
        client,
        world: None,
        permissions: &[],
        is_session: false,
        lacks_csrf: false,
    };
    let made = async |owner: Owner, permissions: &[&str]| {
        let mut body = json!({"name": "k", "permissions": permissions});
        crate::world::merge(&mut body, owner.fields());
        world.api.post("/v1/api-keys", &body).await.expect(201)
    };
    let mut actors = vec![nobody("nobody", new()), nobody("a wrong key", new().with_key(&"hpk_x".repeat(9)))];
    for (owner, permissions) in OWNERS
        .map(|owner| (owner, WHOLE))
        .into_iter()
        .chain([Platform, Location("loc-1"), Company(COMPANY)].map(|owner| (owner, &["view"] as &[_])))
        .chain([Location("loc-1"), App("app-1")].map(|owner| (owner, &["publish"] as &[_])))
        .chain([Location("loc-1")].map(|owner| (owner, &["manage"] as &[_])))
    {
        let key = made(owner, permissions).await;
        let (client, name) =
            (new().with_key(text(&key, "key")), format!("key of {owner:?} for {permissions:?}"));
        actors.push(Actor { world: Some(owner), permissions, ..nobody(&name, client) });
    }
    for (owner, permissions) in [
        (Platform, &["manage", "view"] as &[_]),
        (Location("loc-1"), &["manage", "view"]),
        (Location("loc-1"), &["view"]),
        (Company(COMPANY), &["manage", "view"]),
        (App("app-2"), &["manage", "view"]),
    ] {
        let token = signed_in(world, owner, permissions).await;
        let name = format!("session of {owner:?} for {permissions:?}");
        let actor = |name: &str, client, lacks_csrf| Actor {
            world: Some(owner),
            permissions,
            is_session: true,
            lacks_csrf,
            ..nobody(name, client)
        };
        actors.push(actor(&name, new().with_key(&token), false));
        let cookie = new().with_header("cookie", &format!("hoopoe_session={token}"));
        let current = cookie.get("/v1/sessions/current").await.expect(200);
        let with_csrf = cookie.clone().with_header("x-csrf-token", text(&current, "csrfToken"));
        actors.push(actor(&format!("{name} by cookie"), with_csrf, false));
        actors.push(actor(&format!("{name} by cookie, no CSRF token"), cookie, true));
    }
    let revoked = made(Platform, WHOLE).await;
    world.api.delete(&format!("/v1/api-keys/{}", text(&revoked, "id"))).await.expect(204);
    actors.push(nobody("a revoked key", new().with_key(text(&revoked, "key"))));
    let token = signed_in(world, Platform, &["manage", "view"]).await;
    let ended = new().with_key(&token);
    let id = text(&ended.get("/v1/sessions/current").await.expect(200), "id").to_owned();
    ended.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    actors.push(nobody("a revoked session", ended));
    let expires_at = world.now().plus_millis(1_000).to_string();
    let body = json!({"name": "k", "permissions": WHOLE, "expiresAt": expires_at});
    let expired = world.api.post("/v1/api-keys", &body).await.expect(201);
    world.clock.advance_ms(1_000);
    actors.push(nobody("an expired key", new().with_key(text(&expired, "key"))));
    actors
}

async fn asked(client: &Client, (method, path, body): &Asking) -> Answered {
    if path.starts_with("/v1/stream") {
        // It has no end, so that its beginning has to do.
        let begun =
            |stream: Sse| Answered { status: StatusCode::OK, headers: stream.headers, body: Bytes::new() };
        return client.open(path).await.map_or_else(|answered| answered, begun);
    }
    let has_body = !method.is_safe() && *method != Method::DELETE;
    client.send(method.clone(), path, if has_body { body.to_string() } else { String::new() }).await
}

/// A listing shows what is in the caller's world, and of the others nothing.
fn check_listing(case: &str, world: Owner, estates: &[Estate], answered: &Answered) {
    for estate in estates {
        // Objects of the platform's estate are a location's; its key and session are its own.
        let owners = ["getEndpoint", "getDelivery", "getEvent", "deleteApiKey", "deleteSession"]
            .map(|operation| estate.object_of(operation));
        for (id, owner) in estate.ids().into_iter().zip(owners) {
            assert!(world.sees(owner) || !answered.text().contains(id), "{case} shows {id} of {owner:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_by_every_actor_on_every_world_goes_as_the_table_says() {
    let world = World::start_with(|args| args.endpoints_per_owner = Some(10_000)).await;
    world.api.put("/v1/locations/loc-1", &json!({"companyId": COMPANY})).await.expect(200);
    world.api.put("/v1/apps/app-1/installs/loc-1", &json!({})).await.expect(201);
    let mut estates = Vec::new();
    for owner in OWNERS {
        estates.push(Estate::of(&world, owner).await);
    }
    let actors = actors(&world).await;
    let mut faults = Vec::new();
    let mut cells = 0;
    for operation in &OPERATIONS {
        for actor in &actors {
            for estate in &estates {
                if operation.touches == Touches::PlatformsObject
                    || ["getApp", "getLocation"].contains(&operation.id)
                {
                    restore(&world, estate).await;
                }
                let probe = estate.request(&world, operation.id, End::Refused).await;
                let expected = actor.expected(operation, estate, &probe.0);
                let request = match expected == operation.success() {
                    true => estate.request(&world, operation.id, End::Succeeds).await,
                    false => probe,
                };
                // Many fail on purpose: that their number is bounded is tested elsewhere.
                world.clock.advance_ms(60_000);
                let answered = asked(&actor.client, &request).await;
                let case = format!("{} by {} on {:?}", operation.id, actor.name, estate.owner);
                if answered.status.as_u16() != expected {
                    faults.push(format!("{case}: {} for {expected}: {}", answered.status, answered.text()));
                }
                if operation.id.starts_with("list") && answered.status.is_success() {
                    check_listing(&case, actor.world.unwrap(), &estates, &answered);
                }
                cells += 1;
            }
        }
    }
    assert!(faults.is_empty(), "{} of {cells} cells:\n{}", faults.len(), faults.join("\n"));
    assert!(cells >= 48 * 30 * 6, "{cells} cells");
    println!("{cells} cells");
}

/// What an operation on the location or the app itself may have taken away.
async fn restore(world: &World, estate: &Estate) {
    let company = if estate.location() == "loc-1" { json!(COMPANY) } else { Value::Null };
    world
        .api
        .put(&format!("/v1/locations/{}", estate.location()), &json!({"companyId": company}))
        .await
        .expect(200);
    let app = estate.app();
    world.api.put(&format!("/v1/apps/{app}"), &json!({})).await.expect(200);
    for target in ["installs/loc-9", "company-installs/comp-9"] {
        let answered = world.api.put(&format!("/v1/apps/{app}/{target}"), &json!({})).await;
        assert!(answered.status.is_success(), "{}", answered.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_document_stands_in_the_table() {
    let world = World::start().await;
    let document = world.api.get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|item| item.as_object().unwrap().values());
    let documented: BTreeSet<&str> =
        operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    let known: BTreeSet<&str> =
        OPERATIONS.iter().map(|operation| operation.id).chain(OF_THE_CALLER).collect();
    assert_eq!(documented, known);
}
